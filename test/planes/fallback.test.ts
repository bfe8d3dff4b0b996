import { describe, expect, test } from 'vitest';
import type { FlagIntent, Stage } from '../../router/core/types.ts';
import { snapshotOf } from '../helpers/current.ts';
import { PLANES, type PlaneOptions } from '../helpers/planes.ts';
import { exchange, parseMessage } from '../helpers/raw-http.ts';
import { type Heard, ok, rawUpstream, type Script } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
  const ON: FlagIntent = { serve: 'on', shadow: 'on', cause: 'flag' };

  function reset({ socket }: Heard): undefined {
    socket.resetAndDestroy();
  }

  async function world(script: Script, stage: Stage, options: PlaneOptions = {}) {
    const legacy = await rawUpstream(ok('legacy'));
    const service = await rawUpstream(script);
    const group = { name: 'g', service: service.origin, routes: ['* /x'], stage, ceiling: 100 };
    const proxy = await open({ snapshot: snapshotOf(legacy.origin, [group]), intent: ON, options });
    return { legacy, service, proxy };
  }

  test.each(['canary', 'live'] as const)(
    'in %s legacy answers when the service gave no answer',
    async (stage) => {
      const { legacy, service, proxy } = await world(reset, stage);
      const answer = parseMessage(await exchange(proxy.port, GET));
      expect(answer).toMatchObject({ status: 200, body: 'legacy' });
      expect([service.heard.length, legacy.heard.length]).toEqual([1, 1]);
      expect(await proxy.ended(1)).toMatchObject([
        { assigned: 'service', served: 'legacy', outcome: 'UPSTREAM_RESET', status: 200 },
      ]);
      expect(proxy.counts().serviceInFlight.size).toBe(0);
    },
  );

  test('an answer of legacy in place of the service is not compared', async () => {
    const { proxy } = await world(reset, 'canary');
    await exchange(proxy.port, GET);
    expect(await proxy.accounted(1)).toEqual([['g', 'fallback']]);
    expect(proxy.jobs).toHaveLength(0);
  });

  test.each([
    ['a malformed answer', 'HTTP/1.1 099 No\r\n\r\n', 'UPSTREAM_SYNTAX'],
    [
      'an unasked switch of protocol',
      'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
      'UPSTREAM_SWITCHED',
    ],
  ])('%s is no answer', async (_, bytes, outcome) => {
    const { proxy } = await world(bytes, 'canary');
    expect(parseMessage(await exchange(proxy.port, GET)).body).toBe('legacy');
    expect(proxy.observed).toMatchObject([{ outcome, served: 'legacy' }]);
  });

  test('a service that does not answer in time is covered too', async () => {
    const { proxy } = await world(() => undefined, 'canary', { upstreamHeadMs: 50 });
    expect(parseMessage(await exchange(proxy.port, GET)).body).toBe('legacy');
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_HEAD_TIMEOUT', served: 'legacy' }]);
  });

  test('a 500 is an answer', async () => {
    const { legacy, proxy } = await world('HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n', 'canary');
    expect(parseMessage(await exchange(proxy.port, GET)).status).toBe(500);
    expect(legacy.heard).toHaveLength(0);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK', status: 500, served: 'service' }]);
  });

  test('a write never reaches a second side', async () => {
    const { legacy, proxy } = await world(reset, 'canary');
    expect(parseMessage(await exchange(proxy.port, POST)).status).toBe(502);
    expect(legacy.heard).toHaveLength(0);
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_RESET', served: null, unsafe: true }]);
  });

  test('a sealed group has no way back', async () => {
    const { legacy, proxy } = await world(reset, 'sealed');
    expect(parseMessage(await exchange(proxy.port, GET)).status).toBe(502);
    expect(legacy.heard).toHaveLength(0);
  });

  test('it can be switched off', async () => {
    const { legacy, proxy } = await world(reset, 'canary', { fallback: false });
    expect(parseMessage(await exchange(proxy.port, GET)).status).toBe(502);
    expect(legacy.heard).toHaveLength(0);
  });

  test('legacy failing as well is the end: no third try', async () => {
    const legacy = await rawUpstream(reset);
    const service = await rawUpstream(reset);
    const group = { name: 'g', service: service.origin, routes: ['GET /x'], stage: 'live' } as const;
    const proxy = await open({ snapshot: snapshotOf(legacy.origin, [group]) });
    expect(parseMessage(await exchange(proxy.port, GET)).status).toBe(502);
    expect([service.heard.length, legacy.heard.length]).toEqual([1, 1]);
    expect(proxy.observed).toMatchObject([{ assigned: 'service', served: null, outcome: 'UPSTREAM_RESET' }]);
  });

  test('the time at both sides is time upstream, and no more than the whole', async () => {
    const { proxy } = await world(reset, 'canary');
    await exchange(proxy.port, GET);
    const [seen] = await proxy.ended(1);
    expect(seen?.upstreamMs).toBeGreaterThan(0);
    expect(seen?.upstreamMs).toBeLessThanOrEqual(seen?.durationMs ?? 0);
  });
});
