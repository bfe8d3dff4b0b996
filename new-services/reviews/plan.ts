import type { Database } from 'better-sqlite3';
import type { Request, Response } from 'express';
import type { SyncedTable } from '../chassis/applier.ts';
import { dayFirst, londonMicros, utcMicros } from '../chassis/clock.ts';
import { idOf, lastOf, pathPart } from '../chassis/query.ts';
import type { Kit, ServicePlan } from '../chassis/service.ts';
import { bodyHtml } from './body-html.ts';

const PER_PAGE = 10;

/** The local time of a review is kept as legacy wrote it: one hour a year it names two instants. */
const REVIEW_TABLES: readonly SyncedTable[] = [
  { source: 'users', name: 'author', key: 'id', columns: { name: 'TEXT' } },
  {
    source: 'reviews',
    name: 'review',
    key: 'id',
    columns: {
      product_id: 'INTEGER',
      user_id: 'INTEGER',
      stars: 'INTEGER',
      title: 'TEXT',
      body: 'TEXT',
      posted: 'TEXT',
      deleted: 'INTEGER',
    },
  },
];

/** The reviews service: reading only; writing stays in legacy. */
export const REVIEWS_PLAN: ServicePlan = {
  name: 'reviews',
  tables: REVIEW_TABLES,
  outage: false,
  addRoutes: (router, kit) => {
    kit.db.exec('CREATE INDEX IF NOT EXISTS review_by_product ON review(product_id, posted, id)');
    const readPage = createReader(kit.db);
    router.get('/api/v1/products/:id/reviews', (req, res) => listReviews(req, res, kit, readPage));
  },
  housekeeping: () => null,
};

interface Review {
  readonly id: number;
  readonly stars: number;
  readonly title: string;
  readonly body: string;
  readonly author: string;
  readonly posted: string;
}

type Place = readonly [posted: string, id: bigint];
type ReadPage = (product: bigint, after: Place | null) => readonly Review[];

function createReader(db: Database): ReadPage {
  const select = (where: string) =>
    `SELECT r.id, r.stars, r.title, r.body, a.name AS author, r.posted FROM review r JOIN author a ON a.id = r.user_id
     WHERE r.product_id = @product AND r.deleted = 0 AND r.gone = 0 ${where}
     ORDER BY r.posted DESC, r.id DESC LIMIT ${PER_PAGE + 1}`;
  const first = db.prepare<{ product: bigint }, Review>(select(''));
  const later = db.prepare<{ product: bigint; posted: string; id: bigint }, Review>(
    select('AND (r.posted, r.id) < (@posted, @id)'),
  );
  return (product, after) =>
    after === null ? first.all({ product }) : later.all({ product, posted: after[0], id: after[1] });
}

function listReviews(req: Request, res: Response, kit: Kit, readPage: ReadPage) {
  const rid = kit.answer.rid(req, res);
  const product = idOf(pathPart(req, 'id'));
  const cursor = lastOf(req, 'after');
  const after = cursor === undefined ? null : readCursor(cursor);
  if (after === undefined)
    return kit.answer.json(req, res, 200, { status: 'error', rid, error: 'bad cursor' });
  const rows = product === null ? [] : readPage(product, after);
  const shown = rows.slice(0, PER_PAGE);
  const last = rows.length > PER_PAGE ? shown.at(-1) : undefined;
  kit.answer.json(req, res, 200, {
    status: 'ok',
    rid,
    as_of: asOf(kit),
    reviews: shown.map(({ id, stars, title, body, author, posted }) => {
      return { id, stars, title, body_html: bodyHtml(body), author, posted: dayFirst(posted) };
    }),
    next: last === undefined ? undefined : Buffer.from(`${last.posted}|${last.id}`).toString('base64'),
  });
}

function asOf(kit: Kit): string {
  const exactMs = kit.clock.nowMs();
  if (kit.decoy('D03')) kit.exposures.count('D03');
  const ms = kit.decoy('D03') ? exactMs : Math.floor(exactMs / 1_000) * 1_000;
  if (!kit.bug('B13')) return londonMicros(ms);
  const wrong = utcMicros(ms);
  if (wrong !== londonMicros(ms)) kit.exposures.count('B13');
  return wrong;
}

/** Base64 of `<local text>|<id>`; undefined when it is not one of ours or legacy's. */
function readCursor(text: string): Place | undefined {
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  const parts = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\|(\d+)$/.exec(decoded);
  const id = idOf(parts?.[2]);
  return parts?.[1] === undefined || id === null ? undefined : [parts[1], id];
}
