/** A whole number from 0 to `max` given on the command line. Throws RangeError with a sentence for a person. */
export function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) {
    throw new RangeError(`${name} must be a whole number from 0 to ${max}, is "${text}"`);
  }
  return value;
}

/** An http origin given on the command line, without path. Throws RangeError with a sentence for a person. */
export function originOf(name: string, text: string | undefined): string {
  if (text !== undefined && /^http:\/\/[^/\s]+\/?$/.test(text) && URL.canParse(text))
    return new URL(text).origin;
  throw new RangeError(
    `${name} must be an origin like http://127.0.0.1:4001, is ${text === undefined ? 'missing' : `"${text}"`}`,
  );
}
