import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

  async function world(script: Script) {
    const upstream = await rawUpstream(script);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    return { upstream, proxy };
  }

  test('a client that leaves while waiting ends the upstream request at once', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(GET);
    await upstream.request(1);
    client.reset();
    await upstream.allClosed();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'CLIENT_GONE', status: 499, served: null }]);
  });

  test('a client that leaves in the middle of an answer ends the upstream transfer at once', async () => {
    const { upstream, proxy } = await world('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('abc');
    client.reset();
    await upstream.allClosed();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'CLIENT_GONE', status: 200, served: 'legacy' }]);
  });

  test.each([['Content-Length: 10\r\n\r\nabc'], ['Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n']])(
    'a client that ends inside its body (%j) never completes a request upstream',
    async (rest) => {
      const { upstream, proxy } = await world(ok('x'));
      const client = rawClient(proxy.port);
      client.send(`POST /x HTTP/1.1\r\nHost: a\r\n${rest}`);
      await upstream.received('abc');
      client.end();
      await upstream.allClosed();
      expect(upstream.heard).toHaveLength(0);
      expect(await proxy.ended(1)).toHaveLength(1);
    },
  );

  test('a client that half-closes behind its request gets its answer', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(GET);
    client.end();
    const heard = await upstream.request(1);
    heard.socket.write(ok('still here'));
    await client.until('still here');
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK' }]);
  });

  test.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', /\r\n\r\nabc$/],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', /\r\n\r\n3\r\nabc\r\n$/],
  ])(
    'an upstream that dies inside an answer with %s leaves a client that knows',
    async (_, bytes, expected) => {
      const { proxy } = await world(({ socket }) => {
        socket.write(bytes, () => socket.destroy());
        return undefined;
      });
      expect(await exchange(proxy.port, GET)).toMatch(expected);
      expect(await proxy.ended(1)).toMatchObject([
        { outcome: 'UPSTREAM_BODY_CUT', served: 'legacy', status: 200 },
      ]);
    },
  );

  test('to an HTTP/1.0 client an incomplete answer ends with a reset, because FIN would look complete', async () => {
    const { upstream, proxy } = await world(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    );
    const client = rawClient(proxy.port);
    client.send('GET /x HTTP/1.0\r\nHost: a\r\n\r\n');
    await client.until('abc');
    (await upstream.request(1)).socket.destroy();
    await client.closed();
    expect(client.error()).toBe('ECONNRESET');
  });

  test('an early answer reaches a client that still uploads, and the upload is not sent on', async () => {
    const { upstream, proxy } = await world(ok('x'));
    const client = rawClient(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\nabc');
    await upstream.received('abc');
    upstream.say('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig');
    await client.until('413 Too Large');
    client.send('u'.repeat(299_997));
    await upstream.allClosed();
    expect(upstream.heard).toHaveLength(0);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK', status: 413 }]);
  });

  test('an upload that is no longer wanted is read within the linger limit only', async () => {
    const upstream = await rawUpstream(ok('x'));
    const proxy = await open({
      snapshot: snapshotOf(upstream.origin),
      options: { lingerMs: 60_000, lingerBytesMax: 1_000 },
    });
    const client = rawClient(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\nabc');
    await upstream.received('abc');
    upstream.say('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig');
    await client.until('413 Too Large');
    client.send('u'.repeat(100_000));
    await client.closed();
  });
});
