import { expect, test } from 'vitest';
import { wilson } from '../../router/core/interval.ts';

// Newcombe (1998), Statistics in Medicine 17, table I, method 3.
test.each([
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
])('%i of %i', (successes, trials, lower, upper) => {
  const interval = wilson(successes, trials);
  expect(interval.lower).toBeCloseTo(lower, 4);
  expect(interval.upper).toBeCloseTo(upper, 4);
});

test('without trials nothing is known', () => expect(wilson(0, 0)).toEqual({ lower: 0, upper: 1 }));
test('more successes than trials are refused', () => expect(() => wilson(2, 1)).toThrow(RangeError));
