import type { Clock } from '../router/core/ports.ts';
import type { FlagTable } from './table.ts';

/** What a process that reads flags tells one that is given them. */
export interface FlagPush {
  /** Null: as it was told last. */
  readonly table: FlagTable | null;
  readonly data: 'backup' | 'fresh';
  readonly stale: boolean;
  /** Since the flag server last confirmed the data, ms. */
  readonly ageMs: number | null;
}

interface Latest extends FlagPush {
  readonly table: FlagTable;
}

/** The receiving end: keeps the last table for ever, and knows how old it is. */
export interface FlagFeed {
  push(next: FlagPush): void;
  /** Nobody will push any more: the table stays, its state is stale. */
  lost(): void;
  /** What was pushed last, aged; null while no table came. */
  latest(): Latest | null;
  /** Called with every new table; returns the unsubscriber. */
  onTable(listener: (table: FlagTable) => void): () => void;
}

/** A push comes every 5 s; a table that nobody confirmed for three of them is stale. */
const PUSH_STALE_MS = 15_000;

export function createFlagFeed(clock: Pick<Clock, 'now'>): FlagFeed {
  const listeners = new Set<(table: FlagTable) => void>();
  let last: Latest | null = null;
  let receivedAt = 0;
  let orphaned = false;
  return {
    push(next) {
      const table = next.table ?? last?.table;
      if (table === undefined) return;
      last = { ...next, table };
      receivedAt = clock.now();
      if (next.table !== null) for (const listener of listeners) listener(next.table);
    },
    lost() {
      orphaned = true;
    },
    latest() {
      if (last === null) return null;
      const silentMs = clock.now() - receivedAt;
      return {
        ...last,
        stale: last.stale || orphaned || silentMs > PUSH_STALE_MS,
        ageMs: last.ageMs === null ? null : last.ageMs + silentMs,
      };
    },
    onTable(listener) {
      const subscription = (table: FlagTable) => listener(table);
      listeners.add(subscription);
      return () => void listeners.delete(subscription);
    },
  };
}
