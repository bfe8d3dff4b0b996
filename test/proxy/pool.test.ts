import { describe, expect, test } from 'vitest';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { manualClock } from '../helpers/clock.ts';
import { snapshotOf } from '../helpers/current.ts';
import { proxied } from '../helpers/proxied.ts';
import { exchange, parseMessage, type RawClient, rawClient, values } from '../helpers/raw-http.ts';
import { closedPort, type Heard, ok, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

async function world(script: Script, options: Partial<ProxyOptions> = {}) {
  const upstream = await rawUpstream(script);
  const clock = manualClock();
  const proxy = await proxied({ snapshot: snapshotOf(upstream.origin), options, clock });
  const ask = async (request: string, client = rawClient(proxy.port)): Promise<RawClient> => {
    const n = proxy.observed.length + 1;
    client.send(request);
    await proxy.ended(n);
    return client;
  };
  return { upstream, clock, proxy, ask };
}

/** Which connections the requests came on. */
function lines(upstream: { readonly heard: readonly Heard[] }): number[] {
  return upstream.heard.map(({ connection }) => connection);
}

/** Lets whatever was parked be offered, and closed sockets be seen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const numbered: Script = (_, n) => ok(`answer ${n}`);

describe('a kept connection', () => {
  test('is used again, the one used last before the others', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    b.send(GET);
    const second = await upstream.request(2);
    first.socket.write(ok('1'));
    await proxy.ended(1);
    second.socket.write(ok('2'));
    await proxy.ended(2);
    await settle();
    a.send(GET);
    const third = await upstream.request(3);
    third.socket.write(ok('3'));
    await proxy.ended(3);
    expect(lines(upstream)).toEqual([1, 2, 2]);
  });

  test.each([
    ['for as long as we keep it', { upstreamIdleMs: 4_000 }, '', 3_999, 4_000],
    ['for a second less than the upstream says', {}, 'Keep-Alive: timeout=3\r\n', 1_999, 2_000],
    ['not at all when the upstream says one second', {}, 'Keep-Alive: max=5, timeout=1\r\n', -1, 0],
  ])('is used again %s', async (_, options, fields, still, over) => {
    const { upstream, clock, ask } = await world(ok('x', fields), options);
    const client = await ask(GET);
    await settle();
    if (still >= 0) {
      clock.advance(still);
      await ask(GET, client);
      await settle();
      expect(lines(upstream)).toEqual([1, 1]);
    }
    clock.advance(over);
    await ask(GET, client);
    expect(lines(upstream).at(-1)).toBe(2);
  });

  test('is closed when its time is over, without anybody asking', async () => {
    const { upstream, clock, ask, proxy } = await world(ok('x'));
    await ask(GET);
    await settle();
    clock.advance(4_001);
    await upstream.allClosed();
    await eventually(() => proxy.counts().upstreamConnections === 0);
  });

  test('is not used again at a certain age', async () => {
    const { upstream, clock, ask } = await world(ok('x'), { upstreamAgeMs: 1_000 });
    const client = await ask(GET);
    await settle();
    clock.advance(1_000);
    await ask(GET, client);
    expect(lines(upstream)).toEqual([1, 2]);
  });

  test('carries a write only within a second', async () => {
    const { upstream, clock, ask } = await world(ok('x'));
    const client = await ask(GET);
    await settle();
    clock.advance(1_000);
    await ask(POST, client);
    await settle();
    clock.advance(1_001);
    await ask(POST, client);
    expect(lines(upstream)).toEqual([1, 1, 2]);
  });

  const DIRTY: readonly (readonly [string, string, Script])[] = [
    ['surplus bytes', GET, `${ok('x')}HTTP/1.1 200 OK\r\n`],
    ['a second answer', GET, `${ok('x')}${ok('poison')}`],
    ['a body behind HEAD', GET.replace('GET', 'HEAD'), ok('body')],
    ['a body behind 304', GET, 'HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\nbody'],
    ['a body behind 204', GET, 'HTTP/1.1 204 No\r\n\r\nbody'],
    ['Connection: close', GET, ok('x', 'Connection: close\r\n')],
    ['Proxy-Connection: close', GET, ok('x', 'Proxy-Connection: close\r\n')],
    ['HTTP/1.0', GET, ok('x', 'Connection: keep-alive\r\n').replace('HTTP/1.1', 'HTTP/1.0')],
    [
      'a FIN',
      GET,
      ({ socket }) => {
        socket.end(ok('x'));
        return undefined;
      },
    ],
  ];
  test.each(DIRTY)('is never used again after %s', async (_, request, script) => {
    const { upstream, ask } = await world((heard, n) =>
      n === 1 ? (typeof script === 'string' ? script : script(heard, n)) : ok('clean'),
    );
    const client = await ask(request);
    await settle();
    await ask(GET, client);
    expect(lines(upstream)).toEqual([1, 2]);
    await client.until(/clean$/);
    expect(client.text()).not.toMatch(/poison|body/);
  });

  test.each([
    ['a byte', (heard: Heard) => heard.socket.write(ok('poison'))],
    ['a FIN', (heard: Heard) => heard.socket.end()],
    ['a reset', (heard: Heard) => heard.socket.resetAndDestroy()],
  ])('is destroyed by %s while nobody uses it', async (_, disturb) => {
    const { upstream, proxy, ask } = await world(numbered);
    const client = await ask(GET);
    await settle();
    disturb(await upstream.request(1));
    await eventually(() => proxy.counts().upstreamConnections === 0);
    await ask(GET, client);
    expect(lines(upstream)).toEqual([1, 2]);
    expect(client.text()).not.toContain('poison');
  });

  test('is not used again when the answer came before the whole request', async () => {
    const { upstream, proxy } = await world(ok('x'));
    const client = rawClient(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await upstream.received('abc');
    upstream.say(ok('early'));
    await client.until('early');
    await upstream.allClosed();
  });
});

describe('when all connections are taken', () => {
  test('a request waits for one and gets it', async () => {
    const { upstream, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1 });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    b.send(POST);
    await eventually(() => proxy.counts().inFlight === 2);
    first.socket.write(ok('for a'));
    await a.until('for a');
    const second = await upstream.request(2);
    expect(second).toMatchObject({ connection: 1, body: 'hi' });
    second.socket.write(ok('for b'));
    await b.until('for b');
  });

  test('a request that waits for too long is a 503 that says when to come back', async () => {
    const { upstream, clock, proxy } = await world(() => undefined, {
      upstreamConnectionsMax: 1,
      queueWaitMs: 100,
    });
    rawClient(proxy.port).send(GET);
    await upstream.request(1);
    const waiting = rawClient(proxy.port);
    waiting.send(GET);
    await eventually(() => proxy.counts().inFlight === 2);
    clock.advance(100);
    const answer = parseMessage(await waiting.until('request test-2'));
    expect(answer.status).toBe(503);
    expect(values(answer, 'retry-after')).toEqual(['1']);
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_FULL', served: null }]);
  });

  test('uploads that drip leave a quarter of the connections to everybody else', async () => {
    const { proxy } = await world((heard) => (heard.start.startsWith('GET') ? ok('got') : ok('taken')), {
      upstreamConnectionsMax: 4,
    });
    const started = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n';
    const slow = Array.from({ length: 4 }, () => rawClient(proxy.port));
    for (const client of slow) client.send(`${started}h`);
    await eventually(() => proxy.counts().inFlight === 4);
    expect(proxy.counts().upstreamConnections).toBe(3);
    const healthy = rawClient(proxy.port);
    healthy.send(GET);
    expect(await healthy.until('got')).toContain('200');
    for (const client of slow) client.send('i');
    for (const client of slow) expect(await client.until('taken')).toContain('200');
  });

  test('an upload that waits for its turn and gets none is a 503', async () => {
    const { clock, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1, queueWaitMs: 100 });
    const started = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh';
    rawClient(proxy.port).send(started);
    await eventually(() => proxy.counts().upstreamConnections === 1);
    const waiting = rawClient(proxy.port);
    waiting.send(started);
    await eventually(() => proxy.counts().inFlight === 2);
    clock.advance(100);
    expect(await waiting.until('request')).toContain('503');
  });

  test('an upload that was cut gives its place back', async () => {
    const { proxy } = await world((heard) => ok(heard.body), { upstreamConnectionsMax: 2 });
    const started = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n';
    const slow = [rawClient(proxy.port), rawClient(proxy.port)];
    for (const client of slow) client.send(`${started}h`);
    await eventually(() => proxy.counts().inFlight === 2);
    const waiting = rawClient(proxy.port);
    waiting.send(`${started}hi`);
    await eventually(() => proxy.counts().inFlight === 3);
    for (const client of slow) client.reset();
    expect(await waiting.until('hi')).toContain('200');
  });

  test('a request beyond the queue is refused at once', async () => {
    const { upstream, proxy } = await world(() => undefined, {
      upstreamConnectionsMax: 1,
      upstreamQueueMax: 0,
    });
    rawClient(proxy.port).send(GET);
    await upstream.request(1);
    const client = rawClient(proxy.port);
    client.send(`${GET}${GET}`);
    await client.until(/503[\s\S]*503/);
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_FULL' }, { outcome: 'UPSTREAM_FULL' }]);
  });

  test('whoever leaves the queue is never asked for', async () => {
    const { upstream, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1 });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    b.send(GET.replace('/x', '/never'));
    await eventually(() => proxy.counts().inFlight === 2);
    b.reset();
    await proxy.ended(1);
    first.socket.write(ok('for a'));
    await a.until('for a');
    a.send(GET.replace('/x', '/again'));
    const next = await upstream.request(2);
    expect(next.start).toContain('/again');
    expect(proxy.observed).toMatchObject([{ outcome: 'CLIENT_GONE', served: null }, { outcome: 'OK' }]);
  });

  test('a whole request whose client has said its last is still served when its turn comes', async () => {
    const { upstream, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1 });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    b.send(POST);
    b.end();
    await eventually(() => proxy.counts().inFlight === 2);
    await settle();
    first.socket.write(ok('for a'));
    const second = await upstream.request(2);
    expect(second.body).toBe('hi');
    second.socket.write(ok('for b'));
    expect(parseMessage(await b.closed()).body).toBe('for b');
  });

  test('a request that ends too early while it waits never looks complete', async () => {
    const { upstream, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1 });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    b.send(POST.replace('hi', 'h'));
    b.end();
    await eventually(() => proxy.counts().inFlight === 2);
    first.socket.write(ok('for a'));
    expect(parseMessage(await b.closed()).status).toBe(400);
    expect(upstream.heard).toHaveLength(1);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK' }, { outcome: 'CLIENT_BODY_CUT' }]);
  });

  test('an upgrade does not wait for idle connections, which it must not use', async () => {
    const { upstream, ask, proxy } = await world(({ start }) => (start.includes('/ws') ? SWITCH : ok('x')), {
      upstreamConnectionsMax: 1,
    });
    await ask(GET);
    await settle();
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101');
    expect(lines(upstream)).toEqual([1, 2]);
  });

  test('a tunnel takes nobody’s place: it gives back its own once, when it opens', async () => {
    const { upstream, ask, proxy } = await world(
      ({ start }, n) => (start.includes('/ws') ? SWITCH : ok(`answer ${n}`)),
      { upstreamConnectionsMax: 1 },
    );
    const tunnels = [rawClient(proxy.port), rawClient(proxy.port)];
    for (const tunnel of tunnels) {
      tunnel.send(UPGRADE);
      await tunnel.until('101');
    }
    await (await ask(GET)).until('answer 3');
    expect(proxy.counts()).toMatchObject({ tunnels: 2, upstreamConnections: 1 });
    for (const tunnel of tunnels) tunnel.reset();
    await eventually(() => upstream.open() === 1);
    await settle();
    expect(proxy.counts()).toMatchObject({ tunnels: 0, upstreamConnections: 1 });
  });

  test('an upgrade that waited gets a new connection too', async () => {
    const { upstream, proxy } = await world(({ start }) => (start.includes('/ws') ? SWITCH : undefined), {
      upstreamConnectionsMax: 1,
    });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    b.send(UPGRADE);
    await eventually(() => proxy.counts().inFlight === 2);
    first.socket.write(ok('for a'));
    await b.until('101');
    expect(lines(upstream)).toEqual([1, 2]);
  });

  test('a large body waits with its sender, not in memory', async () => {
    const { upstream, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1 });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    const body = 'u'.repeat(3_000_000);
    b.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await eventually(() => proxy.counts().inFlight === 2);
    await settle();
    first.socket.write(ok('for a'));
    const second = await upstream.request(2);
    expect(second.body).toHaveLength(body.length);
    second.socket.write(ok('for b'));
    await b.until('for b');
  });
});

describe('a stale connection', () => {
  /** Answers the first request of a connection and resets at the second. */
  function staleAfterOne(): Script {
    const served = new Set<number>();
    return ({ socket, connection }, n) => {
      if (!served.has(connection)) {
        served.add(connection);
        return ok(`answer ${n}`);
      }
      socket.resetAndDestroy();
      return undefined;
    };
  }

  test.each(['GET', 'HEAD', 'OPTIONS'])('%s is asked once more, on a new connection', async (method) => {
    const { upstream, proxy, ask } = await world(staleAfterOne());
    const client = await ask(GET);
    await settle();
    await ask(GET.replace('GET', method), client);
    expect(lines(upstream)).toEqual([1, 1, 2]);
    expect(proxy.counts().retries).toBe(1);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK' }, { outcome: 'OK', status: 200 }]);
  });

  test.each([
    ['POST', POST],
    ['DELETE', GET.replace('GET', 'DELETE')],
    ['a GET with a body', POST.replace('POST', 'GET')],
  ])('%s is not', async (_, request) => {
    const { upstream, ask } = await world(staleAfterOne());
    const client = await ask(GET);
    await settle();
    await ask(request, client);
    await client.until('502 Bad Gateway');
    expect(upstream.heard).toHaveLength(2);
  });

  test('is not tried a third time', async () => {
    const { upstream, ask } = await world(({ socket }, n) => {
      if (n === 1) return ok('x');
      socket.resetAndDestroy();
      return undefined;
    });
    const client = await ask(GET);
    await settle();
    await ask(GET, client);
    await client.until('502 Bad Gateway');
    expect(lines(upstream)).toEqual([1, 1, 2]);
  });

  test('is retried within a budget', async () => {
    const { proxy, ask } = await world(staleAfterOne());
    const client = rawClient(proxy.port);
    for (let n = 1; n <= 60; n += 1) {
      await ask(GET, client);
      await settle();
    }
    const failed = proxy.observed.filter(({ outcome }) => outcome === 'UPSTREAM_RESET').length;
    expect(proxy.counts().retries).toBeGreaterThanOrEqual(10);
    expect(proxy.counts().retries).toBeLessThanOrEqual(10 + 60 * 0.2);
    expect(failed).toBeGreaterThan(0);
  });
});

test('a name that leads to two families finds the one that listens', async () => {
  const upstream = await rawUpstream(ok('found'));
  const proxy = await proxied({ snapshot: snapshotOf(`http://localhost:${upstream.port}`) });
  const client = rawClient(proxy.port);
  for (let n = 1; n <= 2; n += 1) {
    client.send(GET);
    await proxy.ended(n);
  }
  await client.until(/found[\s\S]*found/);
});

test('an upstream that is down is a 502 with one line, and the count of connections returns to 0', async () => {
  const proxy = await proxied({ snapshot: snapshotOf(`http://127.0.0.1:${await closedPort()}`) });
  const text = await exchange(proxy.port, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  expect(parseMessage(text)).toMatchObject({
    status: 502,
    body: 'the upstream refused the connection\nrequest test-1\n',
  });
  await eventually(() => proxy.counts().upstreamConnections === 0);
});

test('a name that does not exist is a fault of whoever runs us', async () => {
  const proxy = await proxied({ snapshot: snapshotOf('http://nowhere.invalid:1') });
  const text = await exchange(proxy.port, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  expect(parseMessage(text).status).toBe(502);
  expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_NAME' }]);
});
