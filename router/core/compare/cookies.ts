/** Set-Cookie by name and attributes; values differ by construction (RFC 6265). */
import type { Detail } from './comparison.ts';
import { parseTime, wallSeconds } from './instant.ts';
import { type Found, textSample } from './sink.ts';
import { below, HEADERS } from './trail.ts';

export interface ParsedCookie {
  /** Attributes in lower case, sorted, without Expires: `httponly`, `path=/`. */
  readonly attributes: readonly string[];
  /** The cookie is taken away: Max-Age of at most 0, or Expires not after the answer's Date. */
  readonly deletes: boolean;
}

const EXPIRES_LONG_AGO_SECONDS = 86_400;
const SET_COOKIE = below(HEADERS, 'set-cookie');

/** Cookies by name, in line order. `date`: the answer's Date header, or null. */
export function parseCookies(
  lines: readonly string[],
  date: string | null,
): ReadonlyMap<string, readonly ParsedCookie[]> {
  const cookies = new Map<string, ParsedCookie[]>();
  for (const line of lines) {
    const [pair = '', ...rest] = line.split(';');
    const name = pair.slice(0, Math.max(0, pair.indexOf('='))).trim();
    const cookie = parseAttributes(rest, date);
    const list = cookies.get(name);
    if (list === undefined) cookies.set(name, [cookie]);
    else list.push(cookie);
  }
  return cookies;
}

function parseAttributes(texts: readonly string[], date: string | null): ParsedCookie {
  const attributes: string[] = [];
  let deletes = false;
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = (equals === -1 ? text : text.slice(0, equals)).trim().toLowerCase();
    const value = equals === -1 ? null : text.slice(equals + 1).trim();
    if (name === 'expires') deletes ||= isPast(value ?? '', date);
    else if (name !== '') attributes.push(value === null ? name : `${name}=${value.toLowerCase()}`);
    if (name === 'max-age' && /^(?:-\d+|0+)$/.test(value ?? '')) deletes = true;
  }
  return { attributes: [...new Set(attributes)].sort(), deletes };
}

/** Without a Date to compare with, only the customary first day of 1970 is surely past. */
function isPast(expires: string, date: string | null): boolean {
  const at = parseTime(expires.replace(/^(\w{3}, \d\d)-(\w{3})-(\d{4})/, '$1 $2 $3'));
  if (at === null) return false;
  const now = date === null ? null : parseTime(date);
  return wallSeconds(at) <= (now === null ? EXPIRES_LONG_AGO_SECONDS : wallSeconds(now));
}

/** Reports `missing`, `extra` or one `value` per cookie name. */
export function compareCookies(
  legacy: ReadonlyMap<string, readonly ParsedCookie[]>,
  service: ReadonlyMap<string, readonly ParsedCookie[]>,
  report: (found: Found, cookie: string) => void,
): void {
  for (const name of new Set([...legacy.keys(), ...service.keys()])) {
    const trail = below(SET_COOKIE, name);
    const [left, right] = [legacy.get(name), service.get(name)];
    if (left !== undefined && right !== undefined) {
      if (listText(left) === listText(right)) continue;
      const samples = {
        legacy: textSample('header', listText(left)),
        service: textSample('header', listText(right)),
      };
      report({ trail, kind: 'value', detail: detailOf(left, right), ...samples }, name);
    } else if (left !== undefined) {
      const sample = textSample('header', listText(left));
      report({ trail, kind: 'missing', detail: null, legacy: sample, service: null }, name);
    } else if (right !== undefined) {
      const sample = textSample('header', listText(right));
      report({ trail, kind: 'extra', detail: null, legacy: null, service: sample }, name);
    }
  }
}

/** Two lines of one name (two paths) are a multiset: their order is free. */
function listText(cookies: readonly ParsedCookie[]): string {
  const texts = cookies.map(
    ({ attributes, deletes }) => `${deletes ? 'deleted; ' : ''}${attributes.join('; ')}`,
  );
  return texts.sort().join(', ');
}

function detailOf(legacy: readonly ParsedCookie[], service: readonly ParsedCookie[]): Detail {
  if (legacy.some((c) => c.deletes) !== service.some((c) => c.deletes)) return 'cookie-deletion';
  const [a, b] = [legacy.flatMap((c) => c.attributes), service.flatMap((c) => c.attributes)];
  const lost = a.filter((attribute) => !b.includes(attribute));
  const gained = b.filter((attribute) => !a.includes(attribute));
  const weaker =
    lost.some((text) => /^(?:httponly|secure|samesite=(?:strict|lax)|path=.*)$/.test(text)) ||
    gained.some((text) => text.startsWith('domain='));
  return weaker ? 'cookie-security' : 'cookie-attribute';
}
