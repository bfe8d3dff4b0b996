import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFrequent, type Frequent } from '../../router/core/space-saving.ts';

const ONE = { count: 1, error: 0 };
const stream = fc.array(fc.integer({ min: 0, max: 40 }).map(String), { maxLength: 400 });

function counted(keys: readonly string[], into: Frequent): Map<string, number> {
  const truth = new Map<string, number>();
  for (const key of keys) {
    into.add(key, ONE);
    truth.set(key, (truth.get(key) ?? 0) + 1);
  }
  return truth;
}

function isSound(frequent: Frequent, truth: ReadonlyMap<string, number>): boolean {
  return [...truth].every(([key, count]) => {
    const estimate = frequent.get(key) ?? { count: frequent.floor, error: frequent.floor };
    return estimate.count >= count && estimate.count - estimate.error <= count;
  });
}

test('no count is ever too low, nor too high by more than its error, with a place or without', () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 12 }), (keys, max) => {
      const frequent = createFrequent(max);
      expect(isSound(frequent, counted(keys, frequent))).toBe(true);
      expect(frequent.size).toBeLessThanOrEqual(max);
    }),
  );
});

test('whatever is more frequent than total ÷ places has a place', () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 12 }), (keys, max) => {
      const frequent = createFrequent(max);
      for (const [key, count] of counted(keys, frequent)) {
        if (count > keys.length / max) expect(frequent.get(key)).toBeDefined();
      }
    }),
  );
});

test('summaries of parts add up to a sound summary of the whole, in any cut', () => {
  fc.assert(
    fc.property(fc.array(stream, { maxLength: 5 }), (parts) => {
      const whole = createFrequent(8);
      for (const part of parts) {
        const batch = createFrequent(4);
        counted(part, batch);
        // Forgotten first: what has a place in the batch is counted there and not among the forgotten.
        const named = [...batch.entries()];
        whole.addForgotten(batch.floor);
        for (const [key, estimate] of named) whole.add(key, estimate);
      }
      const truth = counted(parts.flat(), createFrequent(100));
      for (const [key, count] of truth) {
        const { count: estimate } = whole.get(key) ?? { count: whole.floor };
        expect(estimate).toBeGreaterThanOrEqual(count);
      }
      expect(isSound(whole, truth)).toBe(true);
    }),
  );
});

test('a newcomer takes the place of the least frequent key and says so', () => {
  const frequent = createFrequent(2);
  for (const key of ['a', 'a', 'b']) frequent.add(key, ONE);
  expect(frequent.add('a', ONE)).toBeNull();
  expect(frequent.add('c', ONE)).toEqual({ evicted: 'b' });
  expect([...frequent.entries()]).toEqual([
    ['a', { count: 3, error: 0 }],
    ['c', { count: 2, error: 1 }],
  ]);
});
