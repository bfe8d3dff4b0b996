import { SqliteError } from 'better-sqlite3';

/** The flag server's data file cannot be used; `message` says which, why, and what to do. */
export class FlagStoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FlagStoreError';
  }
}

/** What SQLite says of a data file at the start, as one sentence; any other error stays as it is. */
export function startError(file: string, error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  const { code } = error;
  if (code.startsWith('SQLITE_BUSY'))
    return new FlagStoreError(`another flag server has ${file} open`, { cause: error });
  const damaged = code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT');
  const hint = damaged ? '; put a copy of it back, or move it away: an empty one is made' : '';
  return new FlagStoreError(`${file} cannot be used as a flag database (${code})${hint}`, { cause: error });
}
