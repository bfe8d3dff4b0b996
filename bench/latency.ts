/** Percentiles of latencies, microseconds. */
export interface Latency {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

/** Sorts `us` in place. All zero when it is empty. */
export function latencyOf(us: number[]): Latency {
  us.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(us[Math.floor((us.length - 1) * share)] ?? 0);
  return { p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), p999Us: at(0.999), maxUs: at(1) };
}
