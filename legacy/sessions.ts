import type { Database } from 'better-sqlite3';
import type { Request, RequestHandler, Response } from 'express';
import { sendHtml } from './answer.ts';
import type { Clock } from './clock.ts';
import { BUSY_PAGE } from './html.ts';
import { createLocks, LockBusy } from './locks.ts';

const SESSION_COOKIE = 'OAKSESS';

/** One visitor. Handlers change it and call `save`. */
export interface Session {
  id: string;
  userId: bigint | null;
  csrf: string;
  /** SKU to quantity. */
  cart: Record<string, number>;
  flash: string | null;
}

export interface Sessions {
  /** A handler that holds the lock of its session from before it starts until its answer is out. */
  hold(handler: (req: Request, res: Response, session: Session) => void): RequestHandler;
  save(session: Session): void;
  /** Gives the session a new id and tells the client; the old id is worthless from then on. */
  rotate(res: Response, session: Session): void;
  count(): number;
}

interface Row {
  readonly id: string;
  readonly user_id: bigint | null;
  readonly csrf: string;
  readonly cart_json: string;
  readonly flash: string | null;
}

const WAITERS_MAX = 50;
/** How many of the oldest sessions go when the table is full. */
const EVICTED_AT_ONCE = 100;

/**
 * Sessions in the table of that name. `newToken` gives an unguessable hex id; above `sessionsMax` rows the ones
 * seen longest ago are forgotten, so visitors without cookies cannot fill the disk.
 */
export function createSessions(deps: {
  readonly db: Database;
  readonly clock: Clock;
  readonly newToken: () => string;
  readonly sessionsMax: number;
}): Sessions {
  const { db, clock, newToken, sessionsMax } = deps;
  const locks = createLocks(WAITERS_MAX);
  const select = db
    .prepare<[string], Row>('SELECT id, user_id, csrf, cart_json, flash FROM sessions WHERE id = ?')
    .safeIntegers();
  const upsert = db.prepare(
    `INSERT INTO sessions (id, user_id, csrf, cart_json, flash, seen_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT(id) DO UPDATE SET user_id = excluded.user_id, csrf = excluded.csrf, cart_json = excluded.cart_json,
       flash = excluded.flash, seen_at = excluded.seen_at`,
  );
  const remove = db.prepare('DELETE FROM sessions WHERE id = ?');
  const countRows = db.prepare<[], { rows: number }>('SELECT count(*) AS rows FROM sessions');
  const evict = db.prepare(
    'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY seen_at, id LIMIT ?)',
  );

  function find(id: string | undefined): Session | null {
    const row = id === undefined ? undefined : select.get(id);
    if (row === undefined) return null;
    return { id: row.id, userId: row.user_id, csrf: row.csrf, cart: cartOf(row.cart_json), flash: row.flash };
  }

  function save(session: Session): void {
    const seenAt = BigInt(Math.floor(clock.nowMs()));
    upsert.run(session.id, session.userId, session.csrf, JSON.stringify(session.cart), session.flash, seenAt);
  }

  function create(res: Response): Session {
    if (count() >= sessionsMax) evict.run(Math.min(EVICTED_AT_ONCE, sessionsMax));
    const session = { id: newToken(), userId: null, csrf: newToken(), cart: {}, flash: null };
    save(session);
    tell(res, session);
    return session;
  }

  function rotate(res: Response, session: Session): void {
    remove.run(session.id);
    session.id = newToken();
    save(session);
    tell(res, session);
  }

  function count(): number {
    return countRows.get()?.rows ?? 0;
  }

  function hold(handler: (req: Request, res: Response, session: Session) => void): RequestHandler {
    return async (req, res) => {
      const known = find(cookieOf(req, SESSION_COOKIE))?.id;
      let release: (() => void) | null = null;
      try {
        release = known === undefined ? null : await locks.acquire(known);
      } catch (error) {
        if (!(error instanceof LockBusy)) throw error;
        sendHtml(req, res, 503, BUSY_PAGE);
        return;
      }
      if (release !== null && res.closed) return release();
      if (release !== null) res.once('close', release);
      // Read again: the request before this one may have changed the session, or rotated it away.
      handler(req, res, find(known) ?? create(res));
    };
  }

  return { hold, save, rotate, count };
}

function tell(res: Response, session: Session): void {
  res.append('Set-Cookie', `${SESSION_COOKIE}=${session.id}; Path=/; HttpOnly`);
}

function cartOf(text: string): Record<string, number> {
  const cart: Record<string, number> = {};
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null) return cart;
  for (const [sku, quantity] of Object.entries(parsed))
    if (typeof quantity === 'number') cart[sku] = quantity;
  return cart;
}

/** The first cookie of that name, or undefined. */
function cookieOf(req: Request, name: string): string | undefined {
  for (const pair of (req.headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
