import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  async function refusalOf(request: string) {
    const upstream = await rawUpstream(ok('x'));
    const group = { name: 'g', service: upstream.origin, routes: ['GET /new/*'] };
    const proxy = await open({
      snapshot: snapshotOf(upstream.origin, [group]),
      options: { requestBodyBytesMax: 10 },
    });
    const text = await exchange(proxy.port, request);
    return { answer: parseMessage(text), upstream, proxy };
  }

  test.each([
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400, 'CLIENT_HOST'],
    ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'CLIENT_HOST'],
    ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505, 'CLIENT_VERSION'],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'CLIENT_METHOD'],
    [
      'a coding in HTTP/1.0',
      'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'CLIENT_FRAMING',
    ],
    [
      'gzip, chunked',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      400,
      'CLIENT_FRAMING',
    ],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: pigs\r\n\r\n', 417, 'CLIENT_EXPECT'],
    ['a loop', 'GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 fig\r\n\r\n', 508, 'LOOP'],
    [
      'a path of two readings',
      'GET /old/..%2fnew/x HTTP/1.1\r\nHost: a\r\n\r\n',
      400,
      'CLIENT_PATH_AMBIGUOUS',
    ],
    [
      'a write that claims to be a copy',
      'POST / HTTP/1.1\r\nHost: a\r\nFig-Shadow: 1\r\n\r\n',
      400,
      'CLIENT_SYNTAX',
    ],
    [
      'a declared body over the limit',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n',
      413,
      'CLIENT_BODY_LARGE',
    ],
    [
      `129 field lines`,
      `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(128)}\r\n`,
      431,
      'CLIENT_HEAD_LARGE',
    ],
  ])('%s is refused, told once and not forwarded', async (_, request, status, outcome) => {
    const { answer, upstream, proxy } = await refusalOf(request);
    expect(answer.status).toBe(status);
    expect(values(answer, 'connection')).toEqual(['close']);
    expect(upstream.heard).toHaveLength(0);
    expect(proxy.observed).toMatchObject([{ outcome, status, served: null, upstreamMs: null }]);
  });

  test('a refusal is one constant sentence and the request id', async () => {
    const { answer } = await refusalOf('TRACE / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n');
    expect(answer.body).toBe('this method is not supported here\nrequest mine\n');
    expect(values(answer, 'content-type')).toEqual(['text/plain; charset=utf-8']);
    expect(values(answer, 'cache-control')).toEqual(['no-store']);
    expect(values(answer, 'content-length')).toEqual([String(answer.body.length)]);
    expect(values(answer, 'x-request-id')).toEqual(['mine']);
    expect(values(answer, 'allow')).toHaveLength(1);
  });

  test('a chunked body is counted while it flows, and the upstream never sees a complete request', async () => {
    const upstream = await rawUpstream(ok('x'));
    const proxy = await open({
      snapshot: snapshotOf(upstream.origin),
      options: { requestBodyBytesMax: 10 },
    });
    const client = rawClient(proxy.port);
    client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n',
    );
    const answer = parseMessage(await client.closed());
    expect(answer.status).toBe(413);
    await upstream.allClosed();
    expect(upstream.heard).toHaveLength(0);
    expect(proxy.observed).toMatchObject([{ outcome: 'CLIENT_BODY_LARGE' }]);
  });

  test('a chunked body at the limit passes', async () => {
    const upstream = await rawUpstream(ok('taken'));
    const proxy = await open({
      snapshot: snapshotOf(upstream.origin),
      options: { requestBodyBytesMax: 10 },
    });
    const client = rawClient(proxy.port);
    client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n',
    );
    await client.until('taken');
    expect(upstream.heard[0]?.body).toBe('0123456789');
  });

  test('an unwanted upload is read within the linger limit, so that the refusal arrives', async () => {
    const upstream = await rawUpstream(ok('x'));
    const proxy = await open({
      snapshot: snapshotOf(upstream.origin),
      options: { requestBodyBytesMax: 10, lingerMs: 60_000, lingerBytesMax: 300_000 },
    });
    const client = rawClient(proxy.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'u'.repeat(200_000)}`);
    const answer = parseMessage(await client.until('request test-1\n'));
    expect(answer.status).toBe(413);
    client.send('u'.repeat(200_000));
    await client.closed();
  });

  test('a refused HEAD with a body gets its head at once', async () => {
    const { answer } = await refusalOf('HEAD / HTTP/1.1\r\nHost: a b\r\nContent-Length: 5\r\n\r\nhello');
    expect(answer).toMatchObject({ status: 400, body: '' });
  });

  test('a refusal tells the client at once that the connection ends, although an upload is still being read', async () => {
    const proxy = await open({ snapshot: snapshotOf('http://127.0.0.1:1'), options: { lingerMs: 60_000 } });
    const client = rawClient(proxy.port);
    client.send('POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: 5\r\n\r\n');
    expect(parseMessage(await client.closed()).status).toBe(400);
  });
});
