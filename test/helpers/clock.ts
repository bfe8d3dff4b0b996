import type { Clock } from '../../router/core/ports.ts';

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

/** A clock that stands still until it is told to go on. Wall time starts at `wall`, ms since 1970. */
export function manualClock(wall = Date.UTC(2026, 0, 1)): ManualClock {
  let now = 0;
  return {
    now: () => now,
    wall: () => wall + now,
    advance(ms) {
      now += ms;
    },
  };
}

/** The clock of the machine. */
export const realClock: Clock = { now: () => performance.now(), wall: () => Date.now() };
