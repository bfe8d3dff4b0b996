import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalNumber, decimalOf, relativeLimit, withinLimit } from '../../router/core/decimal.ts';

function within(a: string, b: string, limit: string): boolean {
  const [x, y, z] = [decimalOf(a), decimalOf(b), decimalOf(limit)];
  return x !== null && y !== null && z !== null && withinLimit(x, y, z);
}

test.each([
  ['1', '1.0'],
  ['100', '1e2'],
  ['-0', '0'],
  ['0e999999999999999999999', '0'],
  ['1.50e-3', '0.0015'],
  ['12300e-2', '123'],
])('%s and %s are one number', (a, b) => {
  expect(canonicalNumber(a)).toBe(canonicalNumber(b));
});

test.each([
  ['1e400', '1e500'],
  ['9007199254740992', '9007199254740993'],
  ['0.3', '0.30000000000000004'],
  ['1', '-1'],
  ['1e99999999999999999999', '1e99999999999999999998'],
])('%s and %s are two numbers', (a, b) => {
  expect(canonicalNumber(a)).not.toBe(canonicalNumber(b));
});

test.each([
  ['10.01', '10.00', '0.01', true],
  ['1.01', '1.00', '0.01', true],
  ['1.010000000000000000001', '1', '0.01', false],
  ['-1', '1', '2', true],
  ['-1', '1', '1.999', false],
  ['1e400', '1e400', '0', true],
  ['1e9000', '1', '0.1', false],
])('|%s - %s| <= %s is %s', (a, b, limit, expected) => {
  expect(within(a, b, limit)).toBe(expected);
});

test('a relative limit is taken of the larger number, from both sides alike', () => {
  const [d, a, b] = [decimalOf('0.1'), decimalOf('90'), decimalOf('-100')];
  if (d === null || a === null || b === null) throw new Error('unreadable');
  expect(relativeLimit(d, a, b)).toEqual(relativeLimit(d, b, a));
  expect(withinLimit({ ...a, negative: true }, b, relativeLimit(d, a, b))).toBe(true);
});

test('a safe integer and its shortest text are the same decimal', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.nat(12), (n, zeros) => {
      return canonicalNumber(String(n)) === canonicalNumber(`${n}.${'0'.repeat(zeros + 1)}`);
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('an exponent of a thousand digits is compared as text instead of being computed', () => {
  const wild = `1e${'9'.repeat(2000)}`;
  expect(decimalOf(wild)).toBeNull();
  expect(canonicalNumber(wild)).toBe(wild);
});
