import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Comparison } from '../../../router/core/compare/comparison.ts';
import { signatureOf } from '../../../router/core/compare/signature.ts';
import { blastRadius, type RuleEvidence, type SeenCause } from '../../../router/core/rules/blast-radius.ts';
import type { Captured } from '../../../router/core/types.ts';
import { compared, json, type RuleText, ruleOf } from '../compare/answers.ts';
import { cause, evidence } from './evidence.ts';

const TODAY = '2026-11-24';
const ROUTE = 'GET /x';

function preview(added: readonly RuleText[], seen: RuleEvidence, before: readonly RuleText[] = []) {
  return blastRadius(added.map(ruleOf), before.map(ruleOf), TODAY, seen);
}

test('pairs turn only when everything that differs in them is silenced', () => {
  const seen = evidence([
    cause('a', 7, ['/body/rid value']),
    cause('b', 5, ['/body/rid value', '/body/price value']),
    cause('c', 3, ['/body/price value']),
  ]);
  const {
    turned,
    silenced,
    compared: pairs,
  } = preview([{ path: '/body/rid', action: 'ignore-value' }], seen);
  expect(pairs).toBe(1_000);
  expect(turned).toEqual({ atLeast: 7, atMost: 7 });
  expect(silenced).toEqual([
    {
      route: ROUTE,
      template: '/body/rid',
      kind: 'value',
      detail: null,
      count: 12,
      certain: true,
      causes: ['a', 'b'],
      triage: ['new'],
    },
  ]);
});

test('where values decide there are two bounds', () => {
  const seen = evidence([cause('a', 7, ['/body/total value'])]);
  const { turned, silenced } = preview([{ path: '/body/total', action: 'number', abs: 1 }], seen);
  expect(turned).toEqual({ atLeast: 0, atMost: 7 });
  expect(silenced[0]?.certain).toBe(false);
});

test('a rule behind another that decides about the same value does nothing', () => {
  const seen = evidence([cause('a', 7, ['/body/total value'])]);
  const before = [{ path: '/body/total', action: 'number', abs: 1 }];
  expect(preview([{ path: '/body/total', action: 'ignore-value' }], seen, before).turned.atMost).toBe(0);
});

test('behind a rule that decides about some of the values only the bounds are known', () => {
  const seen = evidence([cause('a', 7, ['/body/items/*/p value'])]);
  const before = [{ path: '/body/items/0/p', action: 'number', abs: 1 }];
  const { turned } = preview([{ path: '/body/items/*/p', action: 'ignore-value' }], seen, before);
  expect(turned).toEqual({ atLeast: 0, atMost: 7 });
});

test('a rule for another route or another status touches nothing', () => {
  const seen = evidence([cause('a', 7, ['/status status 200 401'])]);
  const rule = { path: '/status', action: 'ignore-value' };
  expect(preview([{ ...rule, routes: ['GET /y'] }], seen).turned.atMost).toBe(0);
  expect(preview([{ ...rule, statuses: [404] }], seen).turned.atMost).toBe(0);
  expect(preview([{ ...rule, statuses: [200] }], seen).turned.atMost).toBe(7);
});

test('known places that never differed are named, and how much of them is covered', () => {
  const known = ['/body/a/id', '/body/a/name', '/body/b'].map((template) => ({ route: ROUTE, template }));
  const seen = { ...evidence([cause('a', 7, ['/body/a/id value'])]), known };
  const { untouched, leaves } = preview([{ path: '/body/a', action: 'ignore-value' }], seen);
  expect(untouched).toEqual(['/body/a/name']);
  expect(leaves).toEqual({ covered: 2, known: 3 });
  expect(preview([{ path: '/body/b', action: 'uuid' }], evidence([])).untouched).toBeNull();
});

const names = fc.constantFrom('a', 'b', 'c');
const scalar = fc.constantFrom<unknown>(null, true, 0, 1, 1.5, 'x', 'y', '2026-01-01T00:00:00Z');
const flat = fc.letrec<{ node: unknown; object: unknown }>((tie) => ({
  node: fc.oneof({ maxDepth: 2 }, scalar, tie('object')),
  object: fc.dictionary(names, tie('node'), { maxKeys: 3, noNullPrototype: true }),
})).object;
const deep = fc.letrec<{ node: unknown; object: unknown }>((tie) => ({
  node: fc.oneof({ maxDepth: 3 }, scalar, tie('object'), fc.array(tie('node'), { maxLength: 4 })),
  object: fc.dictionary(names, tie('node'), { maxKeys: 3, noNullPrototype: true }),
})).object;
const path = fc
  .array(fc.constantFrom('a', 'b', 'c', '*', '**', '0', '1'), { minLength: 1, maxLength: 4 })
  .map((parts) => `/body/${parts.join('/')}`);
const plain = fc.constantFrom<object>({ action: 'ignore' }, { action: 'ignore-value' });
const any = fc.constantFrom<object>(
  { action: 'ignore' },
  { action: 'ignore-value' },
  { action: 'allow-extra' },
  { action: 'null-equals-missing' },
  { action: 'unordered' },
  { action: 'unordered', key: 'a' },
  { action: 'number', abs: 1 },
  { action: 'number-lexeme' },
  { action: 'timestamp', toleranceMs: 0 },
  { action: 'equivalent', pairs: [[0, 'x']] },
  { action: 'pattern', regex: '^x|y$' },
  { action: 'mask', regex: '[xy]' },
  { action: 'rename', group: 'g' },
);

function ruleAt(actions: fc.Arbitrary<object>): fc.Arbitrary<RuleText> {
  return fc.tuple(path, actions).map(([at, action]) => ({ path: at, action: 'ignore', ...action }));
}

/** What the recorder would have kept of this pair. */
function seenAs(comparison: Comparison): readonly SeenCause[] {
  if (comparison.outcome !== 'different') return [];
  const entries = signatureOf(comparison.differences)?.entries ?? [];
  return [{ id: 'x', route: ROUTE, entries, count: 1, triage: 'new' }];
}

function held(
  legacy: Captured,
  service: Captured,
  before: readonly RuleText[],
  added: readonly RuleText[],
): { atLeast: number; atMost: number; really: number } | null {
  const now = compared(legacy, service, before, TODAY);
  if (now.outcome !== 'different') return null;
  const then = compared(legacy, service, [...before, ...added], TODAY);
  const { turned } = preview(added, evidence(seenAs(now)), before);
  return { ...turned, really: then.outcome === 'different' ? 0 : 1 };
}

test('the comparer does what the preview says, between its bounds, for any answers and rules', () => {
  let certain = 0;
  fc.assert(
    fc.property(
      deep,
      deep,
      fc.array(ruleAt(any), { maxLength: 2 }),
      fc.array(ruleAt(any), { minLength: 1, maxLength: 2 }),
      (left, right, before, added) => {
        const told = held(json(left), json(right), before, added);
        if (told === null) return;
        expect(told.really).toBeGreaterThanOrEqual(told.atLeast);
        expect(told.really).toBeLessThanOrEqual(told.atMost);
        certain += told.atLeast;
      },
    ),
    { numRuns: 20_000, seed: 20_261_124 },
  );
  expect(certain).toBeGreaterThan(100);
});

test('without arrays, for rules that ignore, the preview is exact', () => {
  let turned = 0;
  fc.assert(
    fc.property(flat, flat, fc.array(ruleAt(plain), { minLength: 1, maxLength: 3 }), (left, right, added) => {
      const told = held(json(left), json(right), [], added);
      if (told === null) return;
      expect(told.atLeast).toBe(told.really);
      expect(told.atMost).toBe(told.really);
      turned += told.really;
    }),
    { numRuns: 10_000, seed: 20_261_124 },
  );
  expect(turned).toBeGreaterThan(100);
});
