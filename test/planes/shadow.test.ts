import { describe, expect, test } from 'vitest';
import type { ShadowSink } from '../../router/core/ports.ts';
import type { FlagIntent, ShadowJob, SkipReason, Stage } from '../../router/core/types.ts';
import { snapshotOf } from '../helpers/current.ts';
import { keyOf } from '../helpers/neighbours.ts';
import { PLANES, type PlaneOptions } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const COPY: FlagIntent = { serve: 'off', shadow: 'on', cause: 'flag' };
  const GET = 'GET /x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n';

  interface World {
    readonly script?: Script;
    readonly serviceScript?: Script;
    readonly stage?: Stage;
    readonly bodyBytesMax?: number;
    readonly intent?: FlagIntent;
    readonly options?: PlaneOptions;
    readonly offer?: (job: ShadowJob) => SkipReason | null;
    readonly sink?: ShadowSink;
  }

  async function world(given: World = {}) {
    const legacy = await rawUpstream(given.script ?? ok('legacy', 'Date: now\r\n'));
    const service = await rawUpstream(given.serviceScript ?? ok('service'));
    const shadowLimits = {
      perSecondMax: 9,
      inFlightMax: 9,
      timeoutMs: 99,
      bodyBytesMax: given.bodyBytesMax ?? 100,
    };
    const group = {
      name: 'g',
      service: service.origin,
      routes: ['GET /x', 'POST /x', '!GET /out'],
      stage: given.stage ?? 'shadow',
      ceiling: 100,
      unit: [{ cookie: 'SID' }],
      shadowLimits,
    } as const;
    const proxy = await open({
      snapshot: snapshotOf(legacy.origin, [group]),
      intent: given.intent ?? COPY,
      ...(given.offer === undefined ? {} : { sink: { busy: () => null, offer: given.offer } }),
      ...(given.sink === undefined ? {} : { sink: given.sink }),
      ...(given.options === undefined ? {} : { options: given.options }),
    });
    return { legacy, service, proxy };
  }

  describe('a finished exchange', () => {
    test('is offered as it was: request as sent, answer as received, everything that was decided', async () => {
      const { legacy, service, proxy } = await world();
      await exchange(proxy.port, `${GET}Cookie: SID=u1\r\nIf-None-Match: "a"\r\nX-Request-Id: id1\r\n\r\n`);
      expect(await proxy.accounted(1)).toEqual([['g', null]]);
      expect(proxy.jobs).toMatchObject([
        {
          group: { name: 'g' },
          route: { label: 'GET /x' },
          requestId: 'id1',
          unit: keyOf('u1'),
          primary: 'legacy',
          target: { origin: service.origin },
          primaryTarget: { origin: legacy.origin },
          publicOrigin: 'http://app.test',
          request: {
            method: 'GET',
            target: '/x',
            fields: [
              ...['Host', 'app.test', 'Cookie', 'SID=u1', 'If-None-Match', '"a"', 'Via', '1.1 fig'],
              ...[
                'X-Forwarded-For',
                '127.0.0.1',
                'X-Forwarded-Proto',
                'http',
                'X-Forwarded-Host',
                'app.test',
              ],
              ...['X-Request-Id', 'id1'],
            ],
          },
          answer: { status: 200, fields: ['Content-Length', '6', 'Date', 'now'], truncated: false },
        },
      ]);
      expect(Buffer.from(proxy.jobs[0]?.answer.body ?? []).toString()).toBe('legacy');
      expect(service.heard).toHaveLength(0);
    });

    test('of a live group goes to legacy', async () => {
      const { legacy, service, proxy } = await world({
        stage: 'live',
        intent: { serve: 'on', shadow: 'on', cause: 'flag' },
      });
      expect(parseMessage(await exchange(proxy.port, `${GET}\r\n`)).body).toBe('service');
      await proxy.accounted(1);
      expect(proxy.jobs).toMatchObject([
        { primary: 'service', target: { origin: legacy.origin }, primaryTarget: { origin: service.origin } },
      ]);
    });

    test('is offered after the last byte of the answer is out', async () => {
      const order: string[] = [];
      const { proxy } = await world({
        offer() {
          order.push(
            `offer after ${proxy.observed.length} observation, ${proxy.counts().inFlight} in flight`,
          );
          return null;
        },
      });
      await exchange(proxy.port, `${GET}\r\n`);
      await proxy.accounted(1);
      expect(order).toEqual(['offer after 1 observation, 0 in flight']);
    });

    test('leaves no memory behind', async () => {
      const { proxy } = await world();
      await exchange(proxy.port, `${GET}\r\n`);
      await proxy.accounted(1);
      expect(proxy.counts()).toMatchObject({ copyBytes: 0, inFlight: 0 });
    });
  });

  describe('exactly one reason is counted', () => {
    interface Case extends World {
      readonly name: string;
      readonly request?: string;
      readonly reason: SkipReason;
    }
    const CASES: readonly Case[] = [
      { name: 'too-large: an answer declared over the limit', bodyBytesMax: 5, reason: 'too-large' },
      {
        name: 'too-large: a chunked answer that grows over the limit',
        script: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n',
        bodyBytesMax: 5,
        reason: 'too-large',
      },
      {
        name: 'too-large: a request body over the limit',
        request: `${GET}Content-Length: 7\r\n\r\n1234567`,
        bodyBytesMax: 6,
        reason: 'too-large',
      },
      { name: 'memory', options: { shadowBytesMax: 5 }, reason: 'memory' },
      {
        name: 'stream',
        script: ok('data: 1\n\n', 'Content-Type: text/event-stream\r\n'),
        reason: 'stream',
      },
      {
        name: 'conditional: 304',
        script: 'HTTP/1.1 304 Not Modified\r\n\r\n',
        request: `${GET}If-None-Match: "a"\r\n\r\n`,
        reason: 'conditional',
      },
      {
        name: 'conditional: If-Range',
        request: `${GET}Range: bytes=0-1\r\nIf-Range: "a"\r\n\r\n`,
        reason: 'conditional',
      },
      { name: 'legacy-failed', script: 'HTTP/1.1 099 No\r\n\r\n', reason: 'legacy-failed' },
      {
        name: 'legacy-truncated',
        script: ({ socket }) => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', () => socket.destroy());
          return undefined;
        },
        reason: 'legacy-truncated',
      },
      { name: 'timeout', script: () => undefined, options: { upstreamHeadMs: 30 }, reason: 'timeout' },
      {
        name: 'fallback: the service answers for itself and fails',
        stage: 'live',
        intent: { serve: 'on', shadow: 'on', cause: 'flag' },
        serviceScript: 'HTTP/1.1 099 No\r\n\r\n',
        options: { fallback: false },
        reason: 'fallback',
      },
      {
        name: 'unsafe-method',
        request: `${GET.replace('GET', 'POST')}Content-Length: 0\r\n\r\n`,
        reason: 'unsafe-method',
      },
      { name: 'effectful-route', request: `${GET.replace('/x', '/out')}\r\n`, reason: 'effectful-route' },
      { name: 'marked', request: `${GET}Fig-Shadow: 1\r\n\r\n`, reason: 'marked' },
      { name: 'flag-off', intent: { serve: 'off', shadow: 'off', cause: 'flag' }, reason: 'flag-off' },
      { name: 'queue-full', offer: () => 'queue-full', reason: 'queue-full' },
    ];

    test.each(CASES)('$name', async ({ request = `${GET}\r\n`, reason, ...given }) => {
      const { proxy } = await world(given);
      await exchange(proxy.port, request);
      expect(await proxy.accounted(1)).toEqual([['g', reason]]);
      expect(proxy.observed).toHaveLength(1);
      expect(proxy.jobs).toHaveLength(0);
      expect(proxy.counts().copyBytes).toBe(0);
    });

    test('client-gone', async () => {
      const { legacy, proxy } = await world({ script: () => undefined });
      const client = rawClient(proxy.port);
      client.send(`${GET}\r\n`);
      await legacy.request(1);
      client.reset();
      expect(await proxy.accounted(1)).toEqual([['g', 'client-gone']]);
    });

    test.each<[SkipReason | null, number]>([
      [null, 4],
      ['rate', 0],
    ])('a sink that answers %s before the copy lets %i bytes be kept', async (room, kept) => {
      const offered: ShadowJob[] = [];
      const { legacy, proxy } = await world({
        script: () => 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf',
        sink: {
          busy: () => room,
          offer(job) {
            offered.push(job);
            return null;
          },
        },
      });
      const client = rawClient(proxy.port);
      client.send(`${GET}\r\n`);
      await client.until('half');
      expect(proxy.counts().copyBytes).toBe(kept);
      legacy.say('done');
      await client.closed();
      expect(await proxy.accounted(1)).toEqual([['g', room]]);
      expect(offered).toHaveLength(room === null ? 1 : 0);
    });

    test('a sink that throws when it is asked harms nobody', async () => {
      const busy = (): SkipReason | null => {
        throw new Error('no');
      };
      const { proxy } = await world({ sink: { busy, offer: () => null } });
      expect(await exchange(proxy.port, `${GET}\r\n`)).toContain('200 OK');
      expect(await proxy.accounted(1)).toEqual([['g', 'compare-failed']]);
    });

    test('none for a request that is not eligible', async () => {
      const { proxy } = await world({ stage: 'legacy' });
      await exchange(proxy.port, `${GET}\r\n`);
      await proxy.ended(1);
      expect(proxy.eligible).toEqual([]);
    });
  });

  describe('whatever the shadow side does, the client sees the same bytes', () => {
    const REQUESTS = `GET /x HTTP/1.1\r\nHost: a\r\n\r\n${GET}\r\n`;

    async function bytesWith(offer: World['offer'], intent: FlagIntent): Promise<string> {
      const { proxy } = await world({ intent, ...(offer === undefined ? {} : { offer }) });
      return exchange(proxy.port, REQUESTS);
    }

    test.each<[string, (job: ShadowJob) => SkipReason | null]>([
      [
        'it throws',
        () => {
          throw new Error('no');
        },
      ],
      ['it refuses', () => 'overload'],
      [
        'it is slow',
        () => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
          return null;
        },
      ],
      [
        'it tears the job apart',
        (job) => {
          job.answer.body.fill(0);
          job.request.body.fill(0);
          return null;
        },
      ],
    ])('%s', async (_, offer) => {
      const without = await bytesWith(undefined, { serve: 'off', shadow: 'off', cause: 'flag' });
      expect(await bytesWith(offer, COPY)).toBe(without);
      expect(without.match(/200 OK/g)).toHaveLength(2);
    });

    test('a fault of it is logged and counted', async () => {
      const { proxy } = await world({
        offer() {
          throw new Error('no');
        },
      });
      await exchange(proxy.port, `${GET}\r\n`);
      expect(await proxy.accounted(1)).toEqual([['g', 'compare-failed']]);
      expect(proxy.log.some(({ level, event }) => level === 'error' && event === 'shadow-offer-failed')).toBe(
        true,
      );
    });
  });
});
