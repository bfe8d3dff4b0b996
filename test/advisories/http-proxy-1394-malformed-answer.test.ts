import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

  // http-party/node-http-proxy#964, #1394, #1395, #1679: `writeHead` throws on what an upstream may send, and the
  // process dies.
  test.each([
    ['status 099', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['a control byte in the reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n'],
    ['a control byte in a value', 'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n'],
    ['NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'length and coding',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\nhello'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.9\r\n\r\n'],
    [
      'more header lines than the limit',
      `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(513)}Content-Length: 0\r\n\r\n`,
    ],
    [
      'more header lines than node keeps',
      `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(2_500)}Content-Length: 0\r\n\r\n`,
    ],
    [
      'more header bytes than the limit',
      `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(66_000)}\r\nContent-Length: 0\r\n\r\n`,
    ],
    [
      'endless interim answers',
      `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(17)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`,
    ],
  ])('an answer with %s is a 502, and its connection is not used again', async (_, bytes) => {
    const upstream = await rawUpstream((_heard, n) => (n === 1 ? bytes : ok('fine')));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    // Interim answers may have been passed on before.
    expect(await exchange(proxy.port, GET)).toMatch(/HTTP\/1\.1 502 Bad Gateway\r\n/);
    const outcome = expect.stringMatching(/^UPSTREAM_(?:SYNTAX|FRAMING|HEAD_LARGE)$/);
    expect(proxy.observed).toMatchObject([{ outcome, status: 502 }]);
    expect(parseMessage(await exchange(proxy.port, GET)).body).toBe('fine');
    expect(upstream.heard.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  test('a large but lawful head passes', async () => {
    const upstream = await rawUpstream(ok('fine', `A: ${'b'.repeat(60_000)}\r\n`));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send(GET);
    expect(await client.until(/fine$/)).toContain('b'.repeat(60_000));
  });
});
