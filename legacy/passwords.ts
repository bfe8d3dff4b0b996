import { scryptSync, timingSafeEqual } from 'node:crypto';

/** One salt for everybody and a cost nobody should copy: it is that kind of shop, and its seed must be quick. */
const SALT = 'old-oak-2009';
const COST = { N: 16, r: 1, p: 1 } as const;

/** Hash of a password as stored, lower-case hex. */
export function hashPassword(password: string): string {
  return scryptSync(password, SALT, 16, COST).toString('hex');
}

/** Whether a password given by a client is the stored one; equal time whatever differs. */
export function passwordMatches(password: string, stored: string): boolean {
  return timingSafeEqual(Buffer.from(hashPassword(password), 'hex'), Buffer.from(stored, 'hex'));
}
