import { randomBytes } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Ids } from './ids.ts';
import { ENVIRONMENTS } from './semantics.ts';
import type { Actor, TokenRow, TokenType } from './store.ts';
import { hashOf, type Tokens } from './tokens.ts';

/** The secrets a server starts with; it stores only their hashes. */
export interface FlagTokens {
  /** `*:*.<secret>` */
  readonly admin: string;
  /** `<project>:<environment>.<secret>`; decides what its holder is served. */
  readonly client: string;
}

const CLIENT_TOKEN_REQUIRED =
  'This endpoint requires an API token. Please add an authorization header to your request with a valid token';
const SECRET_CHARS_MIN = 16;
/** Unleash's user id of whoever comes with an admin token. */
const ADMIN_USER_ID = -42;

/** Fresh secrets of 256 bits for `environment`, to be kept by the caller. */
export function newTokens(environment: string): FlagTokens {
  const secret = () => randomBytes(32).toString('hex');
  return { admin: `*:*.${secret()}`, client: `default:${environment}.${secret()}` };
}

export type ParsedToken = Pick<TokenRow, 'hash' | 'tail' | 'name' | 'type' | 'project' | 'environment'>;

/** A token as it is stored. TypeError when the secret has not Unleash's format or is too short to be one. */
export function parseToken(type: TokenType, text: string): ParsedToken {
  const match = /^(\*|default):(\*|[a-z]+)\.(.+)$/.exec(text);
  const [, project, environment, secret] = match ?? [];
  const known =
    type === 'admin' ? environment === '*' : ENVIRONMENTS.some(({ name }) => name === environment);
  if (project === undefined || environment === undefined || secret === undefined || !known) {
    const format = type === 'admin' ? '*:*.<secret>' : 'default:<environment>.<secret>';
    throw new TypeError(`the ${type} token must look like ${format}`);
  }
  if (secret.length < SECRET_CHARS_MIN) {
    throw new TypeError(`the secret of the ${type} token must have at least ${SECRET_CHARS_MIN} characters`);
  }
  // As Unleash names the tokens it is started with.
  const name = 'admin';
  return { hash: hashOf(text), tail: text.slice(-4), name, type, project, environment };
}

/** Whether `text` is what `parseToken` takes. */
export function isToken(type: TokenType, text: string): boolean {
  try {
    parseToken(type, text);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

export interface Auth {
  /** Lets only admin tokens pass: 401 without a valid token, 403 for the other type. */
  readonly admin: RequestHandler;
  /** Lets only client tokens pass. 401 and 403 stop an SDK for good, so they are said only of a wrong token. */
  readonly client: RequestHandler;
  /** The token that passed; TypeError on a route without auth. */
  tokenOf(response: Response): TokenRow;
  actorOf(response: Response): Actor;
}

/** Checks the tokens of requests; one that was made or deleted counts from then on. */
export function createAuth(tokens: Pick<Tokens, 'find'>, ids: Ids): Auth {
  const passed = new WeakMap<Response, TokenRow>();

  function find(request: Request): TokenRow | null {
    return tokens.find((request.get('authorization') ?? '').replace(/^Bearer\s+/i, ''));
  }

  function only(type: TokenType, refuse: (request: Request, response: Response) => void): RequestHandler {
    return (request: Request, response: Response, next: NextFunction) => {
      const token = find(request);
      if (token === null) {
        refuse(request, response);
      } else if (token.type !== type) {
        response
          .status(403)
          .json({ message: 'invalid token: expected a different token type for this endpoint' });
      } else {
        passed.set(response, token);
        next();
      }
    };
  }

  function tokenOf(response: Response): TokenRow {
    const token = passed.get(response);
    if (token === undefined) throw new TypeError('this route has no auth');
    return token;
  }

  return {
    admin: only('admin', (request, response) => {
      response.status(401).json(unauthenticated(request.get('authorization') !== undefined, ids.uuid()));
    }),
    client: only('client', (_request, response) => {
      response.status(401).json({ message: CLIENT_TOKEN_REQUIRED });
    }),
    tokenOf,
    actorOf: (response) => ({ name: tokenOf(response).name, userId: ADMIN_USER_ID }),
  };
}

function unauthenticated(given: boolean, id: string) {
  const path = '/auth/simple/login';
  const why = given ? 'an authorization header that is not valid' : 'no authorization header';
  const message = `You must log in to use Unleash. Your request had ${why}, so we could not authorize you. Try logging in at ${path}`;
  const details = [{ message }];
  return {
    id,
    name: 'AuthenticationRequired',
    message,
    details,
    path,
    type: 'password',
    defaultHidden: false,
  };
}
