import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage } from '../helpers/raw-http.ts';
import { rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

  // An upstream that switches without being asked hangs http-proxy's client, or opens a tunnel past all rules.
  test.each([
    ['a plain request', GET, 'Connection: upgrade\r\nUpgrade: websocket'],
    ['an upgrade to something else', UPGRADE, 'Connection: upgrade\r\nUpgrade: h2c'],
    ['an upgrade without Connection', UPGRADE, 'Upgrade: websocket'],
  ])('101 to %s is a 502, and the connection is closed', async (_, request, fields) => {
    const upstream = await rawUpstream(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\nhello`);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const text = await exchange(proxy.port, request);
    expect(parseMessage(text).status).toBe(502);
    expect(text).not.toContain('hello');
    await upstream.allClosed();
    expect(proxy.observed).toHaveLength(1);
  });
});
