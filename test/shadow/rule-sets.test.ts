import { expect, test } from 'vitest';
import type { ComparisonBatch } from '../../router/core/ports.ts';
import { ruleText } from '../../router/core/rules/scope.ts';
import { createRuleSets } from '../../router/shadow/rule-sets.ts';
import { ruleOf } from '../core/compare/answers.ts';
import { EMPTY_BATCH } from '../helpers/batches.ts';

const TODAY = '2026-11-24';
const RULE = ruleOf({ path: '/body/a', action: 'ignore-value', expires: '2026-11-30' });
const OTHER = ruleOf({ path: '/body/b', action: 'ignore-value' });
const AT = { group: 'catalog', route: 'GET /x' };
const ENTRY = { template: '/body/a', kind: 'value', severity: 'medium', detail: null, codes: null } as const;

test('the digest of rules follows what they do, not who owns them', () => {
  const { digest } = createRuleSets();
  const others = [{ ...RULE, owner: 'other', reason: 'x', ticket: 'T-1', expires: '2026-12-01' }];
  expect(digest(others, TODAY)).toBe(digest([RULE], TODAY));
  expect(digest([{ ...RULE, path: '/body/b' }], TODAY)).not.toBe(digest([RULE], TODAY));
});

test('the digest changes on the day after a rule has ended, as if it had been taken out', () => {
  const { digest } = createRuleSets();
  const rules = [RULE, OTHER];
  const before = digest(rules, '2026-11-30');
  expect(digest(rules, TODAY)).toBe(before);
  expect(digest(rules, '2026-12-01')).not.toBe(before);
  expect(digest(rules, '2026-12-01')).toBe(digest([OTHER], '2026-12-01'));
});

test('hits of a rule are added up, and given again to a store that did not take them', () => {
  const sets = createRuleSets();
  const taken: ComparisonBatch[] = [];
  let broken = true;
  const store = sets.counting({
    flush(batch) {
      if (broken) throw new Error('full');
      taken.push(batch);
    },
  });
  sets.count(AT, [RULE, OTHER], {
    outcome: 'ignored',
    silencedBy: [[0, 2]],
    silenced: [{ rule: 0, ...ENTRY }],
  });
  expect(() => store.flush(EMPTY_BATCH)).toThrow('full');
  sets.count(AT, [RULE, OTHER], {
    outcome: 'ignored',
    silencedBy: [[0, 1]],
    silenced: [{ rule: 0, ...ENTRY }],
  });
  broken = false;
  store.flush(EMPTY_BATCH);
  store.flush(EMPTY_BATCH);
  const hits = [
    {
      group: 'catalog',
      rule: ruleText(RULE),
      count: 3,
      places: [{ route: 'GET /x', entry: ENTRY, count: 2 }],
    },
  ];
  expect(taken.map((batch) => batch.hits)).toEqual([hits, []]);
});
