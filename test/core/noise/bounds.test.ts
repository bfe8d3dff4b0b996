import { expect, test } from 'vitest';
import {
  anytimeLower,
  anytimeUpper,
  clopperPearsonUpper,
  trialsNeeded,
} from '../../../router/core/noise/bounds.ts';

const ALPHA = 0.05;

test.each([
  [0, 1000, 0.00299125, 0.00366447],
  [0, 2995, 0.000999744, 0.0012275],
  [1, 1000, 0.00473499, 0.0107341],
  [5, 10_000, 0.00105101, 0.00205937],
  [50, 100_000, 0.000632829, 0.000878388],
  [3, 1000, 0.00773524, 0.0151696],
])('upper bounds of %d in %d', (k, n, fixed, anytime) => {
  expect(clopperPearsonUpper(k, n, ALPHA) / fixed).toBeCloseTo(1, 5);
  expect(anytimeUpper(k, n, ALPHA) / anytime).toBeCloseTo(1, 5);
});

test('without events the upper bound is that of the formula 1 − α^(1/n)', () => {
  for (const n of [1, 10, 1000, 1_000_000])
    expect(clopperPearsonUpper(0, n, ALPHA) / -Math.expm1(Math.log(ALPHA) / n)).toBeCloseTo(1, 9);
});

test('a bound that may always be read contains the rate seen and is never below the one for a single look', () => {
  for (const n of [1, 7, 100, 5000]) {
    for (const k of [0, 1, 3, n].filter((count) => count <= n)) {
      const [lower, upper] = [anytimeLower(k, n, ALPHA), anytimeUpper(k, n, ALPHA)];
      expect(lower).toBeLessThanOrEqual(k / n);
      expect(upper).toBeGreaterThanOrEqual(clopperPearsonUpper(k, n, ALPHA));
    }
  }
});

test('nothing tried says nothing: 0 to 1', () => {
  expect([anytimeLower(0, 0, ALPHA), anytimeUpper(0, 0, ALPHA), clopperPearsonUpper(0, 0, ALPHA)]).toEqual([
    0, 1, 1,
  ]);
});

test.each([
  [0, 0.01, 299, 365],
  [0, 0.001, 2995, 3678],
  [0, 0.0001, 29_956, 36_858],
])('with %d events a rate of %d needs this many trials', (k, rate, fixed, anytime) => {
  expect(trialsNeeded(k, rate, ALPHA, 'fixed')).toBe(fixed);
  expect(trialsNeeded(k, rate, ALPHA, 'anytime')).toBe(anytime);
});

test.each([
  [1, 12_150],
  [3, 16_997],
  [10, 30_082],
])('after %d events 0.1 %% needs this many trials', (k, anytime) => {
  expect(trialsNeeded(k, 0.001, ALPHA, 'anytime')).toBe(anytime);
});

test('the trials needed are the first at which the bound is low enough', () => {
  for (const k of [0, 2, 9]) {
    const n = trialsNeeded(k, 0.01, ALPHA, 'anytime') ?? 0;
    expect(anytimeUpper(k, n, ALPHA)).toBeLessThanOrEqual(0.01);
    expect(anytimeUpper(k, n - 1, ALPHA)).toBeGreaterThan(0.01);
  }
});

test('what no number of trials can show needs none', () => {
  expect(trialsNeeded(0, 1e-13, ALPHA, 'fixed')).toBeNull();
});

test.each([
  () => clopperPearsonUpper(2, 1, ALPHA),
  () => anytimeUpper(0, 1, 0),
  () => anytimeLower(-1, 1, ALPHA),
  () => trialsNeeded(0, 0, ALPHA, 'fixed'),
])('what is no proportion is refused: %s', (call) => expect(call).toThrow(RangeError));
