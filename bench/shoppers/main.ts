/**
 * Seeded shoppers, in open loop:
 *   node bench/shoppers/main.ts --target http://127.0.0.1:8080 --seed 7 --rate 100 --duration 30 --sessions 200 --mix slice [--json]
 * Exit 0 when every answer had the expected status and every step was sent, 1 otherwise. SIGTERM ends it early.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type Catalogue, learnCatalogue } from './catalogue.ts';
import { createClient } from './client.ts';
import { drive } from './drive.ts';
import { type Options, readOptions } from './options.ts';
import { buildSchedule } from './schedule.ts';
import { createShopper, type Shopper } from './shopper.ts';
import { createTally, type Summary } from './tally.ts';

const IN_FLIGHT_MAX = 64;
const OVERRUN_MS = 5_000;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort());
  const client = createClient(options.target, IN_FLIGHT_MAX);
  const catalogue = await learnCatalogue(client, options.seed);
  const tally = createTally();
  const { unsent } = await drive(
    buildSchedule(options),
    {
      client,
      shopperOf: shoppersOf(options, catalogue),
      tally,
      nowMs: () => performance.now(),
      // An aborted wait is simply over.
      pause: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
    },
    { inFlightMax: IN_FLIGHT_MAX, overrunMs: OVERRUN_MS },
    stopping.signal,
  );
  const summary = { ...tally.summary(), unsent, setup: catalogue.requests, seed: options.seed };
  console.log(options.json ? JSON.stringify(summary) : table(summary, unsent));
  const complete = unsent === 0 || stopping.signal.aborted;
  return summary.unexpected === 0 && complete ? 0 : 1;
}

function shoppersOf(options: Options, catalogue: Catalogue): (session: number) => Shopper {
  const shoppers = new Map<number, Shopper>();
  return (session) => {
    const known = shoppers.get(session);
    if (known !== undefined) return known;
    const shopper = createShopper(session, options.target, catalogue);
    shoppers.set(session, shopper);
    return shopper;
  };
}

function table(summary: Summary, unsent: number): string {
  const routes = Object.entries(summary.byRoute).map(
    ([route, count]) => `${String(count).padStart(7)}  ${route}`,
  );
  const statuses = Object.entries(summary.statuses).map(([status, count]) => `${status}: ${count}`);
  const unexpected = Object.entries(summary.unexpectedBy).map(
    ([kind, count]) => `${String(count).padStart(7)}  ${kind}`,
  );
  return [
    ...routes,
    `${String(summary.requests).padStart(7)}  in all, ${summary.sessions} sessions, ${summary.late} late, ${unsent} not sent`,
    `statuses ${statuses.join('  ')}`,
    `p50 ${summary.p50Ms} ms  p95 ${summary.p95Ms} ms  p99 ${summary.p99Ms} ms`,
    ...(unexpected.length === 0 ? [] : [`${summary.unexpected} unexpected:`, ...unexpected]),
  ].join('\n');
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(`shoppers: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  },
);
