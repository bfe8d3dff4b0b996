import { expect, test } from 'vitest';
import { lnMean, lnPairedE, newcombe, pairedP } from '../../../router/core/noise/paired.ts';

test.each([
  [0, 0, 1, 0],
  [6, 0, 0.015625, Math.log(18.1429)],
  [12, 1, 0.00170898, Math.log(89.9396)],
  [600, 450, 2.05595e-6, Math.log(3571.27)],
  [1000, 900, 0.0115544, Math.log(0.789933)],
  [22, 0, 2 ** -22, 12.80689],
  [5000, 0, 0, 3457.91166],
  [0, 5000, 1, -8.51739],
  [1_000_000, 1_000_000, 0.500282, -7.02854],
])('%d against %d', (b, c, p, lnE) => {
  expect(Math.abs(pairedP(b, c) - p)).toBeLessThanOrEqual(1e-5 * p + 1e-300);
  expect(Math.abs(lnPairedE(b, c) - lnE)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(lnE)));
});

test('both agree with exact fractions for every b and c up to 40', () => {
  for (let b = 0; b <= 40; b += 1) {
    for (let c = 0; c <= 40; c += 1) {
      expect(pairedP(b, c) / exactP(b, c)).toBeCloseTo(1, 11);
      expect(lnPairedE(b, c)).toBeCloseTo(exactLnE(b, c), 11);
    }
  }
});

test('the expected e-value of fair coins is 1 for every number of coins up to 400', () => {
  for (let n = 0; n <= 400; n += 1) {
    let sum = 0;
    let lnChoose = 0;
    for (let b = 0; b <= n; b += 1) {
      sum += Math.exp(lnChoose - n * Math.LN2 + lnPairedE(b, n - b));
      lnChoose += Math.log(n - b) - Math.log(b + 1);
    }
    expect(sum).toBeCloseTo(1, 10);
  }
});

test('the next coin multiplies the e-value by 1 on average, whatever was seen', () => {
  for (const [b, c] of [
    [0, 0],
    [22, 0],
    [7, 60],
    [5000, 4000],
  ] as const) {
    const next = lnMean([lnPairedE(b + 1, c), lnPairedE(b, c + 1)]);
    expect(next).toBeCloseTo(lnPairedE(b, c), 9);
  }
});

test('more of the service raises the e-value, more of legacy lowers it', () => {
  for (const b of [0, 1, 5, 30, 200, 5000]) {
    for (const c of [0, 1, 5, 30, 200, 5000]) {
      expect(lnPairedE(b + 1, c)).toBeGreaterThan(lnPairedE(b, c));
      expect(lnPairedE(b, c + 1)).toBeLessThan(lnPairedE(b, c));
    }
  }
});

test('22 to nothing passes the threshold of 2,000 paths at 0.01, 21 does not', () => {
  const threshold = Math.log(2000 / 0.01);
  expect(lnPairedE(22, 0)).toBeGreaterThan(threshold);
  expect(lnPairedE(21, 0)).toBeLessThan(threshold);
});

test.each([
  [400, 60, 40, 500, 0.003507, 0.036462],
  [125, 125, 125, 125, -0.051875, 0.051875],
  [0, 0, 0, 3000, -0.000901, 0.000901],
])('paired interval of %d, %d, %d, %d', (both, b, c, neither, lower, upper) => {
  const interval = newcombe({ n: both + b + c + neither, both, b, c }, 1.644854);
  expect(interval.lower).toBeCloseTo(lower, 6);
  expect(interval.upper).toBeCloseTo(upper, 6);
});

test('the published interval of 36, 12, 2, 0 (Newcombe 1998, table II, method 10, 95 %)', () => {
  const interval = newcombe({ n: 50, both: 36, b: 12, c: 2 }, 1.959964);
  expect(interval.lower).toBeCloseTo(0.0569, 4);
  expect(interval.upper).toBeCloseTo(0.3404, 4);
});

test('without pairs the interval is everything, and more events than pairs are refused', () => {
  expect(newcombe({ n: 0, both: 0, b: 0, c: 0 }, 2)).toEqual({ lower: -1, upper: 1 });
  expect(() => newcombe({ n: 1, both: 1, b: 1, c: 0 }, 2)).toThrow(RangeError);
});

test('the mean of e-values does not overflow', () => {
  expect(lnMean([5000, Number.NEGATIVE_INFINITY])).toBeCloseTo(5000 - Math.LN2, 9);
  expect(lnMean([])).toBe(Number.NEGATIVE_INFINITY);
});

/** P(X ≥ b) of b + c fair coins. */
function exactP(b: number, c: number): number {
  let sum = 0n;
  for (let i = b; i <= b + c; i += 1) sum += choose(b + c, i);
  return ratio(sum, 2n ** BigInt(b + c));
}

/** E = Σ_{i ≤ b} C(b+c+1, i) / ((b+c+1) C(b+c, b)). */
function exactLnE(b: number, c: number): number {
  let sum = 0n;
  for (let i = 0; i <= b; i += 1) sum += choose(b + c + 1, i);
  return Math.log(ratio(sum, BigInt(b + c + 1) * choose(b + c, b)));
}

function choose(n: number, k: number): bigint {
  let value = 1n;
  for (let i = 1; i <= k; i += 1) value = (value * BigInt(n - k + i)) / BigInt(i);
  return value;
}

/** To 15 digits, however large the two are. */
function ratio(above: bigint, below: bigint): number {
  let shift = 0;
  let scaled = above;
  while (scaled / below < 10n ** 16n) {
    scaled <<= 1n;
    shift += 1;
  }
  return Number(scaled / below) / 2 ** shift;
}
