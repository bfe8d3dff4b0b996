/** One data plane put together: the same in a process of its own and beside the control plane. */
import { hash, randomBytes } from 'node:crypto';
import { remembered } from './core/memo.ts';
import { meteredFor } from './core/metering.ts';
import type { Clock, ComparisonStore, CopyMeter, FlagReader, Log, NoiseRow } from './core/ports.ts';
import { createTally } from './core/tally.ts';
import type { Snapshot } from './core/types.ts';
import { watchLoop } from './loop.ts';
import { NO_SHADOW_QUEUE, type PlaneCounts } from './processes/messages.ts';
import type { ProxyOptions } from './proxy/options.ts';
import { createProxy } from './proxy/proxy.ts';
import { createReplayer } from './proxy/replayer.ts';
import { createShadow } from './shadow/shadow.ts';

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
    /** Number of this data plane, and what it knew of noise when it ended last. */
    readonly plane: number;
    readonly learned: readonly NoiseRow[];
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

/** Raw ids whose key is remembered, about twice as many at most: who asks once mostly asks again. */
const KEYS_MAX = 8_192;

/** Does nothing until `start`. Throws on a trusted proxy that is no CIDR block and on bad TLS material. */
export function createDataPlane(deps: DataPlaneDeps): DataPlane {
  const { clock, log, flags } = deps;
  let { snapshot } = deps;
  const loop = watchLoop(clock);
  const tally = createTally(clock);
  let metered = meteredFor(snapshot, null);
  const meter: CopyMeter = {
    eligible: (group, skipped) => metered.meter.eligible(group, skipped),
    replayed: (...copy) => metered.meter.replayed(...copy),
    compared: (...copy) => metered.meter.compared(...copy),
  };
  const shadow =
    deps.shadow === null
      ? null
      : createShadow({
          clock,
          log,
          meter,
          store: deps.shadow.store,
          key: deps.shadow.digestKey,
          plane: deps.shadow.plane,
          learned: deps.shadow.learned,
          random: Math.random,
          overloaded: () => loop.late() || proxy.busy(),
          replayer: createReplayer({ clock, log }),
        });
  const proxy = createProxy(
    {
      current: { get: () => snapshot },
      flags,
      keyOf: remembered(keyOf, KEYS_MAX),
      shadow: shadow ?? { busy: () => 'flag-off', offer: () => 'flag-off' },
      recorder: {
        observed(observation) {
          tally.observed(observation);
          metered.meter.observed(observation);
        },
        eligible: (group, skipped) => shadow?.eligible(group, skipped),
      },
      clock,
      log,
      nextId: createIds(),
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
      metered = meteredFor(next, metered);
    },
    reconfigure: proxy.reconfigure,
    collect() {
      const changes = metered.meter.drain();
      return {
        traffic: tally.drain(),
        meter: changes === null ? null : { layout: metered.layout, changes },
        proxy: proxy.counts(),
        shadowQueue: shadow?.health() ?? NO_SHADOW_QUEUE,
        loopLagMs: loop.lagMs(),
      };
    },
    flush: () => shadow?.flush(),
    async drain() {
      // Copies first: they have no place beside what is still owed to clients.
      const stopped = shadow?.stop();
      await proxy.drain();
      await stopped;
      shadow?.flush();
      loop.stop();
    },
  };
}

/** The sticky key of a raw id: first 32 hex digits of SHA-256 over its UTF-8 form. */
export function keyOf(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 32);
}

/** `prefix` of a process and the number of a request in it: no two requests have one, and no request pays for chance. */
function createIds(): () => string {
  const prefix = randomBytes(8).toString('hex');
  let requests = 0;
  return () => {
    requests += 1;
    return `${prefix}-${requests.toString(36)}`;
  };
}
