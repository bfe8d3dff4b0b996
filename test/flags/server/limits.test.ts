import { expect, test } from 'vitest';
import { LIMITS } from '../../../flags/server/semantics.ts';
import { call, startServer } from '../world.ts';

const ADMIN = '/api/admin';
const FEATURES = `${ADMIN}/projects/default/features`;
const STRATEGIES = `${FEATURES}/orders/environments/production/strategies`;
const ROLLOUT = {
  name: 'flexibleRollout',
  parameters: { rollout: '10', stickiness: 'figUnit', groupId: 'orders' },
};
const VALUES = Array.from({ length: 1001 }, (_, index) => `v${index}`);

async function withFlag() {
  const world = await startServer();
  const post = (path: string, body: unknown) => call(world.url, 'POST', path, body);
  await post(FEATURES, { name: 'orders' });
  return { ...world, post };
}

function exceeded(resource: string, limit: number) {
  const message = `Failed to create ${resource}. You can't create more than the established limit of ${limit}.`;
  return { status: 400, body: { name: 'ExceedsLimitError', message, details: [{ message }] } };
}

function refused(message: string) {
  const prefix = 'Request validation failed: your request body or params contain invalid data';
  return {
    status: 400,
    body: { name: 'BadDataError', message: `${prefix}: ${message}`, details: [{ message }] },
  };
}

function inTenant(count: number) {
  return { contextName: 'tenant', operator: 'IN', values: VALUES.slice(0, count) };
}

test('the limits are those of Unleash, and fewer tokens', () => {
  expect(LIMITS).toMatchObject({
    featuresMax: 5000,
    strategiesMax: 30,
    constraintsMax: 30,
    constraintValuesMax: 250,
    segmentsMax: 300,
    segmentValuesMax: 1000,
    strategySegmentsMax: 5,
    tokensMax: 100,
    streamsMax: 200,
  });
});

test('a flag at the limit is created, one more is refused, an archived one still counts', async () => {
  const { url } = await startServer({ limits: { featuresMax: 3 } });
  for (const name of ['a', 'b', 'c']) expect((await call(url, 'POST', FEATURES, { name })).status).toBe(201);
  await call(url, 'DELETE', `${FEATURES}/a`);
  expect(await call(url, 'POST', FEATURES, { name: 'd' })).toMatchObject(exceeded('feature flag', 3));
  expect(await call(url, 'POST', `${FEATURES}/b/clone`, { name: 'd' })).toMatchObject(
    exceeded('feature flag', 3),
  );
  await call(url, 'DELETE', `${ADMIN}/archive/a`);
  expect((await call(url, 'POST', FEATURES, { name: 'd' })).status).toBe(201);
});

test('30 strategies are taken in one environment, the 31st is refused', async () => {
  const { post } = await withFlag();
  for (let i = 0; i < 30; i += 1) expect((await post(STRATEGIES, ROLLOUT)).status).toBe(200);
  expect(await post(STRATEGIES, ROLLOUT)).toMatchObject(exceeded('strategy', 30));
  expect((await post(STRATEGIES.replace('production', 'development'), ROLLOUT)).status).toBe(200);
});

test('30 constraints of 250 values are taken, more are refused, in POST, PUT and PATCH', async () => {
  const { url, post } = await withFlag();
  const constraints = (count: number, values: number) =>
    Array.from({ length: count }, () => inTenant(values));
  const { body, status } = await post(STRATEGIES, { ...ROLLOUT, constraints: constraints(30, 250) });
  expect(status).toBe(200);
  const { id } = body as { id: string };
  for (const [count, values, answer] of [
    [31, 1, exceeded('constraints', 30)],
    [1, 251, exceeded('constraint values for tenant', 250)],
  ] as const) {
    const wrong = constraints(count, values);
    expect(await post(STRATEGIES, { ...ROLLOUT, constraints: wrong })).toMatchObject(answer);
    expect(await call(url, 'PUT', `${STRATEGIES}/${id}`, { ...ROLLOUT, constraints: wrong })).toMatchObject(
      answer,
    );
    const patch = [{ op: 'replace', path: '/constraints', value: wrong }];
    expect(await call(url, 'PATCH', `${STRATEGIES}/${id}`, patch)).toMatchObject(answer);
  }
});

test('300 segments are taken, the 301st is refused', async () => {
  const { post } = await withFlag();
  const segment = (index: number) => post(`${ADMIN}/segments`, { name: `s${index}`, constraints: [] });
  for (let i = 0; i < 300; i += 1) expect((await segment(i)).status).toBe(201);
  expect(await segment(300)).toMatchObject(exceeded('segment', 300));
});

test('a segment has at most 1000 values in all its constraints', async () => {
  const { url, post } = await withFlag();
  const constraints = [inTenant(600), { ...inTenant(400), operator: 'NOT_IN' }];
  expect((await post(`${ADMIN}/segments`, { name: 's', constraints })).status).toBe(201);
  const more = [...constraints, inTenant(1)];
  const answer = refused('Segments may not have more than 1000 values');
  expect(await post(`${ADMIN}/segments`, { name: 't', constraints: more })).toMatchObject(answer);
  expect(await call(url, 'PUT', `${ADMIN}/segments/1`, { name: 's', constraints: more })).toMatchObject(
    answer,
  );
});

test('a strategy has at most 5 segments, however they come', async () => {
  const { url, post } = await withFlag();
  for (let i = 0; i < 6; i += 1) await post(`${ADMIN}/segments`, { name: `s${i}`, constraints: [] });
  const { body, status } = await post(STRATEGIES, { ...ROLLOUT, segments: [1, 2, 3, 4, 5] });
  expect(status).toBe(200);
  const { id: strategyId } = body as { id: string };
  const answer = refused('Strategies may not have more than 5 segments');
  const segments = [1, 2, 3, 4, 5, 6];
  expect(await post(STRATEGIES, { ...ROLLOUT, segments })).toMatchObject(answer);
  expect(await call(url, 'PUT', `${STRATEGIES}/${strategyId}`, { ...ROLLOUT, segments })).toMatchObject(
    answer,
  );
  const patch = [{ op: 'add', path: '/segments/-', value: 6 }];
  expect(await call(url, 'PATCH', `${STRATEGIES}/${strategyId}`, patch)).toMatchObject(answer);
  const place = { projectId: 'default', environmentId: 'production', strategyId };
  expect(await post(`${ADMIN}/segments/strategies`, { ...place, segmentIds: segments })).toMatchObject(
    answer,
  );
});

test('one context field more than there may be is refused', async () => {
  const { url } = await startServer({ limits: { contextFieldsMax: 7 } });
  expect((await call(url, 'POST', `${ADMIN}/context`, { name: 'tenant' })).status).toBe(201);
  expect(await call(url, 'POST', `${ADMIN}/context`, { name: 'plan' })).toMatchObject(
    exceeded('context field', 7),
  );
});

test.each([
  [FEATURES, {}],
  [`${ADMIN}/context`, {}],
  [`${FEATURES}/orders/clone`, {}],
  [`${ADMIN}/features/validate`, {}],
])('a name of 100 characters is taken by %s, of 101 refused in the words of Unleash', async (path, rest) => {
  const { post } = await withFlag();
  const name = 'n'.repeat(101);
  const message = `"name" length must be less than or equal to 100 characters long. You provided "${name}".`;
  expect(await post(path, { ...rest, name })).toMatchObject({
    status: 400,
    body: { details: [{ message }] },
  });
  expect((await post(path, { ...rest, name: name.slice(1) })).status).toBeLessThan(300);
});
