import { chmodSync, closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';

export type Db = Database.Database;

/** The data file cannot be used; `message` says what is wrong, where, and what to do. */
export class StoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
  }
}

/**
 * Opens (or creates, mode 0600) the data file and brings it to the newest schema. `migrations[n]` leads from
 * version n to n + 1, each in one transaction. The process holds the file alone until it closes it or dies:
 * a second one is refused. Every commit is on disk before it returns. Throws StoreError.
 */
export function openDatabase(file: string, migrations: readonly string[]): Db {
  try {
    if (file !== ':memory:') {
      closeSync(openSync(file, 'a', 0o600));
      chmodSync(file, 0o600);
    }
    const db = new Database(file, { timeout: 1000 });
    try {
      db.pragma('locking_mode = EXCLUSIVE');
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
      db.pragma('foreign_keys = ON');
      migrate(db, file, migrations);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  } catch (error) {
    throw storeError(file, error);
  }
}

function migrate(db: Db, file: string, migrations: readonly string[]): void {
  // IMMEDIATE takes the lock at once, so that a second process fails here and not in the middle of its work.
  db.transaction(() => {
    const version = Number(db.pragma('user_version', { simple: true }));
    if (version > migrations.length) {
      throw new StoreError(
        `${file} was written by a newer version (schema ${version}, this program knows ${migrations.length}); use that version or another data folder`,
      );
    }
    for (const sql of migrations.slice(version)) db.exec(sql);
    db.pragma(`user_version = ${migrations.length}`);
  }).immediate();
}

function storeError(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code.startsWith('SQLITE_BUSY')) {
    return new StoreError(
      `${file} is in use by another process; stop that one first, or choose another data folder`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) {
    return new StoreError(
      `${file} is damaged or no data file of this program (${code}); restore it from a backup`,
      { cause: error },
    );
  }
  return new StoreError(
    `${file} cannot be opened (${code}): ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
