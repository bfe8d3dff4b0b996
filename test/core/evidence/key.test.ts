import { expect, test } from 'vitest';
import {
  type EvidenceScope,
  ruleSetText,
  scopeText,
  standingOf,
  stratumOf,
} from '../../../router/core/evidence/key.ts';
import type { CompareRule } from '../../../router/core/types.ts';

const SCOPE: EvidenceScope = {
  group: 'catalog',
  route: 'GET /things',
  shadowed: 'service',
  stratum: '2xx - GET -',
  build: 'b1',
  legacyBuild: 'l1',
  rules: '00ff',
};
const RULE: CompareRule = {
  path: '/body/at',
  action: 'timestamp',
  toleranceMs: 2000,
  owner: 'team',
  reason: 'clock',
  expires: '2026-12-31',
};

test.each(Object.keys(SCOPE))('another %s is another key', (part) => {
  expect(scopeText({ ...SCOPE, [part]: 'other' })).not.toBe(scopeText(SCOPE));
  expect(scopeText({ ...SCOPE })).toBe(scopeText(SCOPE));
});

test('a stratum is status class, media type, request and unit class', () => {
  expect(stratumOf({ status: 204, mediaType: '', request: 'GET ?page', unitClass: 'user' })).toBe(
    '2xx - GET ?page user',
  );
});

test('who owns a rule and until when is not part of the rule set, what it does is', () => {
  const text = ruleSetText([RULE], '2026-11-01');
  expect(
    ruleSetText([{ ...RULE, owner: 'x', reason: 'y', ticket: 'z', expires: '2027-01-01' }], '2026-11-01'),
  ).toBe(text);
  expect(ruleSetText([{ ...RULE, toleranceMs: 1000 }], '2026-11-01')).not.toBe(text);
});

test('a rule that has expired changes the rule set', () => {
  expect(ruleSetText([RULE], '2026-12-31')).toBe(ruleSetText([RULE], null));
  expect(ruleSetText([RULE], '2027-01-01')).toBe(ruleSetText([], null));
});

test('evidence of another build is stale for 14 days and then dead', () => {
  const day = 86_400_000;
  const next = { ...SCOPE, build: 'b2' };
  expect(standingOf(SCOPE, SCOPE, 0, 100 * day)).toBe('current');
  expect(standingOf(SCOPE, next, 0, 14 * day)).toBe('stale');
  expect(standingOf(SCOPE, next, 0, 14 * day + 1)).toBe('dead');
});
