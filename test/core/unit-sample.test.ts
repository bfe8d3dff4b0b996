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

test('two samples merge to what one would hold, whichever was full first', () => {
  const keys = Array.from({ length: 4_000 }, (_, i) => key(i));
  const [small, large] = [createUnitSample(100), createUnitSample(1_000)];
  for (const [i, unit] of keys.entries()) (i % 2 === 0 ? small : large).add(unit);
  large.merge(small.content());
  expect(large.kept).toBeLessThanOrEqual(1_000);
  expect(large.content().threshold).toBe(small.content().threshold);
  expect(Math.abs(large.distinct - 4_000)).toBeLessThan(1_200);
});
