import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const UPGRADE =
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  const SWITCH =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n';

  /** Switches, then answers every piece with `up:` in front. */
  const ECHO: Script = ({ socket }) => {
    socket.on('data', (bytes) => socket.write(`up:${bytes.toString('latin1')}`));
    return SWITCH;
  };

  async function world(script: Script, options = {}) {
    const upstream = await rawUpstream(script);
    const proxy = await open({ snapshot: snapshotOf(upstream.origin), options });
    return { upstream, proxy };
  }

  test('a WebSocket is a tunnel: both ways, with the bytes that came too early', async () => {
    const { upstream, proxy } = await world(ECHO);
    const client = rawClient(proxy.port);
    client.send(`${UPGRADE}early`);
    await client.until('up:early');
    client.send('later');
    await client.until('up:later');
    expect(client.text()).toMatch(
      /^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nVia: 1\.1 fig\r\n/,
    );
    expect(upstream.heard[0]?.start).toBe('GET /ws HTTP/1.1');
    expect(values(upstream.heard[0] ?? { fields: [] }, 'upgrade')).toEqual(['websocket']);
    expect(proxy.counts().tunnels).toBe(1);
    client.reset();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK', status: 101, served: 'legacy' }]);
  });

  test('the side is chosen as for any request, and tunnels are never compared', async () => {
    const legacy = await rawUpstream(ok('x'));
    const service = await rawUpstream(ECHO);
    const group = {
      name: 'g',
      service: service.origin,
      routes: ['GET /ws'],
      stage: 'canary',
      ceiling: 100,
    } as const;
    const proxy = await open({
      snapshot: snapshotOf(legacy.origin, [group]),
      intent: { serve: 'on', shadow: 'on', cause: 'flag' },
    });
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101 Switching');
    expect([service.heard.length, legacy.heard.length]).toEqual([1, 0]);
    client.reset();
    expect(await proxy.accounted(1)).toEqual([['g', 'upgrade']]);
  });

  test('the end of one side is the end of the other', async () => {
    const { upstream, proxy } = await world(SWITCH);
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101 Switching');
    const heard = await upstream.request(1);
    heard.socket.resetAndDestroy();
    await client.closed();
    const second = rawClient(proxy.port);
    second.send(UPGRADE);
    await second.until('101 Switching');
    second.reset();
    await upstream.allClosed();
  });

  test('a refused upgrade is an ordinary answer, framed anew', async () => {
    const { proxy } = await world(
      'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
    );
    const text = await exchange(proxy.port, `${UPGRADE}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(parseMessage(text)).toMatchObject({ status: 403, body: 'no' });
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('bytes behind a refused upgrade never reach the upstream', async () => {
    const { upstream, proxy } = await world('HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n');
    await exchange(proxy.port, `${UPGRADE}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(upstream.bytes()).not.toContain('hidden');
  });

  test('an upstream that is down is a 502, no fallback, no retry', async () => {
    const legacy = await rawUpstream(ok('x'));
    const service = await rawUpstream(({ socket }) => {
      socket.resetAndDestroy();
      return undefined;
    });
    const group = { name: 'g', service: service.origin, routes: ['GET /ws'], stage: 'live' } as const;
    const proxy = await open({ snapshot: snapshotOf(legacy.origin, [group]) });
    expect(parseMessage(await exchange(proxy.port, UPGRADE)).status).toBe(502);
    expect([service.heard.length, legacy.heard.length]).toEqual([1, 0]);
  });

  test.each([
    [
      'h2c',
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    ],
    ['HTTP/1.0', 'GET /x HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('an upgrade with %s goes on as a plain request', async (_, request) => {
    const { upstream, proxy } = await world(ok('plain'));
    expect(parseMessage(await exchange(proxy.port, request)).body).toBe('plain');
    expect(upstream.bytes()).not.toMatch(/upgrade|http2-settings/i);
  });

  test('one tunnel too many is refused', async () => {
    const { proxy } = await world(ECHO, { tunnelsMax: 1 });
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101 Switching');
    const answer = parseMessage(await exchange(proxy.port, UPGRADE));
    expect(answer.status).toBe(503);
    expect(proxy.observed.filter(({ outcome }) => outcome !== 'OK')).toMatchObject([
      { outcome: 'FIG_OVERLOADED', status: 503 },
    ]);
  });

  test('an idle tunnel ends', async () => {
    const { upstream, proxy } = await world(ECHO, { tunnelIdleMs: 60 });
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101 Switching');
    await client.closed();
    await upstream.allClosed();
    await expect.poll(() => proxy.counts().tunnels).toBe(0);
  });

  test('a tunnel of which one direction has ended ends', async () => {
    const { upstream, proxy } = await world(
      ({ socket }) => {
        socket.removeAllListeners('end');
        return SWITCH;
      },
      { tunnelHalfCloseMs: 60 },
    );
    const client = rawClient(proxy.port);
    client.send(UPGRADE);
    await client.until('101 Switching');
    client.end();
    await client.closed();
    upstream.destroyAll();
  });

  test('an upgrade uses no connection that served something else', async () => {
    const { upstream, proxy } = await world((_, n) => (n === 1 ? ok('x') : SWITCH));
    const first = rawClient(proxy.port);
    first.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    await first.until('200 OK');
    const second = rawClient(proxy.port);
    second.send(UPGRADE);
    await second.until('101 Switching');
    expect(upstream.heard.map(({ connection }) => connection)).toEqual([1, 2]);
  });
});
