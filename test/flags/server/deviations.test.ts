import { expect, test } from 'vitest';
import { call, startServer, TOKENS } from '../world.ts';

const ADMIN = '/api/admin';
const FEATURES = `${ADMIN}/projects/default/features`;
const PLACE = `${FEATURES}/orders/environments/production`;
const PARAMETERS = { rollout: '10', stickiness: 'figUnit', groupId: 'orders' };

async function withFlag(policy: 'strict' | 'unleash') {
  const { url, server } = await startServer({ policy });
  await call(url, 'POST', FEATURES, { name: 'orders' });
  const addStrategy = (parameters: object) =>
    call(url, 'POST', `${PLACE}/strategies`, { name: 'flexibleRollout', parameters });
  return { url, server, addStrategy };
}

test.each(['101', '12.5', 'abc', '-1', '010', ' 5', '1e1', '', '100%'])(
  'a rollout of %j is refused; Unleash takes it, and nobody knows whom it reaches',
  async (rollout) => {
    const ours = await withFlag('strict');
    expect(await ours.addStrategy({ ...PARAMETERS, rollout })).toMatchObject({
      status: 400,
      body: { name: 'BadDataError', details: [{ path: '/body/parameters/rollout' }] },
    });
    const theirs = await withFlag('unleash');
    expect((await theirs.addStrategy({ ...PARAMETERS, rollout })).status).toBe(200);
  },
);

test.each(['rollout', 'stickiness', 'groupId'] as const)(
  'a strategy without its %s is refused, in POST and PUT; Unleash fills it in and moves users',
  async (name) => {
    const { [name]: _left, ...rest } = PARAMETERS;
    const ours = await withFlag('strict');
    const refusal = { status: 400, body: { details: [{ path: `/body/parameters/${name}` }] } };
    expect(await ours.addStrategy(rest)).toMatchObject(refusal);
    const { body } = await ours.addStrategy(PARAMETERS);
    const { id } = body as { id: string };
    const put = await call(ours.url, 'PUT', `${PLACE}/strategies/${id}`, { parameters: rest });
    expect(put).toMatchObject(refusal);
    expect((await call(ours.url, 'GET', `${PLACE}/strategies`)).body).toMatchObject([
      { parameters: PARAMETERS },
    ]);

    const filled = { rollout: '100', stickiness: 'default', groupId: 'orders' };
    const theirs = await withFlag('unleash');
    expect((await theirs.addStrategy(rest)).body).toMatchObject({
      parameters: { ...rest, [name]: filled[name] },
    });
  },
);

test.each(['strict', 'unleash'] as const)(
  'switching on without an active strategy is a 409 with the policy %s, and nothing is on',
  async (policy) => {
    const { url, server } = await withFlag(policy);
    const revision = server.revision();
    expect(await call(url, 'POST', `${PLACE}/on`)).toMatchObject({
      status: 409,
      body: { name: 'ConflictError', message: 'add a strategy with an explicit rollout first' },
    });
    expect(server.revision()).toBe(revision);
    expect((await call(url, 'GET', PLACE)).body).toMatchObject({ enabled: false, strategies: [] });
  },
);

test('an admin token is not taken by the client API', async () => {
  const { url } = await startServer();
  expect(await call(url, 'GET', '/api/client/features', undefined, TOKENS.admin)).toMatchObject({
    status: 403,
    body: { message: 'invalid token: expected a different token type for this endpoint' },
  });
});

test('new segments of a strategy reach clients with an event; Unleash leaves them with the old strategy', async () => {
  const seen = async (policy: 'strict' | 'unleash') => {
    const { url, server, addStrategy } = await withFlag(policy);
    const { body } = await addStrategy(PARAMETERS);
    const { id: strategyId } = body as { id: string };
    await call(url, 'POST', `${ADMIN}/segments`, { name: 'beta', constraints: [] });
    const client = { authorization: TOKENS.client, 'unleash-client-spec': '5.2.0' };
    const features = (headers: Record<string, string>) => fetch(`${url}/api/client/features`, { headers });
    const etag = (await features(client)).headers.get('etag') ?? '';
    const revision = server.revision();
    const wanted = { projectId: 'default', environmentId: 'production', strategyId, segmentIds: [1] };
    const answer = await call(url, 'POST', `${ADMIN}/segments/strategies`, wanted);
    expect(answer).toMatchObject({ status: 201, body: wanted });
    expect(answer.headers.get('location')).toBe(`strategies/${strategyId}`);
    const events = await call(url, 'GET', `${ADMIN}/search/events?limit=1`);
    const served = await features({ ...client, 'if-none-match': etag });
    return { raised: server.revision() > revision, events: events.body, served: await served.text() };
  };
  expect(await seen('strict')).toMatchObject({
    raised: true,
    events: {
      events: [
        {
          type: 'feature-strategy-update',
          featureName: 'orders',
          environment: 'production',
          data: { segments: [1] },
          preData: { segments: [] },
        },
      ],
    },
    served: expect.stringContaining('"segments":[1]'),
  });
  expect(await seen('unleash')).toMatchObject({
    raised: false,
    events: { events: [{ type: 'segment-created' }] },
    served: '',
  });
});

test('a test of a patch that does not hold is a 409 that changes nothing', async () => {
  const { url, server, addStrategy } = await withFlag('unleash');
  const { body } = await addStrategy(PARAMETERS);
  const { id } = body as { id: string };
  const revision = server.revision();
  const patch = [
    { op: 'replace', path: '/parameters/rollout', value: '20' },
    { op: 'test', path: '/parameters/rollout', value: '10' },
  ];
  expect(await call(url, 'PATCH', `${PLACE}/strategies/${id}`, patch)).toMatchObject({
    status: 409,
    body: { name: 'ConflictError', message: 'Test operation failed' },
  });
  expect(server.revision()).toBe(revision);
});

test('of 20 patches that expect the same value exactly one is applied', async () => {
  const { url, addStrategy } = await withFlag('strict');
  const { body } = await addStrategy(PARAMETERS);
  const { id } = body as { id: string };
  const patches = Array.from({ length: 20 }, (_, index) => [
    { op: 'test', path: '/parameters/rollout', value: '10' },
    { op: 'replace', path: '/parameters/rollout', value: String(20 + index) },
  ]);
  const answers = await Promise.all(
    patches.map((patch) => call(url, 'PATCH', `${PLACE}/strategies/${id}`, patch)),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 409)).toHaveLength(19);
});

test('the ETag of clients begins with an epoch of this start', async () => {
  const epochs = await Promise.all(
    [1, 2].map(async () => {
      const { url } = await startServer();
      const { headers } = await call(url, 'GET', '/api/client/features', undefined, TOKENS.client);
      return /^"([0-9a-f]{8})\.[0-9a-f]{8}:\d+:v1"$/.exec(headers.get('etag') ?? '')?.[1];
    }),
  );
  expect(epochs).toEqual([expect.any(String), expect.any(String)]);
  expect(epochs[0]).not.toBe(epochs[1]);
});
