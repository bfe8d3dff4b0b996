import type { ErrorCode } from '../core/errors.ts';

/** The one timer of an exchange: it always runs against the party that is waited for, or not at all. */
export interface Deadline {
  /** Starts anew; `code` is what happens when `ms` pass without another call. */
  arm(ms: number, code: ErrorCode): void;
  clear(): void;
}

/** A deadline that is not running. */
export function createDeadline(expired: (code: ErrorCode) => void): Deadline {
  let timer: NodeJS.Timeout | null = null;
  let armedMs = 0;
  let armedCode: ErrorCode | null = null;

  function clear(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  }

  return {
    clear,
    arm(ms, code) {
      // Once per chunk: a running timer is pushed back instead of being made anew.
      if (timer !== null && armedMs === ms && armedCode === code) {
        timer.refresh();
        return;
      }
      clear();
      armedMs = ms;
      armedCode = code;
      timer = setTimeout(() => {
        timer = null;
        expired(code);
      }, ms);
    },
  };
}
