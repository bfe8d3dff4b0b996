import type { Clock } from '../core/ports.ts';

/**
 * The time of the socket event that is being handled, monotonic ms. A request is some ten places that ask what time it
 * is, in two events; deadlines and idle times need no finer answer. What is measured asks the clock itself.
 */
export interface Moment {
  readonly now: number;
  /** An event begins. */
  begin(): void;
}

export function createMoment(clock: Pick<Clock, 'now'>): Moment {
  const moment = {
    now: clock.now(),
    begin() {
      moment.now = clock.now();
    },
  };
  return moment;
}
