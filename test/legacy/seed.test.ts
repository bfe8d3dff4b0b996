import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { seedDigest } from '../../legacy/seed/digest.ts';
import { COUNTS, LARGE_ID, plant } from '../../legacy/seed/plant.ts';
import { createRandom } from '../../legacy/seed/random.ts';

/** SHA-256 of the logical dump for seed 1969. A change here changes every recorded answer of the shop. */
const DIGEST_1969 = 'bc48ad4269e3f43373d73bfa9e425d01a4a54cebd1a15e1931dc3660d5b3b0e0';

function planted(seed: number): Database.Database {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  plant(db, seed);
  return db;
}

function count(db: Database.Database, sql: string): number {
  return db.prepare<[], { n: number }>(`SELECT count(*) AS n FROM ${sql}`).get()?.n ?? -1;
}

test('seed 1969 plants exactly the committed shop', () => {
  expect(seedDigest(planted(1969))).toBe(DIGEST_1969);
});

test('another seed plants another shop with the same counts', () => {
  const db = planted(7);
  expect(seedDigest(db)).not.toBe(DIGEST_1969);
  expect(count(db, 'products')).toBe(2_400);
  expect(count(db, 'reviews')).toBe(9_000);
});

test('every table has the rows the shop promises', () => {
  const db = planted(1969);
  const rows = [
    'categories',
    'products',
    'stock',
    'users',
    'reviews',
    'vouchers',
    'orders',
    'order_lines',
  ].map((table) => count(db, table));
  expect(rows).toEqual([12, 2_400, 2_400, 600, 9_000, 6, 4_000, 12_000]);
});

test('products have the planted states, gaps and oddities', () => {
  const db = planted(1969);
  expect(count(db, "products WHERE status = 'live' AND deleted_at IS NULL")).toBe(2_300);
  expect(count(db, "products WHERE status = 'draft'")).toBe(COUNTS.drafts);
  expect(count(db, 'products WHERE deleted_at IS NOT NULL')).toBe(COUNTS.deleted);
  expect(count(db, 'products WHERE ean IS NULL')).toBe(COUNTS.withoutEan);
  expect(count(db, "products WHERE name GLOB '*[^ -~]*'")).toBe(COUNTS.diacritics);
  expect(count(db, "products WHERE name LIKE '%!%%' ESCAPE '!' OR name LIKE '%!_%' ESCAPE '!'")).toBe(
    COUNTS.wildcards,
  );
  expect(count(db, "products WHERE name GLOB '[a-z]*'")).toBe(COUNTS.lowercase);
  expect(count(db, 'stock WHERE quantity = 0')).toBe(COUNTS.soldOut);
  expect(count(db, 'products WHERE price_pence % 5 <> 0 OR price_pence < 100 OR price_pence > 19995')).toBe(
    0,
  );
});

test('three live products have an id no double holds, one of them 2^53 + 1', () => {
  const ids = planted(1969)
    .prepare<[], { id: string }>(
      "SELECT CAST(id AS TEXT) AS id FROM products WHERE id > 9007199254740992 AND status = 'live'",
    )
    .all()
    .map(({ id }) => id);
  expect(ids).toHaveLength(3);
  expect(ids).toContain(String(LARGE_ID));
  for (const id of ids) expect(String(Number(id))).not.toBe(id);
});

test('clusters of three to five equal names cross or follow the first page of every list', () => {
  const db = planted(1969);
  const clusters = db
    .prepare<[], { name: string; size: number; category: number }>(
      'SELECT name, count(*) AS size, min(category_id) AS category FROM products GROUP BY name HAVING size > 1',
    )
    .all();
  expect(clusters).toHaveLength(COUNTS.clusters);
  for (const { name, size, category } of clusters) {
    expect(size >= 3 && size <= 5).toBe(true);
    const before = db
      .prepare<[number, string], { n: number }>(
        "SELECT count(*) AS n FROM products WHERE category_id = ? AND status = 'live' AND deleted_at IS NULL AND name < ? COLLATE NOCASE",
      )
      .get(category, name);
    expect((before?.n ?? 0) + size).toBeGreaterThan(20);
  }
});

test('reviews share seconds, links and apostrophes as planted', () => {
  const db = planted(1969);
  const pairs = '(SELECT 1 FROM reviews GROUP BY product_id, posted HAVING count(*) > 1)';
  expect(count(db, pairs)).toBeGreaterThanOrEqual(200);
  expect(count(db, "reviews WHERE posted LIKE '2025-10-26 01:%'")).toBe(4);
  expect(count(db, "reviews WHERE body LIKE '%https://%'")).toBe(300);
  expect(count(db, "reviews WHERE title || body LIKE '%''%'")).toBe(150);
  expect(count(db, "reviews WHERE posted LIKE '2026-03-29 01:%' OR posted LIKE '2025-03-30 01:%'")).toBe(0);
});

test('five customers have more than 200 orders', () => {
  expect(count(planted(1969), '(SELECT 1 FROM orders GROUP BY user_id HAVING count(*) > 200)')).toBe(5);
});

test('one seed gives one sequence', () => {
  const left = createRandom(42);
  const right = createRandom(42);
  for (let index = 0; index < 100; index += 1) expect(left.unit()).toBe(right.unit());
  expect(createRandom(43).unit()).not.toBe(createRandom(42).unit());
});
