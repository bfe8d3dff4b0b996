/** The byte classes of RFC 9110 §5.6.2 (1 = allowed) and §5.5. Texts are latin1, one character per byte. */
const TOKEN_BYTES = tableOf((c) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(c)));
const NO_VALUE_BYTE = /[^\t\x20-\x7e\x80-\xff]/g;

/** Index of the first byte at or after `from` that belongs to no token; the length of the text when there is none. */
export function tokenEnd(text: string, from: number): number {
  let at = from;
  // The bound first: a read behind the end makes every later look at the table slow.
  while (at < text.length && TOKEN_BYTES[text.charCodeAt(at)] === 1) at += 1;
  return at;
}

/** Index of the first byte at or after `from` that may not stand in a field value (CR, LF and NUL among them). */
export function valueEnd(text: string, from: number): number {
  // Values are long: an expression is some five times as fast as a table.
  NO_VALUE_BYTE.lastIndex = from;
  return NO_VALUE_BYTE.test(text) ? NO_VALUE_BYTE.lastIndex - 1 : text.length;
}

export function isToken(text: string): boolean {
  return text !== '' && tokenEnd(text, 0) === text.length;
}

export function isFieldValue(text: string): boolean {
  return valueEnd(text, 0) === text.length;
}

/** Without the SP and HTAB around it and nothing else; `trim` would take 0xA0 away too. Source: RFC 9110 §5.6.3. */
export function trimmed(text: string): string {
  return trimmedSlice(text, 0, text.length);
}

/** `trimmed` of a part of a text. */
export function trimmedSlice(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function tableOf(allowed: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (allowed(code) ? 1 : 0));
}
