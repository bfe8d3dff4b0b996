import { createHash } from 'node:crypto';
import type { Database } from 'better-sqlite3';
import { SEEDED_TABLES } from '../schema.ts';

/**
 * SHA-256, lower-case hex, over what the seed planted: every row of every seeded table in rowid order, as SQL writes
 * it. The page layout of the file does not count, so the value is the same on every SQLite.
 */
export function seedDigest(db: Database): string {
  const hash = createHash('sha256');
  for (const table of SEEDED_TABLES) {
    const columns = db
      .prepare<[string], { name: string }>('SELECT name FROM pragma_table_info(?) ORDER BY cid')
      .all(table)
      .map(({ name }) => name);
    hash.update(`${table}(${columns.join(',')})\n`);
    const rows = db.prepare<[], { row: string }>(
      `SELECT json_array(${columns.join(',')}) AS row FROM ${table} ORDER BY rowid`,
    );
    for (const { row } of rows.iterate()) hash.update(`${row}\n`);
  }
  return hash.digest('hex');
}
