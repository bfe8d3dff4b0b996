import type { ErrorCode } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

/** The one timer of an exchange: it always runs against the party that is waited for, or not at all. */
export interface Deadline {
  /** Starts anew; `code` is what happens when `ms` pass without another call. */
  arm(ms: number, code: ErrorCode): void;
  clear(): void;
}

/**
 * A deadline that is not running. Armed several times per exchange and once per chunk: a later deadline only
 * moves a number, and the timer looks at it when it fires.
 */
export function createDeadline(clock: Pick<Clock, 'now'>, expired: (code: ErrorCode) => void): Deadline {
  let timer: NodeJS.Timeout | null = null;
  let firesAt = 0;
  let dueAt = 0;
  let armed: ErrorCode | null = null;

  function schedule(now: number): void {
    if (timer !== null) clearTimeout(timer);
    firesAt = dueAt;
    timer = setTimeout(fire, Math.max(1, Math.ceil(dueAt - now)));
  }

  function fire(): void {
    timer = null;
    const now = clock.now();
    if (armed === null) return;
    if (now < dueAt) schedule(now);
    else expired(armed);
  }

  return {
    arm(ms, code) {
      const now = clock.now();
      dueAt = now + ms;
      armed = code;
      if (timer === null || firesAt > dueAt) schedule(now);
    },
    clear() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      armed = null;
    },
  };
}
