import { describe, expect, test } from 'vitest';
import type { RuleEvidence } from '../../../router/core/rules/blast-radius.ts';
import { findings, findingText, type KnownRule } from '../../../router/core/rules/findings.ts';
import { type RuleText, ruleOf } from '../compare/answers.ts';
import { cause, evidence, ROUTE } from './evidence.ts';

const NOW = Date.UTC(2026, 10, 24);
const RID = evidence([cause('c1', 7, ['/body/rid value'])]);

function known(rule: RuleText, more: Partial<KnownRule> = {}): KnownRule {
  const hits = { count: 1, since: NOW, lastAt: NOW };
  return {
    name: 'rules[0]',
    rule: ruleOf({ expires: '2027-01-31', ...rule }),
    source: 'config',
    forced: null,
    silenced: [],
    hits,
    ...more,
  };
}

function codes(rules: readonly KnownRule[], seen: RuleEvidence = RID): readonly string[] {
  return findings(rules, { routes: [ROUTE], now: NOW, today: '2026-11-24', evidence: seen }).map(
    ({ code, rule }) => `${code} ${rule}`,
  );
}

const rid = { path: '/body/rid', action: 'ignore-value' };

describe('a rule of the configuration', () => {
  test.each<[what: string, rule: KnownRule, codes: readonly string[]]>([
    ['that is fine', known(rid), []],
    ['that ended yesterday', known({ ...rid, expires: '2026-11-23' }), ['EXPIRED rules[0]']],
    ['that ends today', known({ ...rid, expires: '2026-11-24' }), ['EXPIRES_SOON rules[0]']],
    ['that ends in 14 days', known({ ...rid, expires: '2026-12-08' }), ['EXPIRES_SOON rules[0]']],
    ['that ends in 15 days', known({ ...rid, expires: '2026-12-09' }), []],
    ['for a route that is gone', known({ ...rid, routes: [ROUTE, 'GET /old'] }), ['ROUTE_GONE rules[0]']],
    [
      'without a hit for 30 days',
      known(rid, { hits: { count: 5, since: 0, lastAt: NOW - 30 * 86_400_000 } }),
      ['NO_HITS rules[0]'],
    ],
    [
      'that silences what differs nowhere',
      known({ path: '/body/x', action: 'uuid' }, { hits: { count: 0, since: NOW, lastAt: null } }),
      ['NEVER_DRIFTED rules[0]'],
    ],
    ['that has hits, so that nothing differs any more', known({ path: '/body/x', action: 'uuid' }), []],
    [
      'that hides a whole part',
      known({ path: '/body', action: 'ignore' }),
      ['ROOT rules[0]', 'OVER_BROAD rules[0]', 'STRUCTURAL rules[0]'],
    ],
  ])('%s', (_what, rule, expected) => {
    expect(codes([rule])).toEqual(expected);
  });
});

test('what it silences is held against it, although no cause shows it any more', () => {
  const { entries } = cause('', 1, ['/body/rid/a value', '/body/rid/b missing']);
  const silenced = entries.map((entry) => ({ route: ROUTE, entry, count: 3 }));
  expect(codes([known({ path: '/body/rid', action: 'ignore-value' }, { silenced })], evidence([]))).toEqual([
    'OVER_BROAD rules[0]',
    'STRUCTURAL rules[0]',
  ]);
});

test('an added rule has passed the check, or was forced past it, which is shown', () => {
  const root = { path: '/body', action: 'ignore' };
  const forced = { past: ['ROOT'], reason: 'tonight', by: 'ana', second: 'bob' } as const;
  expect(codes([known(root, { name: 'r1', source: 'added', forced })])).toEqual(['FORCED r1']);
});

test('as long as too little was compared one finding stands for all rules; with nothing compared there is none', () => {
  const two = [known(rid), known({ ...rid, path: '/body/x' }, { name: 'rules[1]' })];
  expect(codes(two, evidence([], 49))).toEqual(['UNCHECKED null']);
  expect(codes(two, { causes: [], compared: new Map(), known: null })).toEqual([]);
});

test('rules in each other’s way are named', () => {
  const all = { path: '/body/**', action: 'uuid' };
  const two = [known(rid), known(all, { name: 'r1', source: 'added' })];
  const found = findings(two, { routes: [ROUTE], now: NOW, today: '2026-11-24', evidence: RID });
  expect(found.map(findingText)).toEqual([
    'OVERLAP r1: uuid /body/**: where both match, only rules[0] (ignore-value /body/rid) does',
  ]);
});
