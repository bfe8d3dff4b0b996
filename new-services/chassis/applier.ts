import type { Database, Statement } from 'better-sqlite3';
import type { Batch, Cell, Chunk, Cursor, SyncEvent } from './wire.ts';

/** A table of this service that mirrors one of legacy's. `src_seq` and `gone` are added to the columns. */
export interface SyncedTable {
  readonly source: string;
  readonly name: string;
  /** Integer key of both tables. */
  readonly key: string;
  /** Columns copied from legacy, with their SQL types. */
  readonly columns: Readonly<Record<string, 'INTEGER' | 'TEXT'>>;
  /** Columns of this service alone, as SQL. */
  readonly own?: string;
}

export interface Applier {
  cursor(): Cursor;
  /** Starts a backfill; everything goes first when it comes from another source or a rebuild is asked for. */
  begin(source: string, rebuild: boolean): Cursor;
  /** Rows of a backfill, in any order, any number of times. Rejects a foreign source. */
  rows(chunk: Chunk): Cursor;
  /** Ends a backfill that began at watermark `from`: rows it did not meet are gone, events continue from there. */
  finish(source: string, from: number): Cursor;
  /** Events `from < seq <= to`, idempotent. Rejects a foreign source, an unfinished backfill and a gap. */
  apply(batch: Batch): Cursor;
}

export class SyncRefused extends Error {}

/** Deletes are remembered for this many events, longer than any batch can be late. */
const TOMBSTONE_EVENTS = 10_000;

interface CursorRow {
  readonly source: string | null;
  readonly applied_to: number;
  readonly complete: number;
}

/**
 * Creates the tables that are missing and keeps them equal to legacy's. An event (its seq) or a backfilled row (the watermark of its read)
 * is written only above the `src_seq` a row already has, so late, repeated and reordered deliveries converge.
 */
export function openApplier(db: Database, tables: readonly SyncedTable[]): Applier {
  const inOne = <T>(work: () => T): T => db.transaction(work).immediate();
  inOne(() => createTables(db, tables));
  const writers = new Map(tables.map((table) => [table.source, createWriter(db, table)]));
  const selectCursor = db.prepare<[], CursorRow>('SELECT source, applied_to, complete FROM sync_cursor');

  function read(): CursorRow {
    const row = selectCursor.get();
    if (row === undefined) throw new Error('the sync cursor is missing');
    return row;
  }

  function cursor(): Cursor {
    const { source, applied_to, complete } = read();
    return { source, applied_to, complete: complete === 1 };
  }

  function demand(source: string): CursorRow {
    const row = read();
    if (row.source !== source) throw new SyncRefused('this service was filled from another source');
    return row;
  }

  function begin(source: string, rebuild: boolean): Cursor {
    return inOne(() => {
      if (rebuild || read().source !== source) {
        for (const { name } of tables) db.exec(`DELETE FROM ${name}`);
        db.prepare('UPDATE sync_cursor SET source = ?, applied_to = 0, complete = 0').run(source);
      }
      return cursor();
    });
  }

  function rows({ source, table, watermark, rows: given }: Chunk): Cursor {
    return inOne(() => {
      demand(source);
      const writer = writerOf(table);
      for (const { pk, row } of given) writer.put(pk, row, watermark);
      return cursor();
    });
  }

  function finish(source: string, from: number): Cursor {
    return inOne(() => {
      demand(source);
      for (const { name } of tables) db.prepare(`DELETE FROM ${name} WHERE src_seq < ?`).run(BigInt(from));
      db.prepare('UPDATE sync_cursor SET applied_to = max(applied_to, ?), complete = 1').run(BigInt(from));
      return cursor();
    });
  }

  function apply({ source, from, to, events }: Batch): Cursor {
    return inOne(() => {
      const before = demand(source);
      if (before.complete !== 1) throw new SyncRefused('the backfill has not ended');
      if (from > before.applied_to) throw new SyncRefused(`events after ${before.applied_to} are missing`);
      for (const event of events) applyOne(event);
      db.prepare('UPDATE sync_cursor SET applied_to = max(applied_to, ?)').run(BigInt(to));
      for (const writer of writers.values()) writer.forget(to - TOMBSTONE_EVENTS);
      return cursor();
    });
  }

  function applyOne({ seq, table, pk, row }: SyncEvent): void {
    const writer = writerOf(table);
    if (row === null) writer.remove(pk, seq);
    else writer.put(pk, row, seq);
  }

  function writerOf(table: string): Writer {
    const writer = writers.get(table);
    if (writer === undefined) throw new SyncRefused(`this service does not mirror ${table}`);
    return writer;
  }

  return { cursor, begin, rows, finish, apply };
}

interface Writer {
  put(pk: string, row: Readonly<Record<string, Cell>>, seq: number): void;
  remove(pk: string, seq: number): void;
  forget(upTo: number): void;
}

function createTables(db: Database, tables: readonly SyncedTable[]): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS sync_cursor
       (one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT, applied_to INTEGER NOT NULL, complete INTEGER NOT NULL)`,
  );
  db.exec('INSERT OR IGNORE INTO sync_cursor VALUES (1, NULL, 0, 0)');
  for (const table of tables) createTable(db, table);
}

function createTable(db: Database, { name, key, columns, own }: SyncedTable): void {
  const copied = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
  const all = [...copied, ...(own === undefined ? [] : [own])].join(', ');
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${name} (${key} INTEGER PRIMARY KEY, ${all}, src_seq INTEGER NOT NULL, gone INTEGER NOT NULL)`,
  );
  db.exec(`CREATE INDEX IF NOT EXISTS ${name}_gone ON ${name}(src_seq) WHERE gone = 1`);
}

function createWriter(db: Database, { name, key, columns }: SyncedTable): Writer {
  const names = Object.keys(columns);
  const newer = `WHERE excluded.src_seq > ${name}.src_seq`;
  const put: Statement = db.prepare(
    `INSERT INTO ${name} (${key}, ${names.join(', ')}, src_seq, gone) VALUES (?, ${names.map(() => '?').join(', ')}, ?, 0)
     ON CONFLICT(${key}) DO UPDATE SET ${names.map((column) => `${column} = excluded.${column}`).join(', ')},
       src_seq = excluded.src_seq, gone = 0 ${newer}`,
  );
  const remove: Statement = db.prepare(
    `INSERT INTO ${name} (${key}, src_seq, gone) VALUES (?, ?, 1)
     ON CONFLICT(${key}) DO UPDATE SET ${names.map((column) => `${column} = NULL`).join(', ')},
       src_seq = excluded.src_seq, gone = 1 ${newer}`,
  );
  const forget: Statement = db.prepare(`DELETE FROM ${name} WHERE gone = 1 AND src_seq <= ?`);
  return {
    put: (pk, row, seq) => {
      put.run(BigInt(pk), ...names.map((column) => row[column] ?? null), BigInt(seq));
    },
    remove: (pk, seq) => {
      remove.run(BigInt(pk), BigInt(seq));
    },
    forget: (upTo) => {
      forget.run(BigInt(upTo));
    },
  };
}
