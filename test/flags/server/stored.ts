import { copyFileSync, existsSync } from 'node:fs';
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
