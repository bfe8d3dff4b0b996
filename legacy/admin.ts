import type { Database } from 'better-sqlite3';
import type { Request } from 'express';
import { passwordMatches } from './passwords.ts';

/** Tells whether a request carries the Basic credentials of an administrator. */
export function createAdminCheck(db: Database): (req: Request) => boolean {
  const find = db.prepare<[string], { password: string }>(
    'SELECT password FROM users WHERE email = ? AND is_admin = 1',
  );
  return (req) => {
    const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(req.headers.authorization ?? '')?.[1];
    if (encoded === undefined) return false;
    const [email, password] = splitOnce(Buffer.from(encoded, 'base64').toString('utf8'), ':');
    const row = find.get(email);
    return row !== undefined && passwordMatches(password, row.password);
  };
}

/** Text before and after the first separator; the second part is empty when there is none. */
export function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
