import { expect, test } from 'vitest';
import { rawClient } from '../../helpers/raw-http.ts';
import { openStream } from '../event-stream.ts';
import { fakeTime, startServer, TOKENS, until } from '../world.ts';

const MIB = 1024 * 1024;
const REQUEST = `GET /api/client/streaming HTTP/1.1\r\nHost: flags\r\nAuthorization: ${TOKENS.client}\r\n\r\n`;

/** As large as the given number of bytes. */
function large(name: string, bytes: number) {
  return { name, enabled: true, strategies: [], description: 'x'.repeat(bytes) };
}

/** More than the two sockets of a connection can hold. */
const TABLE = { features: Array.from({ length: 16 }, (_, i) => large(`f${i}`, MIB)) };

async function silentStream(port: number, isReading: () => boolean) {
  const client = rawClient(port);
  client.send(REQUEST);
  await until(isReading);
  client.pause();
  return client;
}

test('a client that does not read is cut once more than 1 MiB waits for it; the others go on', async () => {
  const { server, port, url, log } = await startServer();
  server.replaceState('production', { features: [] });
  await silentStream(port, () => server.streams().open === 1);
  const reading = await openStream(url);
  await reading.next();
  let commits = 0;
  while (server.streams().cut === 0 && commits < 100) {
    commits += 1;
    server.replaceState('production', { features: [large('a', MIB / 2 + commits)] });
    expect((await reading.next()).events).toHaveLength(1);
  }
  expect(server.streams()).toEqual({ open: 1, refused: 0, cut: 1 });
  const [cut] = log.lines.filter(({ event }) => event === 'flags.stream-cut');
  expect(cut?.fields['unsentBytes']).toBeGreaterThan(MIB);
  expect(cut?.fields['unsentBytes']).toBeLessThan(2 * MIB);
});

test('several commits in the tick of a cut harm nobody', async () => {
  const { server, port } = await startServer();
  await silentStream(port, () => server.streams().open === 1);
  for (let i = 0; i < 40; i += 1) {
    server.replaceState('production', { features: [large('a', MIB / 2 + i)] });
  }
  expect(server.streams()).toEqual({ open: 0, refused: 0, cut: 1 });
  await new Promise((resolve) => setImmediate(resolve));
});

test('a table larger than the limit reaches a client that reads', async () => {
  const { server, url } = await startServer();
  server.replaceState('production', TABLE);
  const stream = await openStream(url);
  const [hydration] = (await stream.next()).events;
  expect(hydration?.['features']).toHaveLength(TABLE.features.length);
  server.replaceState('production', { features: TABLE.features.slice(1) });
  expect((await stream.next()).events).toMatchObject([{ type: 'feature-removed', featureName: 'f0' }]);
  expect(server.streams().cut).toBe(0);
});

test('a client that takes nothing of its table between two heartbeats is cut', async () => {
  const time = fakeTime();
  const { server, port } = await startServer({ timer: time.timer });
  server.replaceState('production', TABLE);
  await silentStream(port, () => server.streams().open === 1);
  time.advance(17_000);
  expect(server.streams().open).toBe(1);
  time.advance(17_000);
  expect(server.streams()).toMatchObject({ open: 0, cut: 1 });
});

test('a client that does not read cannot hold the server open', async () => {
  const { server, port } = await startServer();
  server.replaceState('production', TABLE);
  const client = await silentStream(port, () => server.streams().open === 1);
  const startMs = performance.now();
  await server.close();
  expect(performance.now() - startMs).toBeLessThan(2000);
  client.resume();
  await client.closed();
});

test('streams that were asked for on one connection, one behind the other, all end with it', async () => {
  const { server, port } = await startServer();
  const client = rawClient(port);
  client.send(REQUEST.repeat(20));
  await client.until('unleash-connected');
  client.reset();
  await until(() => server.streams().open === 0);
});

test('clients that leave before their answer leave no stream', async () => {
  const { server, port } = await startServer();
  server.replaceState('production', TABLE);
  for (let i = 0; i < 20; i += 1) {
    const client = rawClient(port);
    client.send(REQUEST);
    client.reset();
  }
  const last = rawClient(port);
  last.send(REQUEST);
  await last.until('unleash-connected');
  await until(() => server.streams().open === 1);
  expect(server.streams()).toEqual({ open: 1, refused: 0, cut: 0 });
});
