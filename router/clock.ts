import type { Clock } from './core/ports.ts';

/** The clocks of the machine. */
export const clock: Clock = { now: () => performance.now(), wall: () => Date.now() };
