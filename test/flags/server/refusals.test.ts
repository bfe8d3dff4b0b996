import fc from 'fast-check';
import { expect, test } from 'vitest';
import { call, startServer, TOKENS } from '../world.ts';
import { attempts, type Endpoint, HOSTILE, lacking, MARK, marked } from './attempts.ts';

const ADMIN = '/api/admin';
const FEATURES = `${ADMIN}/projects/default/features`;
const ORDERS = `${FEATURES}/orders`;
const PLACE = `${ORDERS}/environments/production`;
const ROLLOUT = {
  name: 'flexibleRollout',
  title: 't',
  disabled: false,
  sortOrder: 1,
  parameters: { rollout: '10', stickiness: 'figUnit', groupId: 'orders' },
  constraints: [
    { contextName: 'tenant', operator: 'IN', values: ['acme'], inverted: false, caseInsensitive: false },
    { contextName: 'age', operator: 'NUM_GT', value: '7' },
  ],
  variants: [
    {
      name: 'modern',
      weight: 1000,
      weightType: 'variable',
      stickiness: 'default',
      payload: { type: 'json', value: '{}' },
    },
  ],
  segments: [1],
};

/** A server that holds one of everything, and each endpoint with a body that it takes. */
async function world() {
  const started = await startServer();
  const { url } = started;
  const send = (method: string, path: string, body?: unknown) => call(url, method, path, body);
  await send('POST', `${ADMIN}/segments`, { name: 'beta', constraints: [] });
  for (const name of ['orders', 'parent', 'child', 'gone']) await send('POST', FEATURES, { name });
  const { body } = await send('POST', `${PLACE}/strategies`, ROLLOUT);
  const { id } = body as { id: string };
  await send('POST', `${PLACE}/on`);
  await send('POST', `${ADMIN}/features/orders/tags`, { type: 'simple', value: 'wave1' });
  await send('POST', `${FEATURES}/child/dependencies`, { feature: 'parent' });
  await send('DELETE', `${FEATURES}/gone`);
  const segments = { projectId: 'default', strategyId: id, environmentId: 'production', segmentIds: [1] };
  const endpoints: readonly Endpoint[] = [
    {
      method: 'POST',
      path: FEATURES,
      body: {
        name: 'fresh',
        type: 'release',
        description: 'd',
        impressionData: true,
        tags: [{ type: 'simple', value: 'wave1' }],
      },
    },
    { method: 'POST', path: `${ORDERS}/clone`, body: { name: 'copy', replaceGroupId: true } },
    {
      method: 'PUT',
      path: ORDERS,
      body: { name: 'orders', type: 'release', description: 'd', stale: true, impressionData: true },
    },
    { method: 'PATCH', path: ORDERS, body: [{ op: 'replace', path: '/stale', value: true }] },
    { method: 'POST', path: `${ADMIN}/features/validate`, body: { name: 'unused', projectId: null } },
    { method: 'POST', path: `${PLACE}/strategies`, body: ROLLOUT },
    { method: 'PUT', path: `${PLACE}/strategies/${id}`, body: { ...ROLLOUT, title: 'other' } },
    {
      method: 'PATCH',
      path: `${PLACE}/strategies/${id}`,
      body: [
        { op: 'test', path: '/name', value: 'flexibleRollout' },
        { op: 'copy', from: '/parameters/rollout', path: '/title' },
      ],
    },
    { method: 'POST', path: `${PLACE}/strategies/set-sort-order`, body: [{ id, sortOrder: 7 }] },
    {
      method: 'POST',
      path: `${FEATURES}/child/dependencies`,
      body: { feature: 'orders', enabled: true, variants: ['a'] },
    },
    {
      method: 'POST',
      path: `${ADMIN}/segments`,
      body: { name: 'gamma', description: 'd', project: 'default', constraints: ROLLOUT.constraints },
    },
    {
      method: 'PUT',
      path: `${ADMIN}/segments/1`,
      body: { name: 'beta', description: 'd', project: null, constraints: ROLLOUT.constraints },
    },
    { method: 'POST', path: `${ADMIN}/segments/strategies`, body: segments },
    { method: 'POST', path: `${ADMIN}/segments/validate`, body: { name: 'delta' } },
    { method: 'POST', path: `${ADMIN}/features/orders/tags`, body: { type: 'simple', value: 'wave2' } },
    {
      method: 'PUT',
      path: `${ADMIN}/features/orders/tags`,
      body: { addedTags: [{ type: 'simple', value: 'wave3' }], removedTags: [] },
    },
    {
      method: 'POST',
      path: `${ADMIN}/context`,
      body: {
        name: 'tenant',
        description: 'd',
        stickiness: true,
        sortOrder: 1,
        legalValues: [{ value: 'acme', description: 'd' }],
      },
    },
    { method: 'POST', path: `${ADMIN}/context/validate`, body: { name: 'plan' } },
  ];
  return { endpoints, ...attempts(started) };
}

test('every endpoint takes the body that it is made for', async () => {
  const { endpoints, attempt } = await world();
  for (const { method, path, body } of endpoints) {
    expect(await attempt(method, path, JSON.stringify(body)), `${method} ${path}`).toBeLessThan(300);
  }
});

test('whatever is put anywhere into a body is taken, or refused without a trace', {
  timeout: 120_000,
}, async () => {
  const { endpoints, attempt } = await world();
  const counts = { taken: 0, refused: 0 };
  for (const { method, path, body } of endpoints) {
    const replaced = marked(body).flatMap((text) => HOSTILE.map((value) => text.replace(MARK, () => value)));
    for (const text of [...replaced, ...lacking(body).map((one) => JSON.stringify(one))]) {
      counts[(await attempt(method, path, text)) < 300 ? 'taken' : 'refused'] += 1;
    }
  }
  expect(counts.refused).toBeGreaterThan(1000);
  expect(counts.taken).toBeGreaterThan(50);
});

test('any JSON is taken, or refused without a trace', { timeout: 60_000 }, async () => {
  const { endpoints, attempt } = await world();
  await fc.assert(
    fc.asyncProperty(fc.nat(endpoints.length - 1), fc.json(), async (index, text) => {
      const { method = '', path = '' } = endpoints[index] ?? {};
      await attempt(method, path, text);
    }),
    { seed: 20261124, numRuns: 400 },
  );
});

test('any JSON Patch is applied, or refused without a trace', { timeout: 60_000 }, async () => {
  const { endpoints, attempt } = await world();
  const patched = endpoints.filter(({ method }) => method === 'PATCH');
  const pointer = fc.oneof(
    fc.constantFrom(
      '',
      '/',
      '/name',
      '/parameters',
      '/parameters/rollout',
      '/constraints/0',
      '/constraints/-',
    ),
    fc.constantFrom(
      '/title',
      '/disabled',
      '/__proto__',
      '/constructor/name',
      '/~2',
      '/01',
      '/stale',
      '/archived',
    ),
    fc.string(),
  );
  const operation = fc.record(
    {
      op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'swap'),
      path: pointer,
      from: pointer,
      value: fc.oneof(fc.jsonValue(), fc.constantFrom('25', 'release', true, null)),
    },
    { requiredKeys: ['op', 'path'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(1), fc.array(operation, { maxLength: 4 }), async (index, patch) => {
      const { method = '', path = '' } = patched[index] ?? {};
      await attempt(method, path, JSON.stringify(patch));
    }),
    { seed: 20261124, numRuns: 400 },
  );
});

test('a patch that doubles what it finds a hundred times is refused at once', async () => {
  const { endpoints, attempt } = await world();
  const { path = '' } = endpoints.findLast(({ method }) => method === 'PATCH') ?? {};
  const doubling = Array.from({ length: 100 }, () => ({
    op: 'copy',
    from: '/parameters',
    path: '/parameters/more',
  }));
  const began = performance.now();
  expect(await attempt('PATCH', path, JSON.stringify(doubling))).toBe(400);
  expect(performance.now() - began).toBeLessThan(1000);
});

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(100)])(
  'things may be called %s like any other name',
  async (name) => {
    const { url, attempt } = await world();
    const path = `${FEATURES}/${name}`;
    expect(await attempt('POST', FEATURES, JSON.stringify({ name }))).toBe(201);
    expect(await attempt('POST', `${ADMIN}/context`, JSON.stringify({ name }))).toBe(201);
    expect(await attempt('POST', `${ADMIN}/segments`, JSON.stringify({ name, constraints: [] }))).toBe(201);
    const strategy = { ...ROLLOUT, variants: ROLLOUT.variants.map((variant) => ({ ...variant, name })) };
    expect(
      await attempt('POST', `${path}/environments/production/strategies`, JSON.stringify(strategy)),
    ).toBe(200);
    expect((await call(url, 'GET', path)).body).toMatchObject({
      name,
      environments: [{}, { strategies: [{}] }],
    });
    const served = await call(url, 'GET', `/api/client/features/${name}`, undefined, TOKENS.client);
    expect(served.body).toMatchObject({ name });
    expect(Object.prototype).not.toHaveProperty('name');
  },
);

test('parameters keep a key called __proto__ as any other', async () => {
  const { url, attempt } = await world();
  const text = JSON.stringify({ name: 'default', parameters: { mark: '1' } }).replace('mark', '__proto__');
  expect(await attempt('POST', `${PLACE}/strategies`, text)).toBe(200);
  const { body } = await call(url, 'GET', `${PLACE}/strategies`);
  expect(JSON.stringify(body)).toContain('{"__proto__":"1"}');
});

test('of keys that are given twice the last one counts', async () => {
  const { attempt } = await world();
  expect(await attempt('POST', FEATURES, '{"name":"bad name","name":"good"}')).toBe(201);
  expect(await attempt('POST', FEATURES, '{"name":"better","name":"bad name"}')).toBe(400);
});

test.each(['{', '{"name":"a"', 'name=a', '[1,]', '\u0000', '"text"', '7'])(
  'the body %j is a 400',
  async (text) => {
    const { endpoints, attempt } = await world();
    for (const { method, path } of endpoints) expect(await attempt(method, path, text)).toBe(400);
  },
);

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
])('a body of type %s is a 415 in the words of Unleash', async (type) => {
  const { url, stored, endpoints } = await world();
  const before = stored();
  for (const { method, path, body } of endpoints.filter((one) => !one.path.endsWith('/clone'))) {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: TOKENS.admin, 'content-type': type },
      body: JSON.stringify(body),
    });
    expect(answer.status, `${method} ${path}`).toBe(415);
    const message = `We do not accept the content-type you provided (${type}). Try using one of the content-types we do accept instead (application/json) and make sure the body is in the corresponding format.`;
    expect(await answer.json()).toEqual({ name: 'ContentTypeError', message, details: [{ message }] });
  }
  expect(stored()).toEqual(before);
});

test('a body of 100 KiB is read, one byte more is a 413', async () => {
  const { url, stored } = await world();
  const sized = (bytes: number) => JSON.stringify({ name: 'big' }).padEnd(bytes);
  const before = stored();
  expect(await call(url, 'POST', FEATURES, sized(100 * 1024 + 1))).toMatchObject({
    status: 413,
    body: { message: expect.any(String) },
  });
  expect(stored()).toEqual(before);
  expect((await call(url, 'POST', FEATURES, sized(100 * 1024))).status).toBe(201);
});

test('a path that is no text is a 400', async () => {
  const { url } = await world();
  expect(await call(url, 'GET', `${FEATURES}/%ff`)).toMatchObject({
    status: 400,
    body: { name: 'BadDataError', message: expect.stringContaining('the path cannot be read') },
  });
});

test('a long name that is sent is not sent back', async () => {
  const { url } = await world();
  const { body } = await call(url, 'POST', `${FEATURES}/child/dependencies`, { feature: 'x'.repeat(50_000) });
  const { message } = body as { message: string };
  expect(message).toMatch(/^No active feature xxx/);
  expect(message.length).toBeLessThan(1010);
});

test('any search for flags is answered or refused', async () => {
  const { url } = await world();
  const names = [
    'query',
    'project',
    'type',
    'tag',
    'segment',
    'state',
    'createdBy',
    'createdAt',
    'status',
    'status[]',
  ];
  const name = fc.constantFrom(...names, 'archived', 'sortBy', 'sortOrder', 'limit', 'offset', '__proto__');
  const value = fc.oneof(
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
    fc.constantFrom(
      'IS:default',
      'IS_NOT:release',
      'INCLUDE:simple:wave1',
      'EXCLUDE_ALL:beta',
      '-1',
      '1e9',
      '101',
    ),
    fc.constantFrom(
      'IS_BEFORE:2020-13-99',
      'production:enabled',
      'environment:production',
      'constructor',
      'name',
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 5 }), async (pairs) => {
      const query = new URLSearchParams(pairs).toString();
      const { status, body } = await call(url, 'GET', `${ADMIN}/search/features?${query}`);
      expect([200, 400]).toContain(status);
      expect(body).toMatchObject(
        status === 200 ? { total: expect.any(Number) } : { name: 'BadDataError', details: [{}] },
      );
    }),
    { seed: 20261124, numRuns: 300 },
  );
});
