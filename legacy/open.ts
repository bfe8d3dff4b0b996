import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { SCHEMA_VERSION } from './schema.ts';
import { plant } from './seed/plant.ts';

export interface OpenOptions {
  readonly file: string;
  readonly seed: number;
  /** Whether a person asked for this seed: then a file with another one is refused. */
  readonly seedNamed: boolean;
  /** Removes the file first. */
  readonly reset: boolean;
}

/**
 * Opens the shop's file in WAL mode; creates and seeds it when it is missing or empty. Throws an Error with a
 * sentence for a person when the file is something else or was made from another seed.
 */
export function openShopFile({ file, seed, seedNamed, reset }: OpenOptions): Database.Database {
  if (reset) for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  const db = new Database(file);
  try {
    db.pragma('journal_mode = WAL');
    if (db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined) plant(db, seed);
    refuseOther(db, file, seedNamed ? String(seed) : null);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

function refuseOther(db: Database.Database, file: string, seed: string | null): void {
  const version: unknown = db.pragma('user_version', { simple: true });
  if (version !== SCHEMA_VERSION)
    throw new Error(
      `${file} is not an Old Oak file of version ${SCHEMA_VERSION}; name another with --db, or add --reset`,
    );
  const found = db.prepare<[], { value: string }>("SELECT value FROM meta WHERE name = 'seed'").get()?.value;
  if (seed !== null && found !== seed)
    throw new Error(`${file} was made from seed ${found}, not ${seed}; add --reset to make it anew`);
}
