import type { Database } from 'better-sqlite3';
import { hashPassword } from '../passwords.ts';
import { createTables } from '../schema.ts';
import { plantReviews } from './plant-reviews.ts';
import { createRandom, type Random } from './random.ts';
import {
  CATEGORIES,
  DIACRITICS,
  FINISHES_EARLY,
  FINISHES_LATE,
  FORENAMES,
  MATERIALS,
  SURNAMES,
  TAGS,
} from './words.ts';

export const COUNTS = {
  products: 2_400,
  drafts: 60,
  deleted: 40,
  clusters: 40,
  diacritics: 90,
  wildcards: 30,
  lowercase: 30,
  withoutEan: 700,
  soldOut: 25,
  users: 600,
  whales: 5,
  ordersPerWhale: 210,
  orders: 4_000,
} as const;

/** The one large id every seed has: 2^53 + 1, the first integer a double cannot hold. */
export const LARGE_ID = 9_007_199_254_740_993n;

interface Draft {
  readonly name: string;
  readonly category: number;
  readonly clustered: boolean;
}

interface Product extends Draft {
  readonly id: bigint;
  readonly sku: string;
  readonly pence: number;
  readonly status: 'live' | 'draft';
  readonly deleted: boolean;
}

/**
 * Creates and fills every table in one transaction. The same seed gives the same rows on every machine.
 * Throws what SQLite throws when the file already holds tables.
 */
export function plant(db: Database, seed: number): void {
  const random = createRandom(seed);
  db.transaction(() => {
    createTables(db);
    db.prepare("INSERT INTO meta VALUES ('seed', ?)").run(String(seed));
    plantCategories(db);
    const products = plantProducts(db, random);
    plantStock(db, random, products);
    plantUsers(db, random);
    const live = products.filter((product) => product.status === 'live' && !product.deleted);
    plantReviews(
      db,
      random,
      live.map((product) => product.id),
      COUNTS.users,
    );
    plantOrders(db, random, products);
    db.exec(
      "INSERT INTO vouchers VALUES ('OAK10','percent',10,1),('FIVER','pence',500,1),('ACORN5','percent',5,0)," +
        "('SPRING15','percent',15,0),('TENNER','pence',1000,0),('STAFF25','percent',25,0)",
    );
  })();
}

function plantCategories(db: Database): void {
  const insert = db.prepare('INSERT INTO categories (id, slug, name) VALUES (?, ?, ?)');
  for (const [index, { slug, name }] of CATEGORIES.entries()) insert.run(BigInt(index + 1), slug, name);
}

function plantProducts(db: Database, random: Random): Product[] {
  const insert = db.prepare(
    `INSERT INTO products (id, sku, name, slug, category_id, price_pence, was_pence, vat_percent, ean, weight_g,
      tags, views, version, status, deleted_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
  );
  const products = identify(random, draftNames(random));
  const withoutEan = chosen(random, products, COUNTS.withoutEan);
  for (const [index, product] of products.entries()) {
    const wasPence = random.unit() < 0.2 ? product.pence + 5 * (1 + random.below(400)) : null;
    const vat = random.unit();
    const weight = random.unit() < 0.8 ? 50 + random.below(20_000) : null;
    const tags = random.shuffle(TAGS).slice(0, random.below(4)).join(' ');
    insert.run(
      product.id,
      product.sku,
      product.name,
      slugOf(product.name),
      BigInt(product.category + 1),
      product.pence,
      wasPence,
      vat < 0.85 ? 20 : vat < 0.95 ? 0 : 5,
      withoutEan.has(product) ? null : `50${String(10_000_000_000 + index * 37)}`,
      weight,
      tags,
      random.below(5_000),
      1 + random.below(6),
      product.status,
      product.deleted ? '2026-01-31 09:00:00' : null,
    );
  }
  return products;
}

/** Names without ids: clusters of equal names, then singles, some with letters or wildcards that trip a reader. */
function draftNames(random: Random): Draft[] {
  const late = random.shuffle(combinations(FINISHES_LATE));
  const clusters = late.slice(0, COUNTS.clusters).flatMap((draft) => {
    const size = 3 + random.below(3);
    return Array.from({ length: size }, () => ({ ...draft, clustered: true }));
  });
  const rest = random.shuffle([...late.slice(COUNTS.clusters), ...combinations(FINISHES_EARLY)]);
  const singles = rest.slice(0, COUNTS.products - clusters.length).map((draft, index) => {
    const name = oddName(draft.name, index);
    return name === null ? draft : { ...draft, name };
  });
  return random.shuffle([...clusters, ...singles]);
}

/** The first singles get names that trip a reader: diacritics, LIKE wildcards, no capitals. The others: null. */
function oddName(name: string, index: number): string | null {
  if (index < COUNTS.diacritics) return withDiacritics(name, index);
  if (index < COUNTS.diacritics + COUNTS.wildcards) return withWildcard(name, index);
  if (index < COUNTS.diacritics + COUNTS.wildcards + COUNTS.lowercase) return name.toLowerCase();
  return null;
}

function combinations(finishes: readonly string[]): Draft[] {
  return CATEGORIES.flatMap(({ nouns }, category) =>
    nouns.flatMap((noun) =>
      MATERIALS.flatMap((material) =>
        finishes.map((finish) => ({ name: `${finish} ${material} ${noun}`, category, clustered: false })),
      ),
    ),
  );
}

function withDiacritics(name: string, index: number): string {
  const word = DIACRITICS[index % DIACRITICS.length] ?? DIACRITICS[0];
  return index % 2 === 0 ? `${word} ${name}` : `${name} ${word}`;
}

function withWildcard(name: string, index: number): string {
  return index % 2 === 0 ? `100% ${name}` : `${name} model_${index}`;
}

/** Gives ids with gaps, states and prices. Three live single products get an id above 2^53. */
function identify(random: Random, drafts: readonly Draft[]): Product[] {
  const singles = random.shuffle(drafts.filter((draft) => !draft.clustered));
  const hidden = COUNTS.drafts + COUNTS.deleted;
  const drafted = new Set(singles.slice(0, COUNTS.drafts));
  const deleted = new Set(singles.slice(COUNTS.drafts, hidden));
  const large = new Set(singles.slice(hidden, hidden + 3));
  const step = 2n * BigInt(1 + random.below(1_000));
  let nextLarge = LARGE_ID;
  let nextId = 0n;
  // Large ids come last in rowid order, as in a shop that switched its id source one day.
  const ordered = [...drafts.filter((draft) => !large.has(draft)), ...large];
  return ordered.map((draft, index) => {
    nextId += 1n + (random.unit() < 0.1 ? BigInt(random.below(9)) : 0n);
    const id = large.has(draft) ? nextLarge : nextId;
    if (large.has(draft)) nextLarge += step;
    return {
      ...draft,
      id,
      sku: `OAK-${String(index + 1).padStart(5, '0')}`,
      pence: 100 + 5 * random.below(3_980),
      status: drafted.has(draft) ? 'draft' : 'live',
      deleted: deleted.has(draft),
    };
  });
}

/** The path form of a name: ASCII lower case and hyphens. */
function slugOf(name: string): string {
  return name
    .normalize('NFD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

function plantStock(db: Database, random: Random, products: readonly Product[]): void {
  const insert = db.prepare('INSERT INTO stock VALUES (?, ?)');
  const soldOut = chosen(random, products, COUNTS.soldOut);
  for (const product of products) insert.run(product.sku, soldOut.has(product) ? 0 : 1 + random.below(200));
}

function plantUsers(db: Database, random: Random): void {
  const insert = db.prepare('INSERT INTO users (id, email, name, password, is_admin) VALUES (?, ?, ?, ?, ?)');
  insert.run(1n, 'admin@old-oak.example', 'Shop Admin', hashPassword('oak-1'), 1);
  for (let id = 2; id <= COUNTS.users; id += 1) {
    const name = `${random.pick(FORENAMES)} ${random.pick(SURNAMES)}`;
    insert.run(BigInt(id), `user${id}@old-oak.example`, name, hashPassword(`oak-${id}`), 0);
  }
}

/** Lines per order go round 1 5 3 2 4, three on average, so the total is known without counting. */
const LINES = [1, 5, 3, 2, 4] as const;

function plantOrders(db: Database, random: Random, products: readonly Product[]): void {
  const order = db.prepare(
    'INSERT INTO orders (id, no, user_id, placed, total_pence) VALUES (?, ?, ?, ?, ?)',
  );
  const line = db.prepare('INSERT INTO order_lines VALUES (?, ?, ?, ?, ?)');
  for (let index = 0; index < COUNTS.orders; index += 1) {
    const id = BigInt(index + 1);
    const lines = random.shuffle(productsAt(random, products, LINES[index % LINES.length] ?? 1));
    const quantities = lines.map(() => 1 + random.below(3));
    const total = lines.reduce((sum, product, at) => sum + product.pence * (quantities[at] ?? 0), 0);
    const whale = index < COUNTS.whales * COUNTS.ordersPerWhale;
    const user = whale
      ? 2 + (index % COUNTS.whales)
      : 2 + COUNTS.whales + random.below(COUNTS.users - 1 - COUNTS.whales);
    const day = new Date(Date.UTC(2024, 6, 14) + random.below(730) * 86_400_000).toISOString().slice(0, 10);
    order.run(id, `OO-${100_000 + index}`, BigInt(user), `${day} 12:00:00`, total);
    for (const [at, product] of lines.entries()) {
      line.run(id, BigInt(at + 1), product.sku, quantities[at] ?? 0, product.pence);
    }
  }
}

function productsAt(random: Random, products: readonly Product[], count: number): Product[] {
  const start = random.below(products.length - count);
  return products.slice(start, start + count);
}

function chosen<T>(random: Random, items: readonly T[], count: number): ReadonlySet<T> {
  return new Set(random.shuffle(items).slice(0, count));
}
