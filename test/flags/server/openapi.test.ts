import { join } from 'node:path';
import type { Router } from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { createAuth } from '../../../flags/server/auth.ts';
import { createDeltas } from '../../../flags/server/delta.ts';
import { createHttpApp } from '../../../flags/server/http-app.ts';
import { createIds } from '../../../flags/server/ids.ts';
import { createJournal } from '../../../flags/server/journal.ts';
import { OPERATIONS, type Operation } from '../../../flags/server/openapi.ts';
import { LIMITS } from '../../../flags/server/semantics.ts';
import { openStore } from '../../../flags/server/store.ts';
import { createStreams } from '../../../flags/server/stream.ts';
import { createTokens } from '../../../flags/server/tokens.ts';
import { createUsage } from '../../../flags/server/usage.ts';
import { createView } from '../../../flags/server/view.ts';
import { systemTimer } from '../../../flags/timer.ts';
import { call, clock, recordingLog, startServer, TOKENS, tempDir } from '../world.ts';

const ADMIN = '/api/admin';
const FEATURES = `${ADMIN}/projects/default/features`;
const MOUNTS = ['/api/client', '/api/admin'];
const PATCH = [{ op: 'replace', path: '/title', value: 'x' }];
const IMPORT = {
  project: 'default',
  environment: 'production',
  data: { features: [], featureStrategies: [] },
};

/** `get /api/admin/projects`, for every route that Express has. */
function routesOf(router: Router, mount = ''): readonly string[] {
  return router.stack.flatMap((layer) => {
    const { route, handle } = layer as {
      route?: { path: string | string[]; stack: { method: string }[] };
      handle: object;
    };
    if (route !== undefined) {
      const methods = [...new Set(route.stack.map(({ method }) => method))];
      return [route.path].flat().flatMap((path) => methods.map((method) => `${method} ${mount}${path}`));
    }
    if (!('stack' in handle)) return [];
    const { match } = layer as unknown as { match(path: string): boolean };
    const at = match.call(layer, '/elsewhere') ? '' : MOUNTS.find((one) => match.call(layer, one));
    return routesOf(handle as Router, mount + at);
  });
}

function app() {
  const ids = createIds(clock);
  const log = recordingLog();
  const store = openStore({ file: join(tempDir(), 'flags.db'), clock, ids, log });
  onTestFinished(() => store.close());
  const tokens = createTokens(store, clock);
  const view = createView(store, 'e');
  const deltas = createDeltas({ store, view, journal: createJournal(1, 0), epoch: 'e' });
  const streams = createStreams({
    deltas,
    limits: LIMITS,
    clock,
    log,
    timer: systemTimer,
    random: Math.random,
  });
  const usage = createUsage({ store, clock, policy: 'strict', actor: { name: 'system', userId: -1337 } });
  const auth = createAuth(tokens, ids);
  return createHttpApp({
    auth,
    tokens,
    usage,
    store,
    view,
    streams,
    deltas,
    limits: LIMITS,
    policy: 'strict',
    clock,
    log,
    ids,
  });
}

function inBraces(route: string): string {
  return route.replace(/:(\w+)/g, '{$1}');
}

test('the description has every route that is served, and no other', () => {
  const served = routesOf(app().router).map(inBraces);
  const described = OPERATIONS.map(({ method, path }) => `${method} ${path}`);
  expect(served.toSorted()).toEqual(described.toSorted());
});

test('the description is served without a token, and names what it refers to', async () => {
  const { url } = await startServer();
  const { status, body } = await call(url, 'GET', '/docs/openapi.json', undefined, null);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    openapi: '3.1.0',
    info: { version: '7.5.1' },
    components: { schemas: { error: {} } },
  });
  const document = body as { paths: Record<string, Record<string, { parameters: { name: string }[] }>> };
  expect(Object.values(document.paths).flatMap((methods) => Object.keys(methods))).toHaveLength(
    OPERATIONS.length,
  );
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const { parameters } of Object.values(methods)) {
      for (const [, name] of path.matchAll(/\{(\w+)\}/g))
        expect(parameters.map((one) => one.name)).toContain(name);
    }
  }
});

/** Parameters of a server that holds one of everything. */
const THERE: Readonly<Record<string, string>> = {
  project: 'default',
  feature: 'orders',
  parent: 'parent',
  environment: 'production',
  field: 'userId',
  name: 'admin',
  secret: 'none',
  type: 'simple',
  value: 'wave1',
};
const NOWHERE: Readonly<Record<string, string>> = {
  ...THERE,
  project: 'nope',
  feature: 'nope',
  field: 'nope',
};

function at(path: string, names: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_all, name: string) => names[name] ?? 'nope');
}

/** A server with flags, a strategy and segments, of which one is in use; at most one stream. */
async function world() {
  const started = await startServer({ limits: { streamsMax: 1 } });
  const { url } = started;
  const send = (method: string, path: string, body?: unknown) => call(url, method, path, body);
  for (const name of ['orders', 'parent', 'inert']) await send('POST', FEATURES, { name });
  for (const name of ['beta', 'free']) await send('POST', `${ADMIN}/segments`, { name, constraints: [] });
  const { body } = await send('POST', `${FEATURES}/orders/environments/production/strategies`, {
    name: 'default',
    segments: [1],
  });
  const { id } = body as { id: string };
  return { ...started, strategy: id };
}

/** Bodies that are taken where the generic one is not. */
const BODIES: Readonly<Record<string, unknown>> = {
  [`put ${FEATURES.replace('default', '{project}')}/{feature}`]: {},
  [`put ${ADMIN}/segments/{id}`]: { name: 'beta', constraints: [] },
  [`post ${ADMIN}/segments`]: { name: 'beta', constraints: [] },
  [`post ${ADMIN}/segments/strategies`]: {
    projectId: 'default',
    strategyId: 'nope',
    environmentId: 'production',
    segmentIds: [2],
  },
  [`post ${FEATURES.replace('default', '{project}')}/{feature}/environments/{environment}/strategies/set-sort-order`]:
    [],
  [`post ${ADMIN}/features/{feature}/tags`]: { type: 'simple', value: 'wave1' },
  [`put ${ADMIN}/features/{feature}/tags`]: { addedTags: [], removedTags: [] },
  [`post ${ADMIN}/features-batch/export`]: { project: 'default', environment: 'nope' },
  [`post ${ADMIN}/features-batch/import`]: { ...IMPORT, environment: 'nope' },
};

/** Requests that are refused as they say; what is not here follows from the status and the operation. */
function special(strategy: string): Readonly<Record<string, readonly [path: string, body?: unknown]>> {
  const place = `${FEATURES}/orders/environments/production/strategies/${strategy}`;
  const testFails = [{ op: 'test', path: '/name', value: 'x' }];
  return {
    'get /api/client/features 400': ['/api/client/features?tag=nope'],
    'get /api/client/delta 400': ['/api/client/delta?tag=nope'],
    'get /api/admin/search/features 400': [`${ADMIN}/search/features?state=nope`],
    'get /api/admin/search/events 400': [`${ADMIN}/search/events?feature=nope`],
    'get /api/admin/events 400': [`${ADMIN}/events?project=a&project=b`],
    'get /api/admin/segments/{id} 404': [`${ADMIN}/segments/99`],
    'put /api/admin/segments/{id} 404': [`${ADMIN}/segments/99`, { name: 'x', constraints: [] }],
    'put /api/admin/segments/{id} 409': [`${ADMIN}/segments/1`, { name: 'free', constraints: [] }],
    'delete /api/admin/segments/{id} 409': [`${ADMIN}/segments/1`],
    'post /api/admin/segments/validate 409': [`${ADMIN}/segments/validate`, { name: 'beta' }],
    'post /api/admin/context 409': [`${ADMIN}/context`, { name: 'userId' }],
    'post /api/admin/context/validate 409': [`${ADMIN}/context/validate`, { name: 'userId' }],
    'post /api/admin/features/validate 409': [`${ADMIN}/features/validate`, { name: 'orders' }],
    'post /api/admin/projects/{project}/features 409': [FEATURES, { name: 'orders' }],
    'patch /api/admin/projects/{project}/features/{feature} 409': [`${FEATURES}/orders`, testFails],
    'post /api/admin/projects/{project}/features/{feature}/clone 409': [
      `${FEATURES}/orders/clone`,
      { name: 'parent' },
    ],
    'post /api/admin/projects/{project}/features/{feature}/environments/{environment}/on 409': [
      `${FEATURES}/inert/environments/production/on`,
    ],
    'patch /api/admin/projects/{project}/features/{feature}/environments/{environment}/strategies/{id} 409': [
      place,
      testFails,
    ],
    'post /api/admin/features-batch/import 409': [
      `${ADMIN}/features-batch/import`,
      {
        ...IMPORT,
        data: {
          features: [{ name: 'x' }],
          featureStrategies: [],
          featureEnvironments: [{ name: 'x', enabled: true }],
        },
      },
    ],
  };
}

type World = Awaited<ReturnType<typeof world>>;

/** Provokes a status as its kind is provoked everywhere, or as `special` says. */
async function provoke(
  { url, server, strategy }: World,
  operation: Operation,
  status: number,
): Promise<number> {
  const { method, path, auth, body } = operation;
  const key = `${method} ${path}`;
  const own = auth === null ? null : TOKENS[auth];
  const there = at(path, { ...THERE, id: path.includes('strategies/{id}') ? strategy : '1' });
  const send = async (to: string, sent: unknown = undefined, token: string | null = own) =>
    (await call(url, method.toUpperCase(), to, sent, token)).status;
  const named = special(strategy)[`${key} ${status}`];
  if (named !== undefined) return send(...named);
  switch (status) {
    case 401:
      return send(there, undefined, null);
    case 403:
      return send(there, undefined, auth === 'admin' ? TOKENS.client : TOKENS.admin);
    case 400:
      return body === null ? send(at(path, THERE)) : send(there, '{');
    case 413:
      return send(there, ' '.repeat(8 * 1024 * 1024 + 1));
    case 415:
      return (
        await fetch(url + there, {
          method: method.toUpperCase(),
          headers: { authorization: own ?? '', 'content-type': 'text/plain' },
          body: '{}',
        })
      ).status;
    case 429: {
      const reader = await fetch(url + there, { headers: { authorization: own ?? '' } });
      const second = await send(there);
      await reader.body?.cancel();
      return second;
    }
    case 503:
      server.setReadOnly(true);
      try {
        return await send(there, body === null ? undefined : {});
      } finally {
        server.setReadOnly(false);
      }
    default: {
      const generic = method === 'patch' ? PATCH : { name: 'default', feature: 'parent' };
      return send(at(path, NOWHERE), body === null ? undefined : (BODIES[key] ?? generic));
    }
  }
}

test('every refusal that is described can be met', { timeout: 60_000 }, async () => {
  const here = await world();
  const missed: string[] = [];
  for (const operation of OPERATIONS) {
    for (const status of operation.statuses.slice(1)) {
      const got = await provoke(here, operation, status);
      if (got !== status) missed.push(`${operation.method} ${operation.path} ${status}: ${got}`);
    }
  }
  expect(missed).toEqual([]);
});

test.each<[string, string | null]>([
  ['no token', null],
  ['an empty one', ''],
  ['a malformed one', 'Basic dXNlcjpwYXNz'],
  ['an unknown one', `*:*.${'0'.repeat(64)}`],
  ['the beginning of a valid one', TOKENS.admin.slice(0, -1)],
  ['more than a valid one', `${TOKENS.admin}x`],
  ['what stands for it in a list', '*:*.masked-000000000000-cdef'],
])('no route but the open ones takes %s', async (_name, token) => {
  const { url } = await startServer();
  for (const { method, path, auth } of OPERATIONS) {
    if (auth === null) continue;
    const { status } = await call(url, method.toUpperCase(), at(path, THERE), undefined, token);
    expect(status, `${method} ${path}`).toBe(401);
  }
});
