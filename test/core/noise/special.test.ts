import { describe, expect, test } from 'vitest';
import {
  betaQuantile,
  lnBeta,
  lnBetaI,
  lnGamma,
  normalQuantile,
  smallestWhere,
} from '../../../router/core/noise/special.ts';

// Reference values: mpmath 1.3, 30 digits.
test.each([
  [0.5, 0.5723649429247001],
  [1, 0],
  [1.5, -0.1207822376352452],
  [3.7, 1.428072326665388],
  [10, 12.80182748008147],
  [100.25, 360.2845596377642],
  [1_000_000.5, 12_815_511.47690277],
])('ln Γ(%d)', (x, expected) => expect(lnGamma(x)).toSatisfy(near(expected)));

test.each([
  [3, 4, -4.0943445622221],
  [5, 100, -19.946329573136683],
  [12, 13, -17.295207056576547],
  [0.5, 1000.5, -2.88163769656116],
  [1_000_001, 1_000_001, -1_386_301.3896577822],
])('ln B(%d, %d), either way round', (a, b, expected) => {
  expect(lnBeta(a, b)).toSatisfy(near(expected));
  expect(lnBeta(b, a)).toBe(lnBeta(a, b));
});

test.each([
  [0.3, 3.5, 2.25, -2.7571857726316],
  [0.34, 1000, 2000, -0.24690476224423],
  [0.1, 0.5, 0.5, -1.5855614147304],
  [0.5, 5001, 1, -3466.4290499803],
  [0.001, 12, 4000, -6.9805814981508],
  [0.499, 200_000, 200_100, -2.008779521739393],
])('ln I of %d with %d and %d', (x, a, b, expected) => {
  expect(lnBetaI(x, a, b)).toSatisfy(near(expected));
});

test('both ends of the incomplete beta function are exact', () => {
  expect(lnBetaI(0, 2, 3)).toBe(Number.NEGATIVE_INFINITY);
  expect(lnBetaI(1, 2, 3)).toBe(0);
});

test('a tail of 10^-150000 is a finite logarithm', () => {
  expect(lnBetaI(0.5, 500_001, 1)).toSatisfy(near(-500_001 * Math.LN2));
});

test.each([
  [0.001, 3, 40],
  [0.5, 0.5, 7],
  [0.95, 1, 2995],
])('the quantile of %d with %d and %d is where the function has it', (probability, a, b) => {
  expect(lnBetaI(betaQuantile(probability, a, b), a, b)).toSatisfy(near(Math.log(probability)));
});

test.each([
  [0.95, 1.6448536],
  [0.3, -0.5244005],
  [0.01, -2.3263479],
  [0.9999975, 4.5647877],
  [1e-14, -7.6506281],
])('normal quantile of %d', (probability, expected) => {
  expect(normalQuantile(probability)).toBeCloseTo(expected, 5);
});

describe('what is no argument is refused', () => {
  test.each([
    () => lnGamma(0),
    () => lnBetaI(1.5, 1, 1),
    () => lnBetaI(Number.NaN, 1, 1),
    () => betaQuantile(-0.1, 1, 1),
    () => normalQuantile(1),
  ])('%s', (call) => expect(call).toThrow(RangeError));
});

test('where nothing holds the search ends at the far end', () => {
  expect(smallestWhere(0, 1, () => false)).toBe(1);
  expect(smallestWhere(0, 1, () => true)).toBe(0);
  expect(smallestWhere(0, 1, (x) => x >= 0.25)).toBe(0.25);
});

function near(expected: number): (got: number) => boolean {
  return (got) => Math.abs(got - expected) <= 1e-10 * Math.max(1, Math.abs(expected));
}
