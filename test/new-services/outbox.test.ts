import type Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openShopFile } from '../../legacy/open.ts';
import { createLegacyReader } from '../../new-services/relay/legacy-reader.ts';
import { installOutbox, removeOutbox } from '../../new-services/relay/outbox.ts';

function shopDb(): Database.Database {
  const db = openShopFile({ file: ':memory:', seed: 1969, seedNamed: false, reset: false });
  onTestFinished(() => void db.close());
  return db;
}

const TABLES = ['categories', 'products', 'users', 'reviews'];

test('installing changes no row, twice is once, and removing leaves no trace', () => {
  const db = shopDb();
  const schema = () => db.prepare<[], { name: string }>('SELECT name FROM sqlite_schema ORDER BY name').all();
  const before = schema();
  installOutbox(db);
  const reader = createLegacyReader(db);
  const source = reader.source();
  installOutbox(db);
  expect(reader.source()).toBe(source);
  expect(reader.watermark()).toBe(0);
  removeOutbox(db);
  expect(schema().filter(({ name }) => name !== 'sqlite_sequence')).toEqual(before);
});

test('a new installation is another source', () => {
  const db = shopDb();
  installOutbox(db);
  const first = createLegacyReader(db).source();
  removeOutbox(db);
  installOutbox(db);
  expect(createLegacyReader(db).source()).not.toBe(first);
});

test('inserts, updates and deletes become events in commit order, and a rolled back write none', () => {
  const db = shopDb();
  installOutbox(db);
  db.exec("UPDATE products SET price_pence = 505 WHERE sku = 'OAK-00001'");
  db.exec("INSERT INTO categories VALUES (99, 'x', 'X')");
  db.exec('BEGIN; DELETE FROM categories WHERE id = 99; ROLLBACK');
  db.exec('DELETE FROM categories WHERE id = 99');
  const { to, events } = createLegacyReader(db).events(0, TABLES);
  expect(to).toBe(3);
  expect(events).toMatchObject([
    { seq: 1, table: 'products', row: { price_pence: 505 } },
    { seq: 2, table: 'categories', pk: '99', row: { slug: 'x', name: 'X' } },
    { seq: 3, table: 'categories', pk: '99', row: null },
  ]);
});

test('a key that changes is a delete and an insert', () => {
  const db = shopDb();
  db.exec("INSERT INTO categories VALUES (98, 'x', 'X')");
  installOutbox(db);
  db.exec('UPDATE categories SET id = 97 WHERE id = 98');
  expect(createLegacyReader(db).events(0, TABLES).events).toMatchObject([
    { pk: '98', row: null },
    { pk: '97', row: { slug: 'x' } },
  ]);
});

test('a column that no service mirrors makes no event', () => {
  const db = shopDb();
  installOutbox(db);
  db.exec("UPDATE users SET password = 'x' WHERE id = 5");
  expect(createLegacyReader(db).watermark()).toBe(0);
});

test('large ids travel as exact text, as keys and as references', () => {
  const db = shopDb();
  installOutbox(db);
  db.exec('UPDATE products SET views = 1 WHERE id = 9007199254740993');
  db.exec(
    "INSERT INTO reviews (product_id, user_id, stars, title, body, posted) VALUES (9007199254740993, 2, 5, 't', 'b', '2026-07-14 11:00:00')",
  );
  const { events } = createLegacyReader(db).events(0, TABLES);
  expect(events[0]?.pk).toBe('9007199254740993');
  expect(events[1]?.row).toMatchObject({ product_id: '9007199254740993' });
});

test('the outbox keeps its limit of rows, the watermark goes on, and a cursor before the oldest is lost', () => {
  const db = shopDb();
  installOutbox(db, 10);
  for (let index = 0; index < 25; index += 1) db.exec('UPDATE products SET views = views + 1 WHERE id = 12');
  const reader = createLegacyReader(db);
  expect(db.prepare<[], { n: number }>('SELECT count(*) AS n FROM cdc_outbox').get()?.n).toBe(10);
  expect(reader.watermark()).toBe(25);
  const cursor = (applied_to: number) => ({ source: reader.source(), applied_to, complete: true });
  expect([14, 15, 25, 26].map((at) => reader.lost(cursor(at)))).toEqual([true, false, false, true]);
});

test('a table is read in chunks of 500 by key, each with the watermark of its moment', () => {
  const db = shopDb();
  installOutbox(db);
  const reader = createLegacyReader(db);
  const sizes: number[] = [];
  const marks: number[] = [];
  let after = '-1';
  for (let next = reader.chunk('products', after); next !== null; next = reader.chunk('products', after)) {
    after = next.last;
    sizes.push(next.chunk.rows.length);
    marks.push(next.chunk.watermark);
    db.exec('UPDATE products SET views = views + 1 WHERE id = 12');
  }
  expect(sizes).toEqual([500, 500, 500, 500, 400]);
  expect(marks).toEqual([0, 1, 2, 3, 4]);
});
