import { vi } from 'vitest';
import type { Clock } from '../../router/core/ports.ts';

const STEP_MS = 100;
/** Real time per step, so that loopback keeps up with the minutes that pass. */
const REAL_STEP_MS = 3;

export interface FastTime {
  readonly clock: Clock;
  /** Lets so much time pass for every `setTimeout` of this process; sockets work meanwhile. */
  pass(ms: number, each?: () => void): Promise<void>;
  /** Lets time pass until it `holds`; false when it never did within the limit. */
  until(holds: () => boolean, limitMs: number): Promise<boolean>;
  end(): void;
}

/** Minutes in a moment, for the timers of the SDK as well as for ours; the caller calls `end` at the end. */
export function fastTime(): FastTime {
  const { setTimeout: wait } = globalThis;
  const real = () => new Promise<void>((resolve) => wait(resolve, REAL_STEP_MS));
  let now = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

  async function step(): Promise<void> {
    now += STEP_MS;
    vi.advanceTimersByTime(STEP_MS);
    await real();
  }

  return {
    clock: { now: () => now, wall: () => 1_700_000_000_000 + now },
    async pass(ms, each = () => undefined) {
      for (let gone = 0; gone < ms; gone += STEP_MS) {
        await step();
        each();
      }
    },
    async until(holds, limitMs) {
      for (let gone = 0; gone < limitMs && !holds(); gone += STEP_MS) await step();
      return holds();
    },
    end: () => {
      vi.useRealTimers();
    },
  };
}
