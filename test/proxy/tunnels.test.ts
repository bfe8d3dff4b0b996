import { describe, expect, test } from 'vitest';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { manualClock } from '../helpers/clock.ts';
import { snapshotOf } from '../helpers/current.ts';
import { proxied } from '../helpers/proxied.ts';
import { exchange, parseMessage, type RawClient, rawClient, values } from '../helpers/raw-http.ts';
import { rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';

const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n';
const MEGA = 1_048_576;

async function world(script: Script, options: Partial<ProxyOptions> = {}) {
  const upstream = await rawUpstream(script);
  const clock = manualClock();
  const proxy = await proxied({ snapshot: snapshotOf(upstream.origin), options, clock });
  const open = async (): Promise<RawClient> => {
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101 Switching');
    return client;
  };
  return { upstream, clock, proxy, open };
}

/** Leaves half-closed connections as they are. */
const HALF_OPEN: Script = ({ socket }) => {
  socket.removeAllListeners('end');
  return SWITCH;
};

describe('bytes', () => {
  test('behind the request are held until the 101, and then are the tunnel’s', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(`${UPGRADE}early `);
    const { socket } = await upstream.request(1);
    client.send('earlier');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(upstream.bytes()).not.toContain('early');
    socket.write(SWITCH);
    await upstream.received('early earlier');
  });

  test('in the packet of the 101 reach the client', async () => {
    const { proxy } = await world(`${SWITCH}hello`);
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    expect(await client.until(/\r\n\r\nhello$/)).toMatch(
      /^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nVia: 1\.1 fig\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello$/,
    );
  });

  test('pass untouched both ways, whatever they are, with backpressure', async () => {
    const { upstream, open } = await world(SWITCH);
    const client = await open();
    const { socket } = await upstream.request(1);
    client.pause();
    const body = Buffer.alloc(24 * MEGA, 'GET / HTTP/1.1\r\n\r\n\0\xff', 'latin1');
    socket.write(body);
    client.send('0\r\n\0\xff\r\nGET');
    await upstream.received('0\r\n\0\xff\r\nGET');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.writableLength).toBeGreaterThan(8 * MEGA);
    client.resume();
    const behind = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);
    const text = await client.until((heard) => behind(heard).length >= body.length);
    expect(behind(text)).toBe(body.toString('latin1'));
  });
});

describe('an end', () => {
  test('of the client is passed on, and what the upstream still says arrives', async () => {
    const { upstream, open, proxy } = await world(HALF_OPEN);
    const client = await open();
    const { socket } = await upstream.request(1);
    const ended = new Promise((resolve) => socket.once('end', resolve));
    client.send('last');
    client.end();
    await ended;
    socket.end('farewell');
    expect(await client.closed()).toMatch(/farewell$/);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK', status: 101, served: 'legacy' }]);
  });

  test('of the upstream is passed on, and what the client still says arrives', async () => {
    const { upstream, open } = await world(HALF_OPEN);
    const client = await open();
    (await upstream.request(1)).socket.end('bye');
    await client.closed();
    client.send('last words');
    await upstream.received('last words');
  });

  test('that came before the 101 is passed on behind it', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(`${UPGRADE}early`);
    client.end();
    const { socket } = await upstream.request(1);
    socket.removeAllListeners('end');
    const ended = new Promise((resolve) => socket.once('end', resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write(SWITCH);
    await ended;
    expect(upstream.bytes()).toMatch(/early$/);
  });

  test('of one direction leaves the other 10 s', async () => {
    const { upstream, open, clock, proxy } = await world(HALF_OPEN);
    const client = await open();
    client.end();
    const { socket } = await upstream.request(1);
    await new Promise((resolve) => socket.once('end', resolve));
    clock.advance(9_999);
    await clock.looked();
    expect(proxy.observed).toEqual([]);
    clock.advance(1);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'TUNNEL_IDLE' }]);
    await client.closed();
    socket.destroy();
  });

  test('by a reset of the upstream cuts the client, and is the side’s fault', async () => {
    const { upstream, open, proxy } = await world(SWITCH);
    const client = await open();
    (await upstream.request(1)).socket.resetAndDestroy();
    await client.closed();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'TUNNEL_CUT', status: 101 }]);
  });

  test('by a reset of the client frees the upstream, and is nobody’s fault', async () => {
    const { upstream, open, proxy } = await world(SWITCH);
    (await open()).reset();
    await upstream.allClosed();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK', status: 101 }]);
  });

  test('of a silent tunnel comes after 5 minutes, and a client that keeps its half open is let go too', async () => {
    const { upstream, open, clock, proxy } = await world(SWITCH);
    const client = await open();
    clock.advance(299_999);
    client.send('still here');
    await upstream.received('still here');
    clock.advance(299_999);
    await clock.looked();
    expect(proxy.observed).toEqual([]);
    clock.advance(1);
    await client.closed();
    await upstream.allClosed();
    expect(proxy.observed).toMatchObject([{ outcome: 'TUNNEL_IDLE' }]);
    clock.advance(2_000);
    await eventually(() => proxy.counts().connections === 0);
  });
});

test('a client that resets while its upgrade is pending frees the upstream', async () => {
  const { upstream, proxy } = await world(() => undefined);
  const client = rawClient(proxy.port);
  client.send(UPGRADE);
  await upstream.request(1);
  client.reset();
  await upstream.allClosed();
  expect(await proxy.ended(1)).toMatchObject([{ outcome: 'CLIENT_GONE', served: null }]);
});

test('a refusal is an ordinary answer, framed anew, and nothing of what came too early travels', async () => {
  const { upstream, proxy } = await world(
    'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
  );
  const text = await exchange(proxy.port, `${UPGRADE}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect(parseMessage(text)).toMatchObject({ status: 403, body: 'no' });
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(upstream.bytes()).not.toContain('hidden');
  expect(proxy.counts().tunnels).toBe(0);
});

test.each([
  ['another protocol', 'Connection: upgrade\r\nUpgrade: h2c'],
  ['two protocols', 'Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket'],
  ['no Connection', 'Upgrade: websocket'],
  ['no protocol', 'Connection: upgrade'],
])('a 101 with %s is a 502', async (_, fields) => {
  const { upstream, proxy } = await world(`HTTP/1.1 101 S\r\n${fields}\r\n\r\nhello`);
  const text = await exchange(proxy.port, UPGRADE);
  expect(parseMessage(text).status).toBe(502);
  expect(text).not.toContain('hello');
  await upstream.allClosed();
  expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_SWITCHED' }]);
});

test('the 101 answers what was asked: protocol and Connection go up, once', async () => {
  const { upstream, open } = await world(SWITCH);
  await open();
  const heard = await upstream.request(1);
  expect(values(heard, 'connection')).toEqual(['Upgrade']);
  expect(values(heard, 'upgrade')).toEqual(['websocket']);
});

describe('tunnels have a limit', () => {
  test('that is known when one is asked for', async () => {
    const { upstream, open, proxy } = await world(SWITCH, { tunnelsMax: 1 });
    await open();
    const answer = parseMessage(await exchange(proxy.port, UPGRADE));
    expect(answer.status).toBe(503);
    expect(values(answer, 'retry-after')).toEqual(['1']);
    expect(upstream.heard).toHaveLength(1);
    expect(proxy.observed).toMatchObject([{ outcome: 'FIG_OVERLOADED' }]);
  });

  test('and that holds when several were asked for at once', async () => {
    const { upstream, proxy } = await world(() => undefined, { tunnelsMax: 1 });
    const clients = [rawClient(proxy.port), rawClient(proxy.port)];
    for (const client of clients) client.send(UPGRADE);
    const [first, second] = [await upstream.request(1), await upstream.request(2)];
    first.socket.write(SWITCH);
    await eventually(() => proxy.counts().tunnels === 1);
    second.socket.write(SWITCH);
    await proxy.ended(1);
    expect(proxy.observed).toMatchObject([{ outcome: 'FIG_OVERLOADED', status: 503, served: null }]);
    await eventually(() =>
      clients
        .map((client) => client.text())
        .join()
        .includes('503'),
    );
    expect(proxy.counts().tunnels).toBe(1);
  });
});

describe('a rollback', () => {
  async function group(options: Partial<ProxyOptions> = {}) {
    const upstream = await rawUpstream(SWITCH);
    const clock = manualClock();
    const of = (more: object) =>
      snapshotOf(upstream.origin, [
        { name: 'g', service: upstream.origin, routes: ['GET /ws'], stage: 'live', ceiling: 100, ...more },
      ]);
    const proxy = await proxied({ snapshot: of({}), options, clock });
    const clients = Array.from({ length: 8 }, () => rawClient(proxy.port));
    for (const client of clients) client.send(UPGRADE);
    await eventually(() => proxy.counts().tunnels === 8);
    return { proxy, clock, of };
  }

  test.each([
    ['a kill', { stopped: 'killed' }],
    ['a new epoch', { epoch: 2 }],
  ])('by %s closes tunnels to the service, spread over 10 s', async (_, change) => {
    const { proxy, clock, of } = await group();
    proxy.swap(of(change));
    const left: number[] = [];
    for (const ms of [0, 5_000, 5_000]) {
      clock.advance(ms);
      await clock.looked();
      left.push(proxy.counts().tunnels);
    }
    const [atOnce, halfway, last] = left;
    expect(atOnce).toBe(8);
    expect(halfway).toBeGreaterThan(0);
    expect(halfway).toBeLessThan(8);
    expect(last).toBe(0);
    expect(new Set(proxy.observed.map(({ outcome }) => outcome))).toEqual(new Set(['TUNNEL_ROLLED_BACK']));
  });

  test('leaves them alone where that is wanted', async () => {
    const { proxy, clock, of } = await group({ closeOnRollback: false });
    proxy.swap(of({ stopped: 'killed' }));
    clock.advance(20_000);
    await clock.looked();
    expect(proxy.counts().tunnels).toBe(8);
  });
});
