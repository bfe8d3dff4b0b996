import type { Database } from 'better-sqlite3';
import { type Batch, type Chunk, type Cursor, cellsOf, ROWS_MAX, type SyncEvent } from '../chassis/wire.ts';
import { rowJson, SOURCES } from './sources.ts';

/** Everything the relay reads from legacy's file. It needs no more than a read-only connection. */
export interface LegacyReader {
  /** Id of the outbox installation. Throws when there is none. */
  source(): string;
  /** Highest seq ever given, also when its row was pruned. */
  watermark(): number;
  /** A number that changes whenever another connection has written. */
  dataVersion(): number;
  /** The next rows of a table above a key, with the watermark of the same instant; null after the last. */
  chunk(table: string, after: string): { readonly chunk: Chunk; readonly last: string } | null;
  /** Events above a cursor that concern these tables; `from` and `to` say what range was looked at. */
  events(after: number, tables: readonly string[]): Batch;
  /** Whether events right above a cursor were pruned, or never were in this file. */
  lost(cursor: Cursor): boolean;
}

interface EventRow {
  readonly seq: number;
  readonly tbl: string;
  readonly pk: string;
  readonly row: string | null;
}

/** Reads rows and events; the outbox must be installed. */
export function createLegacyReader(db: Database): LegacyReader {
  const sourceRow = db.prepare<[], { id: string }>('SELECT id FROM cdc_source');
  const sequence = db.prepare<[], { seq: number }>(
    "SELECT seq FROM sqlite_sequence WHERE name = 'cdc_outbox'",
  );
  const above = db.prepare<[number, number], EventRow>(
    'SELECT seq, tbl, pk, row FROM cdc_outbox WHERE seq > ? ORDER BY seq LIMIT ?',
  );
  const oldest = db.prepare<[], { seq: number | null }>('SELECT min(seq) AS seq FROM cdc_outbox');
  const readers = new Map(
    SOURCES.map((source) => [
      source.table,
      db.prepare<[bigint, number], { pk: string; row: string }>(
        `SELECT CAST(t.${source.key} AS TEXT) AS pk, ${rowJson(source, 't')} AS row FROM ${source.table} t
         WHERE t.${source.key} > ? ORDER BY t.${source.key} LIMIT ?`,
      ),
    ]),
  );

  function source(): string {
    const id = sourceRow.get()?.id;
    if (id === undefined) throw new Error('the outbox is not installed');
    return id;
  }

  function watermark(): number {
    return sequence.get()?.seq ?? 0;
  }

  function chunk(table: string, after: string) {
    const reader = readers.get(table);
    if (reader === undefined) throw new RangeError(`${table} is not watched`);
    // One transaction: the watermark must not be younger than the rows it is given to.
    const read = db.transaction(() => ({ rows: reader.all(BigInt(after), ROWS_MAX), mark: watermark() }));
    const { rows, mark } = read();
    const last = rows.at(-1)?.pk;
    if (last === undefined) return null;
    const parsed = rows.map(({ pk, row }) => ({ pk, row: cellsOf(JSON.parse(row)) }));
    return { chunk: { source: source(), table, watermark: mark, rows: parsed }, last };
  }

  function events(after: number, tables: readonly string[]): Batch {
    const rows = above.all(after, ROWS_MAX);
    const wanted = rows.filter(({ tbl }) => tables.includes(tbl)).map(eventOf);
    return { source: source(), from: after, to: rows.at(-1)?.seq ?? after, events: wanted };
  }

  function lost({ applied_to }: Cursor): boolean {
    const first = oldest.get()?.seq ?? null;
    if (applied_to > watermark()) return true;
    return applied_to < watermark() && (first === null || first > applied_to + 1);
  }

  return {
    source,
    watermark,
    chunk,
    events,
    lost,
    dataVersion: () => Number(db.pragma('data_version', { simple: true })),
  };
}

function eventOf({ seq, tbl, pk, row }: EventRow): SyncEvent {
  return { seq, table: tbl, pk, row: row === null ? null : cellsOf(JSON.parse(row)) };
}
