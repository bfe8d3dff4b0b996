import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startFigProxy, startFigUp } from '../helpers/fig.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { createWatch } from '../helpers/watch.ts';
import { webServer } from '../helpers/world.ts';

const EVENTS = 3_000;

/** An upstream whose only answer is an event stream, once somebody asked for it. */
async function events() {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const { origin } = await webServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    resolve(res);
  });
  return { origin, stream: promise };
}

/** A client of the stream; it has asked when this returns. */
function listen(port: number) {
  const { promise: response, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const watch = createWatch();
  let text = '';
  let ended: 'end' | 'cut' | null = null;
  http.get({ port, host: '127.0.0.1', path: '/events', agent: false }, resolve).on('error', reject);
  response.then(
    (message) => {
      message.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        watch.wake();
      });
      message.on('error', () => undefined);
      message.on('close', () => {
        ended = message.complete ? 'end' : 'cut';
        watch.wake();
      });
    },
    () => {
      ended = 'cut';
      watch.wake();
    },
  );
  return {
    response,
    text: () => text,
    /** Resolves once what was heard ends so, or the stream has ended. */
    async until(suffix: string): Promise<'open' | 'end' | 'cut'> {
      await watch.until(() => text.endsWith(suffix) || ended !== null);
      return ended ?? 'open';
    },
    async closed(): Promise<'end' | 'cut' | null> {
      await watch.until(() => ended !== null);
      return ended;
    },
  };
}

test('every event arrives before the next one is sent', async () => {
  const { origin, stream } = await events();
  const proxy = await startFigProxy(origin);
  const client = listen(proxy.port);
  const upstream = await stream;
  for (let n = 0; n < EVENTS; n += 1) {
    upstream.write(`id: ${n}\ndata: ${'x'.repeat(n % 50)}\n\n`);
    expect(await client.until(`id: ${n}\ndata: ${'x'.repeat(n % 50)}\n\n`)).toBe('open');
  }
  upstream.end();
  expect(await client.closed()).toBe('end');
  expect(client.text().match(/^id: /gm)).toHaveLength(EVENTS);
});

test('the head of a stream that says nothing yet arrives at once', { timeout: 3_000 }, async () => {
  const { origin } = await events();
  const proxy = await startFigProxy(origin);
  const client = listen(proxy.port);
  expect((await client.response).headers['content-type']).toBe('text/event-stream');
  expect(client.text()).toBe('');
});

function withTimeouts(legacy: string, timeouts: Readonly<Record<string, number>>) {
  return startFigUp({
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    flags: { embedded: { listen: '127.0.0.1:0' } },
    legacy,
    timeouts,
  });
}

test('a silence far longer than other answers may keep is no fault of an event stream', async () => {
  const { origin, stream } = await events();
  const proxy = await withTimeouts(origin, { upstreamHeadMs: 200, upstreamBodyIdleMs: 200 });
  const client = listen(proxy.port);
  const upstream = await stream;
  upstream.write('data: before\n\n');
  await client.until('before\n\n');
  await wait(1_500); // The silence itself: nothing happens that could be awaited.
  upstream.write('data: after\n\n');
  expect(await client.until('after\n\n')).toBe('open');
});

test('a silence longer than streamIdleMs ends it, and the client sees that it is not whole', async () => {
  const { origin, stream } = await events();
  const proxy = await withTimeouts(origin, { streamIdleMs: 500 });
  const client = listen(proxy.port);
  (await stream).write('data: last\n\n');
  await client.until('last\n\n');
  expect(await client.closed()).toBe('cut');
});

test('a client that goes away ends the stream at the upstream', async () => {
  const { origin, stream } = await events();
  const proxy = await startFigProxy(origin);
  const client = rawClient(proxy.port);
  client.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await stream;
  upstream.write('data: one\n\n');
  await client.until('one');
  const gone = new Promise<void>((resolve) => upstream.once('close', resolve));
  client.reset();
  await gone;
});
