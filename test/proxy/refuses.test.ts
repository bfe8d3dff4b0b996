import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../router/core/errors.ts';
import { snapshotOf } from '../helpers/current.ts';
import { type ProxiedOptions, proxied } from '../helpers/proxied.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

const LIMITS = { requestBodyBytesMax: 10, headBytesMax: 4_096, targetBytesMax: 1_000, hosts: ['a'] } as const;

async function world(
  options: ProxiedOptions['options'] = LIMITS,
  onDisagree: 'refuse' | 'legacy' = 'refuse',
) {
  const upstream = await rawUpstream(ok('x'));
  const service = await rawUpstream(ok('service'));
  const group = {
    name: 'g',
    service: service.origin,
    routes: ['GET /new/*'],
    stage: 'live',
    forwarding: { upstreamHeadMs: null, totalMs: null, requestBodyBytesMax: null, onDisagree },
  } as const;
  const proxy = await proxied({ snapshot: snapshotOf(upstream.origin, [group]), options });
  return { upstream, service, proxy };
}

interface Row {
  readonly name: string;
  readonly request: string;
  readonly code: ErrorCode;
}

const ROWS: readonly Row[] = [
  { name: 'two empty lines', request: '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_SYNTAX' },
  {
    name: 'a long target',
    request: `GET /${'x'.repeat(1_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    code: 'CLIENT_TARGET_LONG',
  },
  {
    name: 'a long target whose line never ends',
    request: `GET /${'x'.repeat(1_001)}`,
    code: 'CLIENT_TARGET_LONG',
  },
  {
    name: 'a head over the limit',
    request: `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(4_096)}\r\n\r\n`,
    code: 'CLIENT_HEAD_LARGE',
  },
  {
    name: '129 field lines',
    request: `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(128)}\r\n`,
    code: 'CLIENT_HEAD_LARGE',
  },
  { name: 'two spaces', request: 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_TARGET' },
  {
    name: 'a method of 33 bytes',
    request: `${'M'.repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    code: 'CLIENT_SYNTAX',
  },
  { name: 'HTTP/2.0', request: 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', code: 'CLIENT_VERSION' },
  { name: 'HTTP/0.9', request: 'GET /\r\n', code: 'CLIENT_TARGET' },
  { name: 'HTTP/1.10', request: 'GET / HTTP/1.10\r\nHost: a\r\n\r\n', code: 'CLIENT_SYNTAX' },
  { name: 'http/1.1', request: 'GET / http/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_SYNTAX' },
  { name: 'a bare LF', request: 'GET / HTTP/1.1\nHost: a\n\n', code: 'CLIENT_SYNTAX' },
  { name: 'a fold', request: 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', code: 'CLIENT_SYNTAX' },
  { name: 'a space before the colon', request: 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', code: 'CLIENT_SYNTAX' },
  { name: 'NUL in a value', request: 'GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n', code: 'CLIENT_SYNTAX' },
  { name: 'a fragment', request: 'GET /#x HTTP/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_TARGET' },
  {
    name: 'a target that is no path',
    request: 'GET @evil HTTP/1.1\r\nHost: a\r\n\r\n',
    code: 'CLIENT_TARGET',
  },
  {
    name: 'an authority that is not Host',
    request: 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    code: 'CLIENT_TARGET',
  },
  {
    name: 'userinfo',
    request: 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n',
    code: 'CLIENT_TARGET',
  },
  { name: '* with GET', request: 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_TARGET' },
  { name: 'CONNECT', request: 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', code: 'CLIENT_TARGET' },
  { name: 'TRACE', request: 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_METHOD' },
  { name: 'no Host', request: 'GET / HTTP/1.1\r\n\r\n', code: 'CLIENT_HOST' },
  { name: 'two Hosts', request: 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', code: 'CLIENT_HOST' },
  { name: 'an empty Host', request: 'GET / HTTP/1.1\r\nHost:\r\n\r\n', code: 'CLIENT_HOST' },
  {
    name: 'a host that is not served',
    request: 'GET / HTTP/1.1\r\nHost: b\r\n\r\n',
    code: 'CLIENT_HOST_UNKNOWN',
  },
  {
    name: 'two lengths, equal',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
    code: 'CLIENT_FRAMING',
  },
  {
    name: 'a signed length',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx',
    code: 'CLIENT_FRAMING',
  },
  {
    name: 'a length and a coding',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    code: 'CLIENT_FRAMING',
  },
  {
    name: 'a coding in HTTP/1.0',
    request: 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    code: 'CLIENT_FRAMING',
  },
  {
    name: 'a lone unknown coding',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx',
    code: 'CLIENT_CODING',
  },
  {
    name: 'a twin of a framing field',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 1\r\n\r\nx',
    code: 'CLIENT_SYNTAX',
  },
  {
    name: 'an unknown expectation',
    request: 'GET / HTTP/1.1\r\nHost: a\r\nExpect: pigs\r\n\r\n',
    code: 'CLIENT_EXPECT',
  },
  {
    name: 'an upgrade with a body',
    request:
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi',
    code: 'CLIENT_FRAMING',
  },
  { name: 'a loop', request: 'GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 fig\r\n\r\n', code: 'LOOP' },
  { name: 'an encoded NUL', request: 'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n', code: 'CLIENT_PATH' },
  {
    name: 'a path of two readings',
    request: 'GET /old/..%2fnew/x HTTP/1.1\r\nHost: a\r\n\r\n',
    code: 'CLIENT_PATH_AMBIGUOUS',
  },
  {
    name: 'a declared body over the limit',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n',
    code: 'CLIENT_BODY_LARGE',
  },
];

test.each(ROWS)('$name is refused with its one sentence, and nobody behind us hears of it', async (row) => {
  const { upstream, service, proxy } = await world();
  const text = await exchange(proxy.port, row.request);
  const { status, text: sentence } = ERRORS[row.code];
  const answer = parseMessage(text);
  expect(answer).toMatchObject({ status, body: `${sentence}\nrequest test-1\n` });
  expect(answer.fields.map(([name]) => name).filter((name) => name !== 'allow')).toEqual([
    ...['content-type', 'cache-control', 'content-length', 'date', 'x-request-id', 'connection'],
  ]);
  expect(values(answer, 'connection')).toEqual(['close']);
  expect(text).not.toMatch(/127\.0\.0\.1|localhost|fig|node/i);
  expect(upstream.connections() + service.connections()).toBe(0);
  expect(proxy.observed).toMatchObject([{ outcome: row.code, status, served: null, upstreamMs: null }]);
});

test('with debugging on, the answer names its code', async () => {
  const { proxy } = await world({ errorCode: true });
  const answer = parseMessage(await exchange(proxy.port, 'GET / HTTP/1.1\r\n\r\n'));
  expect(values(answer, 'fig-error')).toEqual(['CLIENT_HOST']);
});

test('a connection too many is told so and closed, although it has already sent its request', async () => {
  const { proxy, upstream } = await world({ clientConnectionsMax: 1 });
  const first = rawClient(proxy.port);
  first.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await first.until('200 OK');
  const answer = parseMessage(await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  expect(answer).toMatchObject({ status: 503 });
  expect(values(answer, 'retry-after')).toEqual(['1']);
  expect(upstream.heard).toHaveLength(1);
  expect(proxy.observed).toMatchObject([{ outcome: 'OK' }, { outcome: 'FIG_OVERLOADED', status: 503 }]);
});

test('one empty line before a request is no fault', async () => {
  const { proxy } = await world();
  const text = await exchange(proxy.port, '\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect(parseMessage(text).status).toBe(200);
});

test('an absolute target becomes a path, and HTTP/1.0 without Host gets the authority of legacy', async () => {
  const { proxy, upstream } = await world({});
  await exchange(proxy.port, 'GET http://A:80?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await exchange(proxy.port, 'GET /old HTTP/1.0\r\n\r\n');
  expect(upstream.heard.map(({ start }) => start)).toEqual(['GET /?q HTTP/1.1', 'GET /old HTTP/1.1']);
  expect(values(upstream.heard[1] ?? { fields: [] }, 'host')).toEqual([`127.0.0.1:${upstream.port}`]);
});

describe('a path whose readings disagree', () => {
  const ASK = 'GET /old/..%2fnew/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

  test('goes to legacy, byte for byte, where the group says so', async () => {
    const { proxy, upstream, service } = await world({}, 'legacy');
    expect(parseMessage(await exchange(proxy.port, ASK)).body).toBe('x');
    expect(upstream.heard.map(({ start }) => start)).toEqual(['GET /old/..%2fnew/x HTTP/1.1']);
    expect(service.heard).toHaveLength(0);
    expect(proxy.observed).toMatchObject([{ reason: 'no-route', served: 'legacy' }]);
  });

  test.each([
    ['another case', { caseFold: true }, '/NEW/x'],
    ['dots at the end', { trailingDots: true }, '/new./x'],
  ])('%s is a reading only when the back ends read so', async (_, options, path) => {
    const ask = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    const strict = await world({});
    expect(parseMessage(await exchange(strict.proxy.port, ask)).status).toBe(200);
    const loose = await world(options);
    expect(parseMessage(await exchange(loose.proxy.port, ask)).status).toBe(400);
  });
});

test('a refused request ends its connection although another one follows', async () => {
  const { proxy, upstream } = await world();
  const text = await exchange(proxy.port, 'GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(upstream.heard).toHaveLength(0);
  expect(proxy.observed).toHaveLength(1);
});
