import { expect, onTestFinished, test } from 'vitest';
import { call, fakeTime, startServer, TOKENS, writerFor } from '../world.ts';

interface Frame {
  readonly id: string;
  readonly event: string;
  readonly events: readonly { readonly type: string; readonly [key: string]: unknown }[];
}

/** A raw reader of server-sent events. */
async function openStream(url: string, lastEventId?: string) {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const response = await fetch(`${url}/api/client/streaming`, {
    headers: {
      authorization: TOKENS.client,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: abort.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    response,
    abort,
    async next(): Promise<Frame> {
      while (!text.includes('\n\n')) {
        const chunk = await reader?.read();
        if (chunk === undefined || chunk.done) throw new Error('the stream ended');
        text += chunk.value;
      }
      const end = text.indexOf('\n\n');
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      return { id: field('id'), event: field('event'), events: JSON.parse(field('data')).events };
    },
  };
}

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
  expect((await (await openStream(url, id)).next()).events).toEqual([]);
  await writer.setServeShare('orders', 50, 0, '1');
  const missed = await (await openStream(url, id)).next();
  expect(missed.events).toMatchObject([{ type: 'feature-updated', feature: { name: 'fig.orders.serve' } }]);
  for (const other of ['00000000.1', 'garbage', `${id}9999`]) {
    const [event] = (await (await openStream(url, other)).next()).events;
    expect(event?.type).toBe('hydration');
  }
});

test('a client that missed more than 100 flags gets the whole table', async () => {
  const { url } = await withOrders();
  const { id } = await (await openStream(url)).next();
  const create = (i: number) => call(url, 'POST', '/api/admin/projects/default/features', { name: `f${i}` });
  for (let i = 0; i < 100; i += 1) await create(i);
  expect((await (await openStream(url, id)).next()).events).toHaveLength(100);
  await create(100);
  expect((await (await openStream(url, id)).next()).events).toMatchObject([{ type: 'hydration' }]);
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

test('one stream more than there may be is a 429', async () => {
  const { url, server } = await withOrders({ limits: { streamsMax: 2 } });
  await openStream(url);
  const last = await openStream(url);
  expect(last.response.status).toBe(200);
  expect((await openStream(url)).response.status).toBe(429);
  expect(server.streams()).toEqual({ open: 2, refused: 1, cut: 0 });
});

test('a client that does not read is cut', async () => {
  const { url, server, log } = await withOrders({ limits: { streamBytesMax: 100 } });
  await expect(openStream(url).then((stream) => stream.next())).rejects.toThrow();
  expect(server.streams().cut).toBe(1);
  expect(log.lines.map(({ event }) => event)).toContain('flags.stream-cut');
});

test('closing the server ends its streams and frees the port', async () => {
  const { url, server, port } = await withOrders();
  const stream = await openStream(url);
  await stream.next();
  await server.close();
  await expect(stream.next()).rejects.toThrow();
  await startServer({ port });
});
