import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { startFigProxy } from '../helpers/fig.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { echoServer } from '../helpers/websocket.ts';

async function world() {
  const upstream = await echoServer();
  return { upstream, proxy: await startFigProxy(upstream.origin) };
}

async function connected(port: number): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat?room=1`);
  onTestFinished(() => client.close());
  client.binaryType = 'arraybuffer';
  await once(client, 'open');
  return client;
}

/** Message `n`: texts and binaries of every kind of length, each with its number inside. */
function message(n: number): string | Uint8Array<ArrayBuffer> {
  const sizes = [0, 1, 125, 126, 300, 1_000];
  const size = n % 1_000 === 0 ? 70_000 : (sizes[n % sizes.length] ?? 0);
  if (n % 2 === 0) return `${n} ü ${'x'.repeat(size)}`;
  const bytes = new Uint8Array(4 + size).fill(n % 256);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

test('10,000 messages, text and binary, come back as they were and in their order', async () => {
  const { proxy } = await world();
  const client = await connected(proxy.port);
  const total = 10_000;
  let back = 0;
  let wrong = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  client.addEventListener('message', ({ data }) => {
    const sent = message(back);
    const same =
      typeof sent === 'string' || typeof data === 'string' ? sent === data : Buffer.from(data).equals(sent);
    if (!same) wrong += 1;
    back += 1;
    if (back === total) resolve();
  });
  client.addEventListener('close', () => resolve());
  for (let n = 0; n < total; n += 1) client.send(message(n));
  await promise;
  expect({ back, wrong }).toEqual({ back: total, wrong: 0 });
});

test('the close code of the client reaches the upstream, and the answer comes back', async () => {
  const { upstream, proxy } = await world();
  const client = await connected(proxy.port);
  const closed = once(client, 'close');
  client.close(4_001, 'done');
  expect((await closed)[0]).toMatchObject({ code: 4_001, reason: 'done', wasClean: true });
  expect(upstream.closeCodes).toEqual([4_001]);
  await upstream.opened(0);
});

test('the close code of the upstream reaches the client', async () => {
  const { upstream, proxy } = await world();
  const client = await connected(proxy.port);
  const closed = once(client, 'close');
  upstream.closeAll(4_002);
  expect((await closed)[0]).toMatchObject({ code: 4_002, wasClean: true });
  await upstream.opened(0);
});

test('when the upstream dies, the client is cut', async () => {
  const { upstream, proxy } = await world();
  const client = await connected(proxy.port);
  const closed = once(client, 'close');
  upstream.destroyAll();
  expect((await closed)[0]).toMatchObject({ code: 1_006, wasClean: false });
});

test('when the client dies, the upstream is cut', async () => {
  const { upstream, proxy } = await world();
  const client = rawClient(proxy.port);
  client.send(
    'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await client.until('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
  await upstream.opened(1);
  client.reset();
  await upstream.opened(0);
});

test('a hundred tunnels at once do not mix', async () => {
  const { upstream, proxy } = await world();
  const clients = await Promise.all(Array.from({ length: 100 }, () => connected(proxy.port)));
  const heard = await Promise.all(
    clients.map(async (client, n) => {
      const answer = once(client, 'message');
      client.send(`I am ${n}`);
      const [{ data }] = await answer;
      return data;
    }),
  );
  expect(heard).toEqual(clients.map((_, n) => `I am ${n}`));
  expect(upstream.open()).toBe(100);
});
