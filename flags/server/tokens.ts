import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../router/core/ports.ts';
import type { Reads, TokenRow } from './store.ts';

/** The tokens that are valid now. */
export interface Tokens {
  /** The token of a secret, in constant time; null for none, and from the moment it expires. */
  find(secret: string): TokenRow | null;
  /** To be called when tokens were made or deleted. */
  refresh(): void;
}

/** Keeps the tokens in memory: every request asks. */
export function createTokens(store: Pick<Reads, 'tokens'>, clock: Clock): Tokens {
  let tokens = store.tokens();
  return {
    find(secret) {
      const hash = hashOf(secret);
      let found: TokenRow | null = null;
      for (const token of tokens) if (timingSafeEqual(token.hash, hash)) found = token;
      return found === null || isExpired(found, clock) ? null : found;
    },
    refresh() {
      tokens = store.tokens();
    },
  };
}

function isExpired({ expiresAt }: TokenRow, clock: Clock): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= clock.wall();
}

/** What is kept of a secret. */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Stands for a secret that is shown no more; no two tokens share one. */
export function maskedSecret({ project, environment, hash, tail }: TokenRow): string {
  return `${project}:${environment}.masked-${hash.toString('hex').slice(0, 12)}-${tail}`;
}
