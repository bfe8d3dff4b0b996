import { expect, onTestFinished, test } from 'vitest';
import type { CauseDelta, CausePlace, ComparisonBatch, ComparisonCount } from '../../router/core/ports.ts';
import { COMPARISON_LIMITS, createComparisonStore } from '../../router/store/comparisons.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';

function open(limits = COMPARISON_LIMITS) {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  return createComparisonStore(db, limits);
}

const KEY = { group: 'catalog', route: 'GET /x', shadowed: 'service', build: 'b1', rules: 'r' } as const;

function count(more: Partial<ComparisonCount> = {}): ComparisonCount {
  return { ...KEY, outcome: 'different', reason: null, count: 1, ...more };
}

function place(more: Partial<CausePlace> = {}): CausePlace {
  const { group: _, ...where } = KEY;
  return { ...where, count: 1, lastAt: 10, ...more };
}

function cause(more: Partial<CauseDelta> = {}): CauseDelta {
  const entries = [
    { template: '/body/a', kind: 'value', severity: 'medium', detail: null, codes: null },
  ] as const;
  return {
    group: 'catalog',
    id: 'c1',
    severity: 'medium',
    entries,
    count: 1,
    error: 0,
    firstAt: 10,
    lastAt: 10,
    places: [place()],
    shapes: Array(64).fill(0),
    examples: [],
    smallest: null,
    ...more,
  };
}

function batch(more: Partial<ComparisonBatch> = {}): ComparisonBatch {
  return { at: 10, counts: [], causes: [], forgotten: [], evidence: [], selfTests: [], ...more };
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
  expect(store.cause('catalog', 'c1')).toEqual({
    ...cause({ count: 5, firstAt: 10, lastAt: 30, places: [place({ count: 2 })], examples: ['1', '2', '3'] }),
    shapes: 0,
    stale: false,
  });
  expect(store.cause('catalog', 'c2')).toBeNull();
});

test('an example over 8 KB is not kept', () => {
  const store = open();
  const [fits, over] = ['x'.repeat(8192), 'x'.repeat(8193)];
  store.flush(batch({ causes: [cause({ examples: [over, fits] })] }));
  expect(store.causes('catalog')[0]?.examples).toEqual([fits]);
});

test('a cause is stale while the build and the rules seen last do not show it', () => {
  const store = open();
  const staleness = () => store.causes('catalog').map(({ id, stale }) => [id, stale]);
  store.flush(batch({ counts: [count()], causes: [cause(), cause({ id: 'c2' })] }));
  const later = cause({ id: 'c2', places: [place({ build: 'b2' })] });
  store.flush(batch({ counts: [count({ build: 'b2' })], causes: [later] }));
  expect(store.counts('catalog').map((row) => [row.build, row.stale])).toEqual([
    ['b2', false],
    ['b1', true],
  ]);
  expect(staleness()).toEqual([
    ['c2', false],
    ['c1', true],
  ]);
  expect(store.cause('catalog', 'c2')?.places.map(({ build }) => build)).toEqual(['b1', 'b2']);
  store.flush(batch({ counts: [count({ build: 'b2', rules: 'other' })] }));
  expect(staleness().map(([, stale]) => stale)).toEqual([true, true]);
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

test('over 200 causes the least-hit makes room and hands its count on; what went is counted', () => {
  const store = open({ ...COMPARISON_LIMITS, causesMax: 2 });
  const causes = [
    cause({ id: 'often', count: 50 }),
    cause({ id: 'rare', count: 3 }),
    cause({ id: 'some', count: 5 }),
  ];
  store.flush(batch({ counts: [count()], causes }));
  expect(store.causes('catalog').map(({ id, count: seen, error }) => [id, seen, error])).toEqual([
    ['often', 50, 0],
    ['some', 8, 3],
  ]);
  expect(store.evicted('catalog')).toEqual({ causes: 1, pairs: 3 });
});

test('what a batch had to forget may have been any cause, so that no count is too low', () => {
  const store = open();
  store.flush(batch({ counts: [count()], causes: [cause({ count: 4 })] }));
  store.flush(batch({ counts: [count()], causes: [], forgotten: [{ group: 'catalog', count: 2 }] }));
  expect(store.cause('catalog', 'c1')).toMatchObject({ count: 6, error: 2 });
});

test('the worst cause comes first, then the most frequent', () => {
  const store = open();
  const causes = [
    cause({ id: 'low', severity: 'low', count: 90 }),
    cause({ id: 'rare', severity: 'high', count: 1 }),
    cause({ id: 'often', severity: 'high', count: 9 }),
  ];
  store.flush(batch({ counts: [count()], causes }));
  expect(store.causes('catalog').map(({ id }) => id)).toEqual(['often', 'rare', 'low']);
});

test('the smallest request that shows a cause is kept', () => {
  const store = open();
  for (const bytes of [30, 10, 20]) {
    const smallest = { method: 'GET', target: `/${bytes}`, fields: [], hasBody: false, bytes };
    store.flush(batch({ counts: [count()], causes: [cause({ smallest })] }));
  }
  expect(store.cause('catalog', 'c1')?.smallest?.target).toBe('/10');
});

const DAY_MS = 86_400_000;

test('examples live 14 days, a cause that is not seen any more 90', () => {
  const store = open();
  const smallest = { method: 'GET', target: '/', fields: [], hasBody: false, bytes: 1 };
  store.flush(batch({ counts: [count()], causes: [cause({ examples: ['1'], smallest })] }));
  store.flush(batch({ at: 15 * DAY_MS, counts: [count()] }));
  expect(store.cause('catalog', 'c1')).toMatchObject({ count: 1, examples: [], smallest: null });
  store.flush(batch({ at: 91 * DAY_MS, counts: [count()] }));
  expect(store.cause('catalog', 'c1')).toBeNull();
});

test('purging takes causes and self-tests out, and leaves the counts', () => {
  const store = open();
  const selfTest = { group: 'catalog', rules: 'r', fault: 'null', template: '/body/a' } as const;
  const selfTests = [{ ...selfTest, tried: 2, caught: 1, hiddenBy: [0] }];
  store.flush(batch({ counts: [count()], causes: [cause()], selfTests }));
  expect(store.selfTests('catalog', 'r')).toEqual(selfTests);
  expect(store.purge('catalog')).toBe(1);
  expect([store.causes('catalog'), store.selfTests('catalog', 'r')]).toEqual([[], []]);
  expect(store.counts('catalog')).toHaveLength(1);
});

test('rows of counts are bounded, stale ones go first', () => {
  const store = open({ ...COMPARISON_LIMITS, countsMax: 2 });
  for (const build of ['b1', 'b2', 'b3']) store.flush(batch({ counts: [count({ build })] }));
  expect(store.counts('catalog')).toHaveLength(2);
  expect(store.counts('catalog')[0]?.build).toBe('b3');
});

test('a batch that fails leaves nothing behind', () => {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  const store = createComparisonStore(db);
  db.exec('DROP TABLE comparison_evicted; ALTER TABLE cause RENAME TO gone');
  expect(() => store.flush(batch({ counts: [count()], causes: [cause()] }))).toThrow('no such table');
  expect(store.counts('catalog')).toEqual([]);
});
