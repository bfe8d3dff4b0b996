import { createHash, timingSafeEqual } from 'node:crypto';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { z } from 'zod';
import { assertNever } from '../core/assert.ts';
import type { Clock, Ledger, Log } from '../core/ports.ts';
import type { Command } from '../core/rollout.ts';
import type { Actions, MoveResult } from './act.ts';
import type { ExplainRequest, Explanation, Move, Reloaded } from './api.ts';
import { type ComparisonDeps, createComparisonRoutes } from './comparison-api.ts';
import { CONTENT_TYPE } from './exposition.ts';
import type { Flags } from './flags.ts';
import { createFlagRoutes } from './flags-api.ts';
import { invalid, operator, problem, type Reply, reason, replier, unknownGroup } from './reply.ts';
import type { Rules } from './rules.ts';
import { createRuleRoutes } from './rules-api.ts';

export interface AdminDeps extends ComparisonDeps {
  /** Bearer token; compared in constant time. */
  readonly token: string;
  readonly actions: Actions;
  readonly ledger: Pick<Ledger, 'recent'>;
  readonly clock: Clock;
  readonly log: Log;
  explain(request: ExplainRequest): Explanation;
  /** Takes a group out of the kill file, so that its release is not undone at once. */
  release(group: string): void;
  readonly flags: Flags;
  readonly rules: Rules;
  /** Reads the configuration again: all of it is in force, or none. */
  reload(): Promise<ReloadResult>;
  /** The body of `/metrics`. */
  metrics(): Promise<string>;
  /** When the event loop last turned, monotonic ms. */
  lastTurnAt(): number;
  /** What readiness depends on, in the order it is listed. */
  checks(): readonly Check[];
}

export type ReloadResult =
  | { readonly kind: 'reloaded'; readonly reloaded: Reloaded }
  | {
      readonly kind: 'refused';
      readonly faults: readonly {
        readonly path: string;
        readonly text: string;
        readonly hint: string | null;
      }[];
    };

export interface Check {
  readonly name: 'config' | 'snapshot' | 'listening' | 'draining';
  /** Null: passed. Otherwise what is wrong, in words. */
  readonly problem: string | null;
}

/** An event loop that has not turned for so long is stuck. */
const TURN_MS_MAX = 5_000;
const BODY_BYTES_MAX = 262_144;
const FAILED_LOGINS_PER_MINUTE_MAX = 10;
const HISTORY_MAX = 1_000;

const percent = z
  .number()
  .min(0)
  .max(100)
  .refine(
    (share) => Math.abs(share * 100 - Math.round(share * 100)) < 1e-9,
    'expected hundredths of a percent at most',
  );
const moveBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('shadow'), sample: z.int().min(0).max(100), reason }),
  z.strictObject({ kind: z.literal('shift'), share: percent, reason }),
  z.strictObject({
    kind: z.literal('stage'),
    to: z.enum(['legacy', 'shadow', 'canary', 'live', 'sealed', 'retired']),
    reason,
  }),
  z.strictObject({ kind: z.literal('rollback'), reason }),
  z.strictObject({ kind: z.literal('kill'), reason }),
  z.strictObject({ kind: z.literal('release'), reason }),
  z.strictObject({ kind: z.literal('restore-flags'), reason }),
]) satisfies z.ZodType<Move>;
const explainBody = z.strictObject({
  method: z.string().min(1).max(32),
  target: z.string().min(1).max(8_192),
  headers: z
    .array(z.tuple([z.string(), z.string()]))
    .max(128)
    .default([]),
}) satisfies z.ZodType<ExplainRequest>;
const historyQuery = z.object({
  group: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(HISTORY_MAX).default(50),
});

/** The admin API: its own listener, loopback only, a token on everything but health checks and metrics. */
export function createAdminApi(deps: AdminDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(loopbackHostOnly);
  app.get('/livez', (_request, response) => {
    const stuck = deps.clock.now() - deps.lastTurnAt() > TURN_MS_MAX;
    const text = stuck ? `the event loop has not turned for ${TURN_MS_MAX} ms\n` : 'ok\n';
    response
      .status(stuck ? 503 : 200)
      .type('text/plain')
      .send(text);
  });
  app.get('/readyz', (request, response) => {
    const checks = deps.checks();
    const ready = checks.every(({ problem }) => problem === null);
    const text = 'verbose' in request.query ? verdictOf(checks, ready) : problemsOf(checks, ready);
    response
      .status(ready ? 200 : 503)
      .type('text/plain')
      .send(text);
  });
  app.get('/metrics', async (_request, response) => {
    const text = await deps.metrics();
    // Not `send`: it would put the parameters of the type in an order of its own.
    response.writeHead(200, { 'Content-Type': CONTENT_TYPE, 'Cache-Control': 'no-store' }).end(text);
  });
  app.use(ownOriginOnly);
  app.use(tokenOnly(deps.token, deps.clock));
  app.use(express.json({ limit: BODY_BYTES_MAX, strict: true }));

  const reply = replier(deps.clock);

  app.get('/api/v1/status', (_request, response) => reply(response, 'fig.status/1', deps.status()));
  app.get('/api/v1/groups/:group', (request, response) => {
    const group = deps.status().groups.find((candidate) => candidate.group === request.params.group);
    if (group === undefined) return unknownGroup(deps.status(), response, request.params.group);
    response.set('ETag', `"${group.rev}"`);
    return reply(response, 'fig.group/1', group);
  });
  app.post('/api/v1/groups/:group/moves', async (request, response) => {
    const body = moveBody.safeParse(request.body);
    if (!body.success) return invalid(response, body.error);
    const rev = expectedRev(request, body.data);
    if (rev === 'missing')
      return problem(
        response,
        428,
        'PRECONDITION_MISSING',
        'a move needs If-Match with the rev you have seen, or * for any',
        `fig status ${request.params.group}`,
      );
    if (rev === 'malformed') return problem(response, 400, 'INVALID', 'If-Match must be "REV" or *');
    const result = await deps.actions.move(
      request.params.group,
      toCommand(body.data),
      operator(request),
      rev,
    );
    // Only once the ledger has it: a release that is refused must not take the kill out of the file.
    if (body.data.kind === 'release' && result.kind === 'receipt') deps.release(request.params.group);
    return answerMove(deps, response, request.params.group, result, reply);
  });
  app.use(createComparisonRoutes(deps, reply));
  app.get('/api/v1/ledger', (request, response) => {
    const query = historyQuery.safeParse(request.query);
    if (!query.success) return invalid(response, query.error);
    const { group = null, limit } = query.data;
    const events = deps.ledger.recent(group, limit);
    // A group that left the configuration still has its history; one that never was has none.
    if (group !== null && events.length === 0) return unknownGroup(deps.status(), response, group);
    return reply(response, 'fig.history/1', { events });
  });
  app.post('/api/v1/reload', async (_request, response) => {
    const result = await deps.reload();
    if (result.kind === 'reloaded') return reply(response, 'fig.reload/1', result.reloaded);
    const errors = result.faults.map(({ path, text, hint }) => ({
      pointer: path,
      detail: hint === null ? text : `${text}; ${hint}`,
    }));
    const detail = `nothing was changed: ${errors.length} ${errors.length === 1 ? 'fault' : 'faults'} in the configuration`;
    return problem(response, 400, 'CONFIG_REFUSED', detail, undefined, errors);
  });
  app.post('/api/v1/explain', (request, response) => {
    const body = explainBody.safeParse(request.body);
    return body.success
      ? reply(response, 'fig.explain/1', deps.explain(body.data))
      : invalid(response, body.error);
  });
  app.use(createFlagRoutes(deps.flags, reply));
  app.use(
    createRuleRoutes(deps.rules, reply, (response, group) => unknownGroup(deps.status(), response, group)),
  );
  app.use((_request, response) => problem(response, 404, 'NOT_FOUND', 'there is no such resource'));
  app.use(failure(deps.log));
  return app;
}

function problemsOf(checks: readonly Check[], ready: boolean): string {
  if (ready) return 'ok\n';
  return checks.flatMap(({ problem }) => (problem === null ? [] : [`${problem}\n`])).join('');
}

/** Every check on a line of its own, as Kubernetes lists them. */
function verdictOf(checks: readonly Check[], ready: boolean): string {
  const lines = checks.map(({ name, problem }) =>
    problem === null ? `[+]${name} ok\n` : `[-]${name} failed: ${problem}\n`,
  );
  return `${lines.join('')}readyz check ${ready ? 'passed' : 'failed'}\n`;
}

/** A page of a foreign name that resolves to loopback must not reach the API (DNS rebinding): RFC 9110 §15.5.20. */
const loopbackHostOnly: RequestHandler = (request, response, next) => {
  const host = request.headers.host ?? '';
  if (/^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/.test(host)) return next();
  problem(response, 421, 'HOST_UNKNOWN', 'this API answers only to its loopback address');
};

/** Browsers send Origin with what matters; a foreign page has no business here. */
const ownOriginOnly: RequestHandler = (request, response, next) => {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const own = origin === undefined || origin === `http://${host}`;
  if (own && (site === undefined || site === 'same-origin' || site === 'none')) return next();
  problem(response, 403, 'ORIGIN_FOREIGN', 'this API is not for other pages');
};

function tokenOnly(token: string, clock: Pick<Clock, 'now'>): RequestHandler {
  const expected = createHash('sha256').update(token).digest();
  let failures: number[] = [];
  return (request, response, next) => {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (given !== '' && timingSafeEqual(createHash('sha256').update(given).digest(), expected)) return next();
    failures = failures.filter((at) => clock.now() - at < 60_000);
    if (failures.length >= FAILED_LOGINS_PER_MINUTE_MAX) {
      response.set('Retry-After', '60');
      return problem(response, 429, 'TOO_MANY_FAILURES', 'too many wrong tokens in the last minute');
    }
    failures.push(clock.now());
    response.set('WWW-Authenticate', 'Bearer');
    problem(
      response,
      401,
      'NOT_AUTHENTICATED',
      given === '' ? 'a bearer token is needed' : 'the token is wrong',
      'read the token from admin.token in the data folder',
    );
  };
}

/** A rollback or a kill is legal whatever the rev is; every other move says which state it was decided on. */
function expectedRev(request: Request, move: Move): number | null | 'missing' | 'malformed' {
  const header = request.headers['if-match'];
  if (header === undefined) return move.kind === 'rollback' || move.kind === 'kill' ? null : 'missing';
  if (header === '*') return null;
  const rev = /^"(\d{1,15})"$/.exec(header)?.[1];
  return rev === undefined ? 'malformed' : Number(rev);
}

function toCommand(move: Move): Command {
  return { ...move, reason: move.reason ?? null };
}

function answerMove(
  deps: AdminDeps,
  response: Response,
  group: string,
  result: MoveResult,
  reply: Reply,
): void {
  switch (result.kind) {
    case 'receipt':
      reply(response, 'fig.receipt/1', result.receipt);
      break;
    case 'refused':
      problem(response, 409, 'MOVE_ILLEGAL', result.why, result.next);
      break;
    case 'conflict': {
      const { rev, last } = result;
      problem(
        response,
        412,
        'REV_MOVED',
        `${group} moved on: found rev ${rev} (${last.type} by ${last.by})`,
        `fig status ${group}`,
      );
      break;
    }
    case 'unknown-group':
      unknownGroup(deps.status(), response, group);
      break;
    default:
      assertNever(result);
  }
}

function failure(log: Log): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    const status =
      typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number'
        ? error.status
        : 500;
    if (status === 413)
      return problem(response, 413, 'BODY_LARGE', `the body is larger than ${BODY_BYTES_MAX} bytes`);
    if (status >= 400 && status < 500)
      return problem(response, status, 'INVALID', 'the request body is not JSON');
    log.error('admin-failed', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return problem(response, 500, 'FIG_INTERNAL', 'the admin API failed; the log says more');
  };
}
