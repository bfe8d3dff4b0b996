/** What kind of other value it is: details explain a difference, they never excuse it. */
import { decimalOf, relativeLimit, withinLimit } from '../decimal.ts';
import { lexemeOf, type Tree } from '../json.ts';
import { isNumber } from './canonical.ts';
import type { Detail } from './comparison.ts';
import { type Format, formatClass } from './format.ts';
import { parseTime, secondsOf, type WrittenTime } from './instant.ts';
import { sameUrl } from './url.ts';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const INVISIBLE = /[\u00AD\u200B-\u200F\u2060\uFEFF]/gu;
const URL_LIKE = /^https?:\/\//;
/** A longer text is not searched for a detail. */
const CHARS_MAX = 4096;
const CLOSE = { negative: false, digits: '1', exponent: -9n } as const;
/** Clocks of one instant that differ by no more than this many seconds are one clock's skew. */
const SKEW_SECONDS = { negative: false, digits: '5', exponent: 0n } as const;

/** The detail of two scalars of one type that differ, or null. Pure; linear in the shorter texts. */
export function detailOfValues(legacy: Tree, service: Tree): Detail | null {
  if (isNumber(legacy) && isNumber(service)) return numberDetail(lexemeOf(legacy), lexemeOf(service));
  return typeof legacy === 'string' && typeof service === 'string' ? textDetail(legacy, service) : null;
}

function numberDetail(legacy: string, service: string): Detail | null {
  const [a, b] = [decimalOf(legacy), decimalOf(service)];
  // Two large integers that are close are two ids, not one rounding.
  if (a === null || b === null || (a.exponent >= 0n && b.exponent >= 0n)) return null;
  return withinLimit(a, b, relativeLimit(CLOSE, a, b)) ? 'numeric-close' : null;
}

/** The detail of two texts that differ, or null. */
export function textDetail(legacy: string, service: string): Detail | null {
  if (legacy.length > CHARS_MAX || service.length > CHARS_MAX) return null;
  for (const [detail, holds] of TEXT_DETAILS) if (holds(legacy, service)) return detail;
  return timeDetail(legacy, service) ?? urlDetail(legacy, service) ?? lengthDetail(legacy, service);
}

/** One is cut off: both begin alike. */
function lengthDetail(legacy: string, service: string): Detail | null {
  if (legacy === '' || service === '') return null;
  return legacy.startsWith(service) || service.startsWith(legacy) ? 'length' : null;
}

type Holds = (legacy: string, service: string) => boolean;

/** First match wins: from the smallest change to the largest. */
const TEXT_DETAILS: readonly (readonly [Detail, Holds])[] = [
  ['bom', (l, s) => l.replace(/^\uFEFF/, '') === s.replace(/^\uFEFF/, '')],
  ['invisible', (l, s) => l.replace(INVISIBLE, '') === s.replace(INVISIBLE, '')],
  ['whitespace', (l, s) => l.replace(/\s+/g, '') === s.replace(/\s+/g, '')],
  ['unicode-form', (l, s) => l.normalize('NFKC') === s.normalize('NFKC')],
  ['uuid', (l, s) => UUID.test(l) && UUID.test(s)],
  ['case', (l, s) => l.toLowerCase() === s.toLowerCase()],
  ['id', (l, s) => IDS.has(formatClass(l)) && formatClass(l) === formatClass(s)],
];

const IDS: ReadonlySet<Format> = new Set<Format>(['ulid', 'hex']);

function timeDetail(legacy: string, service: string): Detail | null {
  const [a, b] = [parseTime(legacy), parseTime(service)];
  if (a === null || b === null) return null;
  const [left, right] = [secondsUtc(a), secondsUtc(b)];
  if (withinLimit(left, right, { negative: false, digits: '', exponent: 0n })) return 'instant-equal';
  if (withinLimit(left, right, SKEW_SECONDS)) return 'clock-skew';
  return isQuarterHours(a, b) ? 'zone-offset' : null;
}

function secondsUtc(time: WrittenTime) {
  return secondsOf(time, (time.offsetMinutes ?? 0) * 60);
}

/** A whole multiple of 15 minutes, at most a day apart: the mark of a zone error. */
function isQuarterHours(a: WrittenTime, b: WrittenTime): boolean {
  if (a.fraction !== b.fraction) return false;
  const [left, right] = [secondsUtc({ ...a, fraction: '' }), secondsUtc({ ...b, fraction: '' })];
  const apart = Math.abs(Number(left.digits) - Number(right.digits));
  return left.negative === right.negative && apart % 900 === 0 && apart <= 86_400;
}

const HOST_PARTS: ReadonlySet<string> = new Set(['scheme', 'host', 'port']);
const QUERY_ORDER: ReadonlySet<string> = new Set(['query-order']);
const NO_BASE = 'http://host.invalid/';

function urlDetail(legacy: string, service: string): Detail | null {
  if (!URL_LIKE.test(legacy) || !URL_LIKE.test(service)) return null;
  if (sameUrl(legacy, service, NO_BASE, HOST_PARTS)) return 'url-host';
  return sameUrl(legacy, service, NO_BASE, QUERY_ORDER) ? 'url-query-order' : 'url-path';
}
