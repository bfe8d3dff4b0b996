import http from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { mounted } from '../helpers/mount.ts';
import { exchange, parseMessage } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

test('a server that hands every upgrade over still serves what is none', async () => {
  const upstream = await rawUpstream(ok('plain'));
  const proxy = await mounted({ snapshot: snapshotOf(upstream.origin) });
  const other = http.createServer(proxy.mount.handle);
  other.on('upgrade', proxy.mount.upgrade);
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await new Promise((resolve) => other.close(resolve));
  });
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const text = await exchange(
    port,
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  );
  expect(parseMessage(text).body).toBe('plain');
  const body =
    'POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi';
  expect(parseMessage(await exchange(port, body)).body).toBe('plain');
  expect(upstream.heard[1]?.body).toBe('hi');
});
