import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { CauseDelta, ComparisonBatch, ComparisonCount } from '../../router/core/ports.ts';
import {
  COMPARISON_LIMITS,
  COMPARISON_MIGRATIONS,
  createComparisonStore,
} from '../../router/store/comparisons.ts';

function open(limits = COMPARISON_LIMITS) {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  for (const sql of COMPARISON_MIGRATIONS) db.exec(sql);
  return createComparisonStore(db, limits);
}

const KEY = { group: 'catalog', route: 'GET /x', shadowed: 'service', build: 'b1', rules: 'r' } as const;

function count(more: Partial<ComparisonCount> = {}): ComparisonCount {
  return { ...KEY, outcome: 'different', reason: null, count: 1, ...more };
}

function cause(more: Partial<CauseDelta> = {}): CauseDelta {
  const entries = [
    { template: '/body/a', kind: 'value', severity: 'medium', detail: null, codes: null },
  ] as const;
  return {
    ...KEY,
    id: 'c1',
    severity: 'medium',
    entries,
    count: 1,
    firstAt: 10,
    lastAt: 10,
    examples: [],
    ...more,
  };
}

function batch(more: Partial<ComparisonBatch> = {}): ComparisonBatch {
  return { at: 10, counts: [], causes: [], ...more };
}

test('counts of later batches are added', () => {
  const store = open();
  store.flush(batch({ counts: [count(), count({ outcome: 'skipped', reason: 'rate', count: 5 })] }));
  store.flush(batch({ counts: [count({ count: 2 })] }));
  expect(store.counts('catalog')).toEqual([
    { ...count({ count: 3 }), stale: false },
    { ...count({ outcome: 'skipped', reason: 'rate', count: 5 }), stale: false },
  ]);
  expect(store.counts('other')).toEqual([]);
});

test('a cause keeps its first and last time and its first three examples', () => {
  const store = open();
  store.flush(batch({ counts: [count()], causes: [cause({ examples: ['1', '2'] })] }));
  store.flush(batch({ causes: [cause({ count: 4, firstAt: 20, lastAt: 30, examples: ['3', '4'] })] }));
  expect(store.cause('catalog', 'c1')).toEqual([
    { ...cause({ count: 5, firstAt: 10, lastAt: 30, examples: ['1', '2', '3'] }), stale: false },
  ]);
  expect(store.cause('catalog', 'c2')).toEqual([]);
});

test('an example over 8 KB is not kept', () => {
  const store = open();
  const [fits, over] = ['x'.repeat(8192), 'x'.repeat(8193)];
  store.flush(batch({ causes: [cause({ examples: [over, fits] })] }));
  expect(store.causes('catalog')[0]?.examples).toEqual([fits]);
});

test('with a new build or new rules the evidence starts again and the old one is kept as stale', () => {
  const store = open();
  store.flush(batch({ counts: [count({ count: 9 })], causes: [cause({ count: 9 })] }));
  store.flush(batch({ counts: [count({ build: 'b2' })], causes: [cause({ build: 'b2' })] }));
  expect(store.counts('catalog').map((row) => [row.build, row.count, row.stale])).toEqual([
    ['b2', 1, false],
    ['b1', 9, true],
  ]);
  expect(store.causes('catalog').map((row) => [row.build, row.stale])).toEqual([
    ['b2', false],
    ['b1', true],
  ]);
  store.flush(batch({ counts: [count({ build: 'b2', rules: 'other' })] }));
  expect(store.causes('catalog').map((row) => row.stale)).toEqual([true, true]);
});

test('going back to an older build makes its evidence current again', () => {
  const store = open();
  for (const build of ['b1', 'b2', 'b1']) store.flush(batch({ counts: [count({ build })] }));
  expect(store.counts('catalog').map((row) => [row.build, row.stale])).toEqual([
    ['b1', false],
    ['b2', true],
  ]);
});

test('skips decided before a copy never go stale and never change the current build', () => {
  const store = open();
  const early = count({ route: '', build: '', rules: '', outcome: 'skipped', reason: 'flag-off' });
  store.flush(batch({ counts: [count(), early] }));
  expect(store.counts('catalog').map((row) => row.stale)).toEqual([false, false]);
});

test('over 200 causes the stale ones go first, then the least-hit; what went is counted', () => {
  const store = open({ ...COMPARISON_LIMITS, causesMax: 2 });
  store.flush(
    batch({ counts: [count({ build: 'b0' })], causes: [cause({ build: 'b0', id: 'old', count: 100 })] }),
  );
  const causes = [
    cause({ id: 'rare', count: 1 }),
    cause({ id: 'often', count: 50 }),
    cause({ id: 'some', count: 5 }),
  ];
  store.flush(batch({ counts: [count()], causes }));
  expect(store.causes('catalog').map(({ id }) => id)).toEqual(['often', 'some']);
  expect(store.evicted('catalog')).toEqual({ causes: 2, pairs: 101 });
});

test('rows of counts are bounded, stale ones go first', () => {
  const store = open({ ...COMPARISON_LIMITS, countsMax: 2 });
  for (const build of ['b1', 'b2', 'b3']) store.flush(batch({ counts: [count({ build })] }));
  expect(store.counts('catalog')).toHaveLength(2);
  expect(store.counts('catalog')[0]?.build).toBe('b3');
});

test('a batch that fails leaves nothing behind', () => {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  for (const sql of COMPARISON_MIGRATIONS) db.exec(sql);
  const store = createComparisonStore(db);
  db.exec('DROP TABLE comparison_evicted; DROP TABLE comparison_causes');
  expect(() => store.flush(batch({ counts: [count()], causes: [cause()] }))).toThrow('comparison_causes');
  expect(store.counts('catalog')).toEqual([]);
});
