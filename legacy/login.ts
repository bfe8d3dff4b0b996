import type { Database } from 'better-sqlite3';
import type { Router } from 'express';
import { redirect, sendHtml } from './answer.ts';
import { type Clock, londonText } from './clock.ts';
import { escapeHtml, FORBIDDEN_PAGE, page } from './html.ts';
import { passwordMatches } from './passwords.ts';
import type { Session, Sessions } from './sessions.ts';
import { bodyText } from './storefront.ts';

export interface LoginDeps {
  readonly db: Database;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly origin: () => string;
}

/** GET and POST /login. A good login gets a new session id and two cookies; a bad one is 200 with the form again. */
export function addLogin(router: Router, { db, sessions, clock, origin }: LoginDeps): void {
  const find = db
    .prepare<[string], { id: bigint; password: string }>('SELECT id, password FROM users WHERE email = ?')
    .safeIntegers();
  router.get(
    '/login',
    sessions.hold((req, res, session) => sendHtml(req, res, 200, form(session, '', ''))),
  );
  router.post(
    '/login',
    sessions.hold((req, res, session) => {
      if (bodyText(req, 'csrf') !== session.csrf) return sendHtml(req, res, 403, FORBIDDEN_PAGE);
      const email = bodyText(req, 'email');
      const user = find.get(email);
      if (user === undefined || !passwordMatches(bodyText(req, 'password'), user.password)) {
        return sendHtml(req, res, 200, form(session, email, 'Unknown e-mail address or wrong password.'));
      }
      session.userId = user.id;
      sessions.rotate(res, session);
      res.append('Set-Cookie', `oak_seen=${encodeURIComponent(londonText(clock.nowMs()))}; Path=/`);
      redirect(res, 302, `${origin()}/`);
    }),
  );
}

function form(session: Session, email: string, error: string): string {
  const message = error === '' ? '' : `<p class="error">${escapeHtml(error)}</p>\n`;
  return page(
    'Log in',
    `${message}<form method="post" action="/login">
<input type="hidden" name="csrf" value="${session.csrf}">
<input name="email" value="${escapeHtml(email)}"><input name="password" type="password"><input type="submit">
</form>`,
  );
}
