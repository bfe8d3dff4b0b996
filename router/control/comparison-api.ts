/** The part of the admin API that is about comparing. */
import express, { type Response, type Router } from 'express';
import { z } from 'zod';
import type { EvidenceData, SelfTestData, StatusData } from './api.ts';
import type { Causes } from './causes.ts';
import { invalid, operator, problem, type Reply, reason, unknownGroup } from './reply.ts';

export interface ComparisonDeps {
  readonly causes: Causes;
  /** Null for an unknown group. */
  evidence(group: string): EvidenceData | null;
  selfTest(group: string): SelfTestData | null;
  status(): StatusData;
}

const markBody = z.strictObject({
  mark: z.enum(['new', 'bug', 'noise', 'intended']),
  reason: reason.unwrap().min(1, 'say why'),
});
const purgeBody = z.strictObject({ reason });

export function createComparisonRoutes(deps: ComparisonDeps, reply: Reply): Router {
  const { causes } = deps;
  const routes = express.Router();
  const unknownCause = (response: Response, group: string, id: string) =>
    problem(response, 404, 'NOT_FOUND', `${group} has no cause ${id}`, `fig diffs ${group}`);

  routes.get('/api/v1/groups/:group/causes', (request, response) => {
    const { group } = request.params;
    const found = causes.list(group);
    return found === null
      ? unknownGroup(deps.status(), response, group)
      : reply(response, 'fig.diffs/1', found);
  });
  routes.get('/api/v1/groups/:group/causes/:id', (request, response) => {
    const { group, id } = request.params;
    const cause = causes.show(group, id, operator(request));
    return cause === null ? unknownCause(response, group, id) : reply(response, 'fig.diff/1', cause);
  });
  routes.post('/api/v1/groups/:group/causes/:id/mark', (request, response) => {
    const { group, id } = request.params;
    const body = markBody.safeParse(request.body);
    if (!body.success) return invalid(response, body.error);
    const marked = causes.mark(group, id, body.data.mark, body.data.reason, operator(request));
    if (marked === null) return unknownCause(response, group, id);
    if ('kind' in marked) return problem(response, 409, 'MARK_REFUSED', marked.why, marked.next);
    return reply(response, 'fig.mark/1', marked);
  });
  routes.post('/api/v1/groups/:group/purge', (request, response) => {
    const { group } = request.params;
    const body = purgeBody.safeParse(request.body);
    if (!body.success) return invalid(response, body.error);
    const purged = causes.purge(group, body.data.reason ?? null, operator(request));
    return purged === null
      ? unknownGroup(deps.status(), response, group)
      : reply(response, 'fig.purge/1', purged);
  });
  routes.get('/api/v1/groups/:group/evidence', (request, response) => {
    const { group } = request.params;
    const found = deps.evidence(group);
    return found === null
      ? unknownGroup(deps.status(), response, group)
      : reply(response, 'fig.evidence/1', found);
  });
  routes.get('/api/v1/groups/:group/selftest', (request, response) => {
    const { group } = request.params;
    const found = deps.selfTest(group);
    return found === null
      ? unknownGroup(deps.status(), response, group)
      : reply(response, 'fig.selftest/1', found);
  });
  return routes;
}
