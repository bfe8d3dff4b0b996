/** Leaves an upstream alone that cannot be reached or never ends: after some failures in a row, one probe at a time. */
export interface Breaker {
  /** Whether a copy may go to this origin now; while open, true once per `probeMs`. `now`: monotonic ms. */
  allows(origin: string, now: number): boolean;
  succeeded(origin: string): void;
  failed(origin: string, now: number): void;
}

export interface BreakerOptions {
  readonly failuresMax: number;
  readonly probeMs: number;
  /** Origins with failures; the oldest is forgotten. */
  readonly originsMax: number;
}

export const BREAKER_OPTIONS: BreakerOptions = { failuresMax: 5, probeMs: 10_000, originsMax: 256 };

interface State {
  failures: number;
  /** Monotonic ms of the next probe; means nothing while closed. */
  probeAt: number;
}

export function createBreaker(options: BreakerOptions = BREAKER_OPTIONS): Breaker {
  const states = new Map<string, State>();
  return {
    allows(origin, now) {
      const state = states.get(origin);
      if (state === undefined || state.failures < options.failuresMax) return true;
      if (now < state.probeAt) return false;
      state.probeAt = now + options.probeMs;
      return true;
    },
    succeeded(origin) {
      states.delete(origin);
    },
    failed(origin, now) {
      let state = states.get(origin);
      if (state === undefined) {
        const [oldest] = states.keys();
        if (states.size >= options.originsMax && oldest !== undefined) states.delete(oldest);
        state = { failures: 0, probeAt: 0 };
        states.set(origin, state);
      }
      state.failures += 1;
      state.probeAt = now + options.probeMs;
    },
  };
}
