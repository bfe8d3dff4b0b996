import { expect, test } from 'vitest';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { PROXY_DEFAULTS } from '../../router/proxy/options.ts';
import { createProxy } from '../../router/proxy/proxy.ts';
import { manualClock } from '../helpers/clock.ts';
import { snapshotOf } from '../helpers/current.ts';
import { createNeighbours } from '../helpers/neighbours.ts';
import { proxied } from '../helpers/proxied.ts';
import { parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

async function world(script: Script, options: Partial<ProxyOptions> = {}) {
  const upstream = await rawUpstream(script);
  const clock = manualClock();
  const proxy = await proxied({ snapshot: snapshotOf(upstream.origin), options, clock });
  return { upstream, clock, proxy };
}

test('what is in flight is answered, and its connection ends', async () => {
  const { upstream, proxy } = await world(() => undefined);
  const client = rawClient(proxy.port);
  client.send(GET);
  await upstream.request(1);
  const drained = proxy.proxy.drain();
  upstream.say(ok('last words'));
  const answer = parseMessage(await client.closed());
  expect(answer.body).toBe('last words');
  expect(values(answer, 'connection')).toEqual(['close']);
  client.end();
  await drained;
  expect(proxy.counts()).toMatchObject({ connections: 0, inFlight: 0 });
  await upstream.allClosed();
});

test('nobody is let in any more', async () => {
  const { upstream, proxy } = await world(() => undefined);
  const client = rawClient(proxy.port);
  client.send(GET);
  await upstream.request(1);
  void proxy.proxy.drain();
  const late = rawClient(proxy.port);
  await late.closed();
  expect(late.error()).toBe('ECONNREFUSED');
});

test('a request on a kept connection is answered once more; connections without one are closed', async () => {
  const { clock, proxy } = await world(ok('x'));
  const [used, idle] = [rawClient(proxy.port), rawClient(proxy.port)];
  for (const client of [used, idle]) {
    client.send(GET);
    await client.until('200 OK');
  }
  const drained = proxy.proxy.drain();
  used.send(GET);
  expect(await used.closed()).toMatch(/Connection: close\r\n\r\nx$/);
  clock.advance(1_000);
  expect((await idle.closed()).match(/200 OK/g)).toHaveLength(1);
  used.end();
  idle.end();
  await drained;
});

test('what waits for a connection is still served', async () => {
  const { upstream, proxy } = await world(() => undefined, { upstreamConnectionsMax: 1 });
  const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
  a.send(GET);
  const first = await upstream.request(1);
  b.send(GET);
  await eventually(() => proxy.counts().inFlight === 2);
  void proxy.proxy.drain();
  first.socket.write(ok('for a'));
  (await upstream.request(2)).socket.write(ok('for b'));
  expect(parseMessage(await a.closed()).body).toBe('for a');
  expect(parseMessage(await b.closed()).body).toBe('for b');
});

test('tunnels get an end after 10 s', async () => {
  const { upstream, clock, proxy } = await world(SWITCH);
  const client = rawClient(proxy.port);
  client.send(UPGRADE);
  await client.until('101');
  const drained = proxy.proxy.drain();
  clock.advance(9_999);
  client.send('still open');
  await upstream.received('still open');
  clock.advance(1);
  await client.closed();
  client.end();
  await drained;
  expect(proxy.observed).toMatchObject([{ outcome: 'OK', status: 101 }]);
});

test('at the deadline the rest is cut, and everybody who waits for the end hears of it', async () => {
  const { upstream, clock, proxy } = await world(() => undefined);
  const [client, silent] = [rawClient(proxy.port), rawClient(proxy.port)];
  client.send(GET);
  await upstream.request(1);
  await eventually(() => proxy.counts().connections === 2);
  let ends = 0;
  const both = [proxy.proxy.drain(), proxy.proxy.drain()].map((end) => end.then(() => (ends += 1)));
  clock.advance(29_000);
  await clock.looked();
  expect(ends).toBe(0);
  clock.advance(1_000);
  await Promise.all(both);
  expect(await client.closed()).toBe('');
  expect(await silent.closed()).toBe('');
  expect(proxy.observed).toHaveLength(1);
  await upstream.allClosed();
});

test('draining what has not begun to listen is no work', async () => {
  const { deps } = createNeighbours({ snapshot: snapshotOf('http://127.0.0.1:1') });
  await createProxy(deps, PROXY_DEFAULTS).drain();
});

test('a port that is taken is an error that says so', async () => {
  const { proxy } = await world(ok('x'));
  const { deps } = createNeighbours({ snapshot: snapshotOf('http://127.0.0.1:1') });
  const second = createProxy(deps, PROXY_DEFAULTS);
  await expect(
    second.listen({ host: '127.0.0.1', port: proxy.port, reusePort: false }),
  ).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('a trusted proxy that is no CIDR block is refused at once, and changes nothing later', async () => {
  const { deps } = createNeighbours({ snapshot: snapshotOf('http://127.0.0.1:1') });
  expect(() => createProxy(deps, { ...PROXY_DEFAULTS, trustedProxies: ['everybody'] })).toThrow(RangeError);
  const { proxy } = await world(ok('x'), { viaName: 'before' });
  expect(() => proxy.reconfigure({ viaName: 'after', trustedProxies: ['everybody'] })).toThrow(RangeError);
  const client = rawClient(proxy.port);
  client.send(GET);
  await client.until('Via: 1.1 before');
});

test('new options are for what begins from then on', async () => {
  const { upstream, proxy } = await world(() => undefined);
  const client = rawClient(proxy.port);
  client.send(GET);
  const first = await upstream.request(1);
  proxy.reconfigure({ viaName: 'other', requestId: 'off' });
  first.socket.write(ok('first'));
  await client.until('first');
  client.send(GET);
  const second = await upstream.request(2);
  expect(values(first, 'via')).toEqual(['1.1 fig']);
  expect(values(second, 'via')).toEqual(['1.1 other']);
  expect(values(second, 'x-request-id')).toEqual([]);
});

test('whom a reload no longer trusts is not believed any more, on a kept connection either', async () => {
  const upstream = await rawUpstream(ok('x'));
  const proxy = await proxied({
    snapshot: snapshotOf(upstream.origin),
    options: { trustedProxies: ['127.0.0.1/32'] },
  });
  const client = rawClient(proxy.port);
  const ask = async (n: number) => {
    client.send('GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n');
    await proxy.ended(n);
    return values(await upstream.request(n), 'x-forwarded-for');
  };
  expect(await ask(1)).toEqual(['9.9.9.9, 127.0.0.1']);
  proxy.reconfigure({ trustedProxies: [] });
  expect(await ask(2)).toEqual(['127.0.0.1']);
});
