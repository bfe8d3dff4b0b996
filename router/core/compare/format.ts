/** What a text looks like: enough to understand a difference, never enough to read the value. */

export type Format =
  | 'empty'
  | 'uuid'
  | 'ulid'
  | 'instant'
  | 'date'
  | 'epoch-s'
  | 'epoch-ms'
  | 'integer'
  | 'decimal'
  | 'hex'
  | 'email'
  | 'url'
  | 'jwt'
  | 'base64url'
  | 'words'
  | 'text';

const FORMATS: readonly (readonly [Format, RegExp])[] = [
  ['empty', /^$/],
  ['uuid', /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i],
  ['ulid', /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/],
  ['instant', /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/],
  ['date', /^(?:\d{4}-\d\d-\d\d|\d\d\/\d\d\/\d{4})/],
  ['epoch-s', /^1\d{9}$/],
  ['epoch-ms', /^1\d{12}$/],
  ['integer', /^-?\d+$/],
  ['decimal', /^-?\d+\.\d+$/],
  ['hex', /^[0-9a-f]{8,}$/i],
  ['email', /^[^@\s]+@[^@\s]+$/],
  ['url', /^[a-z][a-z0-9+.-]*:\/\//i],
  ['jwt', /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/],
  ['base64url', /^[\w+/=-]{16,}$/],
  ['words', /^[\p{L}\p{M} ,.'-]+$/u],
];

/** Longer texts are not looked at: `text`. */
const CHARS_MAX = 1024;

/** First format that fits. */
export function formatClass(text: string): Format {
  if (text.length > CHARS_MAX) return 'text';
  return FORMATS.find(([, regex]) => regex.test(text))?.[0] ?? 'text';
}

/** Length to a bucket that tells sizes apart without giving the length: 0, 1, 2, 4, 8 … (lower bound, powers of 2). */
export function lengthBucket(length: number): number {
  return length <= 0 ? 0 : 2 ** Math.floor(Math.log2(length));
}
