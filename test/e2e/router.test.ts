import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFlagServer } from '../../flags/server/app.ts';
import { newTokens } from '../../flags/server/auth.ts';
import { realClock } from '../helpers/clock.ts';
import { quiet } from '../helpers/control.ts';
import { adminClient, ordersConfig, ready, spawnFig, twoSides, up } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { exchange } from '../helpers/raw-http.ts';
import { closedPort, type Heard, ok, rawUpstream, type Script } from '../helpers/upstream.ts';

const AS_U1 = { headers: { 'X-User': 'u1' } };

/** Who answers a unit that is on the service as soon as anybody is. */
async function whoAnswers(traffic: string): Promise<string> {
  const answer = await fetch(`${traffic}/orders/1`, AS_U1);
  return answer.text();
}

describe('a process that is killed', () => {
  const ROUNDS = 10;
  const SEED = 20_260_101;

  test(`at random moments (seed ${SEED}) loses no acknowledged move`, async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'fig.config.json');
    writeFileSync(file, JSON.stringify(ordersConfig(await twoSides())));
    const data = join(folder, 'data');
    const random = mulberry32(SEED);
    const acknowledged: string[] = [];
    let sent = 0;

    const start = async () => {
      const child = spawnFig(['up', '--config', file]);
      return { child, admin: adminClient((await ready(child)).admin, data) };
    };
    const first = await start();
    await first.admin.move('orders', { kind: 'shadow', sample: 100 });
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');

    for (let round = 0; round < ROUNDS; round += 1) {
      const { child, admin } = await start();
      const gone = once(child, 'exit');
      const killed = setTimeout(50 + random() * 250).then(() => child.kill('SIGKILL'));
      for (let alive = true; alive; ) {
        sent += 1;
        const reason = `move ${sent}`;
        const share = 1 + (sent % 9_000) / 100;
        alive = await admin.move('orders', { kind: 'shift', share, reason }).then(
          () => acknowledged.push(reason) > 0,
          () => false,
        );
      }
      await Promise.all([gone, killed]);
    }

    const { admin } = await start();
    const [status, history] = await Promise.all([admin.status(), admin.history()]);
    const moves = history.filter((event) => event.type === 'share.intended').toReversed();
    const recorded = moves.map((event) => event.body.reason);
    expect(recorded.filter((reason) => acknowledged.includes(String(reason)))).toEqual(acknowledged);
    expect(acknowledged.length).toBeGreaterThan(ROUNDS);
    expect(status.groups).toMatchObject([{ stage: 'canary', share: { asked: moves.at(-1)?.body.to } }]);
  });
});

describe('flags', () => {
  test('an Unleash that cannot be reached leaves everybody on legacy, and one that comes back is used', async () => {
    const port = await closedPort();
    const tokens = newTokens('production');
    const running = await up(
      {
        ...ordersConfig(await twoSides()),
        flags: {
          unleash: `http://127.0.0.1:${port}/api/`,
          tokenEnv: 'CLIENT',
          adminTokenEnv: 'ADMIN',
          refreshMs: 250,
        },
      },
      { CLIENT: tokens.client, ADMIN: tokens.admin },
    );
    const admin = adminClient(running.admin, running.data);
    await admin.move('orders', { kind: 'shadow', sample: 100 });
    const shift = await admin.move('orders', { kind: 'shift', share: 100 });
    expect(shift.flag.state).toBe('pending');
    expect(await whoAnswers(running.traffic)).toBe('legacy');
    const [orders] = (await admin.status()).groups;
    expect(orders?.waiting.join()).toContain('no flag was ever read');
    expect(orders?.share).toMatchObject({ asked: 100, effective: 0 });

    const server = createFlagServer({
      file: join(running.data, 'other-flags.db'),
      tokens,
      clock: realClock,
      log: quiet,
    });
    onTestFinished(() => server.close());
    await server.listen({ port });
    await admin.until(({ groups }) => groups[0]?.share.effective === 100);
    expect(await whoAnswers(running.traffic)).toBe('service');
  });

  test('a flag switched off or on decides the next request: median of 20 under 50 ms', async () => {
    const running = await up(ordersConfig(await twoSides()));
    const admin = adminClient(running.admin, running.data);
    await admin.move('orders', { kind: 'shadow', sample: 100 });
    await admin.move('orders', { kind: 'shift', share: 100 });
    const authorization = readFileSync(join(running.data, 'flags.admin.token'), 'utf8').trim();
    const flag = `${running.flags}/api/admin/projects/default/features/fig.orders.serve/environments/production`;
    const delaysMs: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const [state, side] = i % 2 === 0 ? ['off', 'legacy'] : ['on', 'service'];
      const answer = await fetch(`${flag}/${state}`, { method: 'POST', headers: { authorization } });
      expect(answer.status).toBe(200);
      await answer.text();
      const from = performance.now();
      expect(await whoAnswers(running.traffic)).toBe(side);
      delaysMs.push(performance.now() - from);
    }
    expect(delaysMs.toSorted((a, b) => a - b)[10]).toBeLessThan(50);
  });
});

describe('shadowing', () => {
  test('a write in stage shadow never reaches the service', async () => {
    const legacy = await rawUpstream(ok('legacy'));
    const service = await rawUpstream(ok('legacy'));
    const running = await up(ordersConfig({ legacy: legacy.origin, service: service.origin }));
    const admin = adminClient(running.admin, running.data);
    await admin.move('orders', { kind: 'shadow', sample: 100 });
    for (let i = 0; i < 5; i += 1) {
      const answer = await fetch(`${running.traffic}/orders/${i}`, { ...AS_U1, method: 'POST', body: 'x' });
      await answer.text();
    }
    await whoAnswers(running.traffic);
    await service.request(1);
    const status = await admin.until(({ groups }) => groups[0]?.comparisons.same === 1);
    expect(status.groups[0]?.comparisons.skipped).toEqual({ 'unsafe-method': 5 });
    expect(service.heard.map(({ start }) => start)).toEqual(['GET /orders/1 HTTP/1.1']);
    expect(legacy.heard).toHaveLength(6);
  });

  const FAULTS: readonly (readonly [name: string, script: Script | null])[] = [
    ['hangs', () => undefined],
    ['refuses connections', null],
    [
      'resets connections',
      ({ socket }) => {
        socket.resetAndDestroy();
        return undefined;
      },
    ],
    ['never stops answering', endless],
    ['answers one byte at a time', slow],
  ];

  test.each(FAULTS)('a service that %s changes no byte of what clients get', async (_name, script) => {
    const legacy = await rawUpstream(answerOf);
    const service =
      script === null ? `http://127.0.0.1:${await closedPort()}` : (await rawUpstream(script)).origin;
    const running = await up(ordersConfig({ legacy: legacy.origin, service }));
    const port = Number(new URL(running.traffic).port);
    const admin = adminClient(running.admin, running.data);
    const without = await answers(port);
    await admin.move('orders', { kind: 'shadow', sample: 100 });
    const shadowed = await answers(port);
    expect(shadowed).toEqual(without);
    expect(without[0]).toContain('X-Legacy: a');
    await admin.until(({ groups }) => (groups[0]?.comparisons.eligible ?? 0) > 0);
  });
});

const PATHS = ['/orders/1', '/orders/chunked', '/orders/missing', '/orders/empty'] as const;

/** Every answer of legacy through the router, byte for byte, without what differs by nature. */
async function answers(port: number): Promise<readonly string[]> {
  const all: string[] = [];
  for (const path of PATHS) {
    const head = `GET ${path} HTTP/1.1\r\nHost: shop.test\r\nX-User: u1\r\nConnection: close\r\n\r\n`;
    const text = await exchange(port, head);
    all.push(text.replaceAll(/^(?:Date|X-Request-Id): .*\r\n/gim, ''));
  }
  return all;
}

function answerOf({ start }: { readonly start: string }): string {
  if (start.includes('chunked'))
    return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
  if (start.includes('missing')) return 'HTTP/1.1 404 Gone Fishing\r\nContent-Length: 2\r\n\r\nno';
  if (start.includes('empty')) return 'HTTP/1.1 204 No Content\r\nX-Legacy: b\r\n\r\n';
  return ok('legacy', 'X-Legacy: a\r\nx-legacy: again\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n');
}

function endless({ socket }: Heard): undefined {
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  more();
}

function slow({ socket }: Heard): undefined {
  const text = ok('slow');
  let at = 0;
  const timer = setInterval(() => {
    socket.write(text.slice(at, at + 1));
    at += 1;
    if (at === text.length) clearInterval(timer);
  }, 5);
  socket.on('close', () => clearInterval(timer));
}

/** A small seeded generator of numbers from 0 to 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
