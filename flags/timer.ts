/** Delayed work, injected so that tests of minutes take milliseconds. */
export interface Timer {
  /** Runs `run` once after `delayMs`; returns the canceller. Never keeps the process alive by itself. */
  after(delayMs: number, run: () => void): () => void;
}

/** The timer of the runtime. */
export const systemTimer: Timer = {
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    handle.unref();
    return () => clearTimeout(handle);
  },
};

/** `delayMs` spread by +-`spread` (0-1). `random` gives 0 (inclusive) to 1 (exclusive). */
export function jittered(delayMs: number, spread: number, random: () => number): number {
  return Math.round(delayMs * (1 + spread * (2 * random() - 1)));
}
