import { expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { exchange, parseMessage, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

test('an upstream that does not read the upload is a 504', async () => {
  const upstream = await rawUpstream(ok('x'));
  const proxy = await mounted({
    snapshot: snapshotOf(upstream.origin),
    options: { sendStallMs: 50, lingerMs: 1 },
  });
  const client = rawClient(proxy.port);
  client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n');
  await upstream.received('POST /x');
  upstream.stopReading();
  client.send('u'.repeat(30_000_000));
  await client.until('504 Gateway Timeout');
  expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_SEND_TIMEOUT' }]);
});

test('requests wait for a connection when all are taken, and not for ever', async () => {
  const upstream = await rawUpstream(() => undefined);
  const proxy = await mounted({
    snapshot: snapshotOf(upstream.origin),
    options: { upstreamConnectionsMax: 1, connectMs: 60 },
  });
  const first = rawClient(proxy.port);
  first.send(GET);
  await upstream.request(1);
  expect(parseMessage(await exchange(proxy.port, GET)).status).toBe(504);
  expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_CONNECT_TIMEOUT' }]);
});
