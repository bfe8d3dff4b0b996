import type { Bug, Decoy } from './switches.ts';

/** Counts how often a switched branch changed an answer; never part of an answer. */
export interface Exposures {
  count(id: Bug | Decoy): void;
  /** Counts since the start. */
  totals(): Readonly<Record<string, number>>;
  /** Writes what was counted since the last flush, one JSON line per id. */
  flush(): void;
}

/** `append` writes text to the end of the exposures file; lines are `{"service","id","n"}`, to be summed per id. */
export function createExposures(service: string, append: (text: string) => void): Exposures {
  const totals = new Map<string, number>();
  const pending = new Map<string, number>();

  function count(id: Bug | Decoy): void {
    totals.set(id, (totals.get(id) ?? 0) + 1);
    pending.set(id, (pending.get(id) ?? 0) + 1);
  }

  function flush(): void {
    if (pending.size === 0) return;
    const lines = [...pending].map(([id, n]) => `${JSON.stringify({ service, id, n })}\n`);
    pending.clear();
    append(lines.join(''));
  }

  return { count, totals: () => Object.fromEntries(totals), flush };
}
