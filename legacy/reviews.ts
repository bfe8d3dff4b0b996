import type { Database } from 'better-sqlite3';
import type { Request, Response, Router } from 'express';
import { splitOnce } from './admin.ts';
import { redirect, sendHtml, sendJson, stampRid } from './answer.ts';
import { type Clock, dayFirst, londonMicros, londonText } from './clock.ts';
import { escapeHtml, FORBIDDEN_PAGE, NOT_FOUND_PAGE } from './html.ts';
import type { Products } from './products.ts';
import { idOf, integerOf, lastOf, pathPart } from './query.ts';
import type { Session, Sessions } from './sessions.ts';
import { bodyText, productOf } from './storefront.ts';

const PER_PAGE = 10;
const TEXT_MAX = 4_000;

interface Review {
  readonly id: number;
  readonly stars: number;
  readonly title: string;
  readonly body: string;
  readonly author: string;
  readonly posted: string;
}

export interface ReviewDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly newRid: () => string;
  readonly products: Products;
  readonly sessions: Sessions;
  /** `http://127.0.0.1:<own port>`. */
  readonly origin: () => string;
}

/** Reviews as an API, newest first, and the form that writes one. */
export function addReviews(router: Router, deps: ReviewDeps) {
  const readPage = createReader(deps.db);
  router.get('/api/v1/products/:id/reviews', (req, res) => listReviews(req, res, deps, readPage));
  const post = createPost(deps);
  router.post('/p/:ref/reviews', deps.sessions.hold(post));
}

type ReadPage = (product: bigint, after: readonly [posted: string, id: bigint] | null) => readonly Review[];

function createReader(db: Database): ReadPage {
  const select = (where: string) =>
    `SELECT r.id, r.stars, r.title, r.body, u.name AS author, r.posted FROM reviews r JOIN users u ON u.id = r.user_id
     WHERE r.product_id = @product AND r.deleted = 0 ${where}
     ORDER BY r.posted DESC, r.id DESC LIMIT ${PER_PAGE + 1}`;
  const first = db.prepare<{ product: bigint }, Review>(select(''));
  const later = db.prepare<{ product: bigint; posted: string; id: bigint }, Review>(
    select('AND (r.posted, r.id) < (@posted, @id)'),
  );
  return (product, after) =>
    after === null ? first.all({ product }) : later.all({ product, posted: after[0], id: after[1] });
}

function listReviews(req: Request, res: Response, { clock, newRid }: ReviewDeps, readPage: ReadPage) {
  const rid = stampRid(res, newRid());
  const product = idOf(pathPart(req, 'id'));
  const cursor = lastOf(req, 'after');
  const after = cursor === undefined ? null : readCursor(cursor);
  if (after === undefined) return sendJson(req, res, 200, { status: 'error', rid, error: 'bad cursor' });
  const rows = product === null ? [] : readPage(product, after);
  const shown = rows.slice(0, PER_PAGE);
  const last = rows.length > PER_PAGE ? shown.at(-1) : undefined;
  sendJson(req, res, 200, {
    status: 'ok',
    rid,
    as_of: londonMicros(clock.nowMs()),
    reviews: shown.map((row) => ({
      id: row.id,
      stars: row.stars,
      title: row.title,
      body_html: bodyHtml(row.body),
      author: row.author,
      posted: dayFirst(row.posted),
    })),
    next: last === undefined ? undefined : Buffer.from(`${last.posted}|${last.id}`).toString('base64'),
  });
}

/** Base64 of `<local text>|<id>`; undefined when it is not one of ours. */
function readCursor(text: string): readonly [string, bigint] | undefined {
  const [posted, idText] = splitOnce(Buffer.from(text, 'base64').toString('utf8'), '|');
  const id = idOf(idText);
  return id === null || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(posted) ? undefined : [posted, id];
}

/** Escaped text with line breaks and clickable addresses. */
function bodyHtml(text: string): string {
  return escapeHtml(text)
    .replaceAll(/https?:\/\/[^\s<]+/g, (url) => `<a href="${url}" rel="nofollow">${url}</a>`)
    .replaceAll('\n', '<br>');
}

function createPost({ db, clock, products, sessions, origin }: ReviewDeps) {
  const insert = db.prepare(
    'INSERT INTO reviews (product_id, user_id, stars, title, body, posted) VALUES (?, ?, ?, ?, ?, ?)',
  );
  return (req: Request, res: Response, session: Session) => {
    const product = productOf(req, products);
    if (product === undefined) return sendHtml(req, res, 404, NOT_FOUND_PAGE);
    if (bodyText(req, 'csrf') !== session.csrf) return sendHtml(req, res, 403, FORBIDDEN_PAGE);
    if (session.userId === null) return redirect(res, 302, `${origin()}/login`);
    const stars = Math.min(5, Math.max(1, integerOf(bodyText(req, 'stars'), 5)));
    const posted = londonText(clock.nowMs());
    insert.run(
      BigInt(product.id),
      session.userId,
      stars,
      stripTags(bodyText(req, 'title')),
      stripTags(bodyText(req, 'body')),
      posted,
    );
    session.flash = 'Thank you for your review.';
    sessions.save(session);
    redirect(res, 302, `${origin()}/p/${product.id}-${product.slug}`);
  };
}

/** HTML out by pattern, as this shop has always done it. */
function stripTags(text: string): string {
  return text.slice(0, TEXT_MAX).replaceAll(/<[^>]*>/g, '');
}
