import { Router } from 'express';
import { addContext } from './admin/context.ts';
import { addDependencies } from './admin/dependencies.ts';
import { addEnvironments } from './admin/environments.ts';
import { addEvents } from './admin/events.ts';
import { addFeatures } from './admin/features.ts';
import type { Admin } from './admin/routes.ts';
import { addSearch } from './admin/search.ts';
import { addSegments } from './admin/segments.ts';
import { addStrategies } from './admin/strategies.ts';
import { addTags } from './admin/tags.ts';
import type { Auth } from './auth.ts';
import type { Limits, Policy } from './semantics.ts';
import type { Store } from './store.ts';
import { requireStorable } from './validate.ts';

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
  addEvents(admin);
  return router;
}
