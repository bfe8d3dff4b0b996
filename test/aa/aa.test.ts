import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStack, type Stack } from '../new-services/open-stack.ts';
import { againstItself, FAULTS, regressions, withFault } from './shop.ts';

// In small; `npm run verify` does it with 20,000 and 2,000.
const PAIRS = 1_500;
const FAULT_PAIRS = 600;

let stack: Stack;
beforeAll(async () => {
  stack = await openStack();
});
afterAll(() => stack.close());

test('legacy against itself, without a rule, is no regression anywhere', async () => {
  const driven = await againstItself(stack, PAIRS, 3);
  expect(driven.pairs).toBe(PAIRS);
  expect(driven.skipped).toBe(0);
  expect(driven.counts.different).toBeGreaterThan(PAIRS / 4);
  expect(regressions(driven)).toEqual([]);
  expect(driven.noise.reduce((sum, { triples }) => sum + triples, 0)).toBe(PAIRS);
});

// Few products have an id that a double cannot hold: B06 needs the 2,000 of `npm run verify`.
test.each(FAULTS.filter(({ id }) => id !== 'B06'))('$id is found, and nothing beside it', async (fault) => {
  const { found, alarms, driven } = await withFault(stack, fault, FAULT_PAIRS, 5);
  expect({ found, alarms }).toEqual({ found: true, alarms: [] });
  expect(driven.skipped).toBe(0);
});

// What shows in few answers needs more of them.
test.each(FAULTS.filter(({ id }) => ['B01', 'B04', 'B08', 'B13'].includes(id)))(
  '$id is more than legacy differs from itself',
  async (fault) => {
    const { driven } = await withFault(stack, fault, FAULT_PAIRS, 9);
    expect(driven.noise.map(({ verdict }) => verdict)).toContain('REGRESSION');
    expect(regressions(driven).every(({ b, c }) => b > 20 && c === 0)).toBe(true);
  },
);
