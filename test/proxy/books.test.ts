import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../router/core/errors.ts';
import type { FlagIntent, Target } from '../../router/core/types.ts';
import { snapshotOf, targetAt } from '../helpers/current.ts';
import { type ProxiedOptions, proxied } from '../helpers/proxied.ts';
import { parseMessage, rawClient } from '../helpers/raw-http.ts';
import { closedPort, type Heard, ok, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const ON: FlagIntent = { serve: 'on', shadow: 'off', cause: 'flag' };

describe('a fault of this program', () => {
  async function served(given: Partial<ProxiedOptions> & { readonly target?: Partial<Target> }) {
    const upstream = await rawUpstream(
      'HTTP/1.1 302 Found\r\nLocation: http://inner/\r\nContent-Length: 0\r\n\r\n',
    );
    const { target, ...rest } = given;
    const group = { name: 'g', service: upstream.origin, routes: ['GET /g'], stage: 'live' } as const;
    const legacy = { ...targetAt('legacy', upstream.origin), ...target };
    const proxy = await proxied({ snapshot: snapshotOf(legacy, [group]), ...rest });
    return { upstream, proxy };
  }

  const CASES: readonly (readonly [
    string,
    Partial<ProxiedOptions> & { readonly target?: Partial<Target> },
  ])[] = [
    [
      'before there is an exchange',
      {
        flags: {
          read() {
            throw new Error('no');
          },
        },
      },
    ],
    ['while a request is written', { target: { host: 'a\r\nX-Injected: 1' } }],
    ['while an answer is written', { target: { rewriteLocation: [['http://inner', 'http://a\r\nX: 1']] } }],
  ];
  test.each(CASES)('%s ends that exchange, is counted and logged, and nothing else', async (name, given) => {
    const { upstream, proxy } = await served(given);
    const client = rawClient(proxy.port);
    client.send(name.startsWith('before') ? GET.replace('/x', '/g') : GET);
    await client.closed();
    expect(client.text()).not.toContain('X-Injected');
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'FIG_INTERNAL', status: 500 }]);
    expect(proxy.observed).toHaveLength(1);
    expect(proxy.log.filter(({ level }) => level === 'error')).toHaveLength(1);
    await eventually(() => proxy.counts().upstreamConnections === 0);
    expect(proxy.counts()).toMatchObject({ inFlight: 0, connections: 0 });
    proxy.swap(snapshotOf(upstream.origin));
    const next = rawClient(proxy.port);
    next.send(GET);
    await next.until('302 Found');
  });

  test('in an exchange that waited for its connection ends only that one', async () => {
    const upstream = await rawUpstream(() => undefined);
    const broken = { ...targetAt('legacy', upstream.origin), host: 'a\r\nb' };
    const proxy = await proxied({
      snapshot: snapshotOf(upstream.origin),
      options: { upstreamConnectionsMax: 1 },
    });
    const [a, b] = [rawClient(proxy.port), rawClient(proxy.port)];
    a.send(GET);
    const first = await upstream.request(1);
    proxy.swap(snapshotOf(broken));
    b.send(GET);
    await eventually(() => proxy.counts().inFlight === 2);
    first.socket.write(ok('for a'));
    await a.until('for a');
    expect(await b.closed()).toBe('');
    expect(await proxy.ended(2)).toMatchObject([{ outcome: 'OK' }, { outcome: 'FIG_INTERNAL' }]);
  });

  test('in whoever keeps the books is nothing to the client', async () => {
    const fail = (): never => {
      throw new Error('no');
    };
    const { proxy } = await served({ recorder: { observed: fail, eligible: fail } });
    const client = rawClient(proxy.port);
    client.send(GET + GET);
    await client.until(/302 Found[\s\S]*302 Found/);
    expect(proxy.log.filter(({ event }) => event === 'recorder-failed')).toHaveLength(2);
  });
});

describe('the books say who is to blame', () => {
  const reset: Script = ({ socket }: Heard) => {
    socket.resetAndDestroy();
    return undefined;
  };

  const CASES: readonly (readonly [string, Script | null, 'OK' | ErrorCode, number])[] = [
    ['an answer', ok('x'), 'OK', 200],
    ['an answer that says 500', 'HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n', 'OK', 500],
    ['nobody there', null, 'UPSTREAM_REFUSED', 502],
    ['a reset', reset, 'UPSTREAM_RESET', 502],
    ['nonsense', 'HTTP/1.1 099 No\r\n\r\n', 'UPSTREAM_SYNTAX', 502],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'UPSTREAM_FRAMING',
      502,
    ],
    ['a switch', 'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 'UPSTREAM_SWITCHED', 502],
  ];
  test.each(CASES)('%s of a service', async (_, script, outcome, status) => {
    const service =
      script === null ? `http://127.0.0.1:${await closedPort()}` : (await rawUpstream(script)).origin;
    const group = { name: 'g', service, routes: ['* /x'], stage: 'live', ceiling: 100 } as const;
    const proxy = await proxied({ snapshot: snapshotOf('http://127.0.0.1:1', [group]), intent: ON });
    const client = rawClient(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    const [seen] = await proxy.ended(1);
    expect(seen).toMatchObject({ outcome, status, assigned: 'service', group: 'g', unsafe: true });
    expect(seen?.served).toBe(outcome === 'OK' ? 'service' : null);
    if (outcome !== 'OK') expect(ERRORS[outcome].blame).toBe('side');
    await eventually(() => proxy.counts().serviceInFlight.size === 0);
  });
});

describe('a fallback', () => {
  async function canary(script: Script, stage: 'canary' | 'live' | 'sealed' = 'canary') {
    const legacy = await rawUpstream(ok('legacy'));
    const service = await rawUpstream(script);
    const group = { name: 'g', service: service.origin, routes: ['* /x'], stage, ceiling: 100 } as const;
    const proxy = await proxied({
      snapshot: snapshotOf(legacy.origin, [group]),
      intent: ON,
      options: { upstreamHeadMs: 1 },
    });
    const client = rawClient(proxy.port);
    return { legacy, service, proxy, client };
  }

  test('serves requests behind it in their order', async () => {
    const { proxy, client } = await canary(({ socket }, n) => {
      if (n % 2 === 0) return ok(`service ${n}`);
      socket.resetAndDestroy();
      return undefined;
    });
    client.send(GET.repeat(4));
    await client.until(/legacy[\s\S]*service 2[\s\S]*legacy[\s\S]*service 4/);
    expect(await proxy.ended(4)).toMatchObject([
      { outcome: 'UPSTREAM_RESET', served: 'legacy', status: 200 },
      { outcome: 'OK', served: 'service' },
      { outcome: 'UPSTREAM_RESET', served: 'legacy' },
      { outcome: 'OK', served: 'service' },
    ]);
  });

  test('comes even after an interim answer, which promised nothing', async () => {
    const { proxy, client } = await canary('HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 099 No\r\n\r\n');
    client.send(GET);
    expect(await client.until('legacy')).toMatch(/^HTTP\/1\.1 103[\s\S]*HTTP\/1\.1 200 OK/);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_SYNTAX', served: 'legacy' }]);
  });

  test('comes after one retry on a stale connection', async () => {
    const { service, proxy, client } = await canary(({ socket }, n) => {
      if (n === 1) return ok('service 1');
      socket.resetAndDestroy();
      return undefined;
    });
    client.send(GET);
    await client.until('service 1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.send(GET);
    await client.until('legacy');
    expect(service.heard.map(({ connection }) => connection)).toEqual([1, 1, 2]);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK' }, { outcome: 'UPSTREAM_RESET' }]);
  });

  test('is none once a part of the answer has come', async () => {
    const { legacy, proxy, client } = await canary(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', () => socket.destroy());
      return undefined;
    });
    client.send(GET);
    await client.closed();
    expect(legacy.heard).toHaveLength(0);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_BODY_CUT', served: 'service' }]);
  });

  test.each(['POST', 'DELETE', 'PURGE'])('is none for %s', async (method) => {
    const { legacy, client } = await canary('HTTP/1.1 099 No\r\n\r\n');
    client.send(GET.replace('GET', method));
    expect(parseMessage(await client.until('request test-1')).status).toBe(502);
    expect(legacy.heard).toHaveLength(0);
  });
});
