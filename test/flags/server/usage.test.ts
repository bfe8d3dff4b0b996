import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { manualClock } from '../../helpers/clock.ts';
import { call, startServer, TOKENS, tempDir } from '../world.ts';
import { storedIn } from './stored.ts';

const METRICS = '/api/client/metrics';
const USED = '/api/admin/client-metrics/features/orders';
const HOUR_MS = 60 * 60 * 1000;
const HOUR = '2026-01-01T12:00:00.000Z';

async function world(options: Parameters<typeof startServer>[0] = {}) {
  const clock = manualClock(Date.UTC(2026, 0, 1, 12, 30));
  const started = await startServer({ clock, ...options });
  const { url, file } = started;
  await call(url, 'POST', '/api/admin/projects/default/features', { name: 'orders' });
  const now = () => new Date(clock.wall()).toISOString();
  /** A report of one flag, as an SDK sends it. */
  const report = (toggles: object, appName = 'shop', stop = now()) =>
    call(url, 'POST', METRICS, { appName, bucket: { start: stop, stop, toggles } }, TOKENS.client);
  const get = async (path = '') => (await call(url, 'GET', USED + path)).body;
  const rows = () => storedIn(file, tempDir())['usage'] ?? [];
  return { ...started, clock, report, get, rows, now };
}

test('what applications report is summed up by the hour', async () => {
  const { report, get, clock } = await world();
  await report({ orders: { yes: 5, no: 2, variants: { a: 3, b: 2 } } });
  await report({ orders: { yes: 1, variants: { a: 1 } } });
  await report({ orders: { no: 4 } }, 'tills');
  const about = { featureName: 'orders', environment: 'production', timestamp: HOUR };
  expect(await get()).toEqual({
    version: 1,
    maturity: 'stable',
    featureName: 'orders',
    lastHourUsage: [{ environment: 'production', timestamp: HOUR, yes: 6, no: 6 }],
    seenApplications: ['shop', 'tills'],
  });
  expect(await get('/raw?hoursBack=1')).toEqual({
    version: 1,
    maturity: 'stable',
    data: [
      { ...about, appName: 'shop', yes: 6, no: 2, variants: { a: 4, b: 2 } },
      { ...about, appName: 'tills', yes: 0, no: 4, variants: {} },
    ],
  });
  clock.advance(2 * HOUR_MS);
  await report({ orders: { yes: 1 } });
  const { data } = (await get('/raw?hoursBack=3')) as {
    data: { appName: string; yes: number; no: number }[];
  };
  const shop = data.filter(({ appName }) => appName === 'shop');
  expect(shop.map(({ yes }) => yes)).toEqual([6, 0, 1]);
});

test.each(['', '?hoursBack=0', '?hoursBack=49', '?hoursBack=x', '?hoursBack=1&hoursBack=2'])(
  'hour by hour%s, the last day is shown',
  async (query) => {
    const { report, get } = await world();
    await report({ orders: { yes: 1 } });
    expect((await get(`/raw${query}`)) as object).toMatchObject({ data: { length: 24 } });
  },
);

test('a flag that nobody used, or that is not known, has no usage', async () => {
  const { url, get } = await world();
  expect(await get()).toMatchObject({ lastHourUsage: [], seenApplications: [] });
  expect((await call(url, 'GET', '/api/admin/client-metrics/features/nope/raw')).body).toEqual({
    version: 1,
    maturity: 'stable',
    data: [],
  });
});

test('many applications report at once, for their environment only', async () => {
  const { url, get, server } = await world();
  const metric = { featureName: 'orders', environment: 'production', timestamp: HOUR, yes: 1, no: 0 };
  const body = {
    applications: [],
    metrics: [
      { ...metric, appName: 'shop' },
      { ...metric, appName: 'shop', yes: 2 },
      { ...metric, appName: 'tills' },
      { ...metric, appName: 'other', environment: 'development' },
      { ...metric, appName: 'shop', featureName: 'nope' },
      'garbage',
    ],
  };
  expect(await call(url, 'POST', `${METRICS}/bulk`, body, TOKENS.client)).toMatchObject({
    status: 202,
    body: '',
  });
  expect(await get()).toMatchObject({
    lastHourUsage: [{ yes: 4, no: 0 }],
    seenApplications: ['shop', 'tills'],
  });
  expect(server.usage()).toEqual({ unknownFlags: 1, dropped: 0 });
});

test('counts are kept for seven days', async () => {
  const { report, rows, clock } = await world();
  await report({ orders: { yes: 1 } });
  clock.advance(7 * 24 * HOUR_MS);
  await report({ orders: { yes: 1 } });
  expect(rows()).toHaveLength(2);
  clock.advance(HOUR_MS);
  await report({ orders: { yes: 1 } });
  expect(rows()).toHaveLength(2);
});

test.each([
  ['eight days ago', '2025-12-24T12:00:00.000Z', null],
  ['an hour ago', '2026-01-01T11:10:00.000Z', '2026-01-01T11:00:00.000Z'],
  ['in the future', '2099-01-01T00:00:00.000Z', HOUR],
  ['at no time', 'noon', HOUR],
])('a report of what happened %s', async (_name, stop, hour) => {
  const { report, rows, server } = await world();
  expect((await report({ orders: { yes: 1 } }, 'shop', stop)).status).toBe(202);
  expect(rows().map((row) => (row as { hour: string }).hour)).toEqual(hour === null ? [] : [hour]);
  expect(server.usage().dropped).toBe(hour === null ? 1 : 0);
});

test('a hundred thousand names of flags that do not exist are taken and leave nothing', async () => {
  const { report, rows, server } = await world();
  const names = (from: number, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`nope-${from + i}`, { yes: 1, no: 0 }]));
  for (let from = 0; from < 100_000; from += 20_000) {
    expect((await report(names(from, 20_000))).status).toBe(202);
  }
  expect(server.usage()).toEqual({ unknownFlags: 100_000, dropped: 0 });
  expect((await report(names(0, 100_000))).status).toBe(202);
  expect(server.usage()).toEqual({ unknownFlags: 100_000, dropped: 1 });
  expect(rows()).toEqual([]);
});

test('a hundred applications of a flag are counted, and go on being counted', async () => {
  const { report, rows, server } = await world();
  for (let i = 0; i < 101; i += 1) await report({ orders: { yes: 1 } }, `app-${i}`);
  await report({ orders: { yes: 1 } }, 'app-0');
  expect(rows()).toHaveLength(100);
  expect(rows()).toContainEqual(expect.objectContaining({ app_name: 'app-0', yes: 2 }));
  expect(server.usage().dropped).toBe(1);
});

test('a hundred variants of a flag are counted', async () => {
  const { report, rows } = await world();
  const variants = (from: number) =>
    Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`v${from + i}`, 1]));
  for (const from of [0, 90, 0]) await report({ orders: { yes: 1, variants: variants(from) } });
  const [row] = rows() as { variants: string }[];
  const counted: Record<string, number> = JSON.parse(row?.variants ?? '{}');
  expect(Object.keys(counted)).toHaveLength(100);
  expect(counted).toMatchObject({ v0: 2, v90: 1 });
});

test.each([
  {},
  { bad: true },
  { appName: 7 },
  { appName: '' },
  { appName: 'x'.repeat(256), bucket: { toggles: { orders: { yes: 1 } } } },
  { appName: 'a\0b', bucket: { toggles: { orders: { yes: 1 } } } },
  { appName: '\ud800', bucket: { toggles: { orders: { yes: 1 } } } },
  { appName: 'shop', bucket: null },
  { appName: 'shop', bucket: { toggles: [] } },
  { appName: 'shop', bucket: { toggles: { orders: null, __proto__: { yes: 1 } } } },
  { appName: 'shop', bucket: { toggles: { orders: { yes: -1, no: 'many', variants: [1] } } } },
  { metrics: 'none', applications: {} },
  [],
])('the report %j is taken and counts nothing', async (body) => {
  const { url, rows } = await world();
  for (const path of [METRICS, `${METRICS}/bulk`]) {
    expect(await call(url, 'POST', path, body, TOKENS.client)).toMatchObject({ status: 202, body: '' });
  }
  expect(rows()).toEqual([]);
});

test('any JSON is taken as a report', { timeout: 30_000 }, async () => {
  const { url, get } = await world();
  const toggles = fc.dictionary(fc.constantFrom('orders', '__proto__', 'x'), fc.jsonValue());
  const bucket = fc.oneof(fc.jsonValue(), fc.record({ stop: fc.jsonValue(), toggles }));
  const metrics = fc.array(
    fc.record({
      featureName: fc.constant('orders'),
      appName: fc.oneof(fc.string(), fc.jsonValue()),
      environment: fc.constant('production'),
      yes: fc.oneof(fc.double(), fc.jsonValue()),
      timestamp: fc.jsonValue(),
      variants: fc.jsonValue(),
    }),
  );
  const body = fc.oneof(
    fc.record({ appName: fc.oneof(fc.constant('shop'), fc.jsonValue()), bucket }),
    fc.record({ metrics }),
  );
  await fc.assert(
    fc.asyncProperty(body, fc.constantFrom('', '/bulk'), async (sent, end) => {
      expect((await call(url, 'POST', METRICS + end, sent, TOKENS.client)).status).toBe(202);
    }),
    { seed: 20261124, numRuns: 300 },
  );
  expect(await get()).toMatchObject({ featureName: 'orders' });
});

test('as in Unleash, when it is asked to be, a report that is none is a 400', async () => {
  const { url } = await world({ policy: 'unleash' });
  const send = async (path: string, body: unknown) =>
    (await call(url, 'POST', METRICS + path, body, TOKENS.client)).status;
  expect(await send('', { appName: 'shop' })).toBe(400);
  expect(await send('/bulk', { metrics: [] })).toBe(400);
  expect(await send('', ' '.repeat(1024 * 1024 + 1))).toBe(413);
});

test('usage outlives the server, and goes with its flag', async () => {
  const file = join(tempDir(), 'flags.db');
  const first = await world({ file });
  await first.report({ orders: { yes: 3 } });
  await first.server.close();
  const { url, get, rows } = await world({ file });
  expect(await get()).toMatchObject({ lastHourUsage: [{ yes: 3 }] });
  await call(url, 'DELETE', '/api/admin/projects/default/features/orders');
  await call(url, 'DELETE', '/api/admin/archive/orders');
  expect(rows()).toEqual([]);
});
