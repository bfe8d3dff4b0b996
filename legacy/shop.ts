import type { Database } from 'better-sqlite3';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { createAdminCheck } from './admin.ts';
import { sendHtml, sendJson } from './answer.ts';
import { addCart } from './cart.ts';
import type { Clock } from './clock.ts';
import { BAD_REQUEST_PAGE, ERROR_PAGE, NOT_FOUND_PAGE } from './html.ts';
import { addLogin } from './login.ts';
import { addProductApi } from './product-api.ts';
import { createProducts } from './products.ts';
import { addReviews } from './reviews.ts';
import { addSearch } from './search.ts';
import { createSessions } from './sessions.ts';
import { addStorefront } from './storefront.ts';

export interface ShopDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly build: string;
  /** Random lower-case hex of so many bytes. */
  readonly randomHex: (bytes: number) => string;
  /** `http://127.0.0.1:<own port>`, asked for at each redirect since the port is known late. */
  readonly origin: () => string;
  readonly sessionsMax: number;
}

const FORM_BYTES_MAX = 65_536;

/** The whole monolith as an Express application over a seeded database; opens nothing. */
export function createShop(deps: ShopDeps): Express {
  const { db, clock, build, randomHex, origin, sessionsMax } = deps;
  const products = createProducts(db);
  const sessions = createSessions({ db, clock, newToken: () => randomHex(16), sessionsMax });
  const newRid = () => randomHex(8);
  const app = express();
  app.get('/healthz', (req, res) => sendJson(req, res, 200, { name: 'legacy', build }));
  app.use(express.urlencoded({ extended: false, limit: FORM_BYTES_MAX }));
  addStorefront(app, { products, sessions, clock, build, origin });
  addProductApi(app, { products, isAdmin: createAdminCheck(db), newRid });
  addSearch(app, { products, clock });
  addReviews(app, { db, clock, newRid, products, sessions, origin });
  addCart(app, { db, sessions, origin });
  addLogin(app, { db, sessions, clock, origin });
  app.use((req, res) => sendHtml(req, res, 404, NOT_FOUND_PAGE));
  app.use(errorPage);
  return app;
}

const errorPage: ErrorRequestHandler = (error: unknown, req, res, next) => {
  if (res.headersSent) return next(error);
  const client = isClientFault(error);
  sendHtml(req, res, client ? 400 : 500, client ? BAD_REQUEST_PAGE : ERROR_PAGE);
};

/** Whether Express blames the request: a path that cannot be decoded, a form that is too large. */
function isClientFault(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('status' in error)) return false;
  return typeof error.status === 'number' && error.status >= 400 && error.status < 500;
}
