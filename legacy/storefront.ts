import type { Request, Response, Router } from 'express';
import { splitOnce } from './admin.ts';
import { redirect, sendHtml } from './answer.ts';
import { type Clock, dayFirst, londonText } from './clock.ts';
import { escapeHtml, NOT_FOUND_PAGE, page } from './html.ts';
import { moneyText } from './money.ts';
import { type Product, type Products, sortOf } from './products.ts';
import { idOf, integerOf, lastOf, pathPart } from './query.ts';
import type { Session, Sessions } from './sessions.ts';

const PER_PAGE = 20;
const ALSO_LIKE = 4;

export interface StorefrontDeps {
  readonly products: Products;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly build: string;
  readonly origin: () => string;
}

/** The pages a visitor sees first: home, a category, a product, and the address products had before 2011. */
export function addStorefront(router: Router, deps: StorefrontDeps) {
  const { sessions } = deps;
  router.get(
    '/',
    sessions.hold((req, res, session) => home(req, res, session, deps)),
  );
  router.get(
    '/c/:category',
    sessions.hold((req, res, session) => category(req, res, session, deps)),
  );
  router.get(
    '/p/:ref',
    sessions.hold((req, res, session) => productPage(req, res, session, deps)),
  );
  router.get('/product.php', (req, res) => oldAddress(req, res, deps));
}

function home(req: Request, res: Response, session: Session, deps: StorefrontDeps) {
  const links = deps.products
    .categories()
    .map(({ slug, name }) => `<a href="/c/${slug}">${escapeHtml(name)}</a>`)
    .join(' | ');
  const liked = productList(deps.products.alsoLike(null, ALSO_LIKE));
  const main = `${flashOf(session, deps)}<p>${links}</p>\n<h2>You may also like</h2>\n${liked}`;
  sendPage(req, res, deps, 'Welcome', main);
}

function category(req: Request, res: Response, _session: Session, deps: StorefrontDeps) {
  const found = deps.products.category(pathPart(req, 'category'));
  if (found === undefined) return sendHtml(req, res, 404, NOT_FOUND_PAGE);
  const asked = integerOf(lastOf(req, 'page'), 1);
  // Nobody ever handled this; the error page is what shows.
  if (asked < 0) throw new RangeError('negative offset');
  const number = asked === 0 ? 1 : asked;
  const { products, total } = deps.products.list({
    category: found,
    drafts: false,
    sort: sortOf(lastOf(req, 'sort')),
    limit: PER_PAGE,
    offset: Math.min((number - 1) * PER_PAGE, Number.MAX_SAFE_INTEGER),
  });
  const pages = Math.ceil(total / PER_PAGE);
  const main = `<h2>${escapeHtml(found.name)}</h2>\n${productList(products)}\n<p>Page ${number} of ${pages}</p>`;
  sendPage(req, res, deps, found.name, main);
}

function productPage(req: Request, res: Response, session: Session, deps: StorefrontDeps) {
  const { products, origin } = deps;
  const product = productOf(req, products);
  if (product === undefined) return sendHtml(req, res, 404, NOT_FOUND_PAGE);
  if (req.method === 'GET') products.countView(product.id);
  const canonical = `/p/${product.id}-${product.slug}`;
  if (splitOnce(pathPart(req, 'ref'), '-')[1] !== product.slug)
    return redirect(res, 301, origin() + canonical);
  const alsoLike = productList(products.alsoLike(product, ALSO_LIKE));
  const main = `${flashOf(session, deps)}<h2>${escapeHtml(product.name)}</h2>
<p>&pound;${moneyText(product.price_pence)} <a href="/cart/add?sku=${product.sku}&amp;qty=1">Add to cart</a></p>
<form method="post" action="${canonical}/reviews">
<input type="hidden" name="csrf" value="${session.csrf}">
<input name="stars" value="5"><input name="title"><textarea name="body"></textarea><input type="submit">
</form>
<h3>You may also like</h3>
${alsoLike}`;
  sendPage(req, res, deps, product.name, main);
}

function oldAddress(req: Request, res: Response, { products, origin }: StorefrontDeps) {
  const id = idOf(lastOf(req, 'id'));
  const product = id === null ? undefined : products.find(id, false);
  if (product === undefined) return sendHtml(req, res, 404, NOT_FOUND_PAGE);
  redirect(res, 301, `${origin()}/p/${product.id}-${product.slug}`);
}

/** The live product that `/p/<id>-<slug>` names; the slug is not looked at. */
export function productOf(req: Request, products: Products): Product | undefined {
  const id = idOf(splitOnce(pathPart(req, 'ref'), '-')[0]);
  return id === null ? undefined : products.find(id, false);
}

/** A field of a posted form, empty when it is missing or repeated. */
export function bodyText(req: Request, name: string): string {
  const body: unknown = req.body;
  if (typeof body !== 'object' || body === null) return '';
  const value: unknown = Object.entries(body).find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : '';
}

/** What the last action has to say, once. */
function flashOf(session: Session, { sessions }: StorefrontDeps): string {
  if (session.flash === null) return '';
  const text = session.flash;
  session.flash = null;
  sessions.save(session);
  return `<p class="flash">${escapeHtml(text)}</p>\n`;
}

function productList(products: readonly Product[]): string {
  const items = products.map(
    ({ id, slug, name, price_pence }) =>
      `<li><a href="/p/${id}-${slug}">${escapeHtml(name)}</a> &pound;${moneyText(price_pence)}</li>`,
  );
  return `<ul>\n${items.join('\n')}\n</ul>`;
}

function sendPage(
  req: Request,
  res: Response,
  { clock, build }: StorefrontDeps,
  title: string,
  main: string,
) {
  res.set('X-Oak-Build', build);
  const text = londonText(clock.nowMs());
  sendHtml(req, res, 200, page(title, main, ` ${dayFirst(text)}${text.slice(16)} build ${build}`));
}
