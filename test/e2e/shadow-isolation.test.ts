import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ConfigInput } from '../../router/config.ts';
import { deafServer } from '../helpers/deaf-server.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { ok, type RawUpstream, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually, startWorld, type World } from '../helpers/world.ts';

const BODY = JSON.stringify({ id: 12, price: '19.90' });
const JSON_TYPE = 'Content-Type: application/json\r\n';
const LEGACY: Script = ok(BODY, `${JSON_TYPE}Set-Cookie: a=1\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\n`);
const EXPLODING = { owner: 'team', reason: 'r', expires: '2026-12-31' };

/** Copies give up late, so that a request that waited for one would be seen to. */
const SHADOW = { timeoutMs: 3_000, connectTimeoutMs: 3_000, baseline: { perSecondMax: 0 } };
const GROUPS: ConfigInput['groups'] = {
  catalog: {
    service: 'catalog',
    routes: ['GET /api/*', { match: 'PUT /api/*', writes: { mode: 'idempotent', ...EXPLODING } }],
    unit: [{ cookie: 'sid' }],
    shadow: SHADOW,
    compare: {
      rules: [{ path: '/body/price', action: 'pattern', regex: '^(1+)+$', ...EXPLODING }],
    },
  },
};

const GET = 'GET /api/v1/products/12 HTTP/1.1\r\nHost: shop\r\nCookie: sid=ana\r\nX-Request-Id: same\r\n\r\n';
const REQUESTS = 4;

function endless(socket: Socket): undefined {
  socket.write(`HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\n`);
  const more = () => {
    while (!socket.destroyed && socket.write('x'.repeat(16_384)));
  };
  socket.on('drain', more);
  more();
  return undefined;
}

function drip(socket: Socket): undefined {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
  const timer = setInterval(() => socket.write('x'), 100);
  socket.once('close', () => clearInterval(timer));
  return undefined;
}

const scripted = (script: Script) => async () => await rawUpstream(script);
const nowhere = (origin: string) => ({ origin, heard: [] });

const FAULTS: readonly (readonly [string, () => Promise<Pick<RawUpstream, 'origin' | 'heard'>>])[] = [
  ['F1 refuses', async () => nowhere('http://127.0.0.1:1')],
  ['F2 loses every SYN', async () => nowhere(await deafServer())],
  [
    'F3 never reads',
    async () => {
      const upstream = await rawUpstream(() => undefined);
      upstream.stopReading();
      return upstream;
    },
  ],
  ['F4 never answers', scripted(() => undefined)],
  ['F5 drips', scripted(({ socket }) => drip(socket))],
  ['F6 resets', scripted(({ socket }) => void socket.resetAndDestroy())],
  ['F7 never ends', scripted(({ socket }) => endless(socket))],
  ['F8 has a head of 1 MB', scripted(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`)],
  ['F8 has two lengths', scripted('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab')],
  ['F8 has a 204 with a body', scripted('HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc')],
  ['F9 claims gzip', scripted(ok(BODY, `${JSON_TYPE}Content-Encoding: gzip\r\n`))],
  ['F9 is a bomb', scripted(bomb())],
  [
    'F10 sets cookies, redirects and closes',
    scripted(
      'HTTP/1.1 103 Early\r\nLink: </evil>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: http://evil/\r\nSet-Cookie: evil=1\r\nAlt-Svc: h3=":1"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    ),
  ],
  ['F11 is 30,000 deep', scripted(ok('['.repeat(30_000) + ']'.repeat(30_000), JSON_TYPE))],
  [
    'F12 keeps the comparer busy for ever',
    scripted(ok(BODY.replace('19.90', `${'1'.repeat(64)}!`), JSON_TYPE)),
  ],
];

function bomb(): string {
  const packed = gzipSync(Buffer.alloc(32 * 1024 * 1024));
  const head = `HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`;
  return head + packed.toString('latin1');
}

/** Four requests on one connection, and how long all of them took. */
async function asked(world: World): Promise<{ readonly text: string; readonly tookMs: number }> {
  const client = rawClient(Number(new URL(world.running.traffic).port));
  const startedAt = performance.now();
  for (let i = 1; i <= REQUESTS; i += 1) {
    client.send(GET);
    await client.until((text) => text.split(BODY).length > i);
  }
  const tookMs = performance.now() - startedAt;
  client.end();
  return { text: await client.closed(), tookMs };
}

test.each(FAULTS)('a service that %s changes nothing for the client (A1, A3, A7, A8)', async (_, open) => {
  const legacy = await rawUpstream(LEGACY);
  const service = await open();
  const world = await startWorld({ legacy: legacy.origin, service: service.origin }, { groups: GROUPS });
  const before = await asked(world);
  await world.move({ kind: 'shadow', sample: 100 });
  const during = await asked(world);

  expect(during.text).toBe(before.text);
  // Nobody waited for a copy: one alone may take 3 s.
  expect(during.tookMs).toBeLessThan(1_500);
  expect(legacy.heard).toHaveLength(2 * REQUESTS);
  expect(service.heard.length).toBeLessThanOrEqual(REQUESTS);

  const startedAt = performance.now();
  await world.running.stop();
  expect(performance.now() - startedAt).toBeLessThan(2_500);
});

test('the count of what was eligible holds beside a service that hangs (A7)', async () => {
  const legacy = await rawUpstream(LEGACY);
  const service = await rawUpstream(() => undefined);
  const world = await startWorld({ legacy: legacy.origin, service: service.origin }, { groups: GROUPS });
  await world.move({ kind: 'shadow', sample: 100 });
  await asked(world);
  await eventually(async () => (await world.group()).comparisons.eligible === REQUESTS);
  const { eligible, same, ignored, different, skipped } = (await world.group()).comparisons;
  const skips = Object.values(skipped).reduce((sum, n) => sum + n, 0);
  expect(same + ignored + different + skips).toBe(eligible);
});

test('an upload that is copied reaches the primary piece by piece (A4)', async () => {
  const legacy = await rawUpstream(LEGACY);
  const service = await rawUpstream(() => undefined);
  const world = await startWorld({ legacy: legacy.origin, service: service.origin }, { groups: GROUPS });
  await world.move({ kind: 'shadow', sample: 100 });
  const client = rawClient(Number(new URL(world.running.traffic).port));
  client.send(
    'PUT /api/v1/products/12 HTTP/1.1\r\nHost: shop\r\nCookie: sid=ana\r\nContent-Length: 10\r\n\r\nfirst',
  );
  await legacy.received('first');
  client.send('-last');
  await client.until(BODY);
  await service.received('first-last');
  expect(service.bytes()).toContain('Idempotency-Key: ');
});

test('an upload over the limit of copies is served, and counted as too-large (A5)', async () => {
  const legacy = await rawUpstream(LEGACY);
  const service = await rawUpstream(() => undefined);
  const world = await startWorld({ legacy: legacy.origin, service: service.origin }, { groups: GROUPS });
  await world.move({ kind: 'shadow', sample: 100 });
  const body = 'x'.repeat(1_000_000);
  const { status } = await world.get('/api/v1/products/12', 'ana', { method: 'PUT', body });
  expect(status).toBe(200);
  await eventually(async () => (await world.group()).comparisons.skipped['too-large'] === 1);
  expect(service.heard).toHaveLength(0);
});

test('at the end copies are given up first, and what is in flight is still answered', async () => {
  const legacy = await rawUpstream((_, n) => (n === 1 ? String(LEGACY) : undefined));
  const service = await rawUpstream(() => undefined);
  const world = await startWorld({ legacy: legacy.origin, service: service.origin }, { groups: GROUPS });
  await world.move({ kind: 'shadow', sample: 100 });
  const client = rawClient(Number(new URL(world.running.traffic).port));
  client.send(GET);
  await service.request(1);
  client.send(GET);
  await legacy.request(2);
  const stopped = world.running.stop();
  await service.allClosed();
  expect(client.text().split(BODY)).toHaveLength(2);
  legacy.say(String(LEGACY));
  await client.until((text) => text.split(BODY).length === 3);
  client.end();
  await stopped;
});

test('with most connections to an upstream taken no copy is made', async () => {
  const legacy = await rawUpstream(() => undefined);
  const service = await rawUpstream(LEGACY);
  const world = await startWorld(
    { legacy: legacy.origin, service: service.origin },
    { groups: GROUPS, upstream: { connectionsMax: 10 } },
  );
  await world.move({ kind: 'shadow', sample: 100 });
  const asking = Array.from({ length: 10 }, () => world.get('/api/v1/products/12'));
  await legacy.request(10);
  legacy.say(String(LEGACY));
  await Promise.all(asking);
  await eventually(async () => (await world.group()).comparisons.eligible === 10);
  // More than eight were in flight when the last one came.
  expect((await world.group()).comparisons.skipped).toMatchObject({ overload: 1 });
});

test('copies of writes for a shadow database reach its instances, those of reads the others', async () => {
  const legacy = await rawUpstream(LEGACY);
  const [service, apart] = [await rawUpstream(LEGACY), await rawUpstream(LEGACY)];
  const writes = { mode: 'shadow-database', ...EXPLODING } as const;
  const world = await startWorld(
    { legacy: legacy.origin, service: service.origin },
    {
      services: { catalog: { url: service.origin, shadow: apart.origin } },
      groups: {
        catalog: {
          service: 'catalog',
          routes: ['GET /api/*', { match: 'POST /api/*', writes }],
          unit: [{ cookie: 'sid' }],
        },
      },
    },
  );
  await world.move({ kind: 'shadow', sample: 100 });
  await world.get('/api/v1/orders', 'ana', { method: 'POST', body: 'x=1' });
  await apart.request(1);
  await world.get('/api/v1/orders');
  await service.request(1);
  expect(apart.heard.map(({ start }) => start)).toEqual(['POST /api/v1/orders HTTP/1.1']);
  expect(service.heard.map(({ start }) => start)).toEqual(['GET /api/v1/orders HTTP/1.1']);
  expect((await world.group()).writes).toMatchObject([{ route: 'POST /api/*', mode: 'shadow-database' }]);
});
