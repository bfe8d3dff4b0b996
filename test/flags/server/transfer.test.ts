import fc from 'fast-check';
import { expect, test } from 'vitest';
import { call, startServer, TOKENS, tempDir } from '../world.ts';
import { attempts, HOSTILE, lacking, MARK, marked } from './attempts.ts';
import { storedIn } from './stored.ts';

const ADMIN = '/api/admin';
const FEATURES = `${ADMIN}/projects/default/features`;
const BATCH = `${ADMIN}/features-batch`;
const ENVIRONMENT = 'production';
const ROLLOUT = {
  name: 'flexibleRollout',
  parameters: { rollout: '10', stickiness: 'tenant', groupId: 'orders' },
  constraints: [{ contextName: 'plan', operator: 'IN', values: ['gold'] }],
  segments: [1],
};

type Server = Awaited<ReturnType<typeof world>>;

async function world() {
  const started = await startServer();
  const { url } = started;
  const send = (method: string, path: string, body?: unknown) => call(url, method, path, body);
  const exported = async (which: object = { project: 'default' }) => {
    const { status, body } = await send('POST', `${BATCH}/export`, { environment: ENVIRONMENT, ...which });
    expect(status).toBe(200);
    return body as Exported;
  };
  const put = (data: object, path = 'import') =>
    send('POST', `${BATCH}/${path}`, { project: 'default', environment: ENVIRONMENT, data });
  const served = async () => {
    const headers = { authorization: TOKENS.client, 'unleash-client-spec': '5.2.0' };
    const body = await (await fetch(`${url}/api/client/features`, { headers })).json();
    return body as { features: { name: string }[]; segments: { id: number; name: string }[] };
  };
  return { ...started, send, exported, put, served };
}

interface Exported {
  readonly features: readonly { readonly name: string }[];
  readonly [part: string]: readonly unknown[];
}

/** A flag with everything, another one that depends on it, and what they need. */
async function filled(): Promise<Server> {
  const server = await world();
  const { send } = server;
  for (const name of ['tenant', 'plan', 'unused'])
    await send('POST', `${ADMIN}/context`, { name, stickiness: true });
  await send('POST', `${ADMIN}/segments`, { name: 'beta', constraints: ROLLOUT.constraints });
  await send('POST', `${ADMIN}/segments`, { name: 'unused', constraints: [] });
  const tags = [{ type: 'simple', value: 'wave1' }];
  await send('POST', FEATURES, {
    name: 'orders',
    type: 'operational',
    description: 'd',
    impressionData: true,
    tags,
  });
  await send('POST', FEATURES, { name: 'child' });
  const place = `${FEATURES}/orders/environments/${ENVIRONMENT}`;
  await send('POST', `${place}/strategies`, ROLLOUT);
  await send('POST', `${place}/strategies`, { name: 'default', disabled: true, title: 'later' });
  await send('POST', `${place}/on`);
  await send('POST', `${FEATURES}/child/dependencies`, { feature: 'orders', enabled: true, variants: ['a'] });
  return server;
}

test('an export holds the flags and all that an import needs of them', async () => {
  const { exported } = await filled();
  const data = await exported();
  expect(data).toMatchObject({
    features: [
      { name: 'orders', description: 'd', type: 'operational', project: 'default', impressionData: true },
      { name: 'child' },
    ],
    featureStrategies: [
      { featureName: 'orders', name: 'flexibleRollout', segments: [1], title: null },
      { featureName: 'orders', name: 'default', disabled: true, title: 'later' },
    ],
    featureEnvironments: [
      { featureName: 'orders', name: 'orders', environment: ENVIRONMENT, enabled: true, variants: [] },
      { featureName: 'child', enabled: false },
    ],
    contextFields: [{ name: 'plan' }, { name: 'tenant' }],
    featureTags: [{ featureName: 'orders', tagType: 'simple', tagValue: 'wave1' }],
    segments: [{ id: 1, name: 'beta' }],
    tagTypes: [{ name: 'simple' }],
    dependencies: [
      { feature: 'child', dependencies: [{ feature: 'orders', enabled: true, variants: ['a'] }] },
    ],
    links: [],
  });
  expect(data['segments']).toEqual([{ id: 1, name: 'beta' }]);
});

test.each<[object, readonly string[]]>([
  [{ features: ['child', 'nope'] }, ['child']],
  [{ features: [] }, ['orders', 'child']],
  [{ tag: 'wave1' }, ['orders']],
  [{ tag: 'wave2' }, []],
  [{ project: 'default' }, ['orders', 'child']],
  [{ project: 'other' }, []],
])('the export of %j', async (which, names) => {
  const { exported } = await filled();
  expect((await exported(which)).features.map(({ name }) => name)).toEqual(names);
});

test('archived flags are not exported', async () => {
  const { send, exported } = await filled();
  await send('DELETE', `${FEATURES}/child`);
  expect((await exported()).features.map(({ name }) => name)).toEqual(['orders']);
});

test('an import makes fields, segments, tags and dependencies that are missing', async () => {
  const data = await (await filled()).exported({ project: 'default', segmentDetails: true });
  const { put, exported, served, send } = await world();
  const typed = {
    ...data,
    featureTags: [{ featureName: 'orders', tagType: 'team', tagValue: 'shop' }],
    tagTypes: [{ name: 'team' }],
  };
  expect(await put(typed)).toMatchObject({ status: 200, body: '' });
  const { features, segments } = await served();
  expect(features.map(({ name }) => name)).toEqual(['orders', 'child']);
  expect(segments).toMatchObject([{ name: 'beta', constraints: ROLLOUT.constraints }]);
  expect(await exported()).toMatchObject({ contextFields: [{ name: 'plan' }, { name: 'tenant' }] });
  expect((await send('GET', `${ADMIN}/features/orders/tags`)).body).toMatchObject({
    tags: [{ type: 'team', value: 'shop' }],
  });
  expect((await send('GET', `${ADMIN}/tag-types`)).body).toMatchObject({
    tagTypes: [{ name: 'simple' }, { name: 'team' }],
  });
});

test('segments are found by their name, whatever their id', async () => {
  const data = await (await filled()).exported();
  const { put, send, served } = await world();
  for (const name of ['other', 'beta']) await send('POST', `${ADMIN}/segments`, { name, constraints: [] });
  expect((await put(data)).status).toBe(200);
  expect((await served()).features).toContainEqual(
    expect.objectContaining({ name: 'orders', strategies: [expect.objectContaining({ segments: [2] })] }),
  );
});

test('the same import again changes nothing but for the event that says so', async () => {
  const data = await (await filled()).exported({ project: 'default', segmentDetails: true });
  const { put, served, send, exported } = await world();
  await put(data);
  const [before, strategies] = [await served(), (await exported())['featureStrategies']];
  const { total } = (await send('GET', `${ADMIN}/search/events`)).body as { total: number };
  await put(data);
  expect((await served()).features).toEqual(before.features);
  expect((await exported())['featureStrategies']).toEqual(strategies);
  // An export leaves an event, too.
  expect(((await send('GET', `${ADMIN}/search/events`)).body as { total: number }).total).toBe(total + 2);
});

test('an import takes the place of strategies, tags and data, and leaves other flags and environments alone', async () => {
  const { put, send, exported } = await filled();
  const elsewhere = `${FEATURES}/orders/environments/development`;
  await send('POST', `${elsewhere}/strategies`, { name: 'default' });
  await send('POST', FEATURES, { name: 'bystander' });
  const data = await exported({ features: ['orders'] });
  const changed = {
    ...data,
    features: [{ ...data.features[0], description: 'new', stale: true }],
    featureStrategies: [{ name: 'default', featureName: 'orders', parameters: {}, constraints: [] }],
    featureTags: [],
  };
  expect((await put(changed)).status).toBe(200);
  expect((await send('GET', `${FEATURES}/orders`)).body).toMatchObject({
    description: 'new',
    stale: true,
    environments: [
      { name: 'development', strategies: [{ name: 'default' }] },
      { name: 'production', enabled: true, strategies: [{ name: 'default', segments: [] }] },
    ],
  });
  expect((await send('GET', `${ADMIN}/features/orders/tags`)).body).toMatchObject({ tags: [] });
  expect((await send('GET', `${FEATURES}/bystander`)).status).toBe(200);
});

test('an import without strategies switches the flag off', async () => {
  const { put, exported, send } = await filled();
  const data = await exported({ features: ['orders'] });
  expect((await put({ ...data, featureStrategies: [], featureEnvironments: [] })).status).toBe(200);
  expect((await send('GET', `${FEATURES}/orders/environments/${ENVIRONMENT}`)).body).toMatchObject({
    enabled: false,
    strategies: [],
  });
});

test('a flag that is archived here stays so, with a warning before', async () => {
  const { put, exported, send } = await filled();
  const data = await exported();
  await send('DELETE', `${FEATURES}/child`);
  expect((await put(data, 'validate')).body).toMatchObject({
    errors: [],
    warnings: [{ affectedItems: ['child'] }, { affectedItems: ['orders', 'child'] }],
    permissions: [],
  });
  expect((await put(data)).status).toBe(200);
  expect((await exported()).features.map(({ name: one }) => one)).toEqual(['orders']);
});

test('variants of a whole flag come with an import', async () => {
  const { put, served, exported } = await world();
  const variant = { weightType: 'variable', stickiness: 'default', weight: 1 };
  const overrides = [{ contextName: 'userId', values: ['7'] }];
  const variants = [
    { name: 'b', ...variant },
    { name: 'a', ...variant, overrides },
  ];
  const data = {
    features: [{ name: 'orders' }],
    featureStrategies: [],
    featureEnvironments: [{ name: 'orders', enabled: false, variants }],
  };
  expect((await put(data)).status).toBe(200);
  const settled = [
    { name: 'a', weight: 500, overrides },
    { name: 'b', weight: 500 },
  ];
  expect(await served()).toMatchObject({ features: [{ variants: settled }] });
  expect(await exported()).toMatchObject({
    featureEnvironments: [{ variants: settled }],
    contextFields: [{ name: 'userId' }],
  });
});

const BROKEN: readonly [string, (data: Exported) => object, number][] = [
  [
    'a strategy of an unknown type',
    (data) => ({ featureStrategies: [{ name: 'mine', featureName: data.features[0]?.name }] }),
    400,
  ],
  [
    'a rollout that is no whole percent',
    () => ({
      featureStrategies: [
        {
          ...ROLLOUT,
          segments: [],
          featureName: 'orders',
          parameters: { ...ROLLOUT.parameters, rollout: '12.5' },
        },
      ],
    }),
    400,
  ],
  [
    'an operator that not each SDK knows',
    () => ({
      featureStrategies: [
        {
          name: 'default',
          featureName: 'orders',
          constraints: [{ contextName: 'a', operator: 'IN_CIDR', values: ['x'] }],
        },
      ],
    }),
    400,
  ],
  [
    'a strategy of a flag that is not in it',
    () => ({ featureStrategies: [{ name: 'default', featureName: 'stray' }] }),
    400,
  ],
  [
    'a segment that is not known',
    (data) => ({ segments: [{ id: 1, name: 'nope' }], features: data.features }),
    400,
  ],
  ['a strategy with a segment that is not in it', () => ({ segments: [] }), 400],
  ['a flag twice', (data) => ({ features: [...data.features, ...data.features] }), 400],
  ['a flag with a bad name', (data) => ({ features: [...data.features, { name: 'bad name' }] }), 400],
  [
    'a parent that is not known',
    () => ({ dependencies: [{ feature: 'child', dependencies: [{ feature: 'nope' }] }] }),
    400,
  ],
  [
    'a chain of dependencies',
    () => ({
      dependencies: [
        { feature: 'child', dependencies: [{ feature: 'orders' }] },
        { feature: 'orders', dependencies: [{ feature: 'child' }] },
      ],
    }),
    403,
  ],
  [
    'a tag of an unknown type',
    () => ({ featureTags: [{ featureName: 'orders', tagType: 'team', tagValue: 'shop' }], tagTypes: [] }),
    400,
  ],
  [
    'values that a field here has not',
    () => ({ contextFields: [{ name: 'userId', legalValues: [{ value: 'x' }] }, { name: 'plan' }] }),
    400,
  ],
  ['a flag that is on without a strategy', () => ({ featureStrategies: [] }), 409],
  [
    'variants of which none can vary',
    () => ({
      featureEnvironments: [
        {
          name: 'orders',
          enabled: true,
          variants: [{ name: 'a', weight: 1000, weightType: 'fix', stickiness: 'default' }],
        },
      ],
    }),
    400,
  ],
];

test.each(BROKEN)(
  'an import with %s is refused as a whole, and said before',
  async (_name, change, status) => {
    const data = await (await filled()).exported({ project: 'default', segmentDetails: true });
    const broken = { ...data, ...change(data) };
    const { put, send, file, server } = await world();
    // A field of the same name that takes only its own values.
    const taken = { name: 'plan', legalValues: [{ value: 'gold' }] };
    await send('POST', `${ADMIN}/context`, taken);
    const [before, revision] = [storedIn(file, tempDir()), server.revision()];
    const { status: reviewed, body } = await put(broken, 'validate');
    if (reviewed === 200) expect((body as { errors: unknown[] }).errors.length).toBeGreaterThan(0);
    else expect(reviewed).toBe(400);
    expect((await put(broken)).status).toBe(status);
    expect(storedIn(file, tempDir())).toEqual(before);
    expect(server.revision()).toBe(revision);
  },
);

test('what can be imported is found to be so, and nothing is stored by asking', async () => {
  const data = await (await filled()).exported({ project: 'default', segmentDetails: true });
  const { put, file, served } = await world();
  const before = storedIn(file, tempDir());
  expect(await put(data, 'validate')).toMatchObject({
    status: 200,
    body: { errors: [], warnings: [], permissions: [] },
  });
  expect(storedIn(file, tempDir())).toEqual(before);
  expect((await served()).features).toEqual([]);
});

test.each([
  ['project', { project: 'other' }],
  ['environment', { environment: 'staging' }],
])('an import into an unknown %s is a 404', async (_name, changed) => {
  const { send } = await world();
  const body = {
    project: 'default',
    environment: ENVIRONMENT,
    data: { features: [], featureStrategies: [] },
    ...changed,
  };
  expect((await send('POST', `${BATCH}/import`, body)).status).toBe(404);
});

test('an import of 8 MiB is read, one byte more is a 413', async () => {
  const { send } = await world();
  const body = {
    project: 'default',
    environment: ENVIRONMENT,
    data: { features: [], featureStrategies: [] },
  };
  const sized = (bytes: number) => JSON.stringify(body).padEnd(bytes);
  expect((await send('POST', `${BATCH}/import`, sized(8 * 1024 * 1024))).status).toBe(200);
  expect(await send('POST', `${BATCH}/import`, sized(8 * 1024 * 1024 + 1))).toMatchObject({
    status: 413,
    body: { message: 'request entity too large' },
  });
});

test('clients see an import in one step', async () => {
  const data = await (await filled()).exported({ project: 'default', segmentDetails: true });
  const { put, server } = await world();
  const swaps: number[] = [];
  server.onCommit(() => swaps.push(server.table(ENVIRONMENT).features.length));
  await put(data);
  expect(swaps).toEqual([2]);
});

const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
const constraint = fc.oneof(
  fc.record({
    contextName: fc.constantFrom('plan', 'tenant', 'userId', 'unheard'),
    operator: fc.constantFrom('IN', 'NOT_IN', 'STR_ENDS_WITH'),
    values: fc.array(fc.stringMatching(/^\S{1,20}$/), { minLength: 1, maxLength: 3 }),
    inverted: fc.boolean(),
  }),
  fc.record({
    contextName: fc.constantFrom('age', 'plan'),
    operator: fc.constantFrom('NUM_GT', 'NUM_EQ'),
    value: fc.integer().map(String),
  }),
);
const variants = fc
  .uniqueArray(name, { maxLength: 3 })
  .map((names) =>
    names.map((one) => ({ name: one, weight: 1, weightType: 'variable', stickiness: 'tenant' })),
  );
const strategy = fc.oneof(
  fc.record({
    name: fc.constant('flexibleRollout'),
    title: fc.option(fc.string({ maxLength: 20 })),
    disabled: fc.boolean(),
    parameters: fc.record({
      rollout: fc.nat(100).map(String),
      stickiness: fc.constantFrom('default', 'tenant', 'random'),
      groupId: name,
    }),
    constraints: fc.array(constraint, { maxLength: 3 }),
    variants,
    segments: fc.uniqueArray(fc.constantFrom(1, 2, 3), { maxLength: 3 }),
  }),
  fc.record({
    name: fc.constant('default'),
    disabled: fc.boolean(),
    constraints: fc.array(constraint, { maxLength: 1 }),
  }),
);
const flag = fc.record({
  name,
  type: fc.constantFrom('release', 'experiment', 'operational', 'kill-switch', 'permission'),
  description: fc.option(fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' })),
  impressionData: fc.boolean(),
  strategies: fc.array(strategy, { maxLength: 3 }),
  on: fc.boolean(),
  tags: fc.array(fc.record({ type: fc.constant('simple'), value: fc.stringMatching(/^[a-z]{2,8}$/) }), {
    maxLength: 2,
  }),
});

test('whatever is exported and imported into an empty server is served alike', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(flag, { selector: (one) => one.name, minLength: 1, maxLength: 6 }),
      fc.boolean(),
      async (flags, hasParent) => {
        const [from, to] = [await world(), await world()];
        for (const field of ['tenant', 'plan']) await from.send('POST', `${ADMIN}/context`, { name: field });
        for (const segment of ['a', 'b', 'c']) {
          await from.send('POST', `${ADMIN}/segments`, { name: segment, constraints: ROLLOUT.constraints });
        }
        // The ids of segments differ.
        await to.send('POST', `${ADMIN}/segments`, { name: 'c', constraints: ROLLOUT.constraints });
        for (const { strategies, on, ...feature } of flags) {
          expect((await from.send('POST', FEATURES, feature)).status).toBe(201);
          const place = `${FEATURES}/${feature.name}/environments/${ENVIRONMENT}`;
          for (const one of strategies) {
            expect((await from.send('POST', `${place}/strategies`, one)).status).toBe(200);
          }
          if (on) await from.send('POST', `${place}/on`);
        }
        const [parent, child] = flags;
        if (hasParent && parent !== undefined && child !== undefined) {
          await from.send('POST', `${FEATURES}/${child.name}/dependencies`, { feature: parent.name });
        }
        expect((await to.put(await from.exported({ project: 'default', segmentDetails: true }))).status).toBe(
          200,
        );
        expect(named(await to.served())).toEqual(named(await from.served()));
        await Promise.all([from.server.close(), to.server.close()]);
      },
    ),
    { seed: 20261124, numRuns: 25 },
  );
});

/** What clients are served, with segments by their names; of the segments only those that are used. */
function named({ features, segments }: Awaited<ReturnType<Server['served']>>) {
  const names = new Map(segments.map((one) => [one.id, one.name]));
  return features.map((feature) => {
    const { strategies = [] } = feature as { strategies?: { segments?: number[] }[] };
    return {
      ...feature,
      strategies: strategies.map(({ segments: ids = [], ...rest }) => ({
        ...rest,
        segments: ids.map((id) => names.get(id)).toSorted(),
      })),
    };
  });
}

/** Each endpoint beside the flags' own, with a body that it takes. */
async function endpoints() {
  const server = await filled();
  const data = await server.exported({ project: 'default', segmentDetails: true });
  const token = { tokenName: 't', type: 'client', environment: ENVIRONMENT, projects: ['default'] };
  const imported = { project: 'default', environment: ENVIRONMENT, data };
  const started = attempts(server);
  return {
    ...started,
    endpoints: [
      { method: 'POST', path: `${ADMIN}/api-tokens`, body: { ...token, expiresAt: '2099-01-01T00:00:00Z' } },
      { method: 'POST', path: `${ADMIN}/maintenance`, body: { enabled: false } },
      {
        method: 'POST',
        path: `${BATCH}/export`,
        body: { environment: ENVIRONMENT, features: ['orders'], segmentDetails: true },
      },
      { method: 'POST', path: `${BATCH}/export`, body: { environment: ENVIRONMENT, tag: 'wave1' } },
      { method: 'POST', path: `${BATCH}/import`, body: imported },
    ],
  };
}

test('whatever is put anywhere into a body is taken, or refused without a trace', {
  timeout: 120_000,
}, async () => {
  const { endpoints: all, attempt } = await endpoints();
  const counts = { taken: 0, refused: 0 };
  for (const { method, path, body } of all) {
    expect(await attempt(method, path, JSON.stringify(body)), path).toBeLessThan(300);
    const replaced = marked(body).flatMap((text) => HOSTILE.map((value) => text.replace(MARK, () => value)));
    for (const text of [...replaced, ...lacking(body).map((one) => JSON.stringify(one))]) {
      // Read-only mode is what the call is for.
      if (path.endsWith('maintenance') && text.includes('true')) continue;
      const status = await attempt(method, path, text);
      counts[status < 300 ? 'taken' : 'refused'] += 1;
    }
  }
  expect(counts.refused).toBeGreaterThan(1000);
  expect(counts.taken).toBeGreaterThan(50);
});

test('any JSON is taken, or refused without a trace', { timeout: 60_000 }, async () => {
  const { endpoints: all, attempt } = await endpoints();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...all), fc.json(), async ({ method, path }, text) => {
      await attempt(method, path, text);
    }),
    { seed: 20261124, numRuns: 200 },
  );
});

test('a body that is no JSON, or does not say that it is, is refused', async () => {
  const { endpoints: all, attempt, url, stored } = await endpoints();
  for (const { method, path } of all) {
    for (const text of ['{', 'a=b', '7', '\u0000']) expect(await attempt(method, path, text)).toBe(400);
    const before = stored();
    const headers = { authorization: TOKENS.admin, 'content-type': 'text/plain' };
    expect((await fetch(url + path, { method, headers, body: '{}' })).status).toBe(415);
    expect(stored()).toEqual(before);
  }
});
