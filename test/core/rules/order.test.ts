import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collisions } from '../../../router/core/rules/order.ts';
import { compared, json, type RuleText, ruleOf } from '../compare/answers.ts';

const TODAY = '2026-11-24';

function told(rules: readonly RuleText[]): readonly string[] {
  return collisions(rules.map(ruleOf), TODAY).map(({ of, by, kind }) => `${of} by ${by} ${kind}`);
}

const number = { path: '/body/a', action: 'number', abs: 1 };

describe('a rule that another keeps from applying', () => {
  test.each<[what: string, rules: readonly RuleText[], told: readonly string[]]>([
    ['the second of two that decide', [number, { ...number, abs: 2 }], ['1 by 0 never']],
    ['one that a wider one comes before', [{ ...number, path: '/body/**' }, number], ['1 by 0 never']],
    ['one that a narrower one comes before', [number, { ...number, path: '/body/*' }], ['1 by 0 partly']],
    ['one below an ignored place', [number, { path: '/body/a', action: 'ignore' }], ['0 by 1 never']],
    [
      'one far below an ignored place',
      [
        { path: '/body/a/b/c', action: 'uuid' },
        { path: '/body/a', action: 'ignore' },
      ],
      ['0 by 1 never'],
    ],
    ['one of two at different places', [number, { ...number, path: '/body/b' }], []],
    [
      'one of two that normalise',
      [
        { path: '/body/a', action: 'newlines' },
        { path: '/body/a', action: 'mask', regex: 'x' },
      ],
      [],
    ],
    [
      'one of two stages',
      [
        { path: '/body/a', action: 'unordered' },
        { path: '/body/a', action: 'ignore-value' },
      ],
      [],
    ],
    [
      'one for another route',
      [
        { ...number, routes: ['GET /a'] },
        { ...number, routes: ['GET /b'] },
      ],
      [],
    ],
    [
      'one whose route is among others',
      [
        { ...number, routes: ['GET /a', 'GET /b'] },
        { ...number, routes: ['GET /a'] },
      ],
      ['1 by 0 never'],
    ],
    ['one for more routes', [{ ...number, routes: ['GET /a'] }, number], ['1 by 0 partly']],
    ['one for more statuses', [{ ...number, statuses: [200] }, number], ['1 by 0 partly']],
    ['one that outlives the other', [{ ...number, expires: '2026-11-30' }, number], ['1 by 0 partly']],
    ['one behind a rule that has ended', [{ ...number, expires: '2026-11-23' }, number], []],
    [
      'how a body is read',
      [
        { path: '/body', action: 'sse' },
        { path: '/body', action: 'ignore' },
      ],
      [],
    ],
  ])('%s', (_what, rules, expected) => {
    expect(told(rules)).toEqual(expected);
  });
});

test('a rule that is said never to apply can be left out without any comparison changing', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', '*', '**'), { minLength: 1, maxLength: 3 })
    .map((parts) => `/body/${parts.join('/')}`);
  const action = fc.constantFrom<object>(
    { action: 'ignore' },
    { action: 'ignore-value' },
    { action: 'number', abs: 1 },
    { action: 'uuid' },
    { action: 'unordered' },
    { action: 'allow-extra' },
    { action: 'null-equals-missing' },
    { action: 'rename', group: 'g' },
  );
  const rule = fc
    .tuple(path, action)
    .map(([at, more]): RuleText => ({ path: at, action: 'ignore', ...more }));
  const scalar = fc.constantFrom<unknown>(null, 0, 1, 2, 'x', 'y');
  const body = fc.letrec<{ node: unknown; object: unknown }>((tie) => ({
    node: fc.oneof({ maxDepth: 3 }, scalar, tie('object'), fc.array(tie('node'), { maxLength: 3 })),
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node'), { maxKeys: 3, noNullPrototype: true }),
  })).object;
  let left = 0;
  fc.assert(
    fc.property(body, body, fc.array(rule, { minLength: 2, maxLength: 4 }), (legacy, service, rules) => {
      const never = collisions(rules.map(ruleOf), TODAY).find(({ kind }) => kind === 'never');
      if (never === undefined) return;
      left += 1;
      const [all, fewer] = [rules, rules.filter((_, index) => index !== never.of)].map((some) =>
        compared(json(legacy), json(service), some, TODAY),
      );
      if (all?.outcome === 'skipped' || fewer?.outcome === 'skipped') throw new Error('skipped');
      expect([all?.outcome, all?.count]).toEqual([fewer?.outcome, fewer?.count]);
    }),
    { numRuns: 10_000, seed: 20_261_124 },
  );
  expect(left).toBeGreaterThan(1_000);
});
