import { copyFileSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';

/** Every row of every table of a data file, read from a copy in `dir`: the server holds the file itself. */
export function storedIn(file: string, dir: string): Readonly<Record<string, readonly unknown[]>> {
  const copy = join(dir, 'copy.db');
  for (const end of ['', '-wal']) {
    if (existsSync(file + end)) copyFileSync(file + end, copy + end);
  }
  const db = new SqliteDatabase(copy);
  try {
    const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all();
    return Object.fromEntries(
      names.map((name) => [String(name), db.prepare(`SELECT * FROM "${name}"`).all()]),
    );
  } finally {
    db.close();
  }
}

/** When a data file and its log were written last: the same as before means that nothing was. */
export function writtenAt(file: string): string {
  const stats = ['', '-wal'].map((end) => statSync(file + end, { bigint: true, throwIfNoEntry: false }));
  return stats.map((one) => `${one?.mtimeNs} ${one?.size}`).join(' ');
}
