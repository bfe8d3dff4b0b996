import http from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { startFigUp } from '../helpers/fig.ts';
import { openFiles } from '../helpers/process.ts';
import { parseMessage, type RawClient, rawClient, values } from '../helpers/raw-http.ts';
import { createWatch } from '../helpers/watch.ts';
import { eventually, webServer } from '../helpers/world.ts';

const CLIENTS = 200;
const LIMIT_MS = 1_500;
/** How exact a timeout must be. */
const STEP_MS = 250;
const HEALTHY_MS_MAX = 1_000;
/** More than the 4 MiB that a kernel takes for a client that does not read. */
const BIG = Buffer.alloc(8 * 1_048_576, 'b');
/** Fewer than the others: what they do not read is memory of the kernel. */
const READERS = 50;
const TIMEOUT = { timeout: 40_000 };

async function world() {
  const watch = createWatch();
  let cut = 0;
  const legacy = await webServer((req, res) => {
    res.on('close', () => {
      if (!res.writableFinished) cut += 1;
      watch.wake();
    });
    if (req.method === 'POST') req.resume().on('end', () => res.end('whole'));
    else res.end(req.url === '/big' ? BIG : 'healthy');
  });
  const proxy = await startFigUp({
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    flags: { embedded: { listen: '127.0.0.1:0' } },
    legacy: legacy.origin,
    timeouts: { clientHeadMs: LIMIT_MS, clientBodyIdleMs: LIMIT_MS, clientWriteStallMs: LIMIT_MS },
  });
  return {
    legacy,
    proxy,
    /** Resolves once so many exchanges were cut at the upstream. */
    cutUpstream: (n: number) => watch.until(() => cut === n),
  };
}

function crowd(port: number, says: string, size = CLIENTS): readonly RawClient[] {
  return Array.from({ length: size }, () => {
    const client = rawClient(port);
    client.send(says);
    return client;
  });
}

/** A client that behaves, request after request, until it is stopped; rejects on any wrong or late answer. */
function healthyClient(port: number): { stop(): Promise<number> } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  let stopped = false;
  let answered = 0;
  const run = async (): Promise<number> => {
    while (!stopped) {
      const started = performance.now();
      expect(await ask(port, agent)).toBe('healthy');
      expect(performance.now() - started).toBeLessThan(HEALTHY_MS_MAX);
      answered += 1;
    }
    return answered;
  };
  const running = run();
  running.catch(() => undefined); // Whoever stops it gets the reason.
  return {
    stop() {
      stopped = true;
      return running;
    },
  };
}

function ask(port: number, agent: http.Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  http
    .get({ port, host: '127.0.0.1', path: '/healthy', agent }, (res) => {
      let text = '';
      res.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
      });
      res.on('end', () => resolve(text)).on('error', reject);
    })
    .on('error', reject);
  return promise;
}

/** Resolves with the answer of each, and the shortest time one of them was borne. */
async function borne(clients: readonly RawClient[], started: number) {
  const ends = await Promise.all(
    clients.map(async (client) => ({ text: await client.closed(), ms: performance.now() - started })),
  );
  const answers = ends.map(({ text }) => parseMessage(text));
  return { answers, shortestMs: Math.min(...ends.map(({ ms }) => ms)) };
}

test(
  '200 clients that never finish their head are answered 408; the others notice nothing',
  TIMEOUT,
  async () => {
    const { proxy } = await world();
    const started = performance.now();
    const clients = crowd(proxy.port, 'GET /x HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    // A byte now and then does not buy more time.
    const drip = setInterval(() => clients.forEach((client) => void client.send('x')), 200);
    onTestFinished(() => clearInterval(drip));
    const healthy = healthyClient(proxy.port);
    const { answers, shortestMs } = await borne(clients, started);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([408]));
    expect(answers.flatMap((answer) => values(answer, 'connection'))).toEqual(Array(CLIENTS).fill('close'));
    expect(shortestMs).toBeGreaterThanOrEqual(LIMIT_MS - STEP_MS);
    expect(await healthy.stop()).toBeGreaterThan(10);
  },
);

test(
  '200 clients that stop in their body are answered 408; the upstream sees no complete request',
  TIMEOUT,
  async () => {
    const { legacy, proxy, cutUpstream } = await world();
    const started = performance.now();
    const clients = crowd(proxy.port, 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    const healthy = healthyClient(proxy.port);
    const { answers, shortestMs } = await borne(clients, started);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([408]));
    expect(shortestMs).toBeGreaterThanOrEqual(LIMIT_MS - STEP_MS);
    expect(await healthy.stop()).toBeGreaterThan(10);
    const reached = legacy.requests.filter((line) => line.startsWith('POST')).length;
    await cutUpstream(reached);
  },
);

test('50 clients that do not read their answer are cut; the others notice nothing', TIMEOUT, async () => {
  const { proxy } = await world();
  const filesBefore = openFiles(proxy.pid);
  const clients = crowd(proxy.port, 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n', READERS);
  for (const client of clients) client.pause();
  await eventually(() => openFiles(proxy.pid) >= filesBefore + READERS);
  const healthy = healthyClient(proxy.port);
  const ofTheHealthy = 2;
  await eventually(() => openFiles(proxy.pid) <= filesBefore + ofTheHealthy, 20_000);
  expect(await healthy.stop()).toBeGreaterThan(10);
  for (const client of clients) client.resume();
  const texts = await Promise.all(clients.map((client) => client.closed()));
  expect(texts.filter((text) => text.length >= BIG.length)).toEqual([]);
});
