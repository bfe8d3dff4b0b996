/** Counts of one run. */
export interface Tally {
  /** An answer to a step: `status` is 0 when there was none. */
  answered(route: string, status: number, expected: number, latencyMs: number): void;
  /** An extra request that hands a shopper its session. */
  opened(route: string, status: number, expected: number): void;
  late(): void;
  summary(): Summary;
}

export interface Summary {
  /** Steps that were sent. */
  readonly requests: number;
  readonly byRoute: Readonly<Record<string, number>>;
  /** By status; `failed` where no answer came. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly unexpected: number;
  /** Up to 20 different ones, as `GET /route 503`, with their numbers. */
  readonly unexpectedBy: Readonly<Record<string, number>>;
  /** Steps that could not start when they were due. */
  readonly late: number;
  /** From the moment a step was due to the end of its answer. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Sessions that were opened, each by one more GET /. */
  readonly sessions: number;
}

const UNEXPECTED_KINDS_MAX = 20;

/** An empty tally. */
export function createTally(): Tally {
  const byRoute = new Map<string, number>();
  const statuses = new Map<string, number>();
  const unexpectedBy = new Map<string, number>();
  const latenciesMs: number[] = [];
  let unexpected = 0;
  let late = 0;
  let sessions = 0;

  function check(route: string, status: number, expected: number): void {
    if (status === expected) return;
    unexpected += 1;
    const kind = `${route} ${nameOf(status)}`;
    if (unexpectedBy.has(kind) || unexpectedBy.size < UNEXPECTED_KINDS_MAX) add(unexpectedBy, kind);
  }

  return {
    answered: (route, status, expected, latencyMs) => {
      add(byRoute, route);
      add(statuses, nameOf(status));
      latenciesMs.push(latencyMs);
      check(route, status, expected);
    },
    opened: (route, status, expected) => {
      sessions += 1;
      check(route, status, expected);
    },
    late: () => {
      late += 1;
    },
    summary: () => {
      const sorted = latenciesMs.toSorted((left, right) => left - right);
      return {
        requests: sorted.length,
        byRoute: Object.fromEntries([...byRoute].sort()),
        statuses: Object.fromEntries([...statuses].sort()),
        unexpected,
        unexpectedBy: Object.fromEntries([...unexpectedBy].sort()),
        late,
        p50Ms: percentile(sorted, 0.5),
        p95Ms: percentile(sorted, 0.95),
        p99Ms: percentile(sorted, 0.99),
        sessions,
      };
    },
  };
}

function nameOf(status: number): string {
  return status === 0 ? 'failed' : String(status);
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** The smallest value that a share of all values does not exceed, to a hundredth; 0 without values. */
function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return Math.round(value * 100) / 100;
}
