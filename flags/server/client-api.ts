import { type Request, type Response, Router } from 'express';
import type { Auth } from './auth.ts';
import { badRule, Problem } from './problem.ts';
import type { TokenRow } from './store.ts';
import type { Streams } from './stream.ts';
import { bodyOf, requireAppName } from './validate.ts';
import type { ClientQuery, View } from './view.ts';

const QUERY_VALUES_MAX = 100;

export interface ClientApiDeps {
  readonly auth: Auth;
  readonly view: View;
  readonly streams: Streams;
}

/** `/api/client`: what an SDK needs. */
export function createClientApi({ auth, view, streams }: ClientApiDeps): Router {
  const router = Router();
  router.use(auth.client);

  router.get('/features', (request, response) => {
    const { etag, bytes } = view.body(queryOf(request, auth.tokenOf(response)));
    response.set('ETag', etag);
    if (matchesEtag(request.get('if-none-match'), etag)) {
      response.status(304).end();
      return;
    }
    response.set('Content-Type', 'application/json; charset=utf-8').end(bytes);
  });

  router.get('/features/:feature', (request, response) => {
    const { feature } = request.params;
    const entry = view.entries(auth.tokenOf(response).environment).get(feature);
    if (entry === undefined) throw new Problem('NotFoundError', `Could not find feature toggle ${feature}`);
    response.type('application/json').send(entry.json);
  });

  router.get('/streaming', (request, response) => {
    streams.open(request, response, auth.tokenOf(response).environment);
  });

  router.post('/register', accept);
  router.post('/metrics', accept);

  return router;

  /** Whatever names its application is accepted: any other answer stops the SDK's loop for ever. */
  function accept(request: Request, response: Response): void {
    requireAppName(bodyOf(request.body));
    response.status(202).end();
  }
}

/** Weak comparison with a list of entity tags (RFC 9110 §13.1.2): gateways weaken tags when they compress. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => tag.replace(/^W\//, '') === etag);
}

function queryOf(request: Request, token: TokenRow): ClientQuery {
  const projects = listOf(request, 'project');
  const scope = token.project === '*' ? null : [token.project];
  const [namePrefix = null] = listOf(request, 'namePrefix') ?? [];
  const tags = listOf(request, 'tag')?.map(tagOf) ?? null;
  return {
    environment: token.environment,
    projects: projects === null ? scope : projects.filter((name) => scope === null || scope.includes(name)),
    namePrefix,
    tags,
    inlineSegments: !knowsSegments(request.get('unleash-client-spec')),
  };
}

/** Segments came with version 4.2.0 of the client specification. */
function knowsSegments(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '0').split('.').map(Number);
  return major > 4 || (major === 4 && minor >= 2);
}

function tagOf(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw badRule('a tag is written type:value');
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
