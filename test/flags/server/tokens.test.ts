import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manualClock } from '../../helpers/clock.ts';
import { call, startServer, TOKENS, tempDir } from '../world.ts';
import { storedIn } from './stored.ts';

const PATH = '/api/admin/api-tokens';
const FEATURES = '/api/client/features';
const WANTED = { tokenName: 'shop', type: 'client', environment: 'production', projects: ['default'] };
const HOUR_MS = 60 * 60 * 1000;

interface Token {
  readonly secret: string;
  readonly tokenName: string;
  readonly type: string;
}

async function world(options: Parameters<typeof startServer>[0] = {}) {
  const started = await startServer(options);
  const { url } = started;
  const make = async (wanted: object = WANTED) => {
    const { status, body } = await call(url, 'POST', PATH, wanted);
    expect(status).toBe(201);
    return body as Token;
  };
  const list = async () => ((await call(url, 'GET', PATH)).body as { tokens: Token[] }).tokens;
  const remove = async (secret: string) =>
    (await call(url, 'DELETE', `${PATH}/${encodeURIComponent(secret)}`)).status;
  const reads = async (secret: string) => (await call(url, 'GET', FEATURES, undefined, secret)).status;
  return { ...started, make, list, remove, reads };
}

test('a new token works at once, and its secret is shown this once', async () => {
  const { make, list, reads, file } = await world();
  const { secret } = await make();
  expect(secret).toMatch(/^default:production\.[0-9a-f]{56}$/);
  expect(await reads(secret)).toBe(200);
  expect(await reads(`bearer   ${secret}`)).toBe(200);
  const shown = await list();
  expect(shown.map(({ tokenName, type }) => [tokenName, type])).toEqual([
    ['admin', 'client'],
    ['shop', 'client'],
    ['admin', 'admin'],
  ]);
  expect(JSON.stringify(shown)).not.toContain(secret.slice(secret.indexOf('.') + 1));
  expect(JSON.stringify(shown)).toContain(`-${secret.slice(-4)}`);
  expect(JSON.stringify(storedIn(file, tempDir()))).not.toContain(secret.slice(secret.indexOf('.') + 1));
});

test.each([
  ['the secret', (made: Token) => made.secret],
  ['what stands for it in the list', (_made: Token, listed: Token) => listed.secret],
])('a token is deleted by %s, and refused from then on', async (_name, choose) => {
  const { make, list, remove, reads } = await world();
  const made = await make();
  const other = await make();
  const [listed] = (await list()).filter(({ secret }) => secret.endsWith(made.secret.slice(-4)));
  expect(await remove(choose(made, listed ?? made))).toBe(200);
  expect(await reads(made.secret)).toBe(401);
  expect(await reads(other.secret)).toBe(200);
});

test('deleting a token ends its streams and no others', async () => {
  const { url, server, make, remove } = await world();
  const [mine, other] = [await make(), await make()];
  const open = async (secret: string) => {
    const { body } = await fetch(`${url}/api/client/streaming`, { headers: { authorization: secret } });
    const reader = body?.getReader();
    await reader?.read();
    return reader;
  };
  const [ended, kept] = [await open(mine.secret), await open(other.secret)];
  expect(server.streams().open).toBe(2);
  await remove(mine.secret);
  expect(await ended?.read()).toMatchObject({ done: true });
  expect(server.streams().open).toBe(1);
  await kept?.cancel();
});

test('deleting what is no token does nothing', async () => {
  const { server, list, remove } = await world();
  const before = await list();
  expect(await remove('default:production.nope')).toBe(200);
  expect(await list()).toEqual(before);
  expect(server.revision()).toBe(0);
});

test('a token that the server was started with stays', async () => {
  const { list, remove, reads } = await world();
  for (const { secret } of await list()) expect(await remove(secret)).toBe(403);
  expect(await remove(TOKENS.client)).toBe(403);
  expect(await reads(TOKENS.client)).toBe(200);
});

test('a token works until it expires', async () => {
  const clock = manualClock();
  const { make, list, reads } = await world({ clock });
  const expiresAt = new Date(clock.wall() + HOUR_MS).toISOString();
  const { secret } = await make({ ...WANTED, expiresAt });
  expect(await list()).toContainEqual(expect.objectContaining({ tokenName: 'shop', expiresAt }));
  clock.advance(HOUR_MS - 1);
  expect(await reads(secret)).toBe(200);
  clock.advance(1);
  expect(await reads(secret)).toBe(401);
});

test('when a token expires can be changed, which ends its streams', async () => {
  const clock = manualClock();
  const { url, server, make, list, reads } = await world({ clock });
  const { secret } = await make();
  const { body } = await fetch(`${url}/api/client/streaming`, { headers: { authorization: secret } });
  const stream = body?.getReader();
  await stream?.read();
  const put = (token: string, sent: object) => call(url, 'PUT', `${PATH}/${encodeURIComponent(token)}`, sent);
  const expiresAt = new Date(clock.wall() + HOUR_MS).toISOString();
  const [listed] = (await list()).filter(({ tokenName }) => tokenName === 'shop');
  expect(await put(listed?.secret ?? '', { expiresAt })).toMatchObject({ status: 200, body: '' });
  expect(await stream?.read()).toMatchObject({ done: true });
  expect(await reads(secret)).toBe(200);
  clock.advance(HOUR_MS);
  expect(await reads(secret)).toBe(401);
  expect((await put(secret, { expiresAt: 'soon' })).status).toBe(400);
  expect((await put('nobody', { expiresAt })).status).toBe(200);
  expect((await put(TOKENS.client, { expiresAt })).status).toBe(403);
  expect(server.streams().open).toBe(0);
  expect((await call(url, 'GET', '/api/admin/search/events?type=IS:api-token-updated')).body).toMatchObject({
    total: 1,
    events: [{ data: { tokenName: 'shop', expiresAt }, preData: { expiresAt: null } }],
  });
});

test('tokens outlive the server', async () => {
  const file = join(tempDir(), 'flags.db');
  const first = await world({ file });
  const [kept, gone] = [await first.make(), await first.make()];
  await first.remove(gone.secret);
  await first.server.close();
  const second = await world({ file });
  expect(await second.reads(kept.secret)).toBe(200);
  expect(await second.reads(gone.secret)).toBe(401);
});

test('a token is for its environment', async () => {
  const { url, make } = await world();
  await call(url, 'POST', '/api/admin/projects/default/features', { name: 'orders' });
  const place = '/api/admin/projects/default/features/orders/environments/development';
  await call(url, 'POST', `${place}/strategies`, { name: 'default' });
  await call(url, 'POST', `${place}/on`);
  const enabled = async (environment: string) => {
    const { secret } = await make({ ...WANTED, environment, projects: undefined });
    expect(secret.startsWith(`*:${environment}.`)).toBe(true);
    return (await call(url, 'GET', `${FEATURES}/orders`, undefined, secret)).body;
  };
  expect(await enabled('development')).toMatchObject({ enabled: true });
  expect(await enabled('production')).toMatchObject({ enabled: false });
});

test('one token more than there may be is refused', async () => {
  const { url, make } = await world({ limits: { tokensMax: 3 } });
  const { secret: _secret, ...made } = await make();
  expect(made).toMatchObject({ tokenName: 'shop' });
  expect(await call(url, 'POST', PATH, WANTED)).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('limit of 3') },
  });
});

test('making and deleting a token leaves events that do not say the secret', async () => {
  const { url, make, remove } = await world();
  const { secret } = await make({ ...WANTED, type: 'BACKEND' });
  await remove(secret);
  const { body } = await call(url, 'GET', '/api/admin/search/events');
  expect(body).toMatchObject({
    total: 2,
    events: [
      { type: 'api-token-deleted', environment: 'production', data: null, preData: { tokenName: 'shop' } },
      { type: 'api-token-created', environment: 'production', data: { type: 'backend' }, preData: null },
    ],
  });
  expect(JSON.stringify(body)).not.toContain(secret.slice(-8));
});

test('tokens are found by their name', async () => {
  const { url, make } = await world();
  await make();
  const named = async (name: string) => (await call(url, 'GET', `${PATH}/${name}`)).body;
  expect(await named('shop')).toMatchObject({ tokens: [{ tokenName: 'shop' }] });
  expect(await named('nobody')).toEqual({ tokens: [] });
});

test.each<[string, object]>([
  ['an admin token', { type: 'admin' }],
  ['a frontend token', { type: 'frontend' }],
  ['no type', { type: undefined }],
  ['no name', { tokenName: undefined }],
  ['an empty name', { tokenName: '' }],
  ['all environments', { environment: '*' }],
  ['an unknown environment', { environment: 'staging' }],
  ['an unknown project', { projects: ['default', 'other'] }],
  ['no projects', { projects: [] }],
  ['an end that is no time', { expiresAt: 'soon' }],
  ['an end on a day that is not', { expiresAt: '2026-13-45T00:00:00Z' }],
])('%s is refused', async (_name, changed) => {
  const { url, list } = await world();
  const before = await list();
  const answer = await call(url, 'POST', PATH, { ...WANTED, ...changed });
  expect(answer).toMatchObject({ status: 400, body: { name: 'BadDataError' } });
  expect(await list()).toEqual(before);
});

test('which secrets are valid tokens can be asked without one', async () => {
  const { url, make, remove } = await world();
  const [valid, deleted] = [await make(), await make()];
  await remove(deleted.secret);
  const tokens = [valid.secret, deleted.secret, 'nonsense', TOKENS.admin];
  const { status, body } = await call(url, 'POST', '/edge/validate', { tokens }, null);
  expect(status).toBe(200);
  expect(body).toEqual({
    tokens: [
      { token: valid.secret, type: 'client', projects: ['default'], environment: 'production' },
      { token: TOKENS.admin, type: 'admin', projects: ['*'], environment: '*' },
    ],
  });
  expect((await call(url, 'POST', '/edge/validate', { tokens: 'x' }, null)).status).toBe(400);
});
