import { expect, test } from 'vitest';
import { noiseVerdicts, weighed } from '../../router/control/noise.ts';
import type { PathReport } from '../../router/core/noise/model.ts';
import type { CauseEntry, CausePlace, GroupNoise, StoredCause } from '../../router/core/ports.ts';

const ROUTE = 'GET /a';

function report(template: string, kind: PathReport['kind'], verdict: PathReport['verdict']): PathReport {
  const counts = { n: 600, both: 600, b: 0, c: 0, lnE: 0, effect: null, feature: null, distinct: null };
  return { route: ROUTE, template, kind, verdict, ...counts };
}

const NOISE: GroupNoise = {
  group: 'g',
  build: 'b1',
  rules: 'r1',
  triples: 600,
  at: 1,
  flaggedItself: 0,
  verdict: 'NOISE',
  reports: [
    report('/body/rid', 'value', 'NOISE'),
    report('/body/at', 'value', 'NOISE'),
    report('/body/new', 'value', 'UNKNOWN'),
  ],
};

function cause(entries: readonly (readonly [string, CauseEntry['kind']])[], more: Partial<CausePlace> = {}) {
  const made: StoredCause = {
    group: 'g',
    id: 'c',
    severity: 'medium',
    entries: entries.map(([template, kind]) => ({
      template,
      kind,
      severity: 'medium',
      detail: null,
      codes: null,
    })),
    count: 3,
    error: 0,
    firstAt: 0,
    lastAt: 0,
    places: [{ route: ROUTE, shadowed: 'service', build: 'b1', rules: 'r1', count: 3, lastAt: 0, ...more }],
    shapes: 1,
    examples: [],
    smallest: null,
    stale: false,
  };
  return made;
}

test.each<[string, StoredCause, boolean]>([
  [
    'all of it is noise',
    cause([
      ['/body/rid', 'value'],
      ['/body/at', 'value'],
    ]),
    true,
  ],
  [
    'one place is not',
    cause([
      ['/body/rid', 'value'],
      ['/body/b', 'value'],
    ]),
    false,
  ],
  ['it is noise of another kind', cause([['/body/rid', 'type']]), false],
  ['it is noise on another route', cause([['/body/rid', 'value']], { route: 'GET /b' }), false],
  ['nothing is known yet', cause([['/body/new', 'value']]), false],
  ['it is of another build', cause([['/body/rid', 'value']], { build: 'b0' }), false],
  ['it was judged by other rules', cause([['/body/rid', 'value']], { rules: 'r0' }), false],
])('a cause of which %s is explained: as it should be', (_what, each, explained) => {
  expect(weighed([each], NOISE)).toEqual([{ ...each, explained }]);
});

test('without noise nothing is explained', () => {
  expect(weighed([cause([['/body/rid', 'value']])], null)).toMatchObject([{ explained: false }]);
});

test('a place explains its own kind of difference on its own route, for whoever weighs evidence', () => {
  const { explained } = noiseVerdicts(() => NOISE);
  expect(explained('g', ROUTE)('/body/rid', 'value')).toBe(true);
  expect(explained('g', ROUTE)('/body/rid', 'type')).toBe(false);
  expect(explained('g', 'GET /b')('/body/rid', 'value')).toBe(false);
  expect(explained('g', ROUTE)('/body/new', 'value')).toBe(false);
});

test('regressions are said with their route, place and kind', () => {
  const reports = [report('/body/rid', 'value', 'NOISE'), report('/body/stock', 'value', 'REGRESSION')];
  expect(noiseVerdicts(() => ({ ...NOISE, reports })).regressions('g')).toEqual([
    `${ROUTE} /body/stock value`,
  ]);
});

test.each([
  ['nothing was asked of legacy twice', null, null],
  ['it was asked 199 times', { ...NOISE, triples: 199 }, null],
  ['it was asked 200 times and nothing was flagged', { ...NOISE, triples: 200 }, true],
  ['a path was flagged', { ...NOISE, triples: 5, flaggedItself: 1 }, false],
])('legacy against itself when %s', (_when, noise, clean) => {
  expect(noiseVerdicts(() => noise).selfTestClean('g')).toBe(clean);
});
