import { type Response, Router } from 'express';
import { z } from 'zod';
import type { FlagChangeBody } from './api.ts';
import type { Flags, Outcome } from './flags.ts';
import { invalid, operator, problem, type Reply, reason } from './reply.ts';

const HISTORY_MAX = 1_000;

/** What Unleash takes as a name: nothing in it needs escaping in a URL. */
const flagName = z
  .string()
  .regex(/^(?!\.{1,2}$)[\w.~!*'()-]{1,100}$/, "expected 1 to 100 letters, digits or . _ ~ - ! * ' ( )");
const environment = z.string().regex(/^[\w.-]{1,100}$/, 'expected the name of an environment');
const shared = { environment: environment.optional(), force: z.boolean().optional(), reason };
const changeBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('set'), percent: z.int().min(0).max(100), ...shared }),
  z.strictObject({ kind: z.literal('on'), ...shared }),
  z.strictObject({ kind: z.literal('off'), ...shared }),
]) satisfies z.ZodType<FlagChangeBody>;
const listQuery = z.object({ environment: environment.optional(), archived: z.stringbool().default(false) });
const historyQuery = z.object({
  flag: flagName.optional(),
  limit: z.coerce.number().int().min(1).max(HISTORY_MAX).default(50),
});

/** Flags by name, and beside them what is asked of all: a flag may have any name. */
export function createFlagRoutes(flags: Flags, reply: Reply): Router {
  const router = Router();

  function answer<T>(response: Response, schema: string, outcome: Outcome<T>): void {
    if (outcome.kind === 'done') {
      reply(response, schema, outcome.data);
    } else {
      const { status, code, detail, next } = outcome;
      problem(response, status, code, detail, next);
    }
  }

  router.get('/api/v1/flags', async (request, response) => {
    const query = listQuery.safeParse(request.query);
    if (!query.success) return invalid(response, query.error);
    const { environment: asked = null, archived } = query.data;
    answer(response, 'fig.flags-list/1', await flags.list(asked, archived));
  });
  router.get('/api/v1/flags/:name', async (request, response) => {
    const name = flagName.safeParse(request.params.name);
    if (!name.success) return invalid(response, name.error);
    answer(response, 'fig.flag/1', await flags.show(name.data));
  });
  router.post('/api/v1/flags/:name/changes', async (request, response) => {
    const name = flagName.safeParse(request.params.name);
    if (!name.success) return invalid(response, name.error);
    const body = changeBody.safeParse(request.body);
    if (!body.success) return invalid(response, body.error);
    answer(response, 'fig.flag-receipt/1', await flags.change(name.data, body.data, operator(request)));
  });
  router.get('/api/v1/flags-history', async (request, response) => {
    const query = historyQuery.safeParse(request.query);
    if (!query.success) return invalid(response, query.error);
    const { flag = null, limit } = query.data;
    answer(response, 'fig.flags-history/1', await flags.history(flag, limit));
  });
  // Not GET: it leaves an event in the flag server's audit log.
  router.post('/api/v1/flags-export', async (_request, response) => {
    answer(response, 'fig.flags-export/1', await flags.export());
  });
  return router;
}
