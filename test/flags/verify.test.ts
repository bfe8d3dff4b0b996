import { expect, test } from 'vitest';
import { definitionsOf, parseExportFile } from '../../flags/move/export-file.ts';
import { verifyFlags } from '../../flags/move/verify.ts';
import { exportedFlags } from './exported.ts';

const SAMPLES = 2_000;

type Exported = ReturnType<typeof exportedFlags>['environments'][string];

function tableOf(change: (exported: Exported) => void = () => undefined) {
  const exported = exportedFlags('v');
  for (const environment of Object.values(exported.environments)) change(environment);
  const [parsed] = parseExportFile(JSON.stringify(exported));
  if (parsed === undefined) throw new Error('no environment');
  return definitionsOf(
    parsed,
    parsed.segments.map(({ id, constraints }) => ({ id, constraints: constraints ?? [] })),
  );
}

function verified(change?: (exported: Exported) => void) {
  const environment = 'production';
  const nowMs = Date.UTC(2026, 10, 24);
  const options = { source: tableOf(), target: tableOf(change), environment, seed: 1, nowMs };
  return verifyFlags({ ...options, samples: SAMPLES });
}

function strategyOf(exported: Exported, flag: string, index = 0) {
  const strategy = exported.featureStrategies.filter(({ featureName }) => featureName === `v.${flag}`)[index];
  if (strategy === undefined) throw new Error(`no strategy of ${flag}`);
  return strategy;
}

test('equal definitions answer every unit alike', async () => {
  expect(await verified()).toEqual({
    flags: 9,
    evaluations: 8 * SAMPLES,
    byDefinition: ['v.lots'],
    differenceCount: 0,
    differences: [],
  });
});

/** One change of the target each, and the flags whose answers it changes. */
const CHANGES: readonly (readonly [string, (exported: Exported) => void, readonly string[]])[] = [
  ['one percent more', (e) => Object.assign(strategyOf(e, 'serve').parameters, { rollout: '26' }), ['serve']],
  ['another hash seed', (e) => Object.assign(strategyOf(e, 'serve').parameters, { groupId: 'w' }), ['serve']],
  [
    'another stickiness',
    (e) => Object.assign(strategyOf(e, 'dates').parameters, { stickiness: 'figUnit' }),
    ['dates'],
  ],
  ['a number bound off by a half', (e) => amend(e, 'numbers', 1, { value: '20' }), ['numbers']],
  ['a bound that became strict', (e) => amend(e, 'numbers', 0, { operator: 'NUM_GT' }), ['numbers']],
  ['a date a second later', (e) => amend(e, 'dates', 0, { value: '2026-06-01T12:00:01.000Z' }), ['dates']],
  ['another patch version', (e) => amend(e, 'versions', 0, { value: '2.3.5' }), ['versions']],
  ['a lost value', (e) => amend(e, 'texts', 1, { values: ['user-1'] }), ['texts']],
  ['a lost case rule', (e) => amend(e, 'texts', 0, { caseInsensitive: false }), ['texts']],
  ['an inverted constraint', (e) => amend(e, 'texts', 1, { inverted: true }), ['texts']],
  [
    'a changed segment',
    (e) => Object.assign(e.segments[0]?.constraints[0] ?? {}, { values: ['a.example'] }),
    ['child', 'ordered'],
  ],
  [
    'another order of strategies',
    (e) => e.featureStrategies.splice(5, 2, strategyOf(e, 'ordered', 1), strategyOf(e, 'ordered', 0)),
    ['child', 'ordered'],
  ],
  [
    'a changed payload',
    (e) => Object.assign(strategyOf(e, 'ordered', 1).variants[0]?.payload ?? {}, { value: '{"a":2}' }),
    ['ordered'],
  ],
  ['a lost parent', (e) => e.dependencies.splice(0), ['child']],
  ['a switch', (e) => Object.assign(e.featureEnvironments[0] ?? {}, { enabled: false }), ['serve']],
  ['a lost flag', (e) => e.features.splice(8, 1) && e.featureStrategies.pop(), ['off']],
  [
    'random that became certain',
    (e) => Object.assign(strategyOf(e, 'lots').parameters, { rollout: '51' }),
    ['lots'],
  ],
];

test.each(CHANGES)('%s is found', async (_what, change, flags) => {
  const { differences, differenceCount } = await verified((exported) => void change(exported));
  expect(differences.map(({ flag }) => flag).toSorted()).toEqual(flags.map((name) => `v.${name}`));
  expect(differenceCount).toBe(flags.length);
});

function amend(exported: Exported, flag: string, index: number, change: object): void {
  Object.assign(strategyOf(exported, flag).constraints[index] ?? {}, change);
}
