import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createUnitSample } from '../../router/core/unit-sample.ts';

const key = (id: number) => createHash('sha256').update(`unit-${id}`).digest('hex').slice(0, 32);

test('it counts exactly while it has room', () => {
  const sample = createUnitSample(1_000);
  for (let i = 0; i < 1_000; i += 1) for (let again = 0; again < 3; again += 1) sample.add(key(i));
  expect(sample.distinct).toBe(1_000);
});

test('at its bound it keeps no more and still estimates', () => {
  const sample = createUnitSample(1_000);
  for (let i = 0; i < 50_000; i += 1) sample.add(key(i));
  expect(sample.kept).toBeLessThanOrEqual(1_000);
  expect(Math.abs(sample.distinct - 50_000) / 50_000).toBeLessThan(0.12);
});

test.each([0, -1, 1.5])('a bound of %d is refused', (bound) => {
  expect(() => createUnitSample(bound)).toThrow(RangeError);
});
