import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { openApplier, SyncRefused } from '../../new-services/chassis/applier.ts';
import type { SyncEvent, SyncRow } from '../../new-services/chassis/wire.ts';

const SEED = 1969;
const TABLES = [{ source: 'things', name: 'thing', key: 'id', columns: { label: 'TEXT' } }] as const;

function opened() {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  const applier = openApplier(db, TABLES);
  const rows = () =>
    db
      .prepare<[], { id: string; label: string }>(
        'SELECT CAST(id AS TEXT) AS id, label FROM thing WHERE gone = 0 ORDER BY thing.id',
      )
      .all();
  return { db, applier, rows };
}

interface Write {
  readonly id: number;
  readonly label: string | null;
}

/** Legacy after each write: the events, and what a backfill chunk read at that moment would hold. */
function historyOf(writes: readonly Write[]) {
  const state = new Map<number, string>();
  const events: SyncEvent[] = [];
  const chunks: SyncRow[][] = [[]];
  for (const [index, { id, label }] of writes.entries()) {
    if (label === null) state.delete(id);
    else state.set(id, label);
    events.push({ seq: index + 1, table: 'things', pk: String(id), row: label === null ? null : { label } });
    chunks.push([...state].map(([key, text]) => ({ pk: String(key), row: { label: text } })));
  }
  const wanted = [...state].sort(([a], [b]) => a - b).map(([id, label]) => ({ id: String(id), label }));
  return { events, chunks, wanted };
}

const writes = fc.array(
  fc.record({ id: fc.integer({ min: 1, max: 5 }), label: fc.option(fc.constantFrom('a', 'b', 'c')) }),
  { minLength: 1, maxLength: 20 },
);

test('backfill chunks read at any moment, in any order, then events: the copy ends equal to legacy', () => {
  fc.assert(
    fc.property(writes, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (made, moments) => {
      const { applier, rows } = opened();
      const { events, chunks, wanted } = historyOf(made);
      const marks = moments.map((moment) => moment % chunks.length);
      const from = Math.min(...marks);
      applier.begin('s', false);
      for (const mark of marks) {
        applier.rows({ source: 's', table: 'things', watermark: mark, rows: chunks[mark] ?? [] });
      }
      applier.finish('s', from);
      applier.apply({ source: 's', from, to: made.length, events: events.slice(from) });
      expect(rows()).toEqual(wanted);
    }),
    { seed: SEED, numRuns: 150 },
  );
});

test('applying any batch again changes nothing', () => {
  fc.assert(
    fc.property(writes, fc.nat(), fc.nat(), (made, a, b) => {
      const { applier, rows } = opened();
      const { events, wanted } = historyOf(made);
      applier.begin('s', false);
      applier.finish('s', 0);
      applier.apply({ source: 's', from: 0, to: made.length, events });
      const [from = 0, to = 0] = [a % (made.length + 1), b % (made.length + 1)].sort((x, y) => x - y);
      applier.apply({ source: 's', from, to, events: events.slice(from, to) });
      expect(rows()).toEqual(wanted);
      expect(applier.cursor().applied_to).toBe(made.length);
    }),
    { seed: SEED, numRuns: 150 },
  );
});

test('a second backfill removes what legacy no longer has', () => {
  const { applier, rows } = opened();
  const row = (pk: string) => ({ pk, row: { label: 'x' } });
  applier.begin('s', false);
  applier.rows({ source: 's', table: 'things', watermark: 3, rows: [row('1'), row('2')] });
  applier.finish('s', 3);
  applier.begin('s', false);
  applier.rows({ source: 's', table: 'things', watermark: 9, rows: [row('2')] });
  applier.finish('s', 9);
  expect(rows()).toEqual([{ id: '2', label: 'x' }]);
});

test('another source, or a rebuild, starts from nothing', () => {
  const { applier, rows } = opened();
  applier.begin('one', false);
  applier.rows({ source: 'one', table: 'things', watermark: 50, rows: [{ pk: '1', row: { label: 'x' } }] });
  applier.finish('one', 50);
  expect(applier.begin('two', false)).toEqual({ source: 'two', applied_to: 0, complete: false });
  expect(rows()).toEqual([]);
  applier.finish('two', 4);
  expect(applier.begin('two', true).complete).toBe(false);
});

test('ids above 2^53 keep every digit', () => {
  const { applier, rows } = opened();
  applier.begin('s', false);
  applier.rows({
    source: 's',
    table: 'things',
    watermark: 0,
    rows: [{ pk: '9007199254740993', row: { label: 'x' } }],
  });
  expect(rows()).toEqual([{ id: '9007199254740993', label: 'x' }]);
});

test('a foreign source, an unfinished backfill, a gap and an unknown table are refused and change nothing', () => {
  const { applier, rows } = opened();
  const batch = { source: 's', from: 0, to: 1, events: [] };
  expect(() => applier.apply(batch)).toThrow(/another source/);
  applier.begin('s', false);
  expect(() => applier.apply(batch)).toThrow(/backfill has not ended/);
  applier.finish('s', 0);
  expect(() => applier.apply({ ...batch, from: 5, to: 6 })).toThrow(/events after 0 are missing/);
  const events = [
    { seq: 1, table: 'things', pk: '1', row: { label: 'x' } },
    { seq: 2, table: 'others', pk: '1', row: { label: 'x' } },
  ];
  expect(() => applier.apply({ ...batch, to: 2, events })).toThrow(SyncRefused);
  expect(rows()).toEqual([]);
  expect(applier.cursor().applied_to).toBe(0);
});

test('deletes are forgotten when no late event can be older', () => {
  const { db, applier } = opened();
  applier.begin('s', false);
  applier.finish('s', 0);
  applier.apply({ source: 's', from: 0, to: 1, events: [{ seq: 1, table: 'things', pk: '1', row: null }] });
  const tombstones = () => db.prepare<[], { n: number }>('SELECT count(*) AS n FROM thing').get()?.n;
  applier.apply({ source: 's', from: 1, to: 10_000, events: [] });
  expect(tombstones()).toBe(1);
  applier.apply({ source: 's', from: 10_000, to: 10_001, events: [] });
  expect(tombstones()).toBe(0);
});
