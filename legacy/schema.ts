import type { Database } from 'better-sqlite3';

/** Raised whenever the tables change; a file of another version is refused, never converted. */
export const SCHEMA_VERSION = 1;

/** Every table that the seed fills, in dump order. `sessions` is runtime state and not among them. */
export const SEEDED_TABLES = [
  'categories',
  'products',
  'stock',
  'users',
  'reviews',
  'vouchers',
  'orders',
  'order_lines',
] as const;

const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE categories (id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
  CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    category_id INTEGER NOT NULL REFERENCES categories(id),
    price_pence INTEGER NOT NULL,
    was_pence INTEGER,
    vat_percent INTEGER NOT NULL,
    ean TEXT,
    weight_g INTEGER,
    tags TEXT NOT NULL,
    views INTEGER NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    deleted_at TEXT
  );
  CREATE INDEX products_by_name ON products(name COLLATE NOCASE, id);
  CREATE INDEX products_by_category ON products(category_id);
  CREATE TABLE stock (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL);
  CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    is_admin INTEGER NOT NULL
  );
  CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users(id),
    stars INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    posted TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX reviews_by_product ON reviews(product_id, posted, id);
  CREATE TABLE vouchers (code TEXT PRIMARY KEY, kind TEXT NOT NULL, amount INTEGER NOT NULL, stacks INTEGER NOT NULL);
  CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    no TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users(id),
    placed TEXT NOT NULL,
    total_pence INTEGER NOT NULL
  );
  CREATE TABLE order_lines (
    order_id INTEGER NOT NULL REFERENCES orders(id),
    line INTEGER NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price_pence INTEGER NOT NULL,
    PRIMARY KEY (order_id, line)
  );
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id INTEGER,
    csrf TEXT NOT NULL,
    cart_json TEXT NOT NULL,
    flash TEXT,
    step TEXT,
    seen_at INTEGER NOT NULL
  );
  CREATE INDEX sessions_by_age ON sessions(seen_at);
`;

/** Creates the empty tables of the shop; the caller owns the transaction. */
export function createTables(db: Database): void {
  db.exec(TABLES);
  db.pragma(`user_version = ${SCHEMA_VERSION}`);
}
