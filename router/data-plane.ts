/** One data plane put together: the same in a process of its own and beside the control plane. */
import { hash, randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, ComparisonStore, FlagReader, Log } from './core/ports.ts';
import { createTally } from './core/tally.ts';
import type { Snapshot } from './core/types.ts';
import type { PlaneCounts } from './processes/messages.ts';
import type { ProxyOptions } from './proxy/options.ts';
import { createProxy } from './proxy-standin.ts';
import { createShadow, type Shadow } from './shadow/shadow.ts';

export interface DataPlaneDeps {
  /** The routing state to begin with. */
  readonly snapshot: Snapshot;
  readonly options: ProxyOptions;
  readonly flags: Pick<FlagReader, 'read'>;
  /** Null: nothing is ever compared. */
  readonly shadow: {
    /** Secret of this installation for digests of values. */
    readonly digestKey: Uint8Array;
    readonly store: Pick<ComparisonStore, 'flush'>;
  } | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DataPlane {
  /** Answers from then on; resolves with the port. Rejects with the error of the system. */
  start(at: { readonly host: string; readonly port: number; readonly reusePort: boolean }): Promise<number>;
  /** From the next request on; requests in flight keep what they began with. */
  swap(snapshot: Snapshot): void;
  /** Throws on bad TLS material; then nothing was changed. */
  reconfigure(options: ProxyOptions): void;
  /** Everything counted since the last call, and what runs now. */
  collect(): PlaneCounts;
  /** What was compared so far is handed to the store. */
  flush(): void;
  /** Answers what is in flight, hands on what was compared, lets go of everything. */
  drain(): Promise<void>;
}

/** Copies are shed while the event loop is later than this. */
const LOOP_LATE_MS = 20;
const LOOP_RESOLUTION_MS = 10;

/** Does nothing until `start`. Throws on a trusted proxy that is no CIDR block and on bad TLS material. */
export function createDataPlane(deps: DataPlaneDeps): DataPlane {
  const { clock, log, flags } = deps;
  let { snapshot } = deps;
  const loop = watchLoop();
  const tally = createTally(clock);
  const shadow = deps.shadow === null ? null : shadowOf(deps.shadow, clock, log, loop.late);
  const proxy = createProxy(
    {
      current: { get: () => snapshot },
      flags,
      keyOf,
      shadow: shadow ?? { busy: () => 'flag-off', offer: () => 'flag-off' },
      recorder: {
        observed: tally.observed,
        eligible: (group, skipped) => shadow?.eligible(group, skipped),
      },
      clock,
      log,
      nextId: randomUUID,
    },
    deps.options,
  );
  return {
    start(at) {
      loop.start();
      shadow?.start();
      return proxy.listen(at);
    },
    swap(next) {
      snapshot = next;
    },
    reconfigure: proxy.reconfigure,
    collect: () => ({ traffic: tally.drain(), proxy: proxy.counts() }),
    flush: () => shadow?.flush(),
    async drain() {
      await proxy.drain();
      await shadow?.stop();
      loop.stop();
    },
  };
}

/** The sticky key of a raw id: first 32 hex digits of SHA-256 over its UTF-8 form. */
export function keyOf(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 32);
}

function shadowOf(
  { digestKey, store }: NonNullable<DataPlaneDeps['shadow']>,
  clock: Clock,
  log: Log,
  overloaded: () => boolean,
): Shadow {
  return createShadow({ clock, store, log, key: digestKey, overloaded });
}

interface Loop {
  start(): void;
  late(): boolean;
  stop(): void;
}

function watchLoop(): Loop {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  let late = false;
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      delay.enable();
      timer = setInterval(() => {
        late = delay.percentile(99) / 1e6 - LOOP_RESOLUTION_MS > LOOP_LATE_MS;
        delay.reset();
      }, 1_000);
    },
    late: () => late,
    stop() {
      clearInterval(timer);
      delay.disable();
    },
  };
}
