import type { Database } from 'better-sqlite3';

/** What `fig.db` takes, against what it may. */
export interface Room {
  /** Bytes in use; pages that were freed are used again before the file grows. */
  usedBytes(): number;
  /** So near the bound that one more batch might not fit. */
  full(): boolean;
}

/** A batch never adds more than the rest. */
const FULL_AT = 0.85;

export function createRoom(db: Database, bytesMax: number): Room {
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  // The log beside the file is cut back to this once it is written over.
  db.pragma('journal_size_limit = 4194304');
  const number = (name: string) => Number(db.pragma(name, { simple: true }));
  const usedBytes = () => (number('page_count') - number('freelist_count')) * pageBytes;
  return { usedBytes, full: () => usedBytes() > bytesMax * FULL_AT };
}
