import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  // http-party/node-http-proxy#1261, #1647: `Trailer` without a chunked body makes node throw
  // ERR_HTTP_TRAILER_INVALID, and the process dies.
  test('a GET that announces a trailer is an ordinary GET', async () => {
    const upstream = await rawUpstream(ok('fine'));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const request =
      'GET /x HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n';
    expect(parseMessage(await exchange(proxy.port, request)).body).toBe('fine');
    expect(upstream.bytes()).not.toMatch(/^trailer:/im);
  });

  test('an answer that announces a trailer beside its length is an ordinary answer', async () => {
    const upstream = await rawUpstream(ok('fine', 'Trailer: X-Sum\r\n'));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const text = await exchange(proxy.port, 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(parseMessage(text).body).toBe('fine');
    expect(text).not.toMatch(/^trailer:/im);
  });
});
