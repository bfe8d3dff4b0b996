import type { Log } from '../core/ports.ts';
import type { Snapshot } from '../core/types.ts';
import type { ProxyOptions } from '../proxy/options.ts';
import { COUNTS_EVERY_MS, NO_SHADOW_QUEUE, type PlaneCounts } from './messages.ts';
import { lead, type Planes, type Sinks } from './planes.ts';

/** What is asked of the data plane of this process. */
interface Plane {
  swap(snapshot: Snapshot): void;
  reconfigure(options: ProxyOptions): void;
  collect(): PlaneCounts;
  flush(): void;
  drain(): Promise<void>;
}

/** The data plane of this process behind the boundary that several have: the same order, without the pipe. */
export function createInProcess(
  plane: Plane,
  start: () => Promise<number>,
  sinks: Pick<Sinks, 'counts'>,
  log: Log,
): Planes {
  let latest: PlaneCounts | null = null;
  const collect = () => {
    latest = plane.collect();
    sinks.counts(latest);
  };
  let counting: NodeJS.Timeout | undefined;
  return {
    start() {
      counting = setInterval(collect, COUNTS_EVERY_MS);
      return start();
    },
    swap(snapshot) {
      // What was counted until now belongs to the state before.
      collect();
      plane.swap(snapshot);
    },
    applied: async () => ({ running: 1, confirmed: 1 }),
    reconfigure: plane.reconfigure,
    collect,
    flush: plane.flush,
    inFlight: (group) => latest?.proxy.serviceInFlight.get(group) ?? 0,
    shadowQueue: () => latest?.shadowQueue ?? NO_SHADOW_QUEUE,
    loopLagMs: () => latest?.loopLagMs ?? 0,
    workers: () => [],
    notReady: () => null,
    async drain(leadMs) {
      await lead(leadMs, log);
      await plane.drain();
      clearInterval(counting);
      collect();
      log.info('drained');
    },
  };
}
