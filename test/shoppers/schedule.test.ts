import { expect, test } from 'vitest';
import { buildSchedule, KINDS, type Kind } from '../../bench/shoppers/schedule.ts';

const PLAN = { seed: 7, rate: 100, durationSeconds: 30, sessions: 200 };

function counts(kinds: readonly Kind[]): Record<string, number> {
  return Object.fromEntries(KINDS.map((kind) => [kind, kinds.filter((other) => other === kind).length]));
}

test('a run has exactly rate x duration requests, in the proportions of the mix', () => {
  const slots = buildSchedule(PLAN);
  expect(slots).toHaveLength(3_000);
  expect(counts(slots.map(({ kind }) => kind))).toEqual({
    list: 360,
    'list-ties': 90,
    product: 510,
    'product-missing': 90,
    'product-v2': 240,
    'product-v2-large': 60,
    'product-head': 120,
    reviews: 570,
    search: 240,
    suggest: 180,
    home: 90,
    category: 90,
    page: 90,
    'old-address': 120,
    'cart-add': 60,
    'login-form': 15,
    login: 15,
    'page-unread': 30,
    'post-review': 30,
  });
});

test('any small run is complete too', () => {
  for (const rate of [1, 3, 17, 199, 200, 201]) {
    expect(buildSchedule({ ...PLAN, rate, durationSeconds: 1, sessions: 3 })).toHaveLength(rate);
  }
});

test('requests are due at equal distances', () => {
  const slots = buildSchedule(PLAN);
  expect([slots[0]?.atMs, slots[1]?.atMs, slots.at(-1)?.atMs]).toEqual([0, 10, 29_990]);
});

test('the same seed gives the same schedule, another seed another one', () => {
  expect(buildSchedule(PLAN)).toEqual(buildSchedule(PLAN));
  expect(buildSchedule({ ...PLAN, seed: 8 })).not.toEqual(buildSchedule(PLAN));
});

test('who posts a review has logged in and seen its page before', () => {
  const posters = new Map<number, Kind[]>();
  for (const { session, kind } of buildSchedule(PLAN)) {
    if (!['login-form', 'login', 'page-unread', 'post-review'].includes(kind)) continue;
    posters.set(session, [...(posters.get(session) ?? []), kind]);
  }
  expect(posters.size).toBe(15);
  for (const kinds of posters.values()) {
    expect(kinds).toEqual([
      'login-form',
      'login',
      'page-unread',
      'post-review',
      'page-unread',
      'post-review',
    ]);
  }
});
