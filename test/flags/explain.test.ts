import fc from 'fast-check';
import { type Context, Unleash } from 'unleash-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { explainFlag } from '../../flags/explain.ts';
import { createTable, type Definition, type FlagTable } from '../../flags/table.ts';

const CONTEXT: Context = {
  appName: 'strangler-fig',
  environment: 'production',
  sessionId: '6d894aa3ee802549d7f340e7c1cf0d1c',
  properties: { figUnit: '6d894aa3ee802549d7f340e7c1cf0d1c', tenant: 'globex' },
};

/** A table from plain JSON, as it comes from a server. */
function tableOf(features: readonly object[], segments: readonly object[] = []): FlagTable {
  return JSON.parse(JSON.stringify({ features, segments }));
}

/** What the flag `child` gives by the explanation. */
function explained(table: FlagTable, context: Context = CONTEXT) {
  const lookup = (name: string) => table.features.find((feature) => feature.name === name);
  return explainFlag(definitionOf(table, 'child'), table.segments, context, lookup);
}

function definitionOf(table: FlagTable, name: string): Definition {
  const found = table.features.find((feature) => feature.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

/** The SDK on one table after the other. */
function sdk() {
  const table = createTable();
  const { appName = '', environment = '' } = CONTEXT;
  const client = new Unleash({
    appName,
    environment,
    url: 'http://local.invalid/api/',
    repository: table,
    disableAutoStart: true,
    disableMetrics: true,
    skipInstanceCountWarning: true,
  });
  client.on('error', () => undefined);
  onTestFinished(() => client.destroy());
  return (next: FlagTable, context: Context) => {
    table.swap(next);
    try {
      return client.isEnabled('child', context) ? 'on' : 'off';
    } catch {
      return 'unknown';
    }
  };
}

const field = fc.constantFrom(
  'tenant',
  'age',
  'version',
  'ip',
  'userId',
  'figUnit',
  'environment',
  'appName',
);
const text = fc.constantFrom(
  'acme',
  'globex',
  'GLOB',
  '17',
  '18.5',
  '1.2.3',
  '2.0.0',
  '10.0.0.0/8',
  '10.1.2.3',
  '',
);
const constraint = fc.record(
  {
    contextName: field,
    operator: fc.constantFrom(
      'IN',
      'NOT_IN',
      'STR_ENDS_WITH',
      'STR_STARTS_WITH',
      'STR_CONTAINS',
      'NUM_EQ',
      'NUM_GT',
      'NUM_GTE',
      'NUM_LT',
      'NUM_LTE',
      'DATE_AFTER',
      'DATE_BEFORE',
      'SEMVER_EQ',
      'SEMVER_GT',
      'SEMVER_LT',
      'SEMVER_GTE',
      'SEMVER_LTE',
      'REGEX',
      'IN_CIDR',
      'NO_SUCH',
    ),
    inverted: fc.boolean(),
    caseInsensitive: fc.boolean(),
    values: fc.array(text, { maxLength: 3 }),
    value: fc.oneof(text, fc.constantFrom('2020-01-01T00:00:00Z', '2999-01-01T00:00:00Z', '^g.*x$', '(')),
  },
  { requiredKeys: ['contextName', 'operator', 'values', 'value'] },
);
const rollout = fc.oneof(fc.integer({ min: 0, max: 100 }).map(String), fc.constantFrom('0.5', 'abc', '101'));
const parameters = fc.record({
  rollout,
  stickiness: fc.constantFrom('figUnit', 'userId', 'sessionId', 'tenant', 'nowhere', 'default', ''),
  groupId: fc.constantFrom('orders', 'orders.shadow', ''),
});
const variants = fc.constantFrom(
  [],
  [
    { name: 'a', weight: 400, weightType: 'variable', stickiness: 'sessionId' },
    { name: 'b', weight: 600, weightType: 'variable', stickiness: 'sessionId' },
  ],
);
const strategy = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        name: fc.constant('flexibleRollout'),
        parameters,
        constraints: fc.array(fc.option(constraint, { freq: 20 }), { maxLength: 2 }),
        segments: fc.array(fc.constantFrom(1, 2, 9), { maxLength: 2 }),
        variants,
        disabled: fc.boolean(),
      },
      { requiredKeys: ['name', 'parameters'] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      name: fc.constantFrom('default', 'userWithId', 'remoteAddress', 'gradualRolloutUserId', 'nonsense'),
      parameters: fc.constantFrom({}, { userIds: 'ana, bob' }, { IPs: '10.0.0.0/8' }, { percentage: '50' }),
      constraints: fc.array(constraint, { maxLength: 1 }),
    }),
  },
  // What the SDK throws on.
  { weight: 1, arbitrary: fc.constant({ name: 'flexibleRollout', constraints: [] }) },
);
const feature = (name: string, dependencies: fc.Arbitrary<readonly object[]>) =>
  fc.record(
    {
      name: fc.constant(name),
      enabled: fc.boolean().map((off) => !off),
      strategies: fc.array(strategy, { maxLength: 3 }),
      variants,
      dependencies,
    },
    { requiredKeys: ['name', 'enabled', 'strategies'] },
  );
const dependency = fc.record(
  {
    feature: fc.constantFrom('parent', 'grandchild', 'nowhere'),
    enabled: fc.boolean(),
    variants: fc.constantFrom([], ['a'], ['b', 'c']),
  },
  { requiredKeys: ['feature'] },
);
const context = fc.record(
  {
    userId: fc.constantFrom('ana', 'zoe'),
    sessionId: fc.stringMatching(/^[0-9a-f]{4}$/),
    remoteAddress: fc.constant('10.1.2.3'),
    properties: fc.record(
      {
        figUnit: fc.stringMatching(/^[0-9a-f]{4}$/),
        tenant: fc.constantFrom('acme', 'globex', 'Globex', ''),
        age: fc.constantFrom('17', '18.5', 'old'),
        version: fc.constantFrom('1.2.3', '2.0.0', 'v1'),
        ip: fc.constantFrom('10.1.2.3', '::1', 'nowhere'),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['sessionId', 'properties'] },
);

test('the verdict of an explanation is what the SDK says, for any flag and any context (seed 7)', () => {
  const ask = sdk();
  const seen = { on: 0, off: 0, unknown: 0 };
  fc.assert(
    fc.property(
      feature(
        'child',
        fc.oneof(
          { weight: 2, arbitrary: fc.constant<object[]>([]) },
          { weight: 1, arbitrary: fc.array(dependency, { maxLength: 2 }) },
        ),
      ),
      feature('parent', fc.constant<object[]>([])),
      fc.array(constraint, { maxLength: 2 }),
      context,
      (child, parent, inside, given) => {
        const grandchild = { ...parent, name: 'grandchild', dependencies: [{ feature: 'parent' }] };
        const table = tableOf(
          [child, parent, grandchild],
          [
            { id: 1, constraints: [] },
            { id: 2, constraints: inside },
          ],
        );
        const said = explained(table, { appName: 'strangler-fig', environment: 'production', ...given });
        const real = ask(table, given);
        seen[real] += 1;
        expect(said.answer).toBe(real);
        // The verdict follows from what is listed.
        if (said.why === null) {
          const answers = said.strategies.map(({ answer }) => answer);
          expect(answers.includes('on')).toBe(said.answer === 'on');
          expect(said.strategies.every(({ why, name }) => why !== '' || name !== 'flexibleRollout')).toBe(
            true,
          );
        }
      },
    ),
    { seed: 7, numRuns: 2_000 },
  );
  // All three were met often: the property is not empty.
  expect(Math.min(seen.on, seen.off, seen.unknown)).toBeGreaterThan(50);
});

function flexible(more: object = {}, values: object = {}) {
  const parameters = { rollout: '33', stickiness: 'figUnit', groupId: 'orders', ...values };
  return { name: 'flexibleRollout', parameters, constraints: [], ...more };
}

function child(more: object) {
  return { name: 'child', enabled: true, strategies: [flexible()], ...more };
}

const acme = { contextName: 'tenant', operator: 'IN', values: ['acme'] };

describe('an explanation says', () => {
  test.each([
    ['off', flexible({}, { rollout: '33' }), 'bucket 34 of 100 for orders, rollout 33'],
    ['on', flexible({}, { rollout: '34' }), 'bucket 34 of 100 for orders, rollout 34'],
    ['off', flexible({}, { stickiness: 'email' }), 'sticky field email is missing'],
    [
      'unknown',
      flexible({}, { stickiness: 'random' }),
      'stickiness random, rollout 33: chance decides at each request',
    ],
    ['off', flexible({}, { stickiness: 'random', rollout: '0' }), 'rollout 0'],
    ['off', flexible({ constraints: [acme] }), 'constraint tenant IN [acme]: tenant is "globex"'],
    [
      'off',
      flexible({
        constraints: [{ ...acme, contextName: 'age', operator: 'NUM_GT', values: [], value: '17' }],
      }),
      'constraint age NUM_GT 17: age is missing',
    ],
    [
      'off',
      flexible({ constraints: [{ ...acme, values: ['globex'], inverted: true }] }),
      'constraint NOT (tenant IN [globex]): tenant is "globex"',
    ],
    ['off', flexible({ segments: [4] }), 'segment 4: constraint tenant IN [acme]: tenant is "globex"'],
    ['off', flexible({ segments: [5] }), 'segment 5: there is no such segment'],
    ['off', { name: 'beta', parameters: {}, constraints: [] }, 'the SDK has no such strategy'],
    ['on', { name: 'default', parameters: {}, constraints: [] }, 'everybody'],
    ['off', { name: 'userWithId', parameters: { userIds: 'ana' }, constraints: [] }, 'userIds ana'],
  ])('why a strategy is %s: %j', (answer, strategy, why) => {
    const said = explained(tableOf([child({ strategies: [strategy] })], [{ id: 4, constraints: [acme] }]));
    expect(said).toMatchObject({ answer, why: null, strategies: [{ number: 1, answer, why }] });
  });

  test.each([
    [{ enabled: false }, 'off', 'it is switched off'],
    [{ strategies: [] }, 'on', 'it is switched on without a strategy: for everybody'],
    [{ dependencies: [{ feature: 'gone' }] }, 'off', 'parent flag gone on: there is no such flag here'],
    [{ dependencies: [{ feature: 'parent', enabled: false }] }, 'off', 'parent flag parent off: it is on'],
    [{ dependencies: [{ feature: 'nested' }] }, 'off', 'parent flag nested on: it has a parent itself'],
    [{ strategies: [{ name: 'flexibleRollout' }] }, 'unknown', 'the SDK fails on it (TypeError)'],
  ])('what decided before any strategy: %j', (more, answer, why) => {
    const parent = { name: 'parent', enabled: true, strategies: [] };
    const nested = { ...parent, name: 'nested', dependencies: [{ feature: 'parent' }] };
    expect(explained(tableOf([child(more), parent, nested]))).toEqual({
      name: 'child',
      answer,
      why,
      strategies: [],
    });
  });

  test('each strategy that was asked, and none after the first that is on', () => {
    const strategies = [flexible(), flexible({}, { rollout: '100' }), flexible()];
    const said = explained(tableOf([child({ strategies })]));
    expect(said.strategies.map(({ number, answer }) => [number, answer])).toEqual([
      [1, 'off'],
      [2, 'on'],
    ]);
  });
});
