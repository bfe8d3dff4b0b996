import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

  // http-party/node-http-proxy#1520, #1559: `aborted` does not fire since node 15.5, so that the upstream request
  // of a client that left runs on, and connections leak.
  test('twenty clients that leave leave no upstream connection behind', async () => {
    const upstream = await rawUpstream(() => undefined);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const clients = Array.from({ length: 20 }, () => rawClient(proxy.port));
    for (const client of clients) client.send(GET);
    await upstream.request(20);
    for (const client of clients) client.reset();
    await upstream.allClosed();
    const observed = await proxy.ended(20);
    expect(observed.every(({ outcome }) => outcome === 'CLIENT_GONE')).toBe(true);
  });

  test('a request that waits for a free connection is given up when its client leaves', async () => {
    const upstream = await rawUpstream(() => undefined);
    const proxy = await open({
      snapshot: snapshotOf(upstream.origin),
      options: { upstreamConnectionsMax: 1 },
    });
    const first = rawClient(proxy.port);
    first.send(GET);
    await upstream.request(1);
    const waiting = rawClient(proxy.port);
    waiting.send('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => proxy.counts().inFlight).toBe(2);
    waiting.reset();
    await proxy.ended(1);
    upstream.say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst');
    await first.until('first');
    expect(upstream.bytes()).not.toContain('/never');
  });
});
