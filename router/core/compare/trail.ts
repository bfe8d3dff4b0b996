/** Where in an answer a difference is: RFC 6901 pointers below `/body`, names below `/headers`. */

/** A linked path, shared between siblings. A number is an array index, a string a member or a fixed part. */
export interface Trail {
  readonly parent: Trail | null;
  readonly segment: string | number;
}

export const EXCHANGE: Trail = { parent: null, segment: 'exchange' };
export const STATUS: Trail = { parent: null, segment: 'status' };
export const HEADERS: Trail = { parent: null, segment: 'headers' };
export const BODY: Trail = { parent: null, segment: 'body' };

export function below(parent: Trail, segment: string | number): Trail {
  return { parent, segment };
}

/** From the root to the end. */
export function segmentsOf(trail: Trail): readonly (string | number)[] {
  const segments: (string | number)[] = [];
  for (let at: Trail | null = trail; at !== null; at = at.parent) segments.push(at.segment);
  return segments.reverse();
}

/** `/body/items/0/a~1b`. */
export function pointerOf(trail: Trail): string {
  return segmentsOf(trail)
    .map((segment) => `/${escaped(String(segment))}`)
    .join('');
}

/** One template segment: `*` for what varies, else the name as a rule path writes it. */
export function templateSegment(segment: string | number): string {
  return isVariable(segment) ? '*' : escaped(String(segment)).replaceAll('*', '~2');
}

/**
 * The path with everything that varies from answer to answer replaced by `*`: array indexes and keys that look
 * like ids. A template is itself a valid rule path; a literal `*` is written `~2`.
 */
export function templateOf(trail: Trail): string {
  return segmentsOf(trail)
    .map((segment) => `/${templateSegment(segment)}`)
    .join('');
}

/** Array index, or a key shaped as integer, uuid, date, e-mail or token: one of many, not a name. */
export function isVariable(segment: string | number): boolean {
  return typeof segment === 'number' || VARIABLE_KEY.test(segment) || isTokenLike(segment);
}

/** Long and with many digits: no programmer names a member like that. */
function isTokenLike(key: string): boolean {
  return key.length >= 16 && key.replace(/\D/g, '').length >= 4 && /^[\w-]+$/.test(key);
}

const VARIABLE_KEY =
  /^(?:-?\d+|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\d{4}-\d\d-\d\d(?:[T ][\d:.]+Z?)?|[^@\s]{1,64}@[^@\s]{1,255})$/i;

/** The segments of a rule path, `*`, `**` and `~2` still told apart; null when it is not one. */
export function parseRulePath(path: string): readonly RuleSegment[] | null {
  if (!/^\/(?:exchange|status|headers|body)(?:\/|$)/.test(path)) return null;
  const segments: RuleSegment[] = [];
  for (const text of path.slice(1).split('/')) {
    if (/~(?![012])/.test(text)) return null;
    if (text === '*') segments.push({ kind: 'one' });
    else if (text === '**') segments.push({ kind: 'any' });
    else segments.push({ kind: 'literal', text: unescaped(text) });
  }
  return segments;
}

export type RuleSegment =
  | { readonly kind: 'literal'; readonly text: string }
  /** `*`: exactly one segment. */
  | { readonly kind: 'one' }
  /** `**`: any number of segments. */
  | { readonly kind: 'any' };

function escaped(text: string): string {
  return text.includes('~') || text.includes('/') ? text.replaceAll('~', '~0').replaceAll('/', '~1') : text;
}

function unescaped(text: string): string {
  return text.replaceAll('~2', '*').replaceAll('~1', '/').replaceAll('~0', '~');
}
