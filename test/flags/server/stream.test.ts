import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createIds } from '../../../flags/server/ids.ts';
import { replaceState } from '../../../flags/server/state.ts';
import { openStore } from '../../../flags/server/store.ts';
import type { Timer } from '../../../flags/timer.ts';
import { openStream } from '../event-stream.ts';
import {
  call,
  clock,
  fakeTime,
  recordingLog,
  startServer,
  TOKENS,
  tempDir,
  until,
  writerFor,
} from '../world.ts';

const ACTOR = { name: 'test', userId: 1 };
const STATE = { features: [{ name: 'a', enabled: true, strategies: [] }] };

async function withOrders(options = {}) {
  const world = await startServer(options);
  const writer = writerFor(world.url);
  await writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
  return { ...world, writer };
}

test('a stream begins with the whole table and goes on with one event per commit', async () => {
  const { url, writer, server } = await withOrders();
  const stream = await openStream(url);
  expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
  expect(stream.response.headers.get('cache-control')).toBe('no-store, no-transform');
  const first = await stream.next();
  expect(first.event).toBe('unleash-connected');
  expect(first.events).toMatchObject([{ type: 'hydration', eventId: server.revision(), segments: [] }]);
  await writer.setServeShare('orders', 50, 0, '1');
  const second = await stream.next();
  expect(second.event).toBe('unleash-updated');
  expect(second.events).toMatchObject([
    { type: 'feature-updated', eventId: server.revision(), feature: { name: 'fig.orders.serve' } },
  ]);
  await call(url, 'DELETE', '/api/admin/projects/default/features/fig.orders.serve');
  const third = await stream.next();
  expect(third.events).toMatchObject([
    { type: 'feature-removed', featureName: 'fig.orders.serve', project: 'default' },
  ]);
  const revisions = [first, second, third].map(({ id }) => Number(id.split('.')[1]));
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
});

test('a client that comes back gets what it missed, or the whole table after another start', async () => {
  const { url, writer } = await withOrders();
  const stream = await openStream(url);
  const { id } = await stream.next();
  stream.abort.abort();
  expect((await (await openStream(url, { lastEventId: id })).next()).events).toEqual([]);
  await writer.setServeShare('orders', 50, 0, '1');
  const missed = await (await openStream(url, { lastEventId: id })).next();
  expect(missed.events).toMatchObject([{ type: 'feature-updated', feature: { name: 'fig.orders.serve' } }]);
  for (const other of ['00000000.1', 'garbage', `${id}9999`]) {
    const [event] = (await (await openStream(url, { lastEventId: other })).next()).events;
    expect(event?.type).toBe('hydration');
  }
});

test('a client that missed more than 100 flags gets the whole table', async () => {
  const { url } = await withOrders();
  const { id } = await (await openStream(url)).next();
  const create = (i: number) => call(url, 'POST', '/api/admin/projects/default/features', { name: `f${i}` });
  for (let i = 0; i < 100; i += 1) await create(i);
  expect((await (await openStream(url, { lastEventId: id })).next()).events).toHaveLength(100);
  await create(100);
  expect((await (await openStream(url, { lastEventId: id })).next()).events).toMatchObject([
    { type: 'hydration' },
  ]);
});

test('flags and segments that change together are one event, segments first', async () => {
  const { url, server } = await startServer();
  const flag = (name: string, segments: readonly number[]) => ({
    name,
    enabled: true,
    strategies: [{ name: 'default', segments }],
  });
  const beta = { id: 7, name: 'beta', constraints: [] };
  server.replaceState('production', { features: [flag('a', []), flag('b', [])], segments: [beta] });
  const stream = await openStream(url);
  expect((await stream.next()).events).toMatchObject([{ type: 'hydration', segments: [beta] }]);
  const gamma = { id: 8, name: 'gamma', constraints: [] };
  server.replaceState('production', { features: [flag('a', []), flag('c', [8])], segments: [gamma] });
  const eventId = server.revision();
  expect((await stream.next()).events).toEqual([
    { type: 'segment-removed', eventId, segmentId: 7 },
    { type: 'segment-updated', eventId, segment: gamma },
    { type: 'feature-removed', eventId, featureName: 'b', project: 'default' },
    { type: 'feature-updated', eventId, feature: flag('c', [8]) },
  ]);
});

test('a revision beyond 32 bits is one like every other', async () => {
  const file = join(tempDir(), 'flags.db');
  const store = openStore({ file, clock, ids: createIds(clock), log: recordingLog() });
  replaceState(store, ACTOR, 'production', STATE);
  store.close();
  const db = new Database(file);
  db.exec(`UPDATE sqlite_sequence SET seq = ${2 ** 40} WHERE name = 'event'`);
  db.close();
  const { url, server } = await startServer({ file });
  server.replaceState('production', { features: [] });
  expect(server.revision()).toBeGreaterThan(2 ** 40);
  const { id, events } = await (await openStream(url)).next();
  expect(events).toMatchObject([{ type: 'hydration', eventId: server.revision() }]);
  server.replaceState('production', STATE);
  expect((await (await openStream(url, { lastEventId: id })).next()).events).toMatchObject([
    { type: 'feature-updated', eventId: server.revision(), feature: { name: 'a' } },
  ]);
});

test('line breaks, names of any script and huge descriptions arrive as they are', async () => {
  const { url, server } = await startServer();
  const name = '日本.søren 🎏\n\r\n\u2028"\\';
  const feature = {
    name,
    enabled: false,
    strategies: [],
    description: `\n\ndata: x\r${'é'.repeat(300_000)}`,
  };
  const stream = await openStream(url);
  await stream.next();
  server.replaceState('production', { features: [feature] });
  expect((await stream.next()).events).toMatchObject([{ type: 'feature-updated', feature }]);
  const path = `/api/client/features/${encodeURIComponent(name)}`;
  expect((await call(url, 'GET', path, undefined, TOKENS.client)).body).toEqual(feature);
  server.replaceState('production', { features: [] });
  expect((await stream.next()).events).toMatchObject([{ type: 'feature-removed', featureName: name }]);
});

test('a heartbeat of no events comes at least every 17 seconds', async () => {
  const time = fakeTime();
  const { url } = await withOrders({ timer: time.timer });
  const stream = await openStream(url);
  await stream.next();
  for (let i = 0; i < 3; i += 1) {
    time.advance(17_000);
    expect(await stream.next()).toMatchObject({ event: 'unleash-updated', events: [] });
  }
});

test.each([
  [0, 13_000],
  [0.5, 15_000],
  [0.999_999, 17_000],
])('with the random number %d a heartbeat comes after %d ms', async (random, delayMs) => {
  const delays: number[] = [];
  const timer: Timer = {
    after(ms) {
      delays.push(ms);
      return () => undefined;
    },
  };
  const { url } = await withOrders({ timer, random: () => random });
  await (await openStream(url)).next();
  expect(delays).toEqual([delayMs]);
});

test('a HEAD request is answered and keeps no stream', async () => {
  const { url, server } = await withOrders();
  const headers = { authorization: TOKENS.client };
  const response = await fetch(`${url}/api/client/streaming`, { method: 'HEAD', headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(server.streams().open).toBe(0);
});

test('clients that go away leave neither streams nor timers', async () => {
  const waiting = new Set<() => void>();
  const timer: Timer = {
    after(_ms, run) {
      waiting.add(run);
      return () => waiting.delete(run);
    },
  };
  const { url, server } = await withOrders({ timer });
  const streams = await Promise.all(Array.from({ length: 20 }, () => openStream(url)));
  await Promise.all(streams.map((stream) => stream.next()));
  expect([server.streams().open, waiting.size]).toEqual([20, 20]);
  for (const { abort } of streams) abort.abort();
  await until(() => server.streams().open === 0);
  expect(waiting.size).toBe(0);
});

test('one stream more than there may be is a 429', async () => {
  const { url, server } = await withOrders({ limits: { streamsMax: 2 } });
  await openStream(url);
  const last = await openStream(url);
  expect(last.response.status).toBe(200);
  expect((await openStream(url)).response.status).toBe(429);
  expect(server.streams()).toEqual({ open: 2, refused: 1, cut: 0 });
});

test('closing the server ends its streams and frees the port', async () => {
  const { url, server, port } = await withOrders();
  const stream = await openStream(url);
  await stream.next();
  await server.close();
  await expect(stream.next()).rejects.toThrow();
  await startServer({ port });
});
