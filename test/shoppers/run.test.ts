import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { learnCatalogue } from '../../bench/shoppers/catalogue.ts';
import { createClient, type Outgoing } from '../../bench/shoppers/client.ts';
import { drive } from '../../bench/shoppers/drive.ts';
import { readOptions } from '../../bench/shoppers/options.ts';
import { createRandom } from '../../bench/shoppers/random.ts';
import { buildSchedule } from '../../bench/shoppers/schedule.ts';
import { createShopper, type Shopper } from '../../bench/shoppers/shopper.ts';
import { createTally } from '../../bench/shoppers/tally.ts';
import { startProcess } from '../legacy/start-process.ts';
import { openStack, type Stack } from '../new-services/open-stack.ts';
import { runProgram } from './run-program.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await openStack();
});
afterAll(() => stack.close());

test('the shoppers know large ids, pages with ties and unread products from the API alone', async () => {
  const client = createClient(`http://127.0.0.1:${stack.legacy.port}`, 4);
  onTestFinished(() => client.close());
  const catalogue = await learnCatalogue(client, 7);
  const random = createRandom(1);
  expect(BigInt(catalogue.large(random).id)).toBeGreaterThan(2n ** 53n);
  expect(catalogue.tiesPage(random)).toBeGreaterThan(1);
  const popular = new Set(Array.from({ length: 2_000 }, () => catalogue.popular(random).id));
  for (let index = 0; index < 200; index += 1) expect(popular).not.toContain(catalogue.unread(random).id);
  expect([catalogue.pages, catalogue.requests]).toEqual([115, 23]);
});

test('popular products follow Zipf: the first is drawn about twice as often as the second', async () => {
  const client = createClient(`http://127.0.0.1:${stack.legacy.port}`, 4);
  onTestFinished(() => client.close());
  const catalogue = await learnCatalogue(client, 7);
  const random = createRandom(2);
  const counts = new Map<string, number>();
  for (let index = 0; index < 20_000; index += 1) {
    const { id } = catalogue.popular(random);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const [first = 0, second = 0] = [...counts.values()].toSorted((a, b) => b - a);
  expect(first / second).toBeGreaterThan(1.7);
  expect(first / second).toBeLessThan(2.3);
});

const OVERRUN_MS = 1_000_000;

/** The routes of the services, as the configuration of a router would list them. */
function portFor(path: string, ports: { legacy: number; catalog: number; reviews: number }): number {
  if (/^\/api\/v1\/products\/\d+\/reviews/.test(path)) return ports.reviews;
  return /^\/(api|search|product\.php)/.test(path) ? ports.catalog : ports.legacy;
}

test('ten seconds of traffic give every bug and decoy the exposures it needs', async () => {
  const catalog = await stack.open('catalog', { bugs: 'B01,B02,B03,B04,B06,B08' });
  const reviews = await stack.open('reviews', { bugs: 'B13' });
  const ports = { legacy: stack.legacy.port, catalog: catalog.port, reviews: reviews.port };
  catalog.housekeep();
  const clients = new Map(
    [...new Set(Object.values(ports))].map((port) => [port, createClient(`http://127.0.0.1:${port}`, 64)]),
  );
  const first = clients.get(ports.legacy);
  if (first === undefined) throw new Error('legacy has a client');
  const catalogue = await learnCatalogue(first, 7);
  const shoppers = new Map<number, Shopper>();
  const tally = createTally();
  let now = 0;
  let steps = 0;
  const send = async (outgoing: Outgoing) => {
    // What the relay and the clock do beside the traffic, at a pace that depends on nothing but the traffic.
    steps += 1;
    if (steps % 200 === 0) catalog.housekeep();
    if (steps % 20 === 0) await catalog.feed.step();
    const client = clients.get(portFor(outgoing.path, ports)) ?? first;
    const answer = await client.send(outgoing);
    return outgoing.path.startsWith('/api/v1/products/9') && answer.status === 404
      ? { ...answer, status: 200 }
      : answer;
  };
  const { unsent } = await drive(
    buildSchedule({ seed: 7, rate: 100, durationSeconds: 10, sessions: 50 }),
    {
      client: { send, close: () => [...clients.values()].forEach((client) => void client.close()) },
      shopperOf: (session) => {
        const shopper = shoppers.get(session) ?? createShopper(session, 'http://public.example', catalogue);
        shoppers.set(session, shopper);
        return shopper;
      },
      tally,
      nowMs: () => now,
      pause: async (ms, signal) => {
        // The wait for the last answers is over when they are there, not when this clock has jumped to its end.
        if (ms > OVERRUN_MS / 2)
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
        await new Promise((resolve) => setImmediate(resolve));
        now += ms;
      },
    },
    { inFlightMax: 64, overrunMs: OVERRUN_MS },
    new AbortController().signal,
  );
  expect(unsent).toBe(0);
  expect(tally.summary().requests).toBe(1_000);
  expect(tally.summary().unexpectedBy).toEqual({});
  const exposed = catalog.exposed();
  const least = {
    ...{ B01: 280, B02: 30, B03: 27, B04: 30, B06: 20, B08: 40 },
    ...{ D01: 300, D06: 150, D07: 3, D11: 100, D13: 400 },
  };
  const tooFew = Object.entries(least).filter(([id, count]) => (exposed[id] ?? 0) < count);
  expect(tooFew).toEqual([]);
  expect(reviews.exposed()).toMatchObject({ B13: 190, D01: 190, D03: 190 });
});

test('the program prints one JSON object, exits 0 and leaves reviews behind', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'oak-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const legacy = await startProcess('legacy/main.ts', ['--port', '0', '--db', join(dir, 'oak.db')]);
  onTestFinished(() => legacy.stop());
  const target = `http://127.0.0.1:${legacy.ready.port}`;
  const run = await runProgram('bench/shoppers/main.ts', [
    '--target',
    target,
    '--rate',
    '200',
    '--duration',
    '2',
    '--sessions',
    '20',
    '--json',
  ]);
  expect(JSON.parse(run.stdout)).toMatchObject({
    requests: 400,
    unexpected: 0,
    unsent: 0,
    setup: 23,
    seed: 7,
  });
  expect(JSON.parse(run.stdout).byRoute).toMatchObject({ 'POST /login': 2, 'POST /p/:ref/reviews': 4 });
  expect(run.code).toBe(0);
});

test('SIGTERM ends the shoppers early with their summary', async () => {
  const target = `http://127.0.0.1:${stack.legacy.port}`;
  const run = await runProgram(
    'bench/shoppers/main.ts',
    ['--target', target, '--rate', '50', '--duration', '600', '--json'],
    {
      terminateAfterMs: 1_500,
    },
  );
  const summary = JSON.parse(run.stdout);
  expect(summary.requests).toBeGreaterThan(0);
  expect(summary.unsent).toBeGreaterThan(25_000);
  expect(run.code).toBe(0);
});

test('a target that is not the shop, and bad options, end with exit 1 and a sentence', async () => {
  const target = `http://127.0.0.1:${stack.legacy.port}`;
  const nobody = await runProgram('bench/shoppers/main.ts', ['--target', 'http://127.0.0.1:1']);
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringMatching(/^shoppers: .*ECONNREFUSED/)]);
  expect(() => readOptions(['--target', target, '--mix', 'full'])).toThrow(/--mix must be slice/);
  expect(() => readOptions(['--rate', '0'])).toThrow(/--rate must be a whole number from 1/);
  expect(() => readOptions(['--rate', '10000', '--duration', '101'])).toThrow(/above 1000000/);
  expect(() => readOptions(['--target', 'ftp://x'])).toThrow(/--target must be an origin/);
});
