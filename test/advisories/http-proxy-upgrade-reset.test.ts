import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  // http-party/node-http-proxy#1286, #1439: http-proxy listens for errors of the client's socket only after the
  // 101; a reset before it is an unhandled error, and the process dies.
  test('a client that resets while its upgrade is pending frees the upstream and harms nobody', async () => {
    const upstream = await rawUpstream(() => undefined);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await upstream.request(1);
    client.reset();
    await upstream.allClosed();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'CLIENT_GONE' }]);
    expect(proxy.counts()).toMatchObject({ inFlight: 0, tunnels: 0 });
  });
});
