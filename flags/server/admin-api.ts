import { type Request, Router } from 'express';
import { addContext } from './admin/context.ts';
import { addDependencies } from './admin/dependencies.ts';
import { addEnvironments } from './admin/environments.ts';
import { addFeatures } from './admin/features.ts';
import type { Admin } from './admin/routes.ts';
import { addSearch } from './admin/search.ts';
import { addSegments } from './admin/segments.ts';
import { addStrategies } from './admin/strategies.ts';
import { addTags } from './admin/tags.ts';
import type { Auth } from './auth.ts';
import { badRule } from './problem.ts';
import { EVENT_TYPES, type Limits, type Policy } from './semantics.ts';
import type { Store, StoredEvent } from './store.ts';
import { requireStorable } from './validate.ts';

const EVENTS_DEFAULT = 50;
const EVENTS_MAX = 1000;

export interface AdminApiDeps {
  readonly auth: Auth;
  readonly store: Store;
  readonly limits: Limits;
  readonly policy: Policy;
}

/** `/api/admin`: flags and what belongs to them, for the writer, a CLI, and a person with curl. */
export function createAdminApi({ auth, store, limits, policy }: AdminApiDeps): Router {
  const router = Router();
  router.use(auth.admin);
  router.use((request, _response, next) => {
    requireStorable(request.body);
    next();
  });
  const admin: Admin = {
    at: router,
    store,
    rules: { limits, policy },
    change: (response, run) => store.change(auth.actorOf(response), run),
  };
  addContext(admin);
  addFeatures(admin);
  addEnvironments(admin);
  addStrategies(admin);
  addDependencies(admin);
  addTags(admin);
  addSegments(admin);
  addSearch(admin);
  addEvents(router, store);
  return router;
}

function addEvents(at: Router, store: Store): void {
  at.get('/search/events', (request, response) => {
    const { events, total } = store.events({
      feature: filterOf(request, 'feature'),
      project: filterOf(request, 'project'),
      type: filterOf(request, 'type'),
      limit: numberOf(request, 'limit', EVENTS_DEFAULT, EVENTS_MAX),
      offset: numberOf(request, 'offset', 0, Number.MAX_SAFE_INTEGER),
    });
    response.json({ events: events.map(eventOut), total });
  });
}

function eventOut({ groupId, ...event }: StoredEvent) {
  const { label } = EVENT_TYPES[event.type];
  const about = event.featureName === null ? '' : ` **${event.featureName}**`;
  return {
    ...event,
    ...(groupId === null ? {} : { groupType: 'transaction', groupId }),
    label,
    summary: `**${event.createdBy}**: ${label}${about}`,
  };
}

/** `IS:value` or the bare value; null when absent. */
function filterOf(request: Request, name: string): string | null {
  const value = request.query[name];
  if (value === undefined) return null;
  if (typeof value !== 'string') throw badRule(`the query parameter ${name} is not usable`);
  return value.replace(/^IS:/, '');
}

function numberOf(request: Request, name: string, otherwise: number, max: number): number {
  const value = request.query[name];
  if (value === undefined) return otherwise;
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value) || Number(value) > max) {
    throw badRule(`the query parameter ${name} is a whole number from 0 to ${max}`);
  }
  return Number(value);
}
