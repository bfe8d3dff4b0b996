import { Router } from 'express';
import type { Clock } from '../../router/core/ports.ts';
import { addContext } from './admin/context.ts';
import { addDependencies } from './admin/dependencies.ts';
import { addEnvironments } from './admin/environments.ts';
import { addEvents } from './admin/events.ts';
import { addFeatures } from './admin/features.ts';
import { addFixed } from './admin/fixed.ts';
import { addMaintenance, refuseWhenReadOnly } from './admin/maintenance.ts';
import type { Admin } from './admin/routes.ts';
import { addSearch } from './admin/search.ts';
import { addSegments } from './admin/segments.ts';
import { addStrategies } from './admin/strategies.ts';
import { addTags } from './admin/tags.ts';
import { addTokens } from './admin/tokens.ts';
import { addTransfer } from './admin/transfer.ts';
import { addUsage } from './admin/usage.ts';
import type { Auth } from './auth.ts';
import { BODY_BYTES_MAX, IMPORT_BYTES_MAX, jsonBody } from './body.ts';
import type { Limits, Policy } from './semantics.ts';
import type { Store } from './store.ts';
import type { Streams } from './stream.ts';
import type { Tokens } from './tokens.ts';
import { requireStorable } from './validate.ts';

export interface AdminApiDeps {
  readonly auth: Auth;
  readonly tokens: Tokens;
  readonly store: Store;
  readonly streams: Streams;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly policy: Policy;
}

/** `/api/admin`: flags and what belongs to them, for the writer, a CLI, and a person with curl. */
export function createAdminApi(deps: AdminApiDeps): Router {
  const { auth, tokens, store, streams, limits, policy, clock } = deps;
  const router = Router();
  router.use(auth.admin, refuseWhenReadOnly(store));
  router.use('/features-batch', jsonBody(IMPORT_BYTES_MAX));
  router.use(jsonBody(BODY_BYTES_MAX));
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
  addFixed(admin);
  addTokens(admin, tokens, streams);
  addTransfer(admin, auth.actorOf);
  addEvents(admin);
  addUsage(admin, clock);
  addMaintenance(admin);
  return router;
}
