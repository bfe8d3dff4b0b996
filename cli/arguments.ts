import { InvalidArgumentError } from 'commander';

/** `25%` or `25`, 0-100. Hundredths where `decimals` allows them. Throws commander's error for what is none. */
export function percentArgument(decimals: 0 | 2): (text: string) => number {
  const shape = decimals === 0 ? /^\d{1,3}%?$/ : /^\d{1,3}(\.\d{1,2})?%?$/;
  return (text) => {
    const value = Number(text.replace('%', ''));
    if (!shape.test(text) || value > 100) {
      throw new InvalidArgumentError(
        decimals === 0
          ? 'expected a whole percentage from 0% to 100%'
          : 'expected a percentage from 0% to 100%, at most hundredths',
      );
    }
    return value;
  };
}

export function revArgument(text: string): string {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected the rev that `fig status` shows');
  return text;
}

/** `GET /path`, or just `/path`. */
export function requestArgument(text: string): { readonly method: string; readonly target: string } {
  const found = /^(?:([A-Za-z]+)\s+)?(\/\S*)$/.exec(text);
  if (found?.[2] === undefined) throw new InvalidArgumentError("expected 'METHOD /path'");
  return { method: found[1] ?? 'GET', target: found[2] };
}

/** `Name: value` */
export function headerArgument(
  text: string,
  before: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const found = /^([^:\s]+):\s*(.*)$/.exec(text);
  if (found?.[1] === undefined) throw new InvalidArgumentError("expected 'Name: value'");
  return [...before, [found[1], found[2] ?? '']];
}

/** `name=value` */
export function cookieArgument(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=;\s]+=[^;]*$/.test(text)) throw new InvalidArgumentError("expected 'name=value'");
  return [...before, text];
}

export function countArgument(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1_000)
    throw new InvalidArgumentError('expected a number from 1 to 1000');
  return value;
}

/** A name that a flag can have. */
export function flagArgument(text: string): string {
  if (!/^(?!\.{1,2}$)[\w.~!*'()-]{1,100}$/.test(text))
    throw new InvalidArgumentError(
      "expected the name of a flag: 1 to 100 letters, digits or . _ ~ - ! * ' ( )",
    );
  return text;
}
