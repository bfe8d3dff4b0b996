import { expect, test } from 'vitest';
import { BREAKER_OPTIONS, createBreaker } from '../../router/shadow/breaker.ts';

test('five failures in a row open it, then one probe goes out every ten seconds', () => {
  const breaker = createBreaker();
  for (let i = 0; i < 4; i += 1) breaker.failed('a', 0);
  expect(breaker.allows('a', 0)).toBe(true);
  breaker.failed('a', 0);
  expect([breaker.allows('a', 9_999), breaker.allows('a', 10_000), breaker.allows('a', 10_001)]).toEqual([
    false,
    true,
    false,
  ]);
  expect(breaker.allows('b', 0)).toBe(true);
});

test('one success closes it', () => {
  const breaker = createBreaker();
  for (let i = 0; i < 5; i += 1) breaker.failed('a', 0);
  breaker.succeeded('a');
  expect(breaker.allows('a', 1)).toBe(true);
});

test('origins are bounded: the oldest is forgotten', () => {
  const breaker = createBreaker({ ...BREAKER_OPTIONS, failuresMax: 1, originsMax: 2 });
  for (const origin of ['a', 'b', 'c']) breaker.failed(origin, 0);
  expect(['a', 'b', 'c'].map((origin) => breaker.allows(origin, 1))).toEqual([true, false, false]);
});
