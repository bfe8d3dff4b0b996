import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from './core/ports.ts';

/** How the event loop of this process is doing. */
export interface Loop {
  start(): void;
  /** Whether there is no time for copies. */
  late(): boolean;
  /** 99th percentile of the last second, ms. */
  lagMs(): number;
  /** Monotonic, ms; a second old at most while the loop turns. */
  lastTurnAt(): number;
  stop(): void;
}

/** Copies are shed while the event loop is later than this. */
const LATE_MS = 20;
const RESOLUTION_MS = 10;

export function watchLoop(clock: Pick<Clock, 'now'>): Loop {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let lagMs = 0;
  let lastTurnAt = clock.now();
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      delay.enable();
      timer = setInterval(() => {
        lagMs = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
        lastTurnAt = clock.now();
        delay.reset();
      }, 1_000);
    },
    late: () => lagMs > LATE_MS,
    lagMs: () => lagMs,
    lastTurnAt: () => lastTurnAt,
    stop() {
      clearInterval(timer);
      delay.disable();
    },
  };
}
