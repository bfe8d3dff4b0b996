import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { murmur3, position } from '../../router/core/hash.ts';

const key = (id: string) => createHash('sha256').update(id).digest('hex').slice(0, 32);

test.each([
  ['gr1:123', 0, 538421172],
  ['route.orders:user-1', 0, 3181190659],
  [':42', 0, 2558432129],
  ['orders:6d894aa3ee802549d7f340e7c1cf0d1c', 0, 2224187633],
  ['orders:6bea0147015afcbe7867cb289b53dd76', 0, 1513482835],
  ['orders:cf2abf0c5be326cb922a70f8163f9107', 0, 2317795596],
  ['gr1:123', 86028157, 4076427795],
])('murmur3(%s, %i) = %i', (text, seed, expected) => expect(murmur3(text, seed)).toBe(expected));

test.each([
  ['checkout', 'user-42', 41.69],
  ['orders', key('user-42'), 33.76],
  ['orders', key('søren'), 35.28],
  ['orders', key('é'), 81.2],
])('position(%s, %s) = %f', (group, unit, expected) =>
  expect(position(group, unit)).toBeCloseTo(expected, 10),
);

test('the published shares of 100,000 hashed users come out', () => {
  const positions = Array.from({ length: 100_000 }, (_, i) => position('orders', key(`user-${i}`)));
  const below = (share: number) => positions.filter((at) => at < share).length / 1_000;
  expect([0.1, 0.5, 1, 5, 25, 50].map(below)).toEqual([0.103, 0.492, 0.953, 4.876, 24.968, 50.013]);
});

test('10,000 units at 10 % give between 9.4 and 10.6 % to the service, and 25 % keeps them all', () => {
  const positions = Array.from({ length: 10_000 }, (_, i) => position('catalog', key(`session-${i}`)));
  const at10 = positions.filter((at) => at < 10);
  expect(at10.length / 100).toBeGreaterThan(9.4);
  expect(at10.length / 100).toBeLessThan(10.6);
  expect(at10.every((at) => at < 25)).toBe(true);
});
