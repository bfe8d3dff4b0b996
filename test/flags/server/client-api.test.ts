import { InMemStorageProvider, Unleash, type UnleashConfig, UnleashEvents } from 'unleash-client';
import { expect, onTestFinished, test } from 'vitest';
import { matchesEtag } from '../../../flags/server/client-api.ts';
import { call, startServer, TOKENS, until, writerFor } from '../world.ts';

const FEATURES = '/api/client/features';
const SPEC = { 'unleash-client-spec': '5.2.0' };

/** The SDK as anybody would configure it; in memory, because it still writes a backup file after `destroy`. */
function sdk(url: string, config: Partial<UnleashConfig> = {}): Unleash {
  const unleash = new Unleash({
    appName: 'anybody',
    url: `${url}/api/`,
    customHeaders: { Authorization: TOKENS.client },
    refreshInterval: 250,
    metricsInterval: 100,
    storageProvider: new InMemStorageProvider(),
    skipInstanceCountWarning: true,
    ...config,
  });
  unleash.on('error', () => undefined);
  onTestFinished(() => unleash.destroy());
  return unleash;
}

async function get(url: string, headers: Record<string, string>, query = '') {
  const response = await fetch(url + FEATURES + query, {
    headers: { authorization: TOKENS.client, ...headers },
  });
  const text = await response.text();
  return { status: response.status, etag: response.headers.get('etag') ?? '', text };
}

async function withOrders() {
  const world = await startServer();
  const writer = writerFor(world.url);
  await writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
  return { ...world, writer };
}

test.each<[string, Partial<UnleashConfig>]>([
  ['polling', {}],
  ['streaming', { experimentalMode: { type: 'streaming' } }],
])('the unmodified SDK sees a changed share when %s', async (_name, config) => {
  const { url, writer } = await withOrders();
  const unleash = sdk(url, config);
  await new Promise((resolve) => unleash.once(UnleashEvents.Synchronized, resolve));
  const isOn = () => unleash.isEnabled('fig.orders.serve', { properties: { figUnit: 'a'.repeat(32) } });
  expect(isOn()).toBe(false);
  await writer.setServeShare('orders', 100, 0, '1');
  await until(isOn, 2000);
});

test('the SDK registers and goes on sending metrics', async () => {
  const { url } = await withOrders();
  const unleash = sdk(url);
  const sent: unknown[] = [];
  const warnings: unknown[] = [];
  unleash.on(UnleashEvents.Warn, (warning) => warnings.push(warning));
  unleash.on(UnleashEvents.Sent, (payload) => {
    sent.push(payload);
    unleash.isEnabled('fig.orders.serve');
  });
  await Promise.all(
    [UnleashEvents.Registered, UnleashEvents.Synchronized].map(
      (event) => new Promise((resolve) => unleash.once(event, resolve)),
    ),
  );
  unleash.isEnabled('no-such-flag');
  await until(() => sent.length >= 2);
  expect(warnings).toEqual([]);
});

test('an unchanged table is a 304, also when a gateway weakened the tag', async () => {
  const { url, server } = await withOrders();
  const first = await get(url, SPEC);
  expect(first.etag).toMatch(/^"[0-9a-f]{8}\.[0-9a-f]{8}:\d+:v1"$/);
  expect(first.etag).toContain(`:${server.revision()}:`);
  for (const tag of [first.etag, `W/${first.etag}`, `"x", W/${first.etag}`, '*']) {
    expect(await get(url, { ...SPEC, 'if-none-match': tag })).toMatchObject({ status: 304, text: '' });
  }
  expect((await get(url, { ...SPEC, 'if-none-match': '"other"' })).status).toBe(200);
});

test('going back to an older state is a new revision and a new tag', async () => {
  const { url, writer } = await withOrders();
  const first = await get(url, SPEC);
  await writer.setServeShare('orders', 50, 0, 'x');
  await writer.setServeShare('orders', 0, 50, 'x');
  const third = await get(url, { ...SPEC, 'if-none-match': first.etag });
  expect(third.status).toBe(200);
  expect(third.etag).not.toBe(first.etag);
  expect(JSON.parse(third.text).features).toEqual(JSON.parse(first.text).features);
});

test('another start of the server never meets an old tag', async () => {
  const { url, server, file } = await withOrders();
  const before = await get(url, SPEC);
  await server.close();
  const again = await startServer({ file });
  expect((await get(again.url, { ...SPEC, 'if-none-match': before.etag })).status).toBe(200);
});

test('a prefix and a tag narrow the answer; the project is the one of the token', async () => {
  const { url } = await withOrders();
  const names = async (query: string) =>
    JSON.parse((await get(url, SPEC, query)).text).features.map(({ name }: { name: string }) => name);
  expect(await names('?project=default&namePrefix=fig.orders.se')).toEqual(['fig.orders.serve']);
  expect(await names('?project=other')).toHaveLength(2);
  expect(await names('?tag=simple:wave1')).toEqual([]);
  expect(await names('')).toHaveLength(2);
});

test('an old client gets no segments list', async () => {
  const { url } = await withOrders();
  const old = JSON.parse((await get(url, {})).text);
  expect(old).not.toHaveProperty('segments');
  expect(old.query.inlineSegmentConstraints).toBe(true);
  const current = JSON.parse((await get(url, SPEC)).text);
  expect(current.segments).toEqual([]);
});

test('clients see neither disabled strategies nor ids nor titles', async () => {
  const { url } = await withOrders();
  const path = '/api/admin/projects/default/features/fig.orders.serve/environments/production/strategies';
  await call(url, 'POST', path, { name: 'default', disabled: true, title: 'secret plan' });
  const { text } = await get(url, SPEC);
  const [serve] = JSON.parse(text).features;
  expect(serve.strategies).toEqual([
    {
      name: 'flexibleRollout',
      constraints: [],
      parameters: { rollout: '0', stickiness: 'figUnit', groupId: 'orders' },
      variants: [],
    },
  ]);
});

test('one flag can be read alone', async () => {
  const { url } = await withOrders();
  const one = await call(url, 'GET', `${FEATURES}/fig.orders.serve`, undefined, TOKENS.client);
  expect(one).toMatchObject({ status: 200, body: { name: 'fig.orders.serve', enabled: true } });
  const none = await call(url, 'GET', `${FEATURES}/nope`, undefined, TOKENS.client);
  expect(none).toMatchObject({ status: 404, body: { name: 'NotFoundError' } });
});

test.each([
  ['no token', null, 401],
  ['a wrong token', 'default:production.0000000000000000', 401],
  ['the admin token', TOKENS.admin, 403],
  ['the client token as Bearer', `Bearer ${TOKENS.client}`, 200],
])('client API with %s', async (_name, token, status) => {
  const { url } = await startServer();
  const { status: got, body } = await call(url, 'GET', FEATURES, undefined, token);
  expect(got).toBe(status);
  if (status !== 200) expect(Object.keys(body as object)).toEqual(['message']);
});

test('register needs an application name and accepts whatever else it gets', async () => {
  const { url } = await startServer();
  const path = '/api/client/register';
  expect(await call(url, 'POST', path, {}, TOKENS.client)).toMatchObject({
    status: 400,
    body: { name: 'BadDataError', details: [{ path: '/body/appName' }] },
  });
  expect((await call(url, 'POST', path, { appName: 'proxy', interval: {} }, TOKENS.client)).status).toBe(202);
});

test.each([
  [undefined, false],
  ['', false],
  ['"a"', true],
  ['"b" , "a"', true],
  ['a', false],
])('If-None-Match %s', (header, matches) => {
  expect(matchesEtag(header, '"a"')).toBe(matches);
});
