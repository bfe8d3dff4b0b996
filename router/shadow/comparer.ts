/** Hands pairs to a worker thread, one at a time, and replaces the thread when a pair costs too much. */
import { Worker } from 'node:worker_threads';
import { assertNever } from '../core/assert.ts';
import type { NoiseKey, NoiseRow } from '../core/ports.ts';
import type { CompareRule, SkipReason } from '../core/types.ts';
import type { Judged } from './judge.ts';
import { type Pair, packPair } from './pair.ts';
import type { FromWorker, NoiseNews, ToWorker, WorkerSetup } from './worker.ts';

export interface ComparerLimits {
  /** Wall time one pair may take in the thread. */
  readonly budgetMs: number;
  /** Heap of the thread, MiB. */
  readonly heapMbMax: number;
  /** Pairs that wait for the thread; one more is refused as `compare-budget`. */
  readonly waitingMax: number;
}

export const COMPARER_LIMITS: ComparerLimits = { budgetMs: 250, heapMbMax: 256, waitingMax: 256 };

export interface Comparer {
  start(): void;
  /** Always resolves; a pair that cannot be judged is skipped with its reason. */
  judge(pair: Pair, rules: readonly CompareRule[]): Promise<Judged>;
  /** Counts a request asked three times whose answers were all the same byte for byte. */
  same(key: NoiseKey, route: string): void;
  /** What noise has changed since it was asked for last; null: the thread is not there, or not in time. */
  noise(withinMs: number): Promise<NoiseNews | null>;
  /** Threads replaced so far. */
  replaced(): number;
  stop(): Promise<void>;
}

interface Waiting {
  readonly pair: Pair;
  readonly rules: readonly CompareRule[];
  readonly done: (judged: Judged) => void;
}

/** Noise is asked for between two pairs: packing it must not count against one. */
interface Asking {
  readonly withinMs: number;
  readonly done: (news: NoiseNews | null) => void;
  /** Null: it waits for its turn. */
  watchdog: NodeJS.Timeout | null;
}

interface Thread {
  readonly worker: Worker;
  readonly known: Set<number>;
}

const KNOWN_RULES_MAX = 256;
/** Packed noise models kept for the next thread. */
const REMEMBERED_BYTES_MAX = 16 * 1024 * 1024;
/** A thread that never comes up is not started for ever. */
const FAILED_STARTS_MAX = 5;
/** Loading takes a tenth of a second; a thread that takes this long is stuck. */
const START_MS_MAX = 15_000;

/**
 * Does no I/O before `start`. The thread's file has the ending of this one: `.ts` in a checkout, `.js` compiled.
 * `learned`: what an earlier process knew of noise.
 */
export function createComparer(
  setup: Omit<WorkerSetup, 'learned'>,
  limits: ComparerLimits = COMPARER_LIMITS,
  learned: readonly NoiseRow[] = [],
): Comparer {
  const ids = new WeakMap<readonly CompareRule[], number>();
  const waiting: Waiting[] = [];
  /** What a thread that replaces another begins with. */
  const remembered = new Map(learned.map((row) => [noiseName(row), row]));
  let asking: Asking | null = null;
  let nextId = 1;
  let thread: Thread | null = null;
  let current: { readonly job: Waiting; readonly watchdog: NodeJS.Timeout } | null = null;
  let ready = false;
  let replaced = 0;
  let failedStarts = 0;

  function spawn(): Thread {
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: { ...setup, learned: [...remembered.values()] } satisfies WorkerSetup,
      resourceLimits: {
        maxOldGenerationSizeMb: limits.heapMbMax,
        maxYoungGenerationSizeMb: 32,
        stackSizeMb: 4,
      },
      execArgv: [],
      env: {},
    });
    ready = false;
    const slow = setTimeout(() => replace(worker, 'compare-failed'), START_MS_MAX).unref();
    worker.on('message', (message: FromWorker) => {
      if (thread?.worker !== worker) return;
      switch (message.kind) {
        case 'judged':
          settle(message.judged);
          break;
        case 'noise':
          remember(message.noise.rows);
          answered(message.noise);
          break;
        case 'ready':
          clearTimeout(slow);
          ready = true;
          failedStarts = 0;
          next();
          break;
        default:
          assertNever(message);
      }
    });
    worker.on('error', (error) => replace(worker, reasonOf(error)));
    worker.on('exit', () => {
      clearTimeout(slow);
      replace(worker, 'compare-failed');
    });
    if (waiting.length === 0) worker.unref();
    return { worker, known: new Set() };
  }

  /** A dead or stuck thread takes its pair with it, and nothing else. */
  function replace(worker: Worker, reason: SkipReason): void {
    if (thread?.worker !== worker) return;
    replaced += 1;
    failedStarts = ready ? 0 : failedStarts + 1;
    thread = failedStarts < FAILED_STARTS_MAX ? spawn() : null;
    if (thread === null) refuseWaiting('compare-failed');
    worker.terminate().catch(() => {
      // Already gone: that is what was asked for.
    });
    settle({ outcome: 'skipped', reason });
    answered(null);
  }

  /** As many as the thread keeps; what it has dropped is dropped here when there are more. */
  function remember(rows: readonly NoiseRow[]): void {
    for (const row of rows) {
      const name = noiseName(row);
      remembered.delete(name);
      remembered.set(name, row);
    }
    let bytes = 0;
    for (const [name, { content }] of [...remembered].reverse()) {
      bytes += content.length;
      if (bytes > REMEMBERED_BYTES_MAX) remembered.delete(name);
    }
  }

  function answered(news: NoiseNews | null): void {
    if (asking === null) return;
    const { done, watchdog } = asking;
    if (watchdog !== null) clearTimeout(watchdog);
    asking = null;
    done(news);
    next();
    rest();
  }

  function refuseWaiting(reason: SkipReason): void {
    for (const { done } of waiting.splice(0)) done({ outcome: 'skipped', reason });
  }

  function settle(judged: Judged): void {
    if (current === null) return;
    const { job, watchdog } = current;
    clearTimeout(watchdog);
    current = null;
    job.done(judged);
    next();
    rest();
  }

  function rest(): void {
    if (current === null && asking === null && waiting.length === 0) thread?.worker.unref();
  }

  function next(): void {
    if (thread === null || !ready || current !== null) return;
    if (asking !== null) {
      if (asking.watchdog !== null) return;
      const { worker } = thread;
      asking.watchdog = setTimeout(() => replace(worker, 'compare-failed'), asking.withinMs);
      tell(worker, { kind: 'noise' });
      return;
    }
    const job = waiting.shift();
    if (job === undefined) return;
    const { worker } = thread;
    // After a stall of our own loop the answer may be waiting already: it is read before the thread is given up.
    const overdue = () =>
      setImmediate(() => (current?.job === job ? replace(worker, 'compare-budget') : undefined));
    const watchdog = setTimeout(overdue, limits.budgetMs);
    current = { job, watchdog };
    const rulesId = teach(thread, job.rules);
    const pair = packPair(job.pair);
    const message: ToWorker = { kind: 'pair', rulesId, pair };
    worker.postMessage(message, [pair]);
  }

  function teach({ worker, known }: Thread, rules: readonly CompareRule[]): number {
    const id = ids.get(rules) ?? nextId;
    if (id === nextId) {
      nextId += 1;
      ids.set(rules, id);
    }
    if (known.has(id)) return id;
    const forget = known.size >= KNOWN_RULES_MAX;
    if (forget) known.clear();
    known.add(id);
    tell(worker, { kind: 'rules', id, rules, forget });
    return id;
  }

  function tell(worker: Worker, message: ToWorker): void {
    worker.postMessage(message);
  }

  return {
    start() {
      thread ??= spawn();
    },
    judge(pair, rules) {
      if (thread === null) {
        const reason = failedStarts < FAILED_STARTS_MAX ? 'draining' : 'compare-failed';
        return Promise.resolve({ outcome: 'skipped', reason });
      }
      if (waiting.length >= limits.waitingMax) {
        return Promise.resolve({ outcome: 'skipped', reason: 'compare-budget' });
      }
      const { promise, resolve } = Promise.withResolvers<Judged>();
      waiting.push({ pair, rules, done: resolve });
      // Only a pair at work keeps the process alive.
      thread.worker.ref();
      next();
      return promise;
    },
    same(key, route) {
      if (thread !== null) tell(thread.worker, { kind: 'same', key, route });
    },
    noise(withinMs) {
      if (thread === null || asking !== null) return Promise.resolve(null);
      const { promise, resolve } = Promise.withResolvers<NoiseNews | null>();
      asking = { withinMs, done: resolve, watchdog: null };
      thread.worker.ref();
      next();
      return promise;
    },
    replaced: () => replaced,
    async stop() {
      const stopped = thread;
      thread = null;
      refuseWaiting('draining');
      settle({ outcome: 'skipped', reason: 'draining' });
      answered(null);
      await stopped?.worker.terminate();
    },
  };
}

function noiseName({ group, build, rules }: NoiseKey): string {
  return JSON.stringify([group, build, rules]);
}

function reasonOf(error: unknown): SkipReason {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'compare-budget' : 'compare-failed';
}
