import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES, type PlaneOptions } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

  async function world(script: Script, options: PlaneOptions) {
    const upstream = await rawUpstream(script);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin), options });
    return { upstream, proxy };
  }

  test('an upstream that never answers is a 504, and its connection is closed', async () => {
    const { upstream, proxy } = await world(() => undefined, { upstreamHeadMs: 50 });
    expect(parseMessage(await exchange(proxy.port, GET)).status).toBe(504);
    await upstream.allClosed();
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_HEAD_TIMEOUT', status: 504 }]);
  });

  test('an upstream that stops in the middle cuts the client', async () => {
    const { proxy } = await world('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', {
      upstreamBodyIdleMs: 50,
    });
    const text = await exchange(proxy.port, GET);
    expect(text).toMatch(/\r\n\r\nabc$/);
    expect(proxy.observed).toMatchObject([
      { outcome: 'UPSTREAM_BODY_TIMEOUT', served: 'legacy', status: 200 },
    ]);
  });

  test('an answer that comes slowly but steadily is not cut', async () => {
    const pieces = 'abcdefgh';
    const { proxy } = await world(
      ({ socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${pieces.length}\r\n\r\n`);
        let sent = 0;
        const drip = setInterval(() => {
          socket.write(pieces[sent] ?? '');
          sent += 1;
          if (sent === pieces.length) clearInterval(drip);
        }, 25);
        return undefined;
      },
      { upstreamBodyIdleMs: 120 },
    );
    expect(parseMessage(await exchange(proxy.port, GET)).body).toBe(pieces);
  });

  test('an event stream may be silent for longer', async () => {
    const { proxy } = await world('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n', {
      upstreamBodyIdleMs: 1,
      streamIdleMs: 80,
    });
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('data: 1');
    expect(proxy.observed).toHaveLength(0);
    await client.closed();
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_BODY_TIMEOUT' }]);
  });

  test('a client that stops in its upload is a 408, and the upstream never sees a complete request', async () => {
    const { upstream, proxy } = await world(ok('x'), { clientBodyIdleMs: 50, lingerMs: 1 });
    const text = await exchange(proxy.port, 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    expect(parseMessage(text).status).toBe(408);
    await upstream.allClosed();
    expect(upstream.heard).toHaveLength(0);
    expect(proxy.observed).toMatchObject([{ outcome: 'CLIENT_BODY_TIMEOUT' }]);
  });

  test('a client that does not read its answer is cut off, and the upstream freed', async () => {
    const body = 'x'.repeat(40_000_000);
    const { upstream, proxy } = await world(ok(body), { clientWriteStallMs: 50 });
    const client = rawClient(proxy.port);
    client.pause();
    client.send(GET);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'CLIENT_SLOW' }]);
    await upstream.allClosed();
  });
});
