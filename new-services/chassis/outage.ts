/** Decides which requests a sick service refuses. */
export interface Outage {
  /** Counts one request of a real client; true when it must be refused. */
  refuses(): boolean;
}

/**
 * After `requests` answered requests every further one is refused for `durationMs`, from the first refusal on; then
 * the count starts anew. `nowMs` is a monotonic clock.
 */
export function createOutage(requests: number, durationMs: number, nowMs: () => number): Outage {
  let answered = 0;
  let untilMs: number | null = null;

  function refuses(): boolean {
    if (untilMs !== null && nowMs() >= untilMs) {
      untilMs = null;
      answered = 0;
    }
    if (untilMs !== null) return true;
    if (answered >= requests) {
      untilMs = nowMs() + durationMs;
      return true;
    }
    answered += 1;
    return false;
  }

  return { refuses };
}
