/** Exact decimals: numbers compared as written, never as doubles (RFC 8259 §6 sets no precision). */

/** ±digits × 10^exponent. `digits` has neither leading nor trailing zeros; empty = zero, which has no sign. */
export interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: bigint;
}

/** Longest exponent, in digits, that is read as a number; a longer one is compared as text. */
const EXPONENT_DIGITS_MAX = 1000;
/** Largest distance of powers of ten that is aligned for subtraction; beyond it nothing is within tolerance. */
const ALIGN_MAX = 4000n;

const ZERO: Decimal = { negative: false, digits: '', exponent: 0n };

/** A JSON number lexeme (or `String(n)` of a finite double) to its exact value; null for an unreadably long exponent. */
export function decimalOf(lexeme: string): Decimal | null {
  const negative = lexeme.startsWith('-');
  const e = exponentAt(lexeme);
  const mantissa = lexeme.slice(negative ? 1 : 0, e);
  if (lexeme.length - e > EXPONENT_DIGITS_MAX) return null;
  const point = mantissa.indexOf('.');
  const fraction = point === -1 ? 0 : mantissa.length - point - 1;
  const all = point === -1 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1);
  let start = 0;
  let end = all.length;
  while (start < end && all.charCodeAt(start) === 48) start += 1;
  if (start === end) return ZERO;
  while (all.charCodeAt(end - 1) === 48) end -= 1;
  const written = e === lexeme.length ? 0n : BigInt(lexeme.slice(e + 1).replace('+', ''));
  const exponent = written - BigInt(fraction) + BigInt(all.length - end);
  return { negative, digits: all.slice(start, end), exponent };
}

/** One text per value: two lexemes are the same number exactly when these are equal. */
export function canonicalNumber(lexeme: string): string {
  const d = decimalOf(lexeme);
  if (d === null) return lexeme;
  return d.digits === '' ? '0' : `${d.negative ? '-' : ''}${d.digits}e${d.exponent}`;
}

/** Whether |a − b| ≤ `limit`, exactly and inclusively. Values too far apart to align are not within any limit. */
export function withinLimit(a: Decimal, b: Decimal, limit: Decimal): boolean {
  const exponent = lowest([a, b, limit]);
  if ([a, b, limit].some((d) => d.digits !== '' && d.exponent - exponent > ALIGN_MAX)) return false;
  const distance = scaled(a, exponent) - scaled(b, exponent);
  return (distance < 0n ? -distance : distance) <= scaled(limit, exponent);
}

/** `d` × |larger of a and b|: the allowed distance of a relative tolerance, the same from both sides. */
export function relativeLimit(d: Decimal, a: Decimal, b: Decimal): Decimal {
  const larger = withinLimit(absolute(a), ZERO, absolute(b)) ? b : a;
  if (larger.digits === '' || d.digits === '') return ZERO;
  const product = (BigInt(larger.digits) * BigInt(d.digits)).toString();
  return { negative: false, digits: product, exponent: larger.exponent + d.exponent };
}

function exponentAt(lexeme: string): number {
  const lower = lexeme.indexOf('e');
  const at = lower === -1 ? lexeme.indexOf('E') : lower;
  return at === -1 ? lexeme.length : at;
}

function absolute(d: Decimal): Decimal {
  return d.negative ? { ...d, negative: false } : d;
}

function lowest(values: readonly Decimal[]): bigint {
  let low: bigint | null = null;
  for (const d of values) if (d.digits !== '' && (low === null || d.exponent < low)) low = d.exponent;
  return low ?? 0n;
}

function scaled(d: Decimal, exponent: bigint): bigint {
  if (d.digits === '') return 0n;
  const magnitude = BigInt(d.digits) * 10n ** (d.exponent - exponent);
  return d.negative ? -magnitude : magnitude;
}
