import type { Request, Response, Router } from 'express';
import type { Json } from '../chassis/json.ts';
import { idOf, integerOf, lastOf, pathPart } from '../chassis/query.ts';
import type { Kit } from '../chassis/service.ts';
import type { ListQuery, Product, ReadModel, Sort } from './read-model.ts';

const PER_PAGE = 20;
const PER_PAGE_MAX = 100;
const ALSO_LIKE = 3;
const CALLBACK = /^[\w$.]{1,64}$/;

type Members = Readonly<Record<string, Json | undefined>>;

/** Both product APIs as legacy answers them. `isAdmin` tells who may see drafts. */
export function addProductApi(
  router: Router,
  kit: Kit,
  model: ReadModel,
  isAdmin: (req: Request) => boolean,
): void {
  router.get('/api/v1/products', (req, res) => list(req, res, kit, model, isAdmin(req)));
  router.get('/api/v1/products/:id{.json}', (req, res) => productV1(req, res, kit, model, isAdmin(req)));
  router.get('/api/v2/products/:id', (req, res) => productV2(req, res, kit, model));
}

function list(req: Request, res: Response, kit: Kit, model: ReadModel, drafts: boolean) {
  const rid = kit.answer.rid(req, res);
  const slug = lastOf(req, 'category') ?? '';
  const categoryId = slug === '' ? null : model.categoryId(slug);
  if (categoryId === undefined)
    return sendV1(req, res, kit, { status: 'error', rid, error: 'unknown category' });
  const perPage = Math.min(PER_PAGE_MAX, Math.max(1, integerOf(lastOf(req, 'per_page'), PER_PAGE)));
  const page = Math.max(1, integerOf(lastOf(req, 'page'), 1));
  const offset = Math.min((page - 1) * perPage, Number.MAX_SAFE_INTEGER);
  const query = { categoryId, drafts, sort: sortOf(lastOf(req, 'sort')), limit: perPage, offset };
  const total = model.count(query);
  const products = productsOn(page, query, kit, model);
  sendV1(req, res, kit, {
    status: 'ok',
    rid,
    page,
    pages: Math.ceil(total / perPage),
    per_page: perPage,
    total,
    products: products.map((product) => listed(product, kit)),
  });
  if (kit.bug('B01') && products.length > 0 && req.method !== 'HEAD') kit.exposures.count('B01');
}

function productsOn(page: number, query: ListQuery, kit: Kit, model: ReadModel): readonly Product[] {
  const right = model.list(query);
  if (!kit.bug('B03') || page < 2 || query.sort !== 'name') return right;
  const wrong = model.list({ ...query, sort: 'name-ties-reversed' });
  if (wrong.some(({ id }, index) => id !== right[index]?.id)) kit.exposures.count('B03');
  return wrong;
}

function sortOf(text: string | undefined): Sort {
  return text === 'price' || text === '-price' ? text : 'name';
}

function productV1(req: Request, res: Response, kit: Kit, model: ReadModel, drafts: boolean) {
  const rid = kit.answer.rid(req, res);
  const id = idOf(pathPart(req, 'id'));
  const product = id === null ? undefined : model.find(id, drafts);
  if (product === undefined) return missing(req, res, kit, rid);
  res.set('ETag', `W/"p${product.id}-v${product.version}"`);
  if (req.fresh) {
    res.status(304).end();
    return;
  }
  const whole: Members = {
    ...listed(product, kit),
    // Spread keeps the place of a member that is there already.
    ean: product.ean ?? (kit.bug('B02') ? null : undefined),
    views: kit.decoy('D07') ? product.shown_views : product.views,
    also_like: model.alsoLike(product, ALSO_LIKE, kit.decoy('D06')).map(BigInt),
  };
  const shown = only(whole, lastOf(req, 'fields'));
  sendV1(req, res, kit, { status: 'ok', rid, product: shown });
  if (req.method !== 'HEAD') countShown(shown, product, kit);
}

function countShown(shown: Members, product: Product, kit: Kit): void {
  const has = (name: string) => shown[name] !== undefined;
  if (kit.bug('B01') && has('price')) kit.exposures.count('B01');
  if (kit.bug('B02') && has('ean') && product.ean === null) kit.exposures.count('B02');
  if (kit.decoy('D06') && has('also_like')) kit.exposures.count('D06');
  if (kit.decoy('D07') && has('views') && product.shown_views !== product.views) kit.exposures.count('D07');
}

function missing(req: Request, res: Response, kit: Kit, rid: string): void {
  const notFound = kit.bug('B04') && req.method !== 'HEAD';
  if (notFound) kit.exposures.count('B04');
  sendV1(req, res, kit, { status: 'error', rid, error: 'no such product' }, notFound ? 404 : 200);
}

function productV2(req: Request, res: Response, kit: Kit, model: ReadModel) {
  const id = idOf(pathPart(req, 'id'));
  const product = id === null ? undefined : model.find(id, false);
  if (product === undefined) return kit.answer.json(req, res, 404, { error: 'not found' });
  const exact = BigInt(product.id);
  const rounded = kit.bug('B06') ? BigInt(Number(exact)) : exact;
  if (rounded !== exact && req.method !== 'HEAD') kit.exposures.count('B06');
  kit.answer.json(req, res, 200, {
    id: rounded,
    sku: product.sku,
    title: product.name,
    price: product.price_pence / 100,
    currency: 'GBP',
    category: { id: product.category_id, name: product.category_name },
  });
}

function listed(product: Product, kit: Kit): Members {
  return {
    id: BigInt(product.id),
    sku: product.sku,
    name: product.name,
    slug: product.slug,
    price: kit.bug('B01') ? product.price_pence / 100 : moneyText(product.price_pence),
    was_price: product.was_pence === null ? undefined : moneyText(product.was_pence),
    ean: product.ean ?? undefined,
    weight_g: product.weight_g ?? undefined,
    category: product.category,
  };
}

/** Pence as legacy writes money: "19.90". */
export function moneyText(pence: number): string {
  return `${Math.trunc(pence / 100)}.${String(pence % 100).padStart(2, '0')}`;
}

function only(whole: Members, fields: string | undefined): Members {
  if (fields === undefined || fields === '') return whole;
  const wanted = new Set(fields.split(','));
  return Object.fromEntries(Object.entries(whole).filter(([name]) => wanted.has(name)));
}

function sendV1(req: Request, res: Response, kit: Kit, value: Json, status = 200) {
  const callback = lastOf(req, 'callback');
  if (callback === undefined || !CALLBACK.test(callback)) return kit.answer.json(req, res, status, value);
  kit.answer.script(req, res, callback, value);
}
