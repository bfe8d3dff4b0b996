import type { Database } from 'better-sqlite3';
import { rowJson, SOURCES, type Source } from './sources.ts';

/** Events kept in legacy's file; a service further behind is filled again. */
const OUTBOX_ROWS_MAX = 100_000;

/**
 * Puts the outbox and its triggers into legacy's file, which goes on working as before; does nothing when they are
 * there. Built-in SQL only: a trigger that calls a function fails for every connection that lacks it.
 */
export function installOutbox(db: Database, rowsMax: number = OUTBOX_ROWS_MAX): void {
  db.transaction(() => {
    db.exec(`
      CREATE TABLE IF NOT EXISTS cdc_outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, op TEXT NOT NULL, pk TEXT NOT NULL, row TEXT, at TEXT NOT NULL
      );
      CREATE TABLE IF NOT EXISTS cdc_source (id TEXT NOT NULL);
      INSERT INTO cdc_source SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM cdc_source);
      CREATE TRIGGER IF NOT EXISTS cdc_prune AFTER INSERT ON cdc_outbox BEGIN
        DELETE FROM cdc_outbox WHERE seq <= new.seq - ${rowsMax};
      END;
    `);
    for (const source of SOURCES) db.exec(triggersOf(source));
  }).immediate();
}

/** Takes everything out again. The next installation is another source, and services start over. */
export function removeOutbox(db: Database): void {
  db.transaction(() => {
    for (const { table } of SOURCES) {
      for (const kind of ['insert', 'update', 'move', 'delete'])
        db.exec(`DROP TRIGGER IF EXISTS cdc_${table}_${kind}`);
    }
    db.exec('DROP TABLE IF EXISTS cdc_outbox; DROP TABLE IF EXISTS cdc_source');
  }).immediate();
}

function triggersOf(source: Source): string {
  const { table, key, columns } = source;
  const event = (op: string, row: 'new' | 'old') =>
    `INSERT INTO cdc_outbox (tbl, op, pk, row, at) VALUES ('${table}', '${op}', CAST(${row}.${key} AS TEXT),
       ${op === 'D' ? 'NULL' : rowJson(source, 'new')}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));`;
  const trigger = (kind: string, when: string, body: string) =>
    `CREATE TRIGGER IF NOT EXISTS cdc_${table}_${kind} ${when} BEGIN ${body} END;`;
  return [
    trigger('insert', `AFTER INSERT ON ${table}`, event('I', 'new')),
    trigger(
      'update',
      `AFTER UPDATE OF ${columns.join(', ')} ON ${table} WHEN old.${key} = new.${key}`,
      event('U', 'new'),
    ),
    // A key that changes is another row: the old one is deleted, the new one appears.
    trigger(
      'move',
      `AFTER UPDATE ON ${table} WHEN old.${key} <> new.${key}`,
      event('D', 'old') + event('I', 'new'),
    ),
    trigger('delete', `AFTER DELETE ON ${table}`, event('D', 'old')),
  ].join('\n');
}
