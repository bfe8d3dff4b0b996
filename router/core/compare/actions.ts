/** Every rule action: its parameters and its meaning, one small function each. */
import { type Decimal, decimalOf, relativeLimit, withinLimit } from '../decimal.ts';
import { lexemeOf, type Tree } from '../json.ts';
import { canonicalOf, isNumber } from './canonical.ts';
import type { HtmlIgnore } from './comparison.ts';
import {
  parseTime,
  secondsOf,
  type TimePattern,
  timePattern,
  type WrittenTime,
  wallSeconds,
  type Zone,
  zoneOf,
} from './instant.ts';
import { createOneToOne, join } from './one-to-one.ts';
import { readEmbeddedJson, readJwt } from './readers.ts';
import type { BodyFormat, RuleEffect, Verdict } from './rule.ts';
import { isUrlPart, sameUrl } from './url.ts';

/** Parameters of one rule as they came in; checked before `build` sees them. */
export type Parameters = Readonly<Record<string, unknown>>;

/** What is wrong with a value, as the end of a sentence that starts with its name; null when it is fine. */
type Check = (value: unknown) => string | null;

export interface Action {
  readonly parameters: Readonly<Record<string, Check>>;
  readonly required: readonly string[];
  readonly build: (parameters: Parameters) => RuleEffect;
  /** Acts on the body as a whole, at no other path. */
  readonly wholeBody?: boolean;
}

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;
/** `sse` and `multipart` have actions of their own. */
const FORMATS: readonly BodyFormat[] = ['json', 'ndjson', 'xml', 'html', 'text', 'binary'];
/** Stands for a masked match: a character that text does not contain. */
const MASKED = '\uFFFC';
const REGEX_LENGTH_MAX = 1_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['ignore', plain({ stage: 'ignore' })],
  ['allow-extra', plain({ stage: 'allow-extra' })],
  ['null-equals-missing', plain({ stage: 'null-equals-missing' })],
  ['ignore-value', plain({ stage: 'verdict', reach: 'subtree', holds: () => true })],
  ['number-lexeme', plain({ stage: 'verdict', reach: 'strict', holds: sameLexeme })],
  ['newlines', plain({ stage: 'normalise', apply: (text) => text.replace(/\r\n?/g, '\n') })],
  ['embedded-json', plain({ stage: 'read-string', read: readEmbeddedJson })],
  ['sse', { ...plain({ stage: 'read-body', as: 'sse', ignore: [] }), wholeBody: true }],
  ['multipart', { ...plain({ stage: 'read-body', as: 'multipart', ignore: [] }), wholeBody: true }],
  [
    'html',
    {
      wholeBody: true,
      parameters: { ignore: isHtmlIgnores },
      required: [],
      build: ({ ignore }) => ({ stage: 'read-body', as: 'html', ignore: htmlIgnoresOf(ignore) }),
    },
  ],
  [
    'jwt',
    {
      parameters: { ignoreClaims: (v) => (isTexts(v) ? null : 'must list claim names') },
      required: [],
      build: (p) => {
        const ignored = textsOf(p, 'ignoreClaims');
        return { stage: 'read-string', read: (text) => readJwt(text, ignored) };
      },
    },
  ],
  [
    'rename',
    {
      parameters: { group: isText },
      required: ['group'],
      build: (p) => ({ stage: 'verdict', reach: 'strict', holds: oneToOne(textOf(p, 'group') ?? '') }),
    },
  ],
  [
    'unordered',
    {
      parameters: { key: isText },
      required: [],
      build: (p) => ({ stage: 'unordered', key: textOf(p, 'key') }),
    },
  ],
  [
    'number',
    {
      parameters: { abs: isAmount, rel: isAmount },
      required: [],
      build: (p) => scalar(nearNumber(numberOf(p, 'abs') ?? 0, numberOf(p, 'rel') ?? 0)),
    },
  ],
  [
    'timestamp',
    {
      parameters: { toleranceMs: isAmount, unit: isOneOf(['s', 'ms']), pattern: isTimePattern, zone: isZone },
      required: ['toleranceMs'],
      build: (p) => scalar(sameInstant(p)),
    },
  ],
  [
    'uuid',
    {
      parameters: { version: (v) => (isInteger(v, 1, 8) ? null : 'must be a whole number from 1 to 8') },
      required: [],
      build: (p) => scalar(bothUuid(numberOf(p, 'version'))),
    },
  ],
  [
    'pattern',
    {
      parameters: { regex: isRegex },
      required: ['regex'],
      build: (p) => scalar(bothMatch(regexOf(textOf(p, 'regex') ?? '', ''))),
    },
  ],
  [
    'url',
    {
      parameters: { ignore: isUrlParts },
      required: [],
      build: (p) => {
        const ignore = new Set(textsOf(p, 'ignore'));
        return scalar((l, s, { url }) => isString(l) && isString(s) && sameUrl(l, s, url, ignore));
      },
    },
  ],
  [
    'equivalent',
    {
      parameters: { pairs: isPairs },
      required: ['pairs'],
      build: (p) => scalar(isListed(pairsOf(p))),
    },
  ],
  [
    'mask',
    {
      parameters: { regex: isRegex },
      required: ['regex'],
      build: (p) => {
        const regex = regexOf(textOf(p, 'regex') ?? '', 'g');
        return { stage: 'normalise', apply: (text) => text.replace(regex, MASKED) };
      },
    },
  ],
  [
    'unicode',
    {
      parameters: { form: isOneOf(FORMS) },
      required: ['form'],
      build: ({ form: asked }) => {
        const form = FORMS.find((name) => name === asked) ?? 'NFC';
        return { stage: 'normalise', apply: (text) => text.normalize(form) };
      },
    },
  ],
  [
    'parse-as',
    {
      wholeBody: true,
      parameters: { as: isOneOf(FORMATS) },
      required: ['as'],
      build: ({ as }) => ({
        stage: 'read-body',
        as: FORMATS.find((format) => format === as) ?? 'binary',
        ignore: [],
      }),
    },
  ],
]);

function plain(effect: RuleEffect): Action {
  return { parameters: {}, required: [], build: () => effect };
}

function scalar(holds: Verdict): RuleEffect {
  return { stage: 'verdict', reach: 'scalar', holds };
}

// What the actions mean.

/** 10.5 and 10.50 are two lexemes; of other types nothing is excused. */
function sameLexeme(legacy: Tree, service: Tree): boolean {
  return isNumber(legacy) && isNumber(service) ? lexemeOf(legacy) === lexemeOf(service) : legacy === service;
}

/** Inclusive and exact: |10.01 − 10.00| ≤ 0.01 holds. Numbers only, a string is not coerced. */
function nearNumber(abs: number, rel: number): Verdict {
  const [absolute, relative] = [decimalOf(String(abs)), decimalOf(String(rel))];
  return (legacy, service) => {
    if (!isNumber(legacy) || !isNumber(service)) return false;
    const [a, b] = [decimalOf(lexemeOf(legacy)), decimalOf(lexemeOf(service))];
    if (a === null || b === null || absolute === null || relative === null) return false;
    return withinLimit(a, b, absolute) || withinLimit(a, b, relativeLimit(relative, a, b));
  };
}

function sameInstant(p: Parameters): Verdict {
  const pattern = timePattern(textOf(p, 'pattern') ?? '');
  const zone = zoneOf(textOf(p, 'zone') ?? '');
  const tolerance = millis(decimalOf(String(numberOf(p, 'toleranceMs') ?? 0)));
  const unit = textOf(p, 'unit');
  return (legacy, service) => {
    const [a, b] = [instantOf(legacy, unit, pattern, zone), instantOf(service, unit, pattern, zone)];
    if (a === null || b === null || a.zoned !== b.zoned || isNumber(legacy) !== isNumber(service))
      return false;
    return withinLimit(a.seconds, b.seconds, tolerance);
  };
}

interface Instant {
  readonly seconds: Decimal;
  /** Without a zone a time is no instant; it equals only another one without. */
  readonly zoned: boolean;
}

function instantOf(
  value: Tree,
  unit: string | null,
  pattern: TimePattern | null,
  zone: Zone | null,
): Instant | null {
  if (isNumber(value)) {
    const number = unit === null ? null : decimalOf(lexemeOf(value));
    if (number === null) return null;
    return { seconds: unit === 'ms' ? millis(number) : number, zoned: true };
  }
  if (typeof value !== 'string') return null;
  const time = pattern?.(value) ?? parseTime(value);
  return time === null ? null : placed(time, zone);
}

function placed(time: WrittenTime, zone: Zone | null): Instant | null {
  if (time.offsetMinutes !== null) return { seconds: secondsOf(time, time.offsetMinutes * 60), zoned: true };
  if (zone === null) return { seconds: secondsOf(time, 0), zoned: false };
  const offset = zone(wallSeconds(time));
  return offset === null ? null : { seconds: secondsOf(time, offset), zoned: true };
}

function millis(d: Decimal | null): Decimal {
  return d === null ? { negative: false, digits: '', exponent: 0n } : { ...d, exponent: d.exponent - 3n };
}

function bothUuid(version: number | null): Verdict {
  const isOne = (value: Tree) => {
    const found = typeof value === 'string' ? UUID.exec(value) : null;
    return found !== null && (version === null || found[1] === String(version));
  };
  return (legacy, service) => isOne(legacy) && isOne(service);
}

function bothMatch(regex: RegExp): Verdict {
  return (legacy, service) =>
    isString(legacy) && isString(service) && regex.test(legacy) && regex.test(service);
}

/** The listed pairs in one direction: legacy's value, then the service's. */
function isListed(pairs: readonly (readonly [Tree, Tree])[]): Verdict {
  const key = (value: Tree) => canonicalOf(value, null, () => {});
  const listed = new Set(pairs.map(([l, s]) => `${key(l)} ${key(s)}`));
  return (legacy, service) =>
    isScalar(legacy) && isScalar(service) && listed.has(`${key(legacy)} ${key(service)}`);
}

/** Ids of one group map one to one within an answer; a second, different image either way is a difference. */
function oneToOne(group: string): Verdict {
  return (legacy, service, { renames }) => {
    if (!isScalar(legacy) || !isScalar(service)) return false;
    const [from, to] = [legacy, service].map((value) => canonicalOf(value, null, () => {}));
    if (from === undefined || to === undefined) return false;
    let map = renames.get(group);
    if (map === undefined) {
      map = createOneToOne();
      renames.set(group, map);
    }
    return join(map, from, to);
  };
}

function isScalar(value: Tree): boolean {
  return typeof value !== 'object' || value === null || isNumber(value);
}

function isString(value: Tree): value is string {
  return typeof value === 'string';
}

// Parameters: what is allowed, and reading them.

function isText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? null : 'must be a text';
}

function isAmount(value: unknown): string | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? null : 'must be a number from 0';
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function isOneOf(allowed: readonly string[]): Check {
  return (value) => (allowed.some((one) => one === value) ? null : `must be one of ${allowed.join(', ')}`);
}

function isRegex(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return 'must be a regular expression as text';
  if (value.length > REGEX_LENGTH_MAX) return `must have at most ${REGEX_LENGTH_MAX} characters`;
  try {
    regexOf(value, '');
    return null;
  } catch {
    return 'is not a regular expression';
  }
}

/** By code point; a text that only the older syntax allows (`\'`) is read by that. Throws SyntaxError. */
function regexOf(text: string, flags: string): RegExp {
  try {
    return new RegExp(text, `${flags}u`);
  } catch {
    return new RegExp(text, flags);
  }
}

function isTimePattern(value: unknown): string | null {
  return typeof value === 'string' && timePattern(value) !== null
    ? null
    : 'must name YYYY, MM and DD once each, and HH, mm, ss, f…, Z at most once';
}

function isZone(value: unknown): string | null {
  return typeof value === 'string' && zoneOf(value) !== null
    ? null
    : 'must be an IANA zone or an offset like +01:00';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function isUrlParts(value: unknown): string | null {
  const fine = Array.isArray(value) && value.every((part) => typeof part === 'string' && isUrlPart(part));
  return fine ? null : 'must list scheme, host, port, query-order, fragment, trailing-slash or query:<name>';
}

function isHtmlIgnores(value: unknown): string | null {
  const fine =
    Array.isArray(value) &&
    value.every((entry) => {
      const keys = typeof entry === 'object' && entry !== null ? Object.keys(entry) : [];
      return keys.every((key) => key === 'selector' || key === 'attribute') && htmlIgnoreOf(entry) !== null;
    });
  return fine ? null : 'must list { selector, attribute? }';
}

/** The `ignore` of an `html` rule; what is none is left out, since a check has refused it. */
export function htmlIgnoresOf(value: unknown): readonly HtmlIgnore[] {
  return (Array.isArray(value) ? value : []).map(htmlIgnoreOf).filter((entry) => entry !== null);
}

function htmlIgnoreOf(value: unknown): HtmlIgnore | null {
  if (typeof value !== 'object' || value === null || !('selector' in value)) return null;
  const attribute = 'attribute' in value ? value.attribute : null;
  const { selector } = value;
  if (typeof selector !== 'string' || selector.trim() === '') return null;
  if (attribute !== null && (typeof attribute !== 'string' || attribute === '')) return null;
  return { selector, attribute: attribute === null ? null : attribute.toLowerCase() };
}

function isPairs(value: unknown): string | null {
  const fine =
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isJsonScalar));
  return fine ? null : 'must list [legacy, service] pairs of JSON scalars';
}

function isJsonScalar(value: unknown): value is null | boolean | number | string {
  if (typeof value === 'number') return Number.isFinite(value);
  return value === null || typeof value === 'boolean' || typeof value === 'string';
}

function textOf(p: Parameters, name: string): string | null {
  const value = p[name];
  return typeof value === 'string' ? value : null;
}

function numberOf(p: Parameters, name: string): number | null {
  const value = p[name];
  return typeof value === 'number' ? value : null;
}

function textsOf(p: Parameters, name: string): readonly string[] {
  const value = p[name];
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}

function pairsOf({ pairs: value }: Parameters): readonly (readonly [Tree, Tree])[] {
  const pairs: (readonly [Tree, Tree])[] = [];
  for (const pair of Array.isArray(value) ? value : []) {
    const [legacy, service]: unknown[] = Array.isArray(pair) ? pair : [];
    if (isJsonScalar(legacy) && isJsonScalar(service)) pairs.push([legacy, service]);
  }
  return pairs;
}
