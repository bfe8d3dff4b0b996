import type { Database } from 'better-sqlite3';
import type { SyncedTable } from '../chassis/applier.ts';

/** One row per product, one per category; both only ever written by the relay. */
export const CATALOG_TABLES: readonly SyncedTable[] = [
  {
    source: 'categories',
    name: 'category',
    key: 'id',
    columns: { slug: 'TEXT', name: 'TEXT' },
  },
  {
    source: 'products',
    name: 'product_doc',
    key: 'id',
    columns: {
      sku: 'TEXT',
      name: 'TEXT',
      slug: 'TEXT',
      category_id: 'INTEGER',
      price_pence: 'INTEGER',
      was_pence: 'INTEGER',
      ean: 'TEXT',
      weight_g: 'INTEGER',
      tags: 'TEXT',
      views: 'INTEGER',
      version: 'INTEGER',
      status: 'TEXT',
      deleted_at: 'TEXT',
    },
    // View counters are published in batches; this is the one the public sees.
    own: 'shown_views INTEGER',
  },
];

/** A product document. Ids are decimal text: a double cannot hold them all. */
export interface Product {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly slug: string;
  readonly price_pence: number;
  readonly was_pence: number | null;
  readonly ean: string | null;
  readonly weight_g: number | null;
  readonly views: number;
  readonly shown_views: number;
  readonly version: number;
  readonly category_id: number;
  readonly category: string;
  readonly category_name: string;
}

export type Sort = 'name' | 'name-ties-reversed' | 'price' | '-price';

export interface ListQuery {
  readonly categoryId: number | null;
  readonly drafts: boolean;
  readonly sort: Sort;
  readonly limit: number;
  readonly offset: number;
}

export interface ReadModel {
  find(id: bigint, drafts: boolean): Product | undefined;
  list(query: ListQuery): readonly Product[];
  count(query: ListQuery): number;
  categoryId(slug: string): number | undefined;
  /** Others of a product's category: some at random, or always the first. */
  alsoLike(product: Product, limit: number, random: boolean): readonly string[];
  search(text: string, tag: string, limit: number): readonly Product[];
  names(): readonly string[];
  /** Shows the view counters as they are now. */
  publishViews(): void;
}

const COLUMNS = `CAST(p.id AS TEXT) AS id, p.sku, p.name, p.slug, p.price_pence, p.was_pence, p.ean, p.weight_g,
  p.views, coalesce(p.shown_views, p.views) AS shown_views, p.version,
  c.id AS category_id, c.slug AS category, c.name AS category_name`;
const JOINED = 'FROM product_doc p JOIN category c ON c.id = p.category_id';
const LIVE = "p.gone = 0 AND p.deleted_at IS NULL AND p.status = 'live'";
const VISIBLE = "p.gone = 0 AND p.deleted_at IS NULL AND (p.status = 'live' OR @drafts = 1)";

/** Legacy's collation and its order of ties, said explicitly: an index here would turn ties round. */
const ORDERS: Readonly<Record<Sort, string>> = {
  name: 'p.name COLLATE NOCASE, p.id',
  'name-ties-reversed': 'p.name COLLATE NOCASE, p.id DESC',
  price: 'p.price_pence, p.id',
  '-price': 'p.price_pence DESC, p.id',
};

type Filter = { drafts: number; category: number | null };
type Page = Filter & { limit: number; offset: number };

/** Queries over the catalog's tables, which must exist; statements are prepared here once. */
export function createReadModel(db: Database): ReadModel {
  const one = db.prepare<{ id: bigint; drafts: number }, Product>(
    `SELECT ${COLUMNS} ${JOINED} WHERE p.id = @id AND ${VISIBLE}`,
  );
  const matching = `${JOINED} WHERE ${VISIBLE} AND (@category IS NULL OR p.category_id = @category)`;
  const total = db.prepare<Filter, { rows: number }>(`SELECT count(*) AS rows ${matching}`);
  const listBy = (sort: Sort) =>
    db.prepare<Page, Product>(
      `SELECT ${COLUMNS} ${matching} ORDER BY ${ORDERS[sort]} LIMIT @limit OFFSET @offset`,
    );
  const lists = {
    name: listBy('name'),
    'name-ties-reversed': listBy('name-ties-reversed'),
    price: listBy('price'),
    '-price': listBy('-price'),
  };
  const slug = db.prepare<[string], { id: number }>('SELECT id FROM category WHERE slug = ? AND gone = 0');
  const alikeBy = (order: string) =>
    db.prepare<{ id: string; category: number; limit: number }, { id: string }>(
      `SELECT CAST(p.id AS TEXT) AS id FROM product_doc p
       WHERE ${LIVE} AND p.category_id = @category AND p.id <> CAST(@id AS INTEGER) ORDER BY ${order} LIMIT @limit`,
    );
  const alike = { random: alikeBy('RANDOM()'), first: alikeBy('p.id') };
  const like = db.prepare<{ text: string; tag: string; limit: number }, Product>(
    `SELECT ${COLUMNS} ${JOINED} WHERE ${LIVE} AND p.name LIKE '%' || @text || '%'
       AND (@tag = '' OR ' ' || p.tags || ' ' LIKE '% ' || @tag || ' %')
     ORDER BY ${ORDERS.name} LIMIT @limit`,
  );
  const names = db.prepare<[], { name: string }>(`SELECT p.name FROM product_doc p WHERE ${LIVE}`);
  const publish = db.prepare('UPDATE product_doc SET shown_views = views WHERE shown_views IS NOT views');
  const filterOf = ({ drafts, categoryId }: ListQuery) => ({ drafts: drafts ? 1 : 0, category: categoryId });

  return {
    find: (id, drafts) => one.get({ id, drafts: drafts ? 1 : 0 }),
    list: (query) => lists[query.sort].all({ ...filterOf(query), limit: query.limit, offset: query.offset }),
    count: (query) => total.get(filterOf(query))?.rows ?? 0,
    categoryId: (text) => slug.get(text)?.id,
    alsoLike: ({ id, category_id }, limit, random) =>
      (random ? alike.random : alike.first).all({ id, category: category_id, limit }).map((row) => row.id),
    search: (text, tag, limit) => like.all({ text, tag, limit }),
    names: () => names.all().map(({ name }) => name),
    publishViews: () => {
      publish.run();
    },
  };
}
