import type { Database } from 'better-sqlite3';

/** A product as every page and API reads it. Ids are decimal text: a double cannot hold them all. */
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
  readonly version: number;
  readonly category_id: number;
  readonly category: string;
  readonly category_name: string;
}

interface Category {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
}

interface ProductList {
  readonly total: number;
  readonly products: readonly Product[];
}

export interface Products {
  /** A live product, or with `drafts` a draft too; undefined for anything else. */
  find(id: bigint, drafts: boolean): Product | undefined;
  list(filter: {
    category: Category | null;
    drafts: boolean;
    sort: Sort;
    limit: number;
    offset: number;
  }): ProductList;
  category(slug: string): Category | undefined;
  categories(): readonly Category[];
  /** Up to `limit` live products in random order: any, or others of one product's category. */
  alsoLike(like: Product | null, limit: number): readonly Product[];
  countView(id: string): void;
  /** Live products whose name matches a LIKE pattern around `text` and that carry `tag` (empty: any), by name. */
  search(text: string, tag: string, limit: number): readonly Product[];
  names(): readonly string[];
}

const COLUMNS = `CAST(p.id AS TEXT) AS id, p.sku, p.name, p.slug, p.price_pence, p.was_pence, p.ean, p.weight_g,
  p.views, p.version, c.id AS category_id, c.slug AS category, c.name AS category_name`;
const JOINED = 'FROM products p JOIN categories c ON c.id = p.category_id';
const VISIBLE = "p.deleted_at IS NULL AND (p.status = 'live' OR @drafts = 1)";
const LIVE = "p.deleted_at IS NULL AND p.status = 'live'";

/** Ties are in rowid order whatever the direction; said explicitly, since an index would turn them round. */
const ORDERS = {
  name: 'p.name COLLATE NOCASE, p.id',
  price: 'p.price_pence, p.id',
  '-price': 'p.price_pence DESC, p.id',
} as const;
export type Sort = keyof typeof ORDERS;

/** The sort a query asks for; anything unknown is by name. */
export function sortOf(text: string | undefined): Sort {
  return text === 'price' || text === '-price' ? text : 'name';
}

/** Reads and writes of the product tables; statements are prepared here once. */
export function createProducts(db: Database): Products {
  const one = db.prepare<{ id: bigint; drafts: number }, Product>(
    `SELECT ${COLUMNS} ${JOINED} WHERE p.id = @id AND ${VISIBLE}`,
  );
  const matching = `${JOINED} WHERE ${VISIBLE} AND (@category IS NULL OR p.category_id = @category)`;
  type Filter = { drafts: number; category: number | null };
  const total = db.prepare<Filter, { rows: number }>(`SELECT count(*) AS rows ${matching}`);
  const listBy = (order: string) =>
    db.prepare<Filter & { limit: number; offset: number }, Product>(
      `SELECT ${COLUMNS} ${matching} ORDER BY ${order} LIMIT @limit OFFSET @offset`,
    );
  const lists = {
    name: listBy(ORDERS.name),
    price: listBy(ORDERS.price),
    '-price': listBy(ORDERS['-price']),
  };
  const bySlug = db.prepare<[string], Category>('SELECT id, slug, name FROM categories WHERE slug = ?');
  const all = db.prepare<[], Category>('SELECT id, slug, name FROM categories ORDER BY name, id');
  const random = db.prepare<{ limit: number }, Product>(
    `SELECT ${COLUMNS} ${JOINED} WHERE ${LIVE} ORDER BY RANDOM() LIMIT @limit`,
  );
  const alike = db.prepare<{ id: string; category: number; limit: number }, Product>(
    `SELECT ${COLUMNS} ${JOINED} WHERE ${LIVE} AND p.category_id = @category AND p.id <> CAST(@id AS INTEGER)
     ORDER BY RANDOM() LIMIT @limit`,
  );
  const view = db.prepare<[string]>('UPDATE products SET views = views + 1 WHERE id = CAST(? AS INTEGER)');
  const like = db.prepare<{ text: string; tag: string; limit: number }, Product>(
    `SELECT ${COLUMNS} ${JOINED} WHERE ${LIVE} AND p.name LIKE '%' || @text || '%'
       AND (@tag = '' OR ' ' || p.tags || ' ' LIKE '% ' || @tag || ' %')
     ORDER BY ${ORDERS.name} LIMIT @limit`,
  );
  const names = db.prepare<[], { name: string }>(`SELECT p.name FROM products p WHERE ${LIVE}`);

  return {
    find: (id, drafts) => one.get({ id, drafts: drafts ? 1 : 0 }),
    list: ({ category, drafts, sort, limit, offset }) => {
      const filter = { drafts: drafts ? 1 : 0, category: category?.id ?? null };
      return { total: total.get(filter)?.rows ?? 0, products: lists[sort].all({ ...filter, limit, offset }) };
    },
    category: (slug) => bySlug.get(slug),
    categories: () => all.all(),
    alsoLike: (product, limit) =>
      product === null
        ? random.all({ limit })
        : alike.all({ id: product.id, category: product.category_id, limit }),
    countView: (id) => {
      view.run(id);
    },
    search: (text, tag, limit) => like.all({ text, tag, limit }),
    names: () => names.all().map(({ name }) => name),
  };
}
