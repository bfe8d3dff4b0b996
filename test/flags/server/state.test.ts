import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EVERY_EVENT } from '../../../flags/server/event-search.ts';
import { createIds } from '../../../flags/server/ids.ts';
import { type ClientState, replaceState } from '../../../flags/server/state.ts';
import { type Commit, openStore } from '../../../flags/server/store.ts';
import { createView } from '../../../flags/server/view.ts';
import { type Random, randomOf } from '../../helpers/random.ts';
import { specification } from '../specification.ts';
import { clock, recordingLog, tempDir } from '../world.ts';

const ENVIRONMENT = 'production';
const ACTOR = { name: 'test', userId: 1 };
const ALL_EVENTS = { ...EVERY_EVENT, limit: 1000 };

function open() {
  const file = join(tempDir(), 'flags.db');
  const store = openStore({ file, clock, ids: createIds(clock), log: recordingLog() });
  onTestFinished(() => store.close());
  const view = createView(store, 'e');
  const commits: Commit[] = [];
  store.onCommit((commit) => commits.push(commit));
  return {
    store,
    view,
    commits,
    replace: (state: ClientState, environment = ENVIRONMENT) =>
      replaceState(store, ACTOR, environment, state),
    /** What clients are given, flags by name. */
    given: (environment = ENVIRONMENT) => sorted(view.table(environment)),
  };
}

function sorted({ features, segments = [] }: ClientState) {
  const by = (key: string) => (a: object, b: object) =>
    String(Reflect.get(a, key)).localeCompare(String(Reflect.get(b, key)));
  return { features: features.toSorted(by('name')), segments: segments.toSorted(by('id')) };
}

/** Everything that a client may be given and that our own nouns would write otherwise. */
const ODD: ClientState = {
  features: [
    { name: 'bare', enabled: true },
    { name: 'no-strategies', enabled: true, strategies: [], description: '' },
    { name: 'null-description', enabled: false, strategies: [], description: null, project: 'other' },
    { name: 'unknown-keys', enabled: false, strategies: [], lifecycle: { stage: 'live' }, segments: [5, 6] },
    {
      name: 'strategies',
      enabled: true,
      strategies: [
        { name: 'default' },
        { name: 'default', parameters: {}, constraints: [], variants: [], segments: [] },
        { name: 'ours-alone', parameters: { rollout: 12.5, list: ['x'] }, title: 'kept', disabled: true },
        { name: 'default', segments: [99, 1] },
        {
          name: 'default',
          constraints: [{ contextName: 'x', operator: 'FUTURE', deep: [{}] }, 'no constraint'],
        },
        { name: 'default', constraints: null, variants: null, sortOrder: 9, id: 'theirs' },
      ],
    },
    {
      name: 'variants',
      enabled: true,
      strategies: [{ name: 'flexibleRollout', variants: [{ name: 'a', weight: 1 }] }],
      variants: [
        { name: 'b', weight: 333, overrides: [{ contextName: 'userId', values: ['1'] }], extra: true },
        { name: 'c', weight: 0, weightType: 'fix', stickiness: 'x', payload: { type: 'json', value: '{}' } },
      ],
    },
    {
      name: 'dependencies',
      enabled: true,
      strategies: [],
      dependencies: [
        { feature: 'variants' },
        { feature: 'missing', enabled: false },
        { feature: 'bare', enabled: true, variants: [] },
        { feature: 'strategies', variants: ['x'], note: 1 },
      ],
    },
    {
      name: 'same-parent-twice',
      enabled: true,
      strategies: [],
      dependencies: [{ feature: 'bare' }, { feature: 'bare', enabled: false }],
    },
    { name: '日本/søren?#%', enabled: true, strategies: [], description: 'a\r\nb' },
    { name: '__proto__', enabled: true, strategies: [], toString: 'x' },
  ],
  segments: [
    { id: 1, name: 'one', constraints: [{ contextName: 'x', operator: 'IN', values: [] }] },
    { id: 2, constraints: [{ odd: true }] },
    { id: 30, name: 'one', note: null },
  ],
};

test('what our own nouns cannot hold is given to clients as it came', () => {
  const { replace, view, given } = open();
  replace(ODD);
  expect(view.table(ENVIRONMENT).features).toEqual(ODD.features);
  expect(given()).toEqual(sorted(ODD));
});

test('it is the same after the file was opened again', () => {
  const file = join(tempDir(), 'flags.db');
  const deps = { file, clock, ids: createIds(clock), log: recordingLog() };
  const first = openStore(deps);
  replaceState(first, ACTOR, ENVIRONMENT, ODD);
  first.close();
  const again = openStore(deps);
  onTestFinished(() => again.close());
  expect(createView(again, 'e').table(ENVIRONMENT).features).toEqual(ODD.features);
});

test('the same state once more is no change', () => {
  const { replace, store, commits } = open();
  replace(ODD);
  const revision = store.revision();
  replace(JSON.parse(JSON.stringify(ODD)));
  expect(store.revision()).toBe(revision);
  expect(commits).toHaveLength(1);
});

test('only what differs is touched, with its events', () => {
  const { replace, store, commits } = open();
  const flag = (name: string, description: string) => ({ name, enabled: true, strategies: [], description });
  const segment = (id: number, name: string) => ({ id, name, constraints: [] });
  replace({
    features: [flag('a', '1'), flag('b', '1'), flag('c', '1')],
    segments: [segment(1, 'x'), segment(2, 'y'), segment(3, 'z')],
  });
  replace({
    features: [flag('a', '1'), flag('b', '2'), flag('d', '1')],
    segments: [segment(2, 'z'), segment(3, 'y'), segment(4, 'x')],
  });
  const last = commits.at(-1);
  expect(last?.features.toSorted()).toEqual(['b', 'c', 'd']);
  expect(last?.segments.toSorted()).toEqual([1, 2, 3, 4]);
  const { events } = store.events(ALL_EVENTS);
  expect(events.slice(0, 7).map(({ type, featureName }) => [type, featureName])).toEqual([
    ['feature-created', 'd'],
    ['features-imported', 'b'],
    ['feature-deleted', 'c'],
    ['segment-created', null],
    ['segment-updated', null],
    ['segment-updated', null],
    ['segment-deleted', null],
  ]);
  expect(last?.revision).toBe(events[0]?.id);
});

test('segments are listed by name, whenever they came', () => {
  const { replace, view } = open();
  const segment = (id: number, name: string) => ({ id, name, constraints: [] });
  replace({ features: [], segments: [segment(1, 'b'), segment(2, 'd')] });
  replace({ features: [], segments: [segment(1, 'b'), segment(2, 'a'), segment(3, 'c')] });
  expect(view.table(ENVIRONMENT).segments.map(({ id }) => id)).toEqual([2, 1, 3]);
});

test('a strategy that stays in its place keeps its id', () => {
  const { replace, store } = open();
  const state = (rollouts: string[]) => ({
    features: [
      {
        name: 'a',
        enabled: true,
        strategies: rollouts.map((rollout) => ({ name: 'flexibleRollout', parameters: { rollout } })),
      },
    ],
  });
  const ids = () => store.strategies('a', ENVIRONMENT).map(({ id }) => id);
  replace(state(['1', '2', '3']));
  const [first, second] = ids();
  replace(state(['1', '5']));
  expect(ids()).toEqual([first, second]);
});

test('an archived flag of the state is there again', () => {
  const { replace, store, given } = open();
  const state = { features: [{ name: 'a', enabled: true, strategies: [] }] };
  replace(state);
  store.change(ACTOR, (changes) => {
    const feature = changes.feature('a');
    if (feature !== null) changes.updateFeature({ ...feature, archivedAt: changes.now });
    changes.record({
      type: 'feature-archived',
      project: 'default',
      environment: null,
      featureName: 'a',
      data: null,
      preData: null,
    });
  });
  expect(given().features).toEqual([]);
  replace(state);
  expect(given()).toEqual(sorted(state));
});

test('strategies and switches of another environment stay', () => {
  const { replace, given } = open();
  const flag = (rollout: string, enabled: boolean) => ({
    features: [{ name: 'a', enabled, strategies: [{ name: 'flexibleRollout', parameters: { rollout } }] }],
  });
  replace(flag('10', true), 'production');
  replace(flag('100', false), 'development');
  expect(given('production')).toEqual(sorted(flag('10', true)));
  expect(given('development')).toEqual(sorted(flag('100', false)));
});

test.each<[string, ClientState]>([
  ['a flag without a name', { features: [{ enabled: true }] }],
  ['a flag that is neither on nor off', { features: [{ name: 'a', enabled: 'yes' }] }],
  ['strategies without names', { features: [{ name: 'a', enabled: true, strategies: [{}] }] }],
  [
    'a flag twice',
    {
      features: [
        { name: 'a', enabled: true },
        { name: 'a', enabled: false },
      ],
    },
  ],
  ['a segment without an id', { features: [], segments: [{ name: 'x' }] }],
  ['a segment twice', { features: [], segments: [{ id: 1 }, { id: 1 }] }],
  ['a list as a flag', { features: [[]] }],
])('%s is refused and changes nothing', (_name, state) => {
  const { replace, given, store } = open();
  const before = { features: [{ name: 'kept', enabled: true, strategies: [] }], segments: [] };
  replace(before);
  const revision = store.revision();
  expect(() => replace(state)).toThrow(TypeError);
  expect(given()).toEqual(before);
  expect(store.revision()).toBe(revision);
});

test('an environment that there is not is refused', () => {
  expect(() => open().replace(ODD, 'staging')).toThrow(
    new TypeError('the flag server has no environment staging'),
  );
});

test('any state of the specification, or a mixture of them, takes the place of any other', () => {
  const { replace, given } = open();
  const random = randomOf(42);
  const files = specification().flatMap(({ states }) => states);
  const states: readonly ReturnType<typeof sorted>[] = [ODD, ...files].map(sorted);
  const allFlags = states.flatMap(({ features }) => features);
  const features = distinct(allFlags, 'name');
  const segments = states.flatMap((state) => state.segments);
  for (let round = 0; round < 60; round += 1) {
    const mixture = { features: some(features, random), segments: distinct(some(segments, random), 'id') };
    const state = round % 2 === 0 ? pick(states, random) : mixture;
    replace(state);
    expect(given()).toEqual(sorted(state));
  }
});

/** The last one of each name or id. */
function distinct(items: readonly object[], key: 'name' | 'id'): object[] {
  return [...new Map(items.map((item) => [Reflect.get(item, key), item])).values()];
}

function some<T>(items: readonly T[], random: Random): T[] {
  return items.filter(() => random(3) === 0);
}

function pick<T>(items: readonly T[], random: Random): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}
