import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Actor, Happening } from '../../router/core/events.ts';
import { eventHash, type LedgerError, openLedger } from '../../router/store/ledger.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase, StoreError } from '../../router/store/open.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const ANA: Actor = { kind: 'operator', id: 'ana' };
const shift = (from: number, to: number): Happening => ({
  type: 'share.intended',
  body: { from, to, reason: null },
});
const created: Happening = { type: 'group.created', body: { groupId: 'orders' } };

function open(folder: string) {
  const db = openDatabase(join(folder, 'fig.db'), MIGRATIONS);
  let ids = 0;
  const lags: unknown[] = [];
  try {
    const ledger = openLedger(db, join(folder, 'ledger.head'), {
      wall: () => 1_767_225_600_000,
      nextId: () => `${process.hrtime.bigint()}-${ids++}`,
      onAnchorLag: (e) => lags.push(e),
    });
    const append = (...happenings: Happening[]) =>
      ledger.append({ group: 'orders', expectedRev: null, actor: ANA, happenings });
    return { ledger, append, lags, close: () => void db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

function written(folder: string): void {
  const { append, close } = open(folder);
  append(created);
  append({ type: 'stage.changed', body: { from: 'legacy', to: 'canary', reason: null } }, shift(0, 10));
  append(shift(10, 25));
  close();
}

function tamper(folder: string, sql: string): void {
  const db = new Database(join(folder, 'fig.db'));
  db.exec('DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_deleted');
  db.exec(sql);
  db.close();
}

test('the published hash of an event comes out', () => {
  expect(
    eventHash({
      seq: 1,
      rev: 1,
      group: 'orders',
      type: 'share.intended',
      at: '2026-01-01T00:00:00.000Z',
      body: { from: 5, to: 25 },
      actor: { kind: 'engine', id: 'engine' },
      token: 7,
      key: 'orders:1:3:25',
      prev: '0'.repeat(64),
    }),
  ).toBe('6748994f3d6e033d289df3d945ffda7e1123fd9f06fd36cf869cdf7e13f4be56');
});

test('a restart folds the same state', () => {
  const folder = temporaryFolder();
  written(folder);
  const { ledger, close } = open(folder);
  onTestFinished(close);
  expect(ledger.state().groups.get('orders')).toMatchObject({ stage: 'canary', share: 25, rev: 4 });
  expect(ledger.verify()).toBe(4);
});

test('every opening writes with a higher token', () => {
  const folder = temporaryFolder();
  written(folder);
  const { append, ledger, close } = open(folder);
  onTestFinished(close);
  append(shift(25, 50));
  expect(ledger.recent('orders', 2).map((event) => event.token)).toEqual([2, 1]);
});

test.each<[string, string, RegExp]>([
  ['an edited body', `UPDATE event SET body = replace(body, '25', '99') WHERE seq = 4`, /event 4 was edited/],
  [
    'an edited actor',
    `UPDATE event SET actor = replace(actor, 'ana', 'bob') WHERE seq = 2`,
    /event 2 was edited/,
  ],
  ['a body that is no JSON', `UPDATE event SET body = 'x' WHERE seq = 3`, /event 3 was edited/],
  ['a removed event', 'DELETE FROM event WHERE seq = 3', /event 4 was edited: it does not follow/],
  ['a cut end', 'DELETE FROM event WHERE seq >= 3', /was cut: it ends at event 2, but event 4 was written/],
  ['everything removed', 'DELETE FROM event', /was cut: it ends at event 0/],
])('%s is found at the next start', (_, sql, message) => {
  const folder = temporaryFolder();
  written(folder);
  tamper(folder, sql);
  expect(() => open(folder)).toThrow(
    expect.objectContaining({ name: 'LedgerError', message: expect.stringMatching(message) }) as LedgerError,
  );
});

test('a ledger file that is gone is found by its anchor', () => {
  const folder = temporaryFolder();
  written(folder);
  for (const name of ['fig.db', 'fig.db-wal', 'fig.db-shm']) rmSync(join(folder, name), { force: true });
  expect(() => open(folder)).toThrow(/was cut/);
});

test('a rewritten last event with a right hash is not the one the anchor names', () => {
  const folder = temporaryFolder();
  written(folder);
  const anchor = join(folder, 'ledger.head');
  writeFileSync(anchor, `4 ${'a'.repeat(64)}\n`);
  expect(() => open(folder)).toThrow(/event 4 was edited: it is not the event the anchor file names/);
});

test('a damaged anchor is said, not guessed around', () => {
  const folder = temporaryFolder();
  written(folder);
  writeFileSync(join(folder, 'ledger.head'), 'nonsense');
  expect(() => open(folder)).toThrow(/ledger\.head is damaged/);
});

test('an anchor older than the ledger is what a crash leaves, and is fine', () => {
  const folder = temporaryFolder();
  const first = open(folder);
  first.append(created);
  const older = readFileSync(join(folder, 'ledger.head'));
  first.append(shift(0, 10));
  first.close();
  writeFileSync(join(folder, 'ledger.head'), older);
  const { ledger, close } = open(folder);
  onTestFinished(close);
  expect(ledger.state().seq).toBe(2);
});

test('an append that cannot move the anchor is still acknowledged, and said', () => {
  const folder = temporaryFolder();
  const { append, ledger, lags, close } = open(folder);
  onTestFinished(close);
  append(created);
  mkdirSync(join(folder, 'ledger.head.new')); // Stands where the next anchor would be written.
  append(shift(0, 10));
  expect(ledger.state().seq).toBe(2);
  expect(lags).toHaveLength(1);
});

test('a decision on an older rev is a conflict and changes nothing', () => {
  const folder = temporaryFolder();
  const { ledger, append, close } = open(folder);
  onTestFinished(close);
  append(created);
  append(shift(0, 10));
  const late = ledger.append({ group: 'orders', expectedRev: 1, actor: ANA, happenings: [shift(0, 50)] });
  expect(late).toEqual({ kind: 'conflict', rev: 2 });
  expect(ledger.state().groups.get('orders')?.share).toBe(10);
});

test('an acknowledgement between reading and deciding is no conflict', () => {
  const folder = temporaryFolder();
  const { ledger, append, close } = open(folder);
  onTestFinished(close);
  append(created);
  append(shift(0, 10));
  append({ type: 'share.verified', body: { of: 2, readBack: 10 } });
  expect(
    ledger.append({ group: 'orders', expectedRev: 2, actor: ANA, happenings: [shift(10, 50)] }).kind,
  ).toBe('appended');
});

test('a second process cannot use the same ledger', () => {
  const folder = temporaryFolder();
  const { close } = open(folder);
  onTestFinished(close);
  expect(() => openDatabase(join(folder, 'fig.db'), MIGRATIONS)).toThrow(/in use by another process/);
});

test('a file of a newer version is refused', () => {
  const folder = temporaryFolder();
  openDatabase(join(folder, 'fig.db'), [
    ...MIGRATIONS,
    'CREATE TABLE later (x) STRICT'.replace('(x)', '(x TEXT)'),
  ]).close();
  expect(() => openDatabase(join(folder, 'fig.db'), MIGRATIONS)).toThrow(/newer version/);
});

test('a file that is no database is refused and left alone', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'fig.db'), 'not a database, but somebody may want it'.repeat(50));
  expect(() => openDatabase(join(folder, 'fig.db'), MIGRATIONS)).toThrow(StoreError);
  expect(readFileSync(join(folder, 'fig.db'), 'utf8')).toContain('somebody may want it');
});

test('any sequence of appends survives a restart exactly', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 12 }), (shares) => {
      const folder = temporaryFolder();
      const { append, ledger, close } = open(folder);
      append(created);
      for (const share of shares) append(shift(0, share / 100));
      const before = ledger.state();
      close();
      const again = open(folder);
      expect(again.ledger.state()).toEqual(before);
      again.close();
      rmSync(folder, { recursive: true });
    }),
    { seed: 81, numRuns: 15 },
  );
});
