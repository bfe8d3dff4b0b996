/** Several data-plane processes: started, told, listened to, replaced when they die. */
import { type ChildProcess, fork } from 'node:child_process';
import type { FlagPush } from '../../flags/push.ts';
import { assertNever } from '../core/assert.ts';
import type { Applied, Clock, ComparisonBatch, Log, NoiseRow } from '../core/ports.ts';
import { keepIdentity, shadowPart } from '../core/snapshot.ts';
import type { Snapshot } from '../core/types.ts';
import type { ProxyOptions } from '../proxy/options.ts';
import type { FromWorker, PlaneCounts, ToWorker, WorkerSetup } from './messages.ts';
import { lead, type Planes, type Sinks } from './planes.ts';

/** The flags of this process, to be told to the others. */
export interface FleetFlags {
  /** `whole`: with the table. Null while there is no data. */
  export(whole: boolean): FlagPush | null;
  onChange(listener: () => void): () => void;
}

export interface FleetDeps {
  readonly workers: number;
  readonly address: WorkerSetup['address'];
  readonly snapshot: Snapshot;
  readonly options: ProxyOptions;
  /** Null: there are none. */
  readonly flags: FleetFlags | null;
  /** Of the flags, for constraints that name it. */
  readonly environment: string;
  readonly digestKey: Uint8Array | null;
  /** What the worker of this number knew of noise when it ended last. */
  learned(worker: number): readonly NoiseRow[];
  readonly killFile: string | null;
  readonly sinks: Sinks;
  /** Called with the process ids whenever they change. */
  onPids(pids: readonly number[]): void;
  readonly clock: Clock;
  readonly log: Log;
}

interface Slot {
  readonly worker: number;
  child: ChildProcess | null;
  state: 'starting' | 'ready' | 'down';
  revision: number | null;
  /** What it said last. */
  counts: PlaneCounts | null;
  requests: number;
  restarts: number;
  /** Ends in a row that came before it answered. */
  failedStarts: number;
  /** Why it cannot start, in its own words. */
  said: string | null;
  /** Why the one before it ended. */
  lastFailure: string | null;
  readyAt: number | null;
  backoffMs: number;
  again: NodeJS.Timeout | null;
  /** Checks since it was heard last. */
  silentChecks: number;
}

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** A process that lived this long begins its backoff anew. */
const STABLE_MS = 10_000;
const FAILED_STARTS_MAX = 3;
const FLAGS_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 1_000;
/** A process that was not heard for so many checks is stuck and is replaced. */
const SILENT_CHECKS_MAX = 15;
/** Above the time the workers themselves take to end. */
const KILL_AFTER_MS = 5_000;
/** Batches of comparisons that wait for a store that does not take them. */
const HELD_BATCHES_MAX = 64;

/** Does nothing until `start`. */
export function createFleet(deps: FleetDeps): Planes {
  const { log, clock, sinks } = deps;
  const slots = Array.from({ length: deps.workers }, (_, i) => newSlot(i + 1));
  const waiters = new Set<() => void>();
  const held: ComparisonBatch[] = [];
  const timers: NodeJS.Timeout[] = [];
  let snapshot = shadowPart(deps.snapshot, deps.workers);
  let options = deps.options;
  let unsubscribe: (() => void) | null = null;
  let stopping = false;
  let holding = false;
  let started: { resolve(port: number): void; reject(error: Error): void } | null = null;

  function spawn(slot: Slot): void {
    const file = import.meta.url.endsWith('.ts') ? '../worker.ts' : '../worker.js';
    const child = fork(new URL(file, import.meta.url), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    Object.assign(slot, { child, state: 'starting', revision: null, readyAt: null, silentChecks: 0 });
    slot.said = null;
    child.on('message', (message: FromWorker) => {
      if (slot.child === child) heard(slot, message);
    });
    child.on('error', (error) => {
      slot.said = error.message;
      if (child.pid === undefined) ended(slot, child, null);
    });
    child.on('exit', (code, signal) => {
      const end = () => ended(slot, child, signal ?? code);
      // What it said last is still on its way.
      if (child.connected) child.once('disconnect', end);
      else end();
    });
    tell(slot, {
      kind: 'setup',
      setup: {
        worker: slot.worker,
        address: deps.address,
        snapshot,
        options,
        flags: deps.flags?.export(true) ?? null,
        environment: deps.environment,
        digestKey: deps.digestKey,
        learned: deps.learned(slot.worker),
        killFile: deps.killFile,
      },
    });
    deps.onPids(pids());
  }

  function tell({ child }: Slot, message: ToWorker): void {
    // A process that is ending cannot be told; its end is seen, and its successor is told everything.
    if (child?.connected) child.send(message, () => undefined);
  }

  function tellAll(message: ToWorker): void {
    for (const slot of slots) tell(slot, message);
  }

  function heard(slot: Slot, message: FromWorker): void {
    slot.silentChecks = 0;
    switch (message.kind) {
      case 'ready':
        Object.assign(slot, {
          state: 'ready',
          revision: message.revision,
          failedStarts: 0,
          readyAt: clock.now(),
        });
        log.info('worker-ready', { worker: slot.worker, pid: slot.child?.pid });
        if (slots.every(({ state }) => state === 'ready')) started?.resolve(message.port);
        break;
      case 'failed':
        slot.said = message.message;
        started?.reject(Object.assign(new Error(message.message), systemError(message.code)));
        break;
      case 'applied':
        slot.revision = message.revision;
        break;
      case 'counts': {
        const { groups, ungrouped } = message.counts.traffic;
        slot.counts = message.counts;
        slot.requests += groups.reduce((n, g) => n + g.legacy.requests + g.service.requests, ungrouped);
        sinks.counts(message.counts);
        break;
      }
      case 'comparisons':
        keep(message.batch);
        break;
      default:
        assertNever(message);
    }
    wake();
  }

  function wake(): void {
    for (const waiter of [...waiters]) waiter();
  }

  /** A store that does not take a batch gets it again with the next one. */
  function keep(batch: ComparisonBatch | null): void {
    if (batch !== null) held.push(batch);
    const lost = held.splice(0, Math.max(0, held.length - HELD_BATCHES_MAX)).length;
    if (lost > 0) log.error('comparisons-lost', { batches: lost });
    try {
      for (let next = held[0]; next !== undefined; next = held[0]) {
        sinks.comparisons(next);
        held.shift();
      }
      holding = false;
    } catch (error) {
      // Said once, however long it lasts.
      if (!holding) log.warn('comparisons-held', { error: String(error) });
      holding = true;
    }
  }

  function ended(slot: Slot, child: ChildProcess, how: NodeJS.Signals | number | null): void {
    if (slot.child !== child) return;
    const wasReady = slot.state === 'ready';
    const stable = slot.readyAt !== null && clock.now() - slot.readyAt >= STABLE_MS;
    Object.assign(slot, { child: null, state: 'down', revision: null, counts: null });
    deps.onPids(pids());
    wake();
    if (stopping) return;
    if (!wasReady) slot.failedStarts += 1;
    if (stable) slot.backoffMs = BACKOFF_MIN_MS;
    const reason = slot.said ?? `ended with ${how}`;
    slot.lastFailure = reason;
    started?.reject(new Error(`a worker cannot start: ${reason}`));
    log.error('worker-died', { worker: slot.worker, how, reason, againMs: slot.backoffMs });
    if (slot.failedStarts === FAILED_STARTS_MAX)
      log.error('worker-cannot-start', { worker: slot.worker, times: slot.failedStarts, reason });
    slot.again = setTimeout(() => {
      slot.restarts += 1;
      spawn(slot);
    }, slot.backoffMs);
    slot.backoffMs = Math.min(BACKOFF_MAX_MS, slot.backoffMs * 2);
  }

  /** Checks are counted, not time: after this process itself stood still nobody is blamed. */
  function check(): void {
    keep(null);
    for (const slot of slots) {
      if (slot.state !== 'ready') continue;
      slot.silentChecks += 1;
      if (slot.silentChecks < SILENT_CHECKS_MAX) continue;
      log.error('worker-silent', { worker: slot.worker, pid: slot.child?.pid });
      slot.child?.kill('SIGKILL');
    }
  }

  function tellFlags(whole: boolean): void {
    const push = deps.flags?.export(whole) ?? null;
    if (push !== null) tellAll({ kind: 'flags', push });
  }

  /** Looked at again whenever something was heard of a worker. */
  function until(settled: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (!settled()) return;
      waiters.delete(look);
      resolve();
    };
    waiters.add(look);
    look();
    return promise;
  }

  function pids(): readonly number[] {
    return slots.flatMap(({ child }) => (child?.pid === undefined ? [] : [child.pid]));
  }

  function killAll(): void {
    for (const { child } of slots) child?.kill('SIGKILL');
  }

  async function stop(leadMs: number): Promise<void> {
    stopping = true;
    unsubscribe?.();
    for (const timer of timers) clearInterval(timer);
    for (const { again } of slots) if (again !== null) clearTimeout(again);
    // Whoever ends this process before they have ended means them as well.
    process.on('exit', killAll);
    await lead(leadMs, log);
    tellAll({ kind: 'drain' });
    const late = setTimeout(() => {
      log.error('workers-killed', { pids: pids(), afterMs: options.drainDeadlineMs + KILL_AFTER_MS });
      killAll();
    }, options.drainDeadlineMs + KILL_AFTER_MS);
    await until(() => slots.every(({ child }) => child === null));
    clearTimeout(late);
    process.off('exit', killAll);
    keep(null);
    log.info('drained');
  }

  return {
    async start() {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      started = { resolve, reject };
      process.on('exit', killAll);
      for (const slot of slots) spawn(slot);
      unsubscribe = deps.flags?.onChange(() => tellFlags(true)) ?? null;
      timers.push(
        setInterval(() => tellFlags(false), FLAGS_EVERY_MS),
        setInterval(check, CHECK_EVERY_MS),
      );
      try {
        return await promise;
      } catch (error) {
        stopping = true;
        killAll();
        await stop(0);
        throw error;
      } finally {
        started = null;
        // From now on they outlive this process.
        process.off('exit', killAll);
      }
    },
    swap(next) {
      snapshot = keepIdentity(snapshot, shadowPart(next, deps.workers));
      tellAll({ kind: 'snapshot', snapshot });
    },
    async applied(revision, withinMs) {
      const state = (): Applied => {
        // One that is starting was set up with the newest snapshot, or is told it before it answers.
        const ready = slots.filter((slot) => slot.state === 'ready');
        const confirmed = ready.filter((slot) => (slot.revision ?? 0) >= revision);
        return { running: ready.length, confirmed: confirmed.length };
      };
      let late = false;
      const settled = () => late || state().confirmed === state().running;
      const deadline = setTimeout(() => {
        late = true;
        wake();
      }, withinMs);
      await until(settled);
      clearTimeout(deadline);
      return state();
    },
    reconfigure(next) {
      options = next;
      tellAll({ kind: 'options', options });
    },
    // Both come by themselves.
    collect: () => undefined,
    flush: () => undefined,
    inFlight: (group) => sum(slots, (counts) => counts.proxy.serviceInFlight.get(group) ?? 0),
    shadowQueue: () => ({
      waiting: sum(slots, ({ shadowQueue }) => shadowQueue.waiting),
      bytes: sum(slots, ({ shadowQueue }) => shadowQueue.bytes),
      baseline: {
        started: sum(slots, ({ shadowQueue }) => shadowQueue.baseline.started),
        judged: sum(slots, ({ shadowQueue }) => shadowQueue.baseline.judged),
        lost: sum(slots, ({ shadowQueue }) => shadowQueue.baseline.lost),
        shed: sum(slots, ({ shadowQueue }) => shadowQueue.baseline.shed),
      },
    }),
    loopLagMs: () => Math.max(...slots.map(({ counts }) => counts?.loopLagMs ?? 0)),
    workers: () =>
      slots.map(({ worker, child, state, revision, requests, restarts }) => ({
        worker,
        pid: child?.pid ?? null,
        state,
        snapshot: revision,
        requests,
        restarts,
      })),
    notReady() {
      const failing = slots.find((slot) => slot.failedStarts >= FAILED_STARTS_MAX);
      if (failing !== undefined)
        return `worker ${failing.worker} cannot start (${failing.failedStarts} times): ${failing.lastFailure ?? 'no reason given'}`;
      return slots.some(({ state }) => state === 'ready') ? null : 'no worker answers';
    },
    drain: stop,
  };
}

function sum(slots: readonly Slot[], of: (counts: PlaneCounts) => number): number {
  return slots.reduce((total, { counts }) => total + (counts === null ? 0 : of(counts)), 0);
}

function newSlot(worker: number): Slot {
  return {
    worker,
    child: null,
    state: 'down',
    revision: null,
    counts: null,
    requests: 0,
    restarts: 0,
    failedStarts: 0,
    said: null,
    lastFailure: null,
    readyAt: null,
    backoffMs: BACKOFF_MIN_MS,
    again: null,
    silentChecks: 0,
  };
}

/** As Node's own errors of the system, so that whoever reports it says the same. */
function systemError(code: string | null): object {
  return code === null ? {} : { code, syscall: 'listen' };
}
