import type { Database } from 'better-sqlite3';
import type { Router } from 'express';
import { redirect } from './answer.ts';
import { integerOf, lastOf } from './query.ts';
import type { Sessions } from './sessions.ts';

/** Different articles in one cart; another one is not added. */
const CART_LINES_MAX = 100;
const QUANTITY_MAX = 999;

export interface CartDeps {
  readonly db: Database;
  readonly sessions: Sessions;
  readonly origin: () => string;
}

/** GET /cart/add: a link that changes something, and again on every refresh. */
export function addCart(router: Router, { db, sessions, origin }: CartDeps): void {
  const known = db.prepare<[string], { sku: string }>('SELECT sku FROM stock WHERE sku = ?');
  router.get(
    '/cart/add',
    sessions.hold((req, res, session) => {
      const sku = known.get(lastOf(req, 'sku') ?? '')?.sku;
      const quantity = Math.min(QUANTITY_MAX, Math.max(1, integerOf(lastOf(req, 'qty'), 1)));
      const inCart = sku === undefined ? undefined : session.cart[sku];
      if (sku === undefined) session.flash = 'We do not sell that.';
      else if (inCart === undefined && Object.keys(session.cart).length >= CART_LINES_MAX) {
        session.flash = 'Your cart is full.';
      } else {
        session.cart[sku] = Math.min(QUANTITY_MAX, (inCart ?? 0) + quantity);
        session.flash = 'Added to your cart.';
      }
      sessions.save(session);
      redirect(res, 302, req.get('Referer') ?? `${origin()}/`);
    }),
  );
}
