import { expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

test('an upload cut short by an early answer never looks complete to the upstream', async () => {
  const upstream = await rawUpstream(ok('x'));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const client = rawClient(proxy.port);
  client.send('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await upstream.received('abc');
  upstream.say('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbeg');
  await client.until('beg');
  client.send('3\r\ndef\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  await expect.poll(() => proxy.counts().inFlight).toBe(2);
  upstream.say('end');
  await client.until('begend');
  await upstream.request(1);
  expect(upstream.heard.map(({ start }) => start)).toEqual(['GET /next HTTP/1.1']);
});
