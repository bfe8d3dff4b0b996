import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient } from '../helpers/raw-http.ts';
import { closedPort, type Heard, ok, plainTcp, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
  const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';

  /** Answers the first request of a connection and resets at the second. */
  function onceThenReset(heard: Heard, n: number): string | undefined {
    if (n !== 2) return ok(`answer ${n}`);
    heard.socket.resetAndDestroy();
    return undefined;
  }

  test('a GET that meets a closed kept connection is sent once more, on a new one', async () => {
    const upstream = await rawUpstream(onceThenReset);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('answer 1');
    client.send(GET);
    await client.until('answer 3');
    expect(upstream.heard.map(({ connection }) => connection)).toEqual([1, 1, 2]);
    expect(proxy.counts().retries).toBe(1);
    expect(await proxy.ended(2)).toMatchObject([{ outcome: 'OK' }, { outcome: 'OK' }]);
  });

  test('a POST is not', async () => {
    const upstream = await rawUpstream(onceThenReset);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('answer 1');
    client.send(POST);
    await client.until('502 Bad Gateway');
    expect(upstream.heard).toHaveLength(2);
  });

  test('a GET is not sent again once a byte of an answer has come', async () => {
    const upstream = await rawUpstream(({ socket }, n) => {
      if (n === 1) return ok('answer 1');
      socket.write('HTTP/1.1 2', () => socket.resetAndDestroy());
      return undefined;
    });
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('answer 1');
    client.send(GET);
    await client.until('502 Bad Gateway');
    expect(upstream.heard).toHaveLength(2);
  });

  test('a GET on a new connection is not sent again', async () => {
    const upstream = await rawUpstream(({ socket }) => {
      socket.resetAndDestroy();
      return undefined;
    });
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const answer = parseMessage(
      await exchange(proxy.port, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')),
    );
    expect(answer.status).toBe(502);
    expect(upstream.heard).toHaveLength(1);
  });

  test('a write takes no connection that was idle for too long', async () => {
    const upstream = await rawUpstream((_, n) => ok(`answer ${n}`));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin), options: { unsafeIdleMs: -1 } });
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('answer 1');
    client.send(POST);
    await client.until('answer 2');
    expect(upstream.heard.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  test('an upstream that is down is a 502, up again a 200', async () => {
    const port = await closedPort();
    const proxy = await open({ snapshot: snapshotOf(`http://127.0.0.1:${port}`) });
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('502 Bad Gateway');
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_REFUSED', served: null, status: 502 }]);
    const upstream = await rawUpstream(ok('back'));
    proxy.swap(snapshotOf(upstream.origin));
    client.send(GET);
    await client.until('back');
  });

  test('retries have a budget: an upstream that resets every kept connection is not asked twice for ever', async () => {
    const upstream = await rawUpstream(({ socket, connection }) => {
      if (!served.has(connection)) {
        served.add(connection);
        return ok('fine');
      }
      socket.resetAndDestroy();
      return undefined;
    });
    const served = new Set<number>();
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    for (let n = 1; n <= 60; n += 1) {
      client.send(GET);
      await proxy.ended(n);
    }
    const failed = proxy.observed.filter(({ outcome }) => outcome === 'UPSTREAM_RESET').length;
    expect(proxy.counts().retries).toBeGreaterThan(10);
    expect(failed).toBeGreaterThan(0);
  });

  test('an upstream that does not speak TLS where it should is a fault of whoever runs it', async () => {
    const upstream = await plainTcp('HTTP/1.1 400 Bad Request\r\n\r\n');
    const proxy = await open({ snapshot: snapshotOf(upstream.origin.replace('http:', 'https:')) });
    const client = rawClient(proxy.port);
    client.send(GET);
    await proxy.ended(1);
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_TLS', status: 502 }]);
  });
});
