import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import {
  createRuleHits,
  LEAVES_MAX,
  RULE_HITS_MAX,
  RULE_MIGRATIONS,
  RULE_PLACES_MAX,
} from '../../router/store/rules.ts';
import { EMPTY_BATCH } from '../helpers/batches.ts';

function open() {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  for (const sql of RULE_MIGRATIONS) db.exec(sql);
  return createRuleHits(db);
}

const ENTRY = { template: '/body/a', kind: 'value', severity: 'medium', detail: null, codes: null } as const;
const PLACE = { route: 'GET /x', entry: ENTRY, count: 2 };
const TAKES_ALL = { flush: () => undefined };

test('hits are added up from the first time a rule was in force', () => {
  const hits = open();
  hits.met('catalog', ['a', 'b'], 10);
  const store = hits.counting(TAKES_ALL);
  const batch = {
    ...EMPTY_BATCH,
    at: 20,
    hits: [{ group: 'catalog', rule: 'a', count: 3, places: [PLACE] }],
  };
  store.flush(batch);
  store.flush({ ...batch, at: 30 });
  hits.met('catalog', ['a'], 40);
  expect([...hits.of('catalog')]).toEqual([
    ['a', { count: 6, since: 10, lastAt: 30 }],
    ['b', { count: 0, since: 10, lastAt: null }],
  ]);
  expect(hits.of('other').size).toBe(0);
  expect([...hits.silenced('catalog')]).toEqual([['a', [{ ...PLACE, count: 4 }]]]);
});

test('hits of a batch whose comparisons cannot be kept are not kept either', () => {
  const hits = open();
  const store = hits.counting({
    flush() {
      throw new Error('full');
    },
  });
  const batch = {
    ...EMPTY_BATCH,
    at: 20,
    hits: [{ group: 'catalog', rule: 'a', count: 3, places: [] }],
  };
  expect(() => store.flush(batch)).toThrow('full');
  expect(hits.of('catalog').size).toBe(0);
});

test('rules remembered per group are bounded; those of use longest ago go', () => {
  const hits = open();
  const rules = Array.from({ length: RULE_HITS_MAX }, (_, n) => `r${n}`);
  hits.met('catalog', rules, 10);
  hits.met('catalog', ['newest'], 20);
  expect(hits.of('catalog').size).toBe(RULE_HITS_MAX);
  expect(hits.of('catalog').has('newest')).toBe(true);
});

test('known places of a group are kept once each, and bounded', () => {
  const hits = open();
  const store = hits.counting(TAKES_ALL);
  const leaves = Array.from({ length: LEAVES_MAX + 1 }, (_, n) => ({
    group: 'catalog',
    route: 'GET /x',
    template: `/body/${n}`,
  }));
  for (const some of [leaves.slice(0, 2), leaves]) store.flush({ ...EMPTY_BATCH, at: 1, leaves: some });
  expect(hits.leaves('catalog')).toHaveLength(LEAVES_MAX);
  expect(hits.leaves('catalog')).toContainEqual(leaves[0]);
  expect(hits.leaves('other')).toEqual([]);
});

test('places of the rules of a group are bounded; those silenced longest ago go', () => {
  const hits = open();
  const store = hits.counting(TAKES_ALL);
  const places = Array.from({ length: RULE_PLACES_MAX }, (_, n) => ({
    ...PLACE,
    entry: { ...ENTRY, template: `/body/${n}` },
  }));
  const flush = (at: number, some: typeof places) =>
    store.flush({
      ...EMPTY_BATCH,
      at,
      hits: [{ group: 'catalog', rule: 'a', count: 1, places: some }],
    });
  flush(10, places);
  flush(20, [{ ...PLACE, entry: { ...ENTRY, template: '/body/new' } }]);
  const kept = hits.silenced('catalog').get('a') ?? [];
  expect(kept).toHaveLength(RULE_PLACES_MAX);
  expect(kept.some(({ entry }) => entry.template === '/body/new')).toBe(true);
});
