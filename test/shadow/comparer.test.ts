import { expect, onTestFinished, test } from 'vitest';
import { COMPARER_LIMITS, type Comparer, createComparer } from '../../router/shadow/comparer.ts';
import type { Pair } from '../../router/shadow/pair.ts';
import { ignoring, ok } from './jobs.ts';

function comparer(limits = COMPARER_LIMITS): Comparer {
  const made = createComparer({ key: Buffer.alloc(32), decodedBytesMax: 1_000_000 }, limits);
  onTestFinished(() => made.stop());
  return made;
}

function pair(legacy: string, service: string): Pair {
  return {
    meta: {
      group: 'catalog',
      route: { label: 'GET /', segments: [] },
      request: {
        method: 'GET',
        target: '/',
        url: 'http://shop.example/',
        fields: [],
        hasBody: false,
        bytes: 1,
      },
      internalHosts: [],
      today: '2026-06-01',
      showValues: [],
      selfTest: null,
    },
    legacy: ok(legacy),
    service: { kind: 'answer', answer: ok(service), oversize: false },
  };
}

test('an answer that waited while our own loop stood still is used, not thrown away', async () => {
  const made = comparer({ ...COMPARER_LIMITS, budgetMs: 1000 });
  made.start();
  await made.judge(pair('1', '1'), []);
  const judged = made.judge(pair('1', '2'), []);
  // From here the loop goes on to its timers before it looks for messages.
  await new Promise((resolve) => setImmediate(resolve));
  const until = performance.now() + 1300;
  while (performance.now() < until);
  expect((await judged).outcome).toBe('different');
  expect(made.replaced()).toBe(0);
});

test('pairs over the waiting bound are refused while the others are judged', async () => {
  const made = comparer({ ...COMPARER_LIMITS, budgetMs: 15_000, waitingMax: 2 });
  made.start();
  const judged = await Promise.all([1, 2, 3].map((n) => made.judge(pair('1', String(n)), [])));
  expect(judged.map((each) => (each.outcome === 'skipped' ? each.reason : each.outcome))).toEqual([
    'same',
    'different',
    'compare-budget',
  ]);
});

test('rules that cannot be compiled make the pair fail, they are never left out', async () => {
  const made = comparer({ ...COMPARER_LIMITS, budgetMs: 15_000 });
  made.start();
  const rules = [{ ...ignoring('/body'), action: 'no-such-action' }];
  expect(await made.judge(pair('1', '2'), rules)).toEqual({ outcome: 'skipped', reason: 'compare-failed' });
});

test('each list of rules is taught once and told apart from the others', async () => {
  const made = comparer({ ...COMPARER_LIMITS, budgetMs: 15_000 });
  made.start();
  const rules = [ignoring('/body/a')];
  const outcomes = [];
  for (const list of [rules, [], rules])
    outcomes.push((await made.judge(pair('{"a":1}', '{"a":2}'), list)).outcome);
  expect(outcomes).toEqual(['ignored', 'different', 'ignored']);
});

test('before start and after stop a pair is skipped as draining', async () => {
  const made = comparer();
  const before = await made.judge(pair('1', '1'), []);
  made.start();
  await made.stop();
  expect([before, await made.judge(pair('1', '1'), [])]).toEqual([
    { outcome: 'skipped', reason: 'draining' },
    { outcome: 'skipped', reason: 'draining' },
  ]);
});
