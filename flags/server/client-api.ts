import { type NextFunction, type Request, type Response, Router } from 'express';
import type { Auth } from './auth.ts';
import { BODY_BYTES_MAX, clientFault, jsonBody, METRICS_BYTES_MAX } from './body.ts';
import type { Deltas } from './delta.ts';
import { badRule, Problem } from './problem.ts';
import type { Policy } from './semantics.ts';
import type { TokenRow } from './store.ts';
import type { Streams } from './stream.ts';
import type { Usage } from './usage.ts';
import { bodyOf, requireAppName } from './validate.ts';
import type { ClientQuery, View } from './view.ts';

const QUERY_VALUES_MAX = 100;
/** A client has one tag, a gateway a few. */
const TAGS_MAX = 10;
const VERSION = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z.-]+)?$/;

export interface ClientApiDeps {
  readonly auth: Auth;
  readonly view: View;
  readonly streams: Streams;
  readonly deltas: Deltas;
  readonly usage: Usage;
  readonly policy: Policy;
}

/** `/api/client`: what an SDK needs. */
export function createClientApi(deps: ClientApiDeps): Router {
  const { auth, view, streams, deltas, usage, policy } = deps;
  const router = Router();
  router.use(auth.client);
  router.use('/metrics', jsonBody(METRICS_BYTES_MAX), tooLarge);
  router.use(jsonBody(BODY_BYTES_MAX));

  router.get('/features', (request, response) => {
    const { etag, bytes } = view.body(queryOf(request, auth.tokenOf(response)));
    response.set('ETag', etag);
    if (matchesEtag(request.get('if-none-match'), etag)) response.status(304).end();
    else response.type('json').end(bytes());
  });

  router.get('/features/:feature', (request, response) => {
    const { feature } = request.params;
    const text = view.featureText(queryOf(request, auth.tokenOf(response)), feature);
    if (text === null) throw new Problem('NotFoundError', `Could not find feature flag ${feature}`);
    response.type('json').send(text);
  });

  router.get('/delta', (request, response) => {
    const query = queryOf(request, auth.tokenOf(response));
    const eventId = deltas.eventId();
    const known = request.get('if-none-match');
    response.set('ETag', `"${eventId}"`);
    if (matchesEtag(known, `"${eventId}"`)) {
      response.status(304).end();
      return;
    }
    const missed = missedSince(query, tagsIn(known));
    if (missed?.isEmpty === true) response.status(304).end();
    else response.type('json').end(missed?.text ?? deltas.hydration(query));
  });

  router.get('/streaming', (request, response) => {
    streams.open(request, response, auth.tokenOf(response));
  });

  router.post('/register', (request, response) => {
    requireAppName(bodyOf(request.body));
    response.status(202).end();
  });
  router.post('/metrics', (request, response) => {
    usage.report(auth.tokenOf(response).environment, request.body);
    response.status(202).end();
  });
  router.post('/metrics/bulk', (request, response) => {
    usage.reportMany(auth.tokenOf(response).environment, request.body);
    response.status(202).end();
  });

  return router;

  /** By the first tag that says anything. */
  function missedSince(query: ClientQuery, tags: readonly string[]) {
    for (const tag of tags.slice(0, TAGS_MAX)) {
      const missed = deltas.since(query, tag);
      if (missed !== null) return missed;
    }
    return null;
  }

  /** A report is not worth the loop of an SDK, which a 413 would stop for ever. */
  function tooLarge(error: unknown, _request: Request, response: Response, next: NextFunction): void {
    if (clientFault(error) !== 413 || policy === 'unleash') {
      next(error);
      return;
    }
    usage.drop();
    response.status(202).end();
  }
}

/** Weak comparison with a list of entity tags (RFC 9110 §13.1.2): gateways weaken tags when they compress. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return tagsIn(header).some((tag) => `"${tag}"` === etag);
}

/** The opaque parts of a list of entity tags. */
function tagsIn(header: string | undefined): string[] {
  return Array.from((header ?? '').matchAll(/(?:W\/)?"([^"]*)"/g), ([, tag = '']) => tag);
}

function queryOf(request: Request, token: TokenRow): ClientQuery {
  const [namePrefix = null, ...others] = listOf(request, 'namePrefix') ?? [];
  if (others.length > 0) throw badRule('"namePrefix" must be a string');
  const tags = listOf(request, 'tag')?.map(tagOf) ?? null;
  return {
    environment: token.environment,
    // As in Unleash: the project of the token takes the place of the ones asked for.
    projects: token.project === '*' ? listOf(request, 'project') : [token.project],
    namePrefix,
    tags,
    inlineSegments: !knowsSegments(request.get('unleash-client-spec')),
  };
}

/** Segments came with version 4.2.0 of the client specification. 400 for what is no version, as in Unleash. */
function knowsSegments(version: string | undefined): boolean {
  if (version === undefined || version === '') return false;
  const match = VERSION.exec(version);
  if (match === null) {
    const fault = /^\d/.test(version) ? 'SemVer' : 'prefix';
    throw new Problem('BadDataError', `Invalid ${fault} in the Unleash-Client-Spec header: "${version}".`);
  }
  const [major = 0, minor = 0, patch = 0] = match.slice(1, 4).map(Number);
  const isBefore = match[4] !== undefined && patch === 0;
  return major > 4 || (major === 4 && (minor > 2 || (minor === 2 && !isBefore)));
}

function tagOf(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) throw badRule('a tag is written type:value');
  return [text.slice(0, colon), text.slice(colon + 1)];
}

/** All values of a query parameter; null when it is absent. 400 when it is nested or repeated too often. */
function listOf(request: Request, name: string): string[] | null {
  const value = request.query[name];
  if (value === undefined) return null;
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const texts = values.filter((one) => typeof one === 'string');
  if (texts.length !== values.length || texts.length > QUERY_VALUES_MAX) {
    throw badRule(`the query parameter ${name} is not usable`);
  }
  return texts;
}
