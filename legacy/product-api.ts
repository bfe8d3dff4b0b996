import type { Request, Response, Router } from 'express';
import { sendJson, sendText, stampRid } from './answer.ts';
import { type Json, toJson } from './json.ts';
import { moneyText } from './money.ts';
import { type Product, type Products, sortOf } from './products.ts';
import { idOf, integerOf, lastOf, pathPart } from './query.ts';

const PER_PAGE = 20;
const PER_PAGE_MAX = 100;
const ALSO_LIKE = 3;
const CALLBACK = /^[\w$.]{1,64}$/;

export interface ProductApiDeps {
  readonly products: Products;
  readonly isAdmin: (req: Request) => boolean;
  /** Sixteen random hex digits. */
  readonly newRid: () => string;
}

/** Both product APIs: v1 with money as text and errors as 200, v2 with money as a number. HEAD answers like GET. */
export function addProductApi(router: Router, deps: ProductApiDeps) {
  router.get('/api/v1/products', (req, res) => list(req, res, deps));
  router.get('/api/v1/products/:id{.json}', (req, res) => productV1(req, res, deps));
  router.get('/api/v2/products/:id', (req, res) => productV2(req, res, deps));
}

function list(req: Request, res: Response, { products, isAdmin, newRid }: ProductApiDeps) {
  const rid = stampRid(res, newRid());
  const slug = lastOf(req, 'category') ?? '';
  const category = slug === '' ? null : products.category(slug);
  if (category === undefined) return sendV1(req, res, { status: 'error', rid, error: 'unknown category' });
  const perPage = Math.min(PER_PAGE_MAX, Math.max(1, integerOf(lastOf(req, 'per_page'), PER_PAGE)));
  const page = Math.max(1, integerOf(lastOf(req, 'page'), 1));
  const found = products.list({
    category,
    drafts: isAdmin(req),
    sort: sortOf(lastOf(req, 'sort')),
    limit: perPage,
    offset: Math.min((page - 1) * perPage, Number.MAX_SAFE_INTEGER),
  });
  sendV1(req, res, {
    status: 'ok',
    rid,
    page,
    pages: Math.ceil(found.total / perPage),
    per_page: perPage,
    total: found.total,
    products: found.products.map(listed),
  });
}

function productV1(req: Request, res: Response, { products, isAdmin, newRid }: ProductApiDeps) {
  const rid = stampRid(res, newRid());
  const id = idOf(pathPart(req, 'id'));
  const product = id === null ? undefined : products.find(id, isAdmin(req));
  if (product === undefined) return sendV1(req, res, { status: 'error', rid, error: 'no such product' });
  res.set('ETag', `W/"p${product.id}-v${product.version}"`);
  if (req.fresh) {
    res.status(304).end();
    return;
  }
  const alsoLike = products.alsoLike(product, ALSO_LIKE).map(({ id: other }) => BigInt(other));
  const whole = { ...listed(product), views: product.views, also_like: alsoLike };
  sendV1(req, res, { status: 'ok', rid, product: only(whole, lastOf(req, 'fields')) });
}

function productV2(req: Request, res: Response, { products }: ProductApiDeps) {
  const id = idOf(pathPart(req, 'id'));
  const product = id === null ? undefined : products.find(id, false);
  if (product === undefined) return sendJson(req, res, 404, { error: 'not found' });
  sendJson(req, res, 200, {
    id: BigInt(product.id),
    sku: product.sku,
    title: product.name,
    price: product.price_pence / 100,
    currency: 'GBP',
    category: { id: product.category_id, name: product.category_name },
  });
}

/** A product as it stands in a list; members without a value are left out. */
function listed(product: Product): Readonly<Record<string, Json | undefined>> {
  return {
    id: BigInt(product.id),
    sku: product.sku,
    name: product.name,
    slug: product.slug,
    price: moneyText(product.price_pence),
    was_price: product.was_pence === null ? undefined : moneyText(product.was_pence),
    ean: product.ean ?? undefined,
    weight_g: product.weight_g ?? undefined,
    category: product.category,
  };
}

function only(whole: Readonly<Record<string, Json | undefined>>, fields: string | undefined): Json {
  if (fields === undefined || fields === '') return whole;
  const wanted = new Set(fields.split(','));
  return Object.fromEntries(Object.entries(whole).filter(([name]) => wanted.has(name)));
}

/** JSON, or a script that calls the function a page of 2009 asked for. */
function sendV1(req: Request, res: Response, value: Json) {
  const callback = lastOf(req, 'callback');
  if (callback === undefined || !CALLBACK.test(callback)) return sendJson(req, res, 200, value);
  sendText(req, res, 200, 'application/javascript; charset=utf-8', `${callback}(${toJson(value)});`);
}
