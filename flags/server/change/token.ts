import { randomBytes } from 'node:crypto';
import type { NewToken } from '../parse/token.ts';
import { exceeds, Problem } from '../problem.ts';
import type { EventType } from '../semantics.ts';
import type { Changes, TokenRow } from '../store.ts';
import { hashOf, maskedSecret } from '../tokens.ts';
import type { Rules } from './record.ts';

const SECRET_BYTES = 28;

/** Makes a token. The answer is the only thing that ever holds its secret. */
export function createToken(changes: Changes, token: NewToken, { limits }: Rules) {
  if (changes.tokens().length >= limits.tokensMax) throw exceeds('api token', limits.tokensMax);
  const { tokenName, type, project, environment, expiresAt } = token;
  const secret = `${project}:${environment}.${randomBytes(SECRET_BYTES).toString('hex')}`;
  const createdAt = changes.now;
  changes.insertToken({
    hash: hashOf(secret),
    tail: secret.slice(-4),
    name: tokenName,
    type: 'client',
    project,
    environment,
    alias: null,
    createdAt,
    expiresAt,
    configured: false,
  });
  const data = {
    tokenName,
    environment,
    projects: [project],
    type,
    alias: null,
    project,
    createdAt,
    ...(expiresAt === null ? {} : { expiresAt }),
  };
  recordToken(changes, 'api-token-created', token, data, null);
  return { ...data, secret };
}

/**
 * Lets the token of a secret, or of what stands for it in a list, expire at another time; null when there is none.
 * 403 for one that the server was started with.
 */
export function updateToken(changes: Changes, reference: string, expiresAt: string): TokenRow | null {
  const token = referred(changes, reference);
  if (token === null) return null;
  const updated = { ...token, expiresAt };
  changes.deleteToken(token.hash);
  changes.insertToken(updated);
  recordToken(changes, 'api-token-updated', token, eventOf(updated), eventOf(token));
  return updated;
}

/** Deletes a token; null when there is none. 403 for one that the server was started with. */
export function deleteToken(changes: Changes, reference: string): TokenRow | null {
  const token = referred(changes, reference);
  if (token === null) return null;
  changes.deleteToken(token.hash);
  recordToken(changes, 'api-token-deleted', token, null, eventOf(token));
  return token;
}

/** 403 for a configured one: it would be as before after the next start. */
function referred(changes: Changes, reference: string): TokenRow | null {
  const hash = hashOf(reference);
  const token = changes.tokens().find((one) => one.hash.equals(hash) || maskedSecret(one) === reference);
  if (token === undefined) return null;
  if (token.configured) {
    throw new Problem(
      'InvalidOperationError',
      'This token belongs to the configuration of the server: change it there and start the server again',
    );
  }
  return token;
}

function eventOf(token: TokenRow) {
  const { secret: _masked, ...data } = tokenOut(token);
  return data;
}

/** A token as lists show it. */
export function tokenOut(token: TokenRow) {
  const { name, type, project, environment, expiresAt, createdAt, alias } = token;
  return {
    secret: maskedSecret(token),
    tokenName: name,
    type,
    project,
    projects: [project],
    environment,
    expiresAt,
    createdAt,
    alias,
    seenAt: null,
  };
}

function recordToken(
  changes: Changes,
  type: EventType,
  { project, environment }: Pick<TokenRow, 'project' | 'environment'>,
  data: unknown,
  preData: unknown,
): void {
  changes.record({ type, project, environment, featureName: null, data, preData });
}
