import { describe, expect, test } from 'vitest';
import type { RuleEvidence } from '../../../router/core/rules/blast-radius.ts';
import { refusals } from '../../../router/core/rules/refusals.ts';
import { type RuleText, ruleOf } from '../compare/answers.ts';
import { cause, evidence, ROUTE } from './evidence.ts';

function codes(rule: RuleText, seen: RuleEvidence): readonly string[] {
  return refusals(ruleOf(rule), seen).map(({ code }) => code);
}

const RID = evidence([cause('c1', 7, ['/body/rid value'])]);

describe('a rule that silences', () => {
  test.each<[what: string, rule: RuleText, seen: RuleEvidence, codes: readonly string[]]>([
    ['what it silences drifted', { path: '/body/rid', action: 'ignore-value' }, RID, []],
    ['a typed action where values drifted', { path: '/body/rid', action: 'uuid' }, RID, []],
    ['another place', { path: '/body/x', action: 'ignore-value' }, RID, ['NEVER_DRIFTED']],
    ['another kind', { path: '/body/rid', action: 'unordered' }, RID, ['NEVER_DRIFTED']],
    [
      'another route',
      { path: '/body/rid', action: 'uuid', routes: ['GET /y'] },
      RID,
      ['TOO_FEW', 'NEVER_DRIFTED'],
    ],
    ['whatever has that name', { path: '/body/**/rid', action: 'ignore-value' }, RID, ['OVER_BROAD']],
    ['a typed action for whatever has that name', { path: '/body/**/rid', action: 'uuid' }, RID, []],
    [
      'a container of which one member drifted',
      { path: '/body/debug', action: 'ignore-value' },
      evidence([cause('c1', 7, ['/body/debug/time value'])]),
      ['OVER_BROAD'],
    ],
    ['presence, where only values drifted', { path: '/body/rid', action: 'ignore' }, RID, ['STRUCTURAL']],
    [
      'a member that is missing',
      { path: '/body/rid', action: 'ignore' },
      evidence([cause('c1', 7, ['/body/rid missing'])]),
      ['STRUCTURAL'],
    ],
    [
      'what is missing in a container',
      { path: '/body/debug', action: 'ignore-value' },
      evidence([cause('c1', 7, ['/body/debug/time missing', '/body/debug order'])]),
      ['OVER_BROAD', 'STRUCTURAL'],
    ],
    ['the whole body', { path: '/body', action: 'ignore-value' }, RID, ['ROOT', 'OVER_BROAD']],
    ['everything in it', { path: '/body/**', action: 'ignore-value' }, RID, ['ROOT', 'OVER_BROAD']],
    ['all headers', { path: '/headers/*', action: 'ignore' }, RID, ['ROOT', 'NEVER_DRIFTED']],
    ['no answer', { path: '/exchange', action: 'ignore' }, RID, ['ROOT', 'NEVER_DRIFTED']],
    [
      'a wider cache',
      { path: '/headers/cache-control', action: 'ignore-value' },
      evidence([cause('c1', 7, ['/headers/cache-control value cache-widened'])]),
      ['SECURITY'],
    ],
    [
      'what somebody called a bug',
      { path: '/body/rid', action: 'ignore-value' },
      evidence([cause('c1', 7, ['/body/rid value'], { triage: 'bug' })]),
      ['TRIAGED_BUG'],
    ],
    [
      'after 49 pairs',
      { path: '/body/rid', action: 'uuid' },
      { ...RID, compared: new Map([[ROUTE, 49]]) },
      ['TOO_FEW'],
    ],
    [
      'after 50 pairs',
      { path: '/body/rid', action: 'uuid' },
      { ...RID, compared: new Map([[ROUTE, 50]]) },
      [],
    ],
    ['for nobody', { path: '/body/rid', action: 'uuid', owner: ' ' }, RID, ['UNOWNED']],
  ])('%s', (_what, rule, seen, expected) => {
    expect(codes(rule, seen)).toEqual(expected);
  });
});

test('where places are known, those that never differed decide how broad a rule may be', () => {
  const known = ['/body/rid', '/body/a/rid'].map((template) => ({ route: ROUTE, template }));
  const rule = { path: '/body/**/rid', action: 'uuid' };
  expect(codes(rule, { ...RID, known })).toEqual(['OVER_BROAD']);
  expect(codes(rule, { ...RID, known: known.slice(0, 1) })).toEqual([]);
  expect(codes({ ...rule, action: 'ignore-value' }, { ...RID, known: known.slice(0, 1) })).toEqual([]);
});

test('stricter rules and how a body is read are nobody’s excuse', () => {
  expect(codes({ path: '/body/**/price', action: 'number-lexeme' }, evidence([], 0))).toEqual([]);
  expect(codes({ path: '/body', action: 'parse-as', as: 'json' }, evidence([], 0))).toEqual([]);
});

test('every refusal is a sentence that says what to do', () => {
  const [broad] = refusals(ruleOf({ path: '/body/**/rid', action: 'ignore-value' }), RID);
  expect(broad?.text).toBe(
    'it also covers places that never differed; only /body/rid did: write it for that',
  );
});
