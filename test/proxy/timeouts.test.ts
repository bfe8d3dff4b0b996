import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../router/core/errors.ts';
import type { GroupForwarding } from '../../router/core/types.ts';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { type ManualClock, manualClock } from '../helpers/clock.ts';
import { snapshotOf } from '../helpers/current.ts';
import { type ProxiedServer, proxied } from '../helpers/proxied.ts';
import { parseMessage, type RawClient, rawClient } from '../helpers/raw-http.ts';
import { ok, type RawUpstream, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const UPLOAD = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc';
const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc';
const NEVER: Script = () => undefined;

interface Stage {
  readonly clock: ManualClock;
  readonly proxy: ProxiedServer;
  readonly upstream: RawUpstream;
  readonly client: RawClient;
}

async function stage(
  script: Script,
  options: Partial<ProxyOptions> = {},
  forwarding?: Partial<GroupForwarding>,
): Promise<Stage> {
  const upstream = await rawUpstream(script);
  const clock = manualClock();
  const group = {
    name: 'g',
    service: upstream.origin,
    routes: ['* /x'],
    forwarding: {
      upstreamHeadMs: null,
      totalMs: null,
      requestBodyBytesMax: null,
      onDisagree: 'refuse',
      ...forwarding,
    },
  } as const;
  const proxy = await proxied({ snapshot: snapshotOf(upstream.origin, [group]), options, clock });
  return { clock, proxy, upstream, client: rawClient(proxy.port) };
}

/** Whatever the two kernels hold of a stream that nobody reads is full: no event says so. */
function filled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 300));
}

/** Nothing ends while a ms is missing; everything does when it is there. */
async function expires(at: Stage, ms: number, code: ErrorCode): Promise<void> {
  at.clock.advance(ms - 1);
  await at.clock.looked();
  expect(at.proxy.observed).toEqual([]);
  at.clock.advance(1);
  expect(await at.proxy.ended(1)).toMatchObject([{ outcome: code }]);
}

describe('what is waited for has an end', () => {
  test('the head of a request', async () => {
    const at = await stage(ok('x'));
    at.client.send('GET / HT');
    await eventually(() => at.proxy.counts().connections === 1);
    await at.clock.looked();
    at.clock.advance(9_999);
    at.client.send('TP/1.1\r\n');
    await at.clock.looked();
    expect(at.client.text()).toBe('');
    at.clock.advance(1);
    const answer = parseMessage(await at.client.closed());
    expect(answer).toMatchObject({ status: 408 });
    expect(at.proxy.observed).toMatchObject([{ outcome: 'CLIENT_HEAD_TIMEOUT', served: null }]);
  });

  test('a request at all: closed without a word, and without being counted', async () => {
    const at = await stage(ok('x'));
    await eventually(() => at.proxy.counts().connections === 1);
    at.clock.advance(65_000);
    expect(await at.client.closed()).toBe('');
    expect(at.proxy.observed).toEqual([]);
  });

  test('the next request', async () => {
    const at = await stage(ok('x'));
    at.client.send(GET);
    await at.client.until('200 OK');
    at.clock.advance(64_999);
    await at.clock.looked();
    at.clock.advance(1);
    expect((await at.client.closed()).match(/HTTP/g)).toHaveLength(1);
    expect(at.proxy.observed).toHaveLength(1);
  });

  test('more of an upload, a byte of which buys new time', async () => {
    const at = await stage(ok('x'));
    at.client.send(UPLOAD);
    await at.upstream.received('abc');
    at.clock.advance(29_999);
    at.client.send('d');
    await at.upstream.received('abcd');
    await expires(at, 30_000, 'CLIENT_BODY_TIMEOUT');
    expect(parseMessage(await at.client.closed()).status).toBe(408);
    await at.upstream.allClosed();
    expect(at.upstream.heard).toHaveLength(0);
  });

  test('the head of an answer, from the end of the request', async () => {
    const at = await stage(NEVER);
    at.client.send(UPLOAD);
    await at.upstream.received('abc');
    at.clock.advance(29_000);
    at.client.send('defghi');
    await at.upstream.request(1);
    await expires(at, 60_000, 'UPSTREAM_HEAD_TIMEOUT');
    expect(parseMessage(await at.client.until('request test-1')).status).toBe(504);
    await at.upstream.allClosed();
  });

  test('an interim answer buys new time', async () => {
    const at = await stage(NEVER);
    at.client.send(GET);
    await at.upstream.request(1);
    at.clock.advance(59_000);
    at.upstream.say('HTTP/1.1 102 Processing\r\n\r\n');
    await at.client.until('102');
    await expires(at, 60_000, 'UPSTREAM_HEAD_TIMEOUT');
    expect(at.proxy.observed).toHaveLength(1);
  });

  test('a group may wait less', async () => {
    const at = await stage(NEVER, {}, { upstreamHeadMs: 500 });
    at.client.send(GET);
    await at.upstream.request(1);
    await expires(at, 500, 'UPSTREAM_HEAD_TIMEOUT');
    expect(at.proxy.observed).toMatchObject([{ group: 'g' }]);
  });

  test('more of an answer', async () => {
    const at = await stage(HALF);
    at.client.send(GET);
    await at.client.until('abc');
    at.clock.advance(59_999);
    at.upstream.say('d');
    await at.client.until('abcd');
    await expires(at, 60_000, 'UPSTREAM_BODY_TIMEOUT');
    expect(await at.client.closed()).toMatch(/abcd$/);
    await at.upstream.allClosed();
  });

  test('more of an event stream, for longer', async () => {
    const at = await stage('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
    at.client.send(GET);
    await at.client.until('data: 1');
    await expires(at, 300_000, 'UPSTREAM_BODY_TIMEOUT');
    expect(at.client.text()).not.toContain('0\r\n\r\n');
  });

  test('an upstream that reads', async () => {
    const at = await stage(ok('x'));
    at.client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n`);
    await at.upstream.received('POST /x');
    at.upstream.stopReading();
    at.client.send('u'.repeat(30_000_000));
    await filled();
    await expires(at, 30_000, 'UPSTREAM_SEND_TIMEOUT');
    expect(parseMessage(await at.client.until('request test-1')).status).toBe(504);
  });

  test('a client that reads: its fault, and the upstream is let go', async () => {
    const at = await stage(ok('x'.repeat(40_000_000)));
    at.client.pause();
    at.client.send(GET);
    await at.upstream.request(1);
    await filled();
    await expires(at, 60_000, 'CLIENT_SLOW');
    await at.upstream.allClosed();
  });

  test('a TLS handshake, as part of the connection', async () => {
    const silent = await rawUpstream(NEVER);
    const clock = manualClock();
    const proxy = await proxied({ snapshot: snapshotOf(`https://127.0.0.1:${silent.port}`), clock });
    const client = rawClient(proxy.port);
    client.send(GET);
    await eventually(() => silent.connections() === 1);
    clock.advance(2_000);
    expect(parseMessage(await client.until('request test-1')).status).toBe(504);
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_CONNECT_TIMEOUT' }]);
  });

  test('a client that does not close behind its last answer', async () => {
    const at = await stage(ok('x'));
    at.client.send(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    await at.client.closed();
    expect(at.proxy.counts().connections).toBe(1);
    at.clock.advance(2_000);
    await eventually(() => at.proxy.counts().connections === 0);
  });
});

describe('the whole exchange has an end where one is set', () => {
  test('before an answer: 504', async () => {
    const at = await stage(NEVER, { totalMs: 700 });
    at.client.send(GET);
    await at.upstream.request(1);
    await expires(at, 700, 'UPSTREAM_TOTAL_TIMEOUT');
    expect(parseMessage(await at.client.until('request test-1')).status).toBe(504);
  });

  test('inside an answer: cut', async () => {
    const at = await stage(HALF, {}, { totalMs: 700 });
    at.client.send(GET);
    await at.client.until('abc');
    await expires(at, 700, 'UPSTREAM_TOTAL_TIMEOUT');
    expect(await at.client.closed()).toMatch(/abc$/);
  });

  test('a group may have none', async () => {
    const at = await stage(NEVER, { totalMs: 700 }, { totalMs: 0 });
    at.client.send(GET);
    await at.upstream.request(1);
    at.clock.advance(59_000);
    await at.clock.looked();
    expect(at.proxy.observed).toEqual([]);
    at.upstream.say(ok('late'));
    await at.client.until('late');
  });

  test('and the time that a client takes is its own fault', async () => {
    const at = await stage(ok('x'), { totalMs: 700 });
    at.client.send(UPLOAD);
    await at.upstream.received('abc');
    await expires(at, 700, 'CLIENT_BODY_TIMEOUT');
    const slow = await stage(ok('x'.repeat(40_000_000)), { totalMs: 700 });
    slow.client.pause();
    slow.client.send(GET);
    await slow.upstream.request(1);
    await filled();
    await expires(slow, 700, 'CLIENT_SLOW');
  });
});

test('a client that stops its upload beside an answer is to blame, not the side', async () => {
  const at = await stage(ok('x'));
  at.client.send(UPLOAD);
  await at.upstream.received('abc');
  at.upstream.say('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
  await at.client.until('\r\n\r\nabc');
  await expires(at, 30_000, 'CLIENT_BODY_TIMEOUT');
});
