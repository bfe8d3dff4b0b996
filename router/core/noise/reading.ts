/** What one value looks like to the questions of noise: never the value itself. */
import type { Sample } from '../compare/comparison.ts';
import { formatClass, lengthBucket } from '../compare/format.ts';
import { parseTime, wallSeconds } from '../compare/instant.ts';
import type { Digest } from './sketch.ts';

export interface Reading {
  /** `string uuid-4`, `number integer`, `missing`: equal for values of one make. */
  readonly make: string;
  /** Lower bound of the length, a power of two. */
  readonly length: number;
  readonly blank: 'null' | 'missing' | 'empty' | null;
  /** A number as it is, an instant in ms since 1970 (without zone as if UTC); comparable within one scale. */
  readonly amount: number | null;
  readonly scale: 'number' | 'instant' | null;
  /** An instant with zone, or a number that looks like seconds or ms since 1970, in ms; else null. */
  readonly atMs: number | null;
  /** Null for containers and for what is absent. */
  readonly digest: number | null;
}

export const MISSING: Reading = {
  make: 'missing',
  length: 0,
  blank: 'missing',
  amount: null,
  scale: null,
  atMs: null,
  digest: null,
};
/** Characters of a longer text that are looked at. */
const CHARS_MAX = 1024;
const DECIMAL = /^-?\d{1,15}(?:\.\d{1,15})?$/;

export function readingOf({ type, text, length }: Sample, digest: Digest): Reading {
  const bucket = lengthBucket(length);
  if (type === 'null') return { ...MISSING, make: 'null', blank: 'null' };
  if (text === null) return { ...MISSING, make: type, length: bucket, blank: length === 0 ? 'empty' : null };
  const seen = text.length > CHARS_MAX ? text.slice(0, CHARS_MAX) : text;
  const format = formatClass(seen);
  const time = parseTime(seen);
  const utcMs = time === null ? null : wallSeconds(time) * 1000 + Number(`0.${time.fraction || '0'}`) * 1000;
  const amount = utcMs ?? (DECIMAL.test(seen) ? Number(seen) : null);
  const offset = time?.offsetMinutes ?? null;
  return {
    make: `${type} ${format}${refinement(format, seen, digest)}`,
    length: bucket,
    blank: length === 0 ? 'empty' : null,
    amount: utcMs === null || offset === null ? amount : utcMs - offset * 60_000,
    scale: amount === null ? null : utcMs === null ? 'number' : 'instant',
    atMs: utcMs === null ? epochMs(format, seen) : offset === null ? null : utcMs - offset * 60_000,
    digest: digest(seen),
  };
}

/** What tells apart values of one format: the version of a UUID, how fine an instant is and its zone, the host of a URL. */
function refinement(format: string, text: string, digest: Digest): string {
  if (format === 'uuid') return `-${text.charAt(14)}`;
  if (format === 'url') return ` ${digest(/^[^/]*\/\/([^/?#]{0,255})/.exec(text)?.[1] ?? '')}`;
  if (format !== 'instant') return '';
  return `${text.includes('.') ? '.f' : ''}${/[Zz]$/.test(text) ? 'Z' : /[+-]\d\d:\d\d$/.test(text) ? '+' : ''}`;
}

function epochMs(format: string, text: string): number | null {
  if (format === 'epoch-ms') return Number(text);
  return format === 'epoch-s' ? Number(text) * 1000 : null;
}
