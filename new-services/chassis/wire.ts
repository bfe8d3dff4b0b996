/** What the relay and a service say to each other. Everything that arrives is checked here. */
export type Cell = string | number | null;

export interface Cursor {
  /** Which installation of the outbox the rows come from; null before the first backfill. */
  readonly source: string | null;
  readonly applied_to: number;
  readonly complete: boolean;
}

export interface SyncRow {
  /** The key as decimal text, since a double cannot hold every key. */
  readonly pk: string;
  readonly row: Readonly<Record<string, Cell>>;
}

export interface Chunk {
  readonly source: string;
  readonly table: string;
  readonly watermark: number;
  readonly rows: readonly SyncRow[];
}

export interface SyncEvent {
  readonly seq: number;
  readonly table: string;
  readonly pk: string;
  /** null: the row was deleted. */
  readonly row: Readonly<Record<string, Cell>> | null;
}

export interface Batch {
  readonly source: string;
  readonly from: number;
  readonly to: number;
  readonly events: readonly SyncEvent[];
}

/** Rows of one chunk, events of one batch. */
export const ROWS_MAX = 500;

export class WireFault extends Error {}

type Members = Readonly<Record<string, unknown>>;

/** The members of a JSON object; throws WireFault for anything else. */
export function membersOf(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new WireFault('expected an object');
  return Object.fromEntries(Object.entries(value));
}

export function textOf(members: Members, name: string): string {
  const value = members[name];
  if (typeof value !== 'string') throw new WireFault(`${name} must be text`);
  return value;
}

export function countOf(members: Members, name: string): number {
  const value = members[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new WireFault(`${name} must be a whole number from 0`);
  }
  return value;
}

export function parseChunk(value: unknown): Chunk {
  const members = membersOf(value);
  return {
    source: textOf(members, 'source'),
    table: textOf(members, 'table'),
    watermark: countOf(members, 'watermark'),
    rows: listOf(members, 'rows').map((item) => {
      const given = membersOf(item);
      const { row } = given;
      return { pk: keyOf(given), row: cellsOf(row) };
    }),
  };
}

export function parseBatch(value: unknown): Batch {
  const members = membersOf(value);
  return {
    source: textOf(members, 'source'),
    from: countOf(members, 'from'),
    to: countOf(members, 'to'),
    events: listOf(members, 'events').map((item) => {
      const event = membersOf(item);
      const { row } = event;
      return {
        seq: countOf(event, 'seq'),
        table: textOf(event, 'table'),
        pk: keyOf(event),
        row: row === null ? null : cellsOf(row),
      };
    }),
  };
}

/** A cursor as a service answers it. */
export function parseCursor(value: unknown): Cursor {
  const members = membersOf(value);
  const { source, complete } = members;
  if (typeof complete !== 'boolean') throw new WireFault('complete must be true or false');
  return {
    source: source === null ? null : textOf(members, 'source'),
    applied_to: countOf(members, 'applied_to'),
    complete,
  };
}

function keyOf(members: Members): string {
  const pk = textOf(members, 'pk');
  if (!/^-?\d{1,19}$/.test(pk)) throw new WireFault('pk must be a decimal integer');
  return pk;
}

function listOf(members: Members, name: string): readonly unknown[] {
  const value = members[name];
  if (!Array.isArray(value) || value.length > ROWS_MAX) {
    throw new WireFault(`${name} must be a list of at most ${ROWS_MAX}`);
  }
  return value;
}

/** A row's members: text, numbers and null. Throws WireFault for anything else. */
export function cellsOf(value: unknown): Readonly<Record<string, Cell>> {
  const cells: Record<string, Cell> = {};
  for (const [name, cell] of Object.entries(membersOf(value))) {
    if (cell !== null && typeof cell !== 'string' && typeof cell !== 'number') {
      throw new WireFault(`column ${name} must be text, a number or null`);
    }
    cells[name] = cell;
  }
  return cells;
}
