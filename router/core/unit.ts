import type { Fields, UnitSource } from './types.ts';

/** Longest raw id that is hashed; a longer one is no unit. */
const UNIT_CHARS_MAX = 1024;

/**
 * The raw id of whoever asks, from the first source that has one, or null (then the request stays on the group's
 * safe side). Two different values for one source make the id ambiguous: null, never the first of them.
 */
export function unitId(fields: Fields, sources: readonly UnitSource[]): string | null {
  for (const source of sources) {
    const id = 'header' in source ? headerValue(fields, source.header) : cookieValue(fields, source.cookie);
    if (id !== null && id !== '' && id.length <= UNIT_CHARS_MAX) return id;
  }
  return null;
}

/** The value of a header, without regard to case; null when absent or when two lines disagree. */
export function headerValue(fields: Fields, lowerName: string): string | null {
  let found: string | null = null;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i];
    if (name === undefined || name.length !== lowerName.length || name.toLowerCase() !== lowerName) continue;
    const value = fields[i + 1] ?? '';
    if (found !== null && found !== value) return null;
    found = value;
  }
  return found;
}

/** The value of a cookie as sent (RFC 6265 §4.2), quotes removed; null when absent or sent twice with two values. */
export function cookieValue(fields: Fields, cookie: string): string | null {
  let found: string | null = null;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.length !== 6 || fields[i]?.toLowerCase() !== 'cookie') continue;
    const line = fields[i + 1] ?? '';
    for (let from = 0; from < line.length; ) {
      const semicolon = line.indexOf(';', from);
      const end = semicolon === -1 ? line.length : semicolon;
      const equals = line.indexOf('=', from);
      // Length first: most pairs of a line are not asked for.
      const named =
        equals < end && equals - from >= cookie.length && line.slice(from, equals).trim() === cookie;
      if (named) {
        const value = unquoted(line.slice(equals + 1, end).trim());
        if (found !== null && found !== value) return null;
        found = value;
      }
      from = end + 1;
    }
  }
  return found;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
