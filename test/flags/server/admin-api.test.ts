import { expect, test } from 'vitest';
import { call, startServer, TOKENS, writerFor } from '../world.ts';

const FEATURES = '/api/admin/projects/default/features';
const ROLLOUT = {
  name: 'flexibleRollout',
  parameters: { rollout: '10', stickiness: 'figUnit', groupId: 'orders' },
};
const IN_ACME = { contextName: 'tenant', operator: 'IN', values: ['acme'] };

async function withFlag() {
  const world = await startServer();
  const post = (path: string, body?: unknown) => call(world.url, 'POST', path, body);
  const flag = `${FEATURES}/route.orders`;
  const place = `${flag}/environments/production`;
  await post(FEATURES, { name: 'route.orders', type: 'release' });
  const addStrategy = async (strategy: object = ROLLOUT) => {
    const { body } = await post(`${place}/strategies`, strategy);
    return (body as { id: string }).id;
  };
  const enabled = async () => ((await call(world.url, 'GET', place)).body as { enabled: boolean }).enabled;
  /** Types of the events since the flag was created, oldest first. */
  const events = async () => {
    const { body } = await call(world.url, 'GET', '/api/admin/search/events?feature=IS:route.orders');
    const { events: list } = body as { events: { type: string; groupId: string }[] };
    return list.toReversed().slice(1);
  };
  return { ...world, post, flag, place, addStrategy, enabled, events };
}

test('on and off are idempotent: the second call makes no event', async () => {
  const { post, place, addStrategy, enabled, events } = await withFlag();
  await addStrategy();
  for (const path of ['on', 'on', 'off', 'off']) {
    expect(await post(`${place}/${path}`)).toMatchObject({ status: 200, body: '' });
    expect(await enabled()).toBe(path === 'on');
  }
  expect((await events()).map(({ type }) => type)).toEqual([
    'feature-strategy-add',
    'feature-environment-enabled',
    'feature-environment-disabled',
  ]);
});

test('on without an active strategy is refused instead of being on for everybody', async () => {
  const { post, place, addStrategy, enabled } = await withFlag();
  const refusal = { status: 409, body: { message: 'add a strategy with an explicit rollout first' } };
  expect(await post(`${place}/on`)).toMatchObject(refusal);
  await addStrategy({ ...ROLLOUT, disabled: true });
  expect(await post(`${place}/on`)).toMatchObject(refusal);
  expect(await enabled()).toBe(false);
});

test('deleting the last active strategy switches the flag off first, in one transaction', async () => {
  const { url, post, place, addStrategy, enabled, events } = await withFlag();
  const id = await addStrategy();
  await addStrategy({ ...ROLLOUT, disabled: true });
  await post(`${place}/on`);
  expect((await call(url, 'DELETE', `${place}/strategies/${id}`)).status).toBe(200);
  expect(await enabled()).toBe(false);
  const last = (await events()).slice(-2);
  expect(last.map(({ type }) => type)).toEqual(['feature-environment-disabled', 'feature-strategy-remove']);
  expect(new Set(last.map(({ groupId }) => groupId)).size).toBe(1);
});

test('disabling the last active strategy switches the flag off after it', async () => {
  const { url, post, place, addStrategy, enabled, events } = await withFlag();
  const id = await addStrategy();
  await post(`${place}/on`);
  await call(url, 'PATCH', `${place}/strategies/${id}`, [{ op: 'replace', path: '/disabled', value: true }]);
  expect(await enabled()).toBe(false);
  expect((await events()).slice(-2).map(({ type }) => type)).toEqual([
    'feature-strategy-update',
    'feature-environment-disabled',
  ]);
});

test('a write that changes nothing makes no event', async () => {
  const { url, place, addStrategy, server } = await withFlag();
  const id = await addStrategy();
  const revision = server.revision();
  expect((await call(url, 'PUT', `${place}/strategies/${id}`, ROLLOUT)).status).toBe(200);
  expect(server.revision()).toBe(revision);
});

test('an archived flag leaves the clients, keeps its name, and comes back switched off', async () => {
  const { url, post, flag, place, addStrategy, enabled } = await withFlag();
  await addStrategy();
  await post(`${place}/on`);
  expect((await call(url, 'DELETE', flag)).status).toBe(202);
  const served = await call(url, 'GET', '/api/client/features', undefined, TOKENS.client);
  expect(served.body).toMatchObject({ features: [] });
  expect(await post(FEATURES, { name: 'route.orders' })).toMatchObject({
    status: 409,
    body: { name: 'NameExistsError', message: 'An archived flag with that name already exists' },
  });
  expect(await post(`${place}/on`)).toMatchObject({ status: 400, body: { name: 'ArchivedFeatureError' } });
  expect((await post('/api/admin/archive/revive/route.orders')).status).toBe(200);
  expect(await enabled()).toBe(false);
});

test('a failed test of a patch is a conflict and changes nothing', async () => {
  const { url, place, addStrategy, server } = await withFlag();
  const id = await addStrategy();
  const revision = server.revision();
  const patch = [
    { op: 'replace', path: '/parameters/rollout', value: '25' },
    { op: 'test', path: '/parameters/groupId', value: 'other' },
  ];
  expect(await call(url, 'PATCH', `${place}/strategies/${id}`, patch)).toMatchObject({
    status: 409,
    body: { name: 'ConflictError', message: 'Test operation failed' },
  });
  expect(server.revision()).toBe(revision);
});

test.each<[string, unknown]>([
  ['a rollout above 100', { ...ROLLOUT, parameters: { ...ROLLOUT.parameters, rollout: '101' } }],
  ['a broken rollout', { ...ROLLOUT, parameters: { ...ROLLOUT.parameters, rollout: '12.5' } }],
  ['a rollout that is a number', { ...ROLLOUT, parameters: { ...ROLLOUT.parameters, rollout: 10 } }],
  ['no parameters at all', { name: 'flexibleRollout' }],
  ['an unknown strategy', { name: 'nosuch', parameters: {} }],
  ['no name', {}],
  ['an array', [1]],
  ['broken JSON', '{"name":'],
  ['an unknown operator', constrained({ operator: 'IN_CIDR', values: ['10.0.0.0/8'] })],
  ['an empty list', constrained({ operator: 'IN', values: [] })],
  ['no number', constrained({ operator: 'NUM_GT', value: 'many' })],
  ['no date', constrained({ operator: 'DATE_AFTER', value: 'soon' })],
  ['a version with a v', constrained({ operator: 'SEMVER_EQ', value: 'v1.2.3' })],
  ['an expression that RE2 has not', constrained({ operator: 'REGEX', value: '(?=a)a' })],
  ['an inverted expression', constrained({ operator: 'REGEX', value: 'a', inverted: true })],
])('a strategy with %s is a 400 and nothing is stored', async (_name, body) => {
  const { url, post, place } = await withFlag();
  const answer = await post(`${place}/strategies`, body);
  expect(answer).toMatchObject({ status: 400, body: { name: 'BadDataError' } });
  const { message, details } = answer.body as { message: string; details: { message: string }[] };
  expect(message).toMatch(/^Request validation failed/);
  expect(details.length).toBeGreaterThan(0);
  expect((await call(url, 'GET', `${place}/strategies`)).body).toEqual([]);
});

function constrained(constraint: object) {
  return { ...ROLLOUT, constraints: [{ contextName: 'tenant', ...constraint }] };
}

test('a strategy at the limits is stored, one strategy more is refused', async () => {
  const { post, place } = await withFlag();
  const values = Array.from({ length: 250 }, String);
  const constraints = Array.from({ length: 30 }, () => ({ ...IN_ACME, values }));
  expect((await post(`${place}/strategies`, { ...ROLLOUT, constraints })).status).toBe(200);
  for (let i = 1; i < 30; i += 1) await post(`${place}/strategies`, ROLLOUT);
  expect(await post(`${place}/strategies`, ROLLOUT)).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('limit of 30') },
  });
});

test('one flag more than there may be is refused', async () => {
  const { url } = await startServer({ limits: { featuresMax: 1 } });
  expect((await call(url, 'POST', FEATURES, { name: 'a' })).status).toBe(201);
  expect((await call(url, 'POST', FEATURES, { name: 'b' })).status).toBe(400);
});

test.each(['bad name', 'ä', '.', '..', '', 'a'.repeat(101), '\ud800', 7])(
  'the flag name %j is a 400',
  async (name) => {
    const { url } = await startServer();
    expect(await call(url, 'POST', FEATURES, { name })).toMatchObject({
      status: 400,
      body: { name: 'BadDataError' },
    });
    expect((await call(url, 'GET', FEATURES)).body).toMatchObject({ features: [] });
  },
);

test('a body above 100 KiB is a 413', async () => {
  const { url } = await startServer();
  const big = { name: 'a', description: 'x'.repeat(100 * 1024) };
  expect(await call(url, 'POST', FEATURES, big)).toMatchObject({
    status: 413,
    body: { message: expect.any(String) },
  });
});

test.each([
  ['POST', '/api/admin/users'],
  ['GET', '/nowhere'],
])('%s %s does not exist here', async (method, path) => {
  const { url } = await startServer();
  const answer = await call(url, method, path, method === 'POST' ? {} : undefined);
  expect(answer).toMatchObject({ status: 404, body: { name: 'NotFoundError' } });
});

test.each([
  ['no token', null, 401],
  ['a wrong token', '*:*.0000000000000000', 401],
  ['a client token', TOKENS.client, 403],
])('admin API with %s', async (_name, token, status) => {
  const { url } = await startServer();
  expect((await call(url, 'GET', FEATURES, undefined, token)).status).toBe(status);
});

test('health and readiness need no token', async () => {
  const { url } = await startServer();
  for (const path of ['/health', '/ready']) {
    expect(await call(url, 'GET', path, undefined, null)).toMatchObject({
      status: 200,
      body: { health: 'GOOD' },
    });
  }
});

test('the audit log can be filtered and paged, and says who', async () => {
  const { url } = await startServer();
  await writerFor(url).ensure('orders', 'orders', { serve: 10, shadow: 0 });
  const search = async (query: string) =>
    (await call(url, 'GET', `/api/admin/search/events?${query}`)).body as {
      total: number;
      events: { type: string; createdBy: string; createdByUserId: number }[];
    };
  expect((await search('')).total).toBe(6);
  const serve = await search('feature=IS:fig.orders.serve&limit=1&offset=1');
  expect(serve.total).toBe(3);
  expect(serve.events).toMatchObject([
    { type: 'feature-strategy-add', createdBy: 'admin', createdByUserId: -42 },
  ]);
  expect((await call(url, 'GET', '/api/admin/search/events?limit=many')).status).toBe(400);
});

test('a context field is created once', async () => {
  const { url, server } = await startServer();
  const revision = server.revision();
  const field = { name: 'tenant', stickiness: true };
  expect(await call(url, 'POST', '/api/admin/context', field)).toMatchObject({ status: 201, body: field });
  expect((await call(url, 'POST', '/api/admin/context', field)).status).toBe(409);
  const { body } = await call(url, 'GET', '/api/admin/context');
  expect((body as { name: string }[]).map(({ name }) => name)).toEqual([
    'appName',
    'currentTime',
    'environment',
    'figUnit',
    'sessionId',
    'tenant',
    'userId',
  ]);
  expect(server.revision()).toBe(revision);
});
