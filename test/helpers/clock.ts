import type { Clock } from '../../router/core/ports.ts';
import { createWatch } from './watch.ts';

export interface ManualClock extends Clock {
  advance(ms: number): void;
  /**
   * Somebody has asked for the time twice. Where nothing happens but a look at the deadlines now and then, one of
   * them has come and gone.
   */
  looked(): Promise<void>;
}

/** A clock that stands still until it is told to go on. Wall time starts at `wall`, ms since 1970. */
export function manualClock(wall = Date.UTC(2026, 0, 1)): ManualClock {
  let now = 0;
  let asked = 0;
  const watch = createWatch();
  return {
    now() {
      asked += 1;
      watch.wake();
      return now;
    },
    wall: () => wall + now,
    advance(ms) {
      now += ms;
    },
    looked() {
      const before = asked;
      return watch.until(() => asked >= before + 2);
    },
  };
}

/** The clock of the machine. */
export const realClock: Clock = { now: () => performance.now(), wall: () => Date.now() };
