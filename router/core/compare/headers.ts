/** Headers by family: what is ignored, what is a set, what is exact. Raw lines, since repeated ones matter. */
import type { Fields } from '../types.ts';
import type { Detail } from './comparison.ts';
import { compareCookies, type ParsedCookie, parseCookies } from './cookies.ts';
import { advance, type Cursor, type Rule, ruleAt } from './rule.ts';
import { type Found, textSample } from './sink.ts';
import { textDetail } from './strings.ts';
import { below, HEADERS, type Trail } from './trail.ts';
import { excusesValue, type Walk } from './tree.ts';

/** Neither presence nor value says anything about the answer. */
const IGNORED: ReadonlySet<string> = new Set(
  `connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length content-encoding date
  age server via x-powered-by x-request-id x-correlation-id request-id traceparent tracestate x-runtime
  x-response-time server-timing`.split(/\s+/),
);
/** Each side makes its own validators; that there is one matters, its value does not. */
const PRESENCE_ONLY: ReadonlySet<string> = new Set(['etag', 'last-modified']);
/** Members as a case-insensitive set. */
const SETS: ReadonlySet<string> = new Set([
  'vary',
  'allow',
  'cache-control',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
]);

export interface HeadersOf {
  readonly legacy: Fields;
  readonly service: Fields;
  /** `content-*` fields describe a body that one side does not have. */
  readonly withoutContent: boolean;
}

/** Adds the differences of two heads, in legacy's order, then what only the service has. */
export function compareHeaders(
  { legacy, service, withoutContent }: HeadersOf,
  root: Cursor,
  walk: Walk,
): void {
  if (agreeByLine(legacy, service)) return;
  const [left, right] = [linesByName(legacy), linesByName(service)];
  const cursor = advance(root, 'headers');
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (IGNORED.has(name) || (withoutContent && name.startsWith('content-'))) continue;
    const trail = below(HEADERS, name);
    const here = advance(cursor, name);
    if (name === 'set-cookie') {
      compareCookies(cookiesOf(left), cookiesOf(right), (found, cookie) =>
        report(found, advance(here, cookie), [here, cursor], walk),
      );
    } else compareField(name, trail, left.get(name), right.get(name), here, cursor, walk);
  }
}

/**
 * Whether two heads agree line by line, apart from lines that say nothing: then there is nothing to compare, and both
 * bodies are coded alike. False only means that it takes a closer look.
 */
export function agreeByLine(legacy: Fields, service: Fields): boolean {
  if (legacy.length !== service.length) return false;
  let dated = false;
  let baked = false;
  for (let i = 0; i + 1 < legacy.length; i += 2) {
    const name = legacy[i] ?? '';
    if (name !== service[i]) return false;
    if (name.length === 10 && name.toLowerCase() === 'set-cookie') baked = true;
    if (legacy[i + 1] === service[i + 1]) continue;
    const lower = name.toLowerCase();
    if (lower === 'content-encoding' || !(IGNORED.has(lower) || PRESENCE_ONLY.has(lower))) return false;
    if (lower === 'date') dated = true;
  }
  // Whether a cookie has expired is read against the Date.
  return !(dated && baked);
}

function cookiesOf(
  lines: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, readonly ParsedCookie[]> {
  return parseCookies(lines.get('set-cookie') ?? [], lines.get('date')?.[0] ?? null);
}

function compareField(
  name: string,
  trail: Trail,
  left: readonly string[] | undefined,
  right: readonly string[] | undefined,
  cursor: Cursor,
  parent: Cursor,
  walk: Walk,
): void {
  if (left === undefined || right === undefined) {
    const lines = left ?? right ?? [];
    const sample = textSample('header', joined(lines));
    const detail = left === undefined ? extraDetail(name) : missingDetail(name, lines);
    const found: Found =
      left === undefined
        ? { trail, kind: 'extra', detail, legacy: null, service: sample }
        : { trail, kind: 'missing', detail, legacy: sample, service: null };
    report(found, cursor, [parent], walk);
    return;
  }
  const [legacy, service] = [joined(left), joined(right)];
  if (legacy === service || sameByFamily(name, legacy, service)) return;
  const found: Found = {
    trail,
    kind: 'value',
    detail: valueDetail(name, legacy, service),
    legacy: textSample('header', legacy),
    service: textSample('header', service),
  };
  report(found, cursor, [parent], walk);
}

/** Rules at the header's or cookie's own path, then `ignore` and `allow-extra` of what it is in. */
function report(found: Found, cursor: Cursor, parents: readonly Cursor[], walk: Walk): void {
  let rule: Rule | null = ruleAt(cursor, 'ignore') ?? ruleIn(parents, 'ignore');
  if (found.kind === 'extra') rule ??= ruleAt(cursor, 'allow-extra') ?? ruleIn(parents, 'allow-extra');
  if (found.kind === 'value') {
    rule ??= excusesValue(found.legacy?.text ?? '', found.service?.text ?? '', cursor, walk.context);
  }
  walk.sink.add(found, rule);
}

function ruleIn(cursors: readonly Cursor[], stage: 'ignore' | 'allow-extra'): Rule | null {
  for (const cursor of cursors) {
    const rule = ruleAt(cursor, stage);
    if (rule !== null) return rule;
  }
  return null;
}

function sameByFamily(name: string, legacy: string, service: string): boolean {
  if (PRESENCE_ONLY.has(name)) return true;
  if (name === 'content-type') return mediaType(legacy) === mediaType(service);
  if (!SETS.has(name)) return false;
  const [a, b] = [membersOf(legacy), membersOf(service)];
  return a.size === b.size && [...a].every((member) => b.has(member));
}

/** Type and subtype in lower case, without parameters. */
export function mediaType(value: string): string {
  return (value.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Members of a comma list in lower case; commas in quotes do not separate. */
function membersOf(value: string): ReadonlySet<string> {
  const members = splitList(value).map((member) => member.toLowerCase());
  return new Set(members.filter((member) => member !== ''));
}

/** Lines of one name as one value, commas outside quotes written one way (RFC 9110 §5.3, §5.6.1). */
function joined(lines: readonly string[]): string {
  return lines.length === 1 && !lines[0]?.includes(',')
    ? (lines[0] ?? '').trim()
    : lines.flatMap(splitList).join(', ');
}

function splitList(value: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < value.length; i += 1) {
    const c = value[i];
    if (c === '\\' && quoted) i += 1;
    else if (c === '"') quoted = !quoted;
    else if (c === ',' && !quoted) {
      parts.push(value.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(value.slice(start).trim());
  return parts;
}

function linesByName(fields: Fields): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, string[]>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    const list = lines.get(name);
    if (list === undefined) lines.set(name, [fields[i + 1] ?? '']);
    else list.push(fields[i + 1] ?? '');
  }
  return lines;
}

/** All values of a name in lower case, or null when it is absent. */
export function fieldValue(fields: Fields, name: string): string | null {
  const lines: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const each = fields[i] ?? '';
    if (each.length === name.length && each.toLowerCase() === name) lines.push(fields[i + 1] ?? '');
  }
  return lines.length === 0 ? null : joined(lines);
}

function missingDetail(name: string, lines: readonly string[]): Detail | null {
  if (name === 'vary') return 'vary-lost';
  if (name === 'www-authenticate') return 'auth-challenge';
  return name === 'cache-control' && isClosed(membersOf(joined(lines))) ? 'cache-widened' : null;
}

function extraDetail(name: string): Detail | null {
  if (name === 'access-control-allow-origin' || name === 'access-control-allow-credentials')
    return 'cors-widened';
  return name === 'www-authenticate' ? 'auth-challenge' : null;
}

function valueDetail(name: string, legacy: string, service: string): Detail | null {
  const [a, b] = [membersOf(legacy), membersOf(service)];
  if (name === 'cache-control' && isClosed(a) && !isClosed(b)) return 'cache-widened';
  if (name === 'vary' && [...a].some((member) => !b.has(member)) && !b.has('*')) return 'vary-lost';
  if (name === 'www-authenticate') return 'auth-challenge';
  if (name.startsWith('access-control-allow-') && isWider(a, b)) return 'cors-widened';
  if (name === 'content-security-policy' && withoutNonce(legacy) === withoutNonce(service)) return 'nonce';
  return textDetail(legacy, service);
}

function isClosed(cache: ReadonlySet<string>): boolean {
  return cache.has('private') || cache.has('no-store');
}

function isWider(before: ReadonlySet<string>, after: ReadonlySet<string>): boolean {
  return [...after].some((member) => !before.has(member));
}

function withoutNonce(value: string): string {
  return value.replace(/'nonce-[^']*'/g, '');
}
