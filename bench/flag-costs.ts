/**
 * What flags cost in the process that answers traffic: `node bench/flag-costs.ts` measures everything once, in turn,
 * and prints {@link FlagCosts}. Medians of many; each number belongs to this one process.
 */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { deserialize, serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { createFlagFeed } from '../flags/push.ts';
import { createReader, type FlagSource, type RunningReader } from '../flags/reader.ts';
import { CANONICAL, CONSTRAINED, tableAfter } from './flag-table.ts';

/** By contestant. */
export interface FlagCosts {
  /** Time of the event loop for one changed flag of 1,000, ms. */
  readonly updateMs: Readonly<Record<string, number>>;
  /** One request: key, context and both flags, us. */
  readonly evaluationUs: Readonly<Record<string, number>>;
}

const UPDATES = 101;
const POLLS = 9;
/** Short, and many: whoever else is on the machine interrupts a few of them, and the median is of the others. */
const BATCHES = 2_000;
const BATCH = 100;
/** More units than any memo holds, so that every one is new to it. */
const UNITS = 50_000;

const PROPERTIES = { tenant: 'acme', plan: 'shop.pro' };
const quiet = (): void => undefined;
const clock = { now: () => performance.now(), wall: () => Date.now() };
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const backupDir = mkdtempSync(path.join(tmpdir(), 'fig-bench-flags-'));

const local = localReader();
const push = pushedReader();
const server = new Worker(new URL('flag-server.ts', import.meta.url));
const port = await new Promise((resolve) => server.once('message', resolve));
const polled = started({ kind: 'poll', url: `http://127.0.0.1:${port}`, token: 't', refreshMs: 250 });

const samples: Record<'local' | 'telling' | 'told', number[]> = { local: [], telling: [], told: [] };
for (let n = 1; n <= UPDATES; n += 1) {
  samples.local.push(timedMs(() => local.change(n)));
  let message = Buffer.alloc(0);
  samples.telling.push(
    timedMs(() => {
      message = serialize({ table: local.reader.table(), data: 'fresh', stale: false, ageMs: 0 });
    }),
  );
  samples.told.push(timedMs(() => push.feed.push(deserialize(message))));
}
const costs: FlagCosts = {
  updateMs: {
    'in the same process': median(samples.local),
    'told to one worker': median(samples.telling),
    'in that worker': median(samples.told),
    'by polling': median(await pollsMs(polled)),
  },
  evaluationUs: evaluationsUs(local.reader),
};
console.log(JSON.stringify(costs));
await Promise.all([local.reader, push.reader, polled].map((reader) => reader.stop()));
await server.terminate();
rmSync(backupDir, { recursive: true });

function started(source: FlagSource): RunningReader {
  const properties = ['tenant', 'plan'];
  const reader = createReader({ source, environment: 'production', backupDir, clock, log, properties });
  reader.start();
  return reader;
}

function localReader() {
  const listeners = new Set<() => void>();
  let table = tableAfter(0);
  const reader = started({
    kind: 'local',
    server: {
      table: () => table,
      onCommit(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
  });
  const change = (changes: number): void => {
    table = tableAfter(changes);
    for (const listener of listeners) listener();
  };
  return { reader, change };
}

function pushedReader() {
  const feed = createFlagFeed(clock);
  return { feed, reader: started({ kind: 'push', feed }) };
}

/** What the event loop was busy with from one change to the next, when nothing else is going on: one poll each. */
function pollsMs(reader: RunningReader): Promise<number[]> {
  const { promise, resolve } = Promise.withResolvers<number[]>();
  const busyMs: number[] = [];
  let before: EventLoopUtilization | null = null;
  reader.onChange(() => {
    const now = performance.eventLoopUtilization();
    if (before !== null) busyMs.push(performance.eventLoopUtilization(now, before).active);
    before = now;
    if (busyMs.length === POLLS) resolve(busyMs);
  });
  return promise;
}

function evaluationsUs(reader: RunningReader): Record<string, number> {
  const ids = Array.from({ length: UNITS }, (_, n) => `user-${n}`);
  const few = ids.slice(0, 1_000);
  const cases: readonly [string, string, readonly string[]][] = [
    ['canonical, unit seen before', CANONICAL, few],
    ['canonical, new unit', CANONICAL, ids],
    ['two constraints', CONSTRAINED, ids],
    ['no flag', 'nobody', ids],
  ];
  const at = new Map<string, number>();
  const batch = (name: string, group: string, of: readonly string[]): number => {
    let next = at.get(name) ?? 0;
    const tookMs = timedMs(() => {
      for (let n = 0; n < BATCH; n += 1) {
        next = (next + 1) % of.length;
        const unit = hash('sha256', of[next] ?? '', 'hex').slice(0, 32);
        reader.read(group, { unit, requestId: 'request', properties: PROPERTIES });
      }
    });
    at.set(name, next);
    return (tookMs * 1_000) / BATCH;
  };
  const rounds = Array.from({ length: BATCHES }, () => cases.map((one) => batch(...one)));
  // The first rounds are those of a cold engine.
  const warm = rounds.slice(BATCHES / 2);
  return Object.fromEntries(cases.map(([name], n) => [name, median(warm.map((round) => round[n] ?? 0))]));
}

function timedMs(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
