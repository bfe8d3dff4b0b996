/** Points in time in exact integers: `Date` turns 30 February into 1 March and drops microseconds. */
import type { Decimal } from '../decimal.ts';

/** A date and time of day as written. `offsetMinutes` is null when no zone is given. */
export interface WrittenTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Digits after the decimal point of the second, as written. */
  readonly fraction: string;
  readonly offsetMinutes: number | null;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(Z|z|[+-]\d\d:\d\d)?$/;
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
/** The two obsolete forms that every reader must accept (RFC 9110 §5.6.7). */
const RFC850_DATE =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const ASCTIME_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;
/** Years of two digits from here on are of the last century. */
const CENTURY_PIVOT = 70;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 3339 (zone optional) and HTTP dates of RFC 9110 §5.6.7; null for anything else and for impossible dates. */
export function parseTime(text: string): WrittenTime | null {
  const iso = RFC3339.exec(text);
  if (iso !== null) {
    const [, y, mo, d, h, mi, s, fraction, zone] = iso;
    return possible({
      ...numbers(y, mo, d, h, mi, s),
      fraction: fraction ?? '',
      offsetMinutes: offsetOf(zone),
    });
  }
  const found = HTTP_DATE.exec(text) ?? RFC850_DATE.exec(text);
  if (found !== null) {
    const [, d, month, y = '', h, mi, s] = found;
    const century = Number(y) >= CENTURY_PIVOT ? '19' : '20';
    return httpDate(y.length === 2 ? century + y : y, month, d, h, mi, s);
  }
  const [, month, d, h, mi, s, y] = ASCTIME_DATE.exec(text) ?? [];
  return y === undefined ? null : httpDate(y, month, d, h, mi, s);
}

function httpDate(y: string, month?: string, d?: string, h?: string, mi?: string, s?: string) {
  const mo = String(MONTHS.indexOf(month ?? '') + 1);
  return possible({ ...numbers(y, mo, d, h, mi, s), fraction: '', offsetMinutes: 0 });
}

/** Reads one text by a compiled pattern. */
export type TimePattern = (text: string) => WrittenTime | null;

const FIELDS = [
  ['YYYY', String.raw`(?<year>\d{4})`],
  ['MM', String.raw`(?<month>\d\d)`],
  ['DD', String.raw`(?<day>\d\d)`],
  ['HH', String.raw`(?<hour>\d\d)`],
  ['mm', String.raw`(?<minute>\d\d)`],
  ['ss', String.raw`(?<second>\d\d)`],
  ['f+', ''],
  ['Z', String.raw`(?<zone>Z|[+-]\d\d:\d\d)`],
] as const;
const FIELD = /YYYY|MM|DD|HH|mm|ss|f+|Z/g;

/**
 * Compiles `DD/MM/YYYY HH:mm:ss.ffffff` (`f` once per digit of the second's fraction, `Z` a zone). Everything else
 * stands for itself. Null when year, month or day is absent or a field comes twice.
 */
export function timePattern(pattern: string): TimePattern | null {
  const found = pattern.match(FIELD) ?? [];
  const names = found.map((field) => (field.startsWith('f') ? 'f+' : field));
  if (new Set(names).size !== names.length) return null;
  if (!['YYYY', 'MM', 'DD'].every((field) => names.includes(field))) return null;
  const literals = pattern.split(FIELD).map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`));
  const source = literals.map((text, index) => text + fieldSource(found[index])).join('');
  const regex = new RegExp(`^${source}$`);
  return (text) => fromGroups(regex.exec(text)?.groups);
}

function fieldSource(field: string | undefined): string {
  if (field === undefined) return '';
  if (field.startsWith('f')) return String.raw`(?<fraction>\d{${field.length}})`;
  return FIELDS.find(([name]) => name === field)?.[1] ?? '';
}

function fromGroups(groups: Readonly<Record<string, string>> | undefined): WrittenTime | null {
  if (groups === undefined) return null;
  const { year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone } = groups;
  return possible({
    ...numbers(year, month, day, hour, minute, second),
    fraction,
    offsetMinutes: offsetOf(zone),
  });
}

function numbers(y?: string, mo?: string, d?: string, h?: string, mi?: string, s?: string) {
  return {
    year: Number(y),
    month: Number(mo),
    day: Number(d),
    hour: Number(h),
    minute: Number(mi),
    second: Number(s),
  };
}

function offsetOf(zone: string | undefined): number | null {
  if (zone === undefined) return null;
  if (zone === 'Z' || zone === 'z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith('-') ? -minutes : minutes;
}

/** Leap seconds (second 60) are written times of the minute that follows, as RFC 3339 §5.7 allows them. */
function possible(time: WrittenTime): WrittenTime | null {
  const { month, day, hour, minute, second, offsetMinutes } = time;
  if (month < 1 || month > 12 || day < 1 || day > daysIn(time.year, month)) return null;
  if (hour > 23 || minute > 59 || second > 60) return null;
  return offsetMinutes !== null && Math.abs(offsetMinutes) >= 1440 ? null : time;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar. Source: H. Hinnant, "chrono-compatible date algorithms". */
export function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Whole seconds since 1970 of the written fields, read as if they were UTC. */
export function wallSeconds(time: WrittenTime): number {
  const days = daysSinceEpoch(time.year, time.month, time.day);
  return days * 86_400 + time.hour * 3600 + time.minute * 60 + time.second;
}

/** Gives the offset, in seconds, of a wall time in one zone; null for a wall time that the zone skips. */
export type Zone = (wallSeconds: number) => number | null;

/**
 * A zone by IANA name or `+HH:MM`; null when there is none of that name. A wall time that happens twice is read as
 * the earlier instant, on both sides alike.
 */
export function zoneOf(name: string): Zone | null {
  if (/^[+-]\d\d:\d\d$/.test(name)) {
    const seconds = (offsetOf(name) ?? 0) * 60;
    return () => seconds;
  }
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { ...ZONE_FIELDS, timeZone: name });
  } catch {
    return null;
  }
  return (wall) => {
    // The offsets a day before and after bracket every change; the larger one gives the earlier instant.
    const candidates = [offsetAt(format, wall - 86_400), offsetAt(format, wall + 86_400)];
    candidates.sort((a, b) => b - a);
    return candidates.find((offset) => offsetAt(format, wall - offset) === offset) ?? null;
  };
}

const ZONE_FIELDS = {
  calendar: 'gregory',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const;

function offsetAt(format: Intl.DateTimeFormat, utcSeconds: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(utcSeconds * 1000)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return wallSeconds({ year, month, day, hour, minute, second, fraction: '', offsetMinutes: 0 }) - utcSeconds;
}

/** Seconds since 1970 as an exact decimal; `offsetSeconds` is subtracted from the wall time. */
export function secondsOf(time: WrittenTime, offsetSeconds: number): Decimal {
  const whole = BigInt(wallSeconds(time) - offsetSeconds);
  const units =
    whole * 10n ** BigInt(time.fraction.length) + BigInt(time.fraction === '' ? 0 : time.fraction);
  const digits = (units < 0n ? -units : units).toString();
  return {
    negative: units < 0n,
    digits: units === 0n ? '' : digits,
    exponent: BigInt(-time.fraction.length),
  };
}
