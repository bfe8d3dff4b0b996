import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call, startServer, TOKENS, tempDir } from '../world.ts';
import { storedIn } from './stored.ts';

const MODE = '/api/admin/maintenance';
const FEATURES = '/api/admin/projects/default/features';
const REFUSED = { status: 503, body: { message: 'Unleash is currently in maintenance mode.' } };

async function world(file = join(tempDir(), 'flags.db')) {
  const started = await startServer({ file });
  const { url } = started;
  const send = (method: string, path: string, body?: unknown) => call(url, method, path, body);
  return { ...started, send };
}

test('in read-only mode changes are refused for a while, and nothing is stored', async () => {
  const { send, file } = await world();
  await send('POST', FEATURES, { name: 'orders' });
  expect(await send('POST', MODE, { enabled: true })).toMatchObject({ status: 204, body: '' });
  const before = storedIn(file, tempDir());
  for (const [method, path, body] of [
    ['POST', FEATURES, { name: 'baskets' }],
    ['PUT', `${FEATURES}/orders`, { description: 'd' }],
    ['PATCH', `${FEATURES}/orders`, [{ op: 'replace', path: '/stale', value: true }]],
    ['DELETE', `${FEATURES}/orders`, undefined],
    ['POST', '/api/admin/api-tokens', { tokenName: 't', type: 'client' }],
    ['POST', '/api/admin/MAINTENANCE', { enabled: false }],
    ['POST', '/api/admin/features-batch/import', {}],
  ] as const) {
    const answer = await send(method, path, body);
    expect(answer, `${method} ${path}`).toMatchObject(REFUSED);
    expect(answer.headers.get('retry-after')).toBe('60');
  }
  expect(storedIn(file, tempDir())).toEqual(before);
});

test('in read-only mode reads, exports and SDKs go on', async () => {
  const { url, server, send } = await world();
  await send('POST', FEATURES, { name: 'orders' });
  server.setReadOnly(true);
  expect((await send('GET', FEATURES)).status).toBe(200);
  const exported = await send('POST', '/api/admin/features-batch/export', {
    features: ['orders'],
    environment: 'production',
  });
  expect(exported).toMatchObject({ status: 200, body: { features: [{ name: 'orders' }] } });
  const data = exported.body;
  const imported = { project: 'default', environment: 'production', data };
  expect((await send('POST', '/api/admin/features-batch/validate', imported)).status).toBe(200);
  for (const [method, path] of [
    ['GET', '/api/client/features'],
    ['POST', '/api/client/metrics'],
  ] as const) {
    const body = method === 'POST' ? {} : undefined;
    expect((await call(url, method, path, body, TOKENS.client)).status).toBeLessThan(300);
  }
});

test('read-only mode outlives a restart, and ends when it is told to', async () => {
  const { server, send, file } = await world();
  await send('POST', MODE, { enabled: true });
  await server.close();
  const again = await world(file);
  expect((await again.send('GET', MODE)).body).toEqual({ enabled: true });
  expect(await again.send('POST', FEATURES, { name: 'orders' })).toMatchObject(REFUSED);
  await again.send('POST', MODE, { enabled: false });
  expect((await again.send('POST', FEATURES, { name: 'orders' })).status).toBe(201);
});

test('the mode is in the audit log, once for each change', async () => {
  const { send, server } = await world();
  for (const enabled of [true, true, false]) await send('POST', MODE, { enabled });
  server.setReadOnly(true);
  const { body } = await send('GET', '/api/admin/search/events?type=IS:setting-updated');
  expect(body).toMatchObject({
    total: 3,
    events: [
      { createdBy: 'system', data: { id: 'maintenance.mode', enabled: true } },
      { createdBy: 'admin', data: { enabled: false }, preData: { enabled: true } },
      { createdBy: 'admin', data: { enabled: true }, preData: { enabled: false } },
    ],
  });
});
