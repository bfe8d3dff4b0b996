import { type Request, type Response, Router } from 'express';
import type { Auth } from './auth.ts';
import {
  addStrategy,
  archiveFeature,
  createContextField,
  createFeature,
  deleteStrategy,
  existing,
  existingStrategy,
  type Place,
  patchStrategy,
  putStrategy,
  requirePlace,
  reviveFeature,
  switchOff,
  switchOn,
} from './changes.ts';
import { badRule } from './problem.ts';
import {
  ENVIRONMENTS,
  EVENT_TYPES,
  type Feature,
  featureOut,
  type Limits,
  PROJECT,
  type Strategy,
  strategyOut,
} from './semantics.ts';
import type { Changes, Store, StoredEvent } from './store.ts';
import { bodyOf, parseContextField, parseFeature, parseStrategy } from './validate.ts';

const EVENTS_DEFAULT = 50;
const EVENTS_MAX = 1000;

export interface AdminApiDeps {
  readonly auth: Auth;
  readonly store: Store;
  readonly limits: Limits;
}

/** `/api/admin`: what the writer, and a person with curl, needs. */
export function createAdminApi({ auth, store, limits }: AdminApiDeps): Router {
  const router = Router();
  router.use(auth.admin);
  addContext(router);
  addFeatures(router);
  addEnvironments(router);
  addStrategies(router);
  addEvents(router, store);
  return router;

  function change<T>(response: Response, run: (changes: Changes) => T): T {
    return store.change(auth.actorOf(response), run);
  }

  function addContext(at: Router): void {
    at.get('/context', (_request, response) => {
      response.json(
        store.contextFields().map((field) => ({ ...field, usedInProjects: 0, usedInFeatures: 0 })),
      );
    });
    at.post('/context', (request, response) => {
      const input = parseContextField(bodyOf(request.body));
      const field = change(response, (changes) => createContextField(changes, input, limits));
      response.status(201).location(`context/${field.name}`).json(field);
    });
  }

  function addFeatures(at: Router): void {
    at.get('/projects/:project/features', (request, response) => {
      const features = request.params.project === PROJECT ? store.features() : [];
      response.json({ version: 2, features: features.map((feature) => listed(store, feature)) });
    });
    at.post('/projects/:project/features', (request, response) => {
      const input = parseFeature(bodyOf(request.body));
      const { project } = request.params;
      const feature = change(response, (changes) => createFeature(changes, project, input, limits));
      response.status(201).json(featureOut(feature));
    });
    at.get('/projects/:project/features/:feature', (request, response) => {
      const { project, feature } = request.params;
      response.json(detailed(store, existing(store, project, feature)));
    });
    at.delete('/projects/:project/features/:feature', (request, response) => {
      const { project, feature } = request.params;
      change(response, (changes) => archiveFeature(changes, project, feature));
      response.status(202).end();
    });
    at.post('/archive/revive/:feature', (request, response) => {
      change(response, (changes) => reviveFeature(changes, request.params.feature));
      response.status(200).end();
    });
  }

  function addEnvironments(at: Router): void {
    const path = '/projects/:project/features/:feature/environments/:environment';
    at.get(path, (request, response) => {
      const place = placeOf(request.params);
      requirePlace(store, place);
      const { feature: name, environment } = place;
      const strategies = store.strategies(name, environment).map((strategy) => inEnvironment(name, strategy));
      response.json({ name, environment, enabled: store.enabled(name, environment), strategies });
    });
    at.post(`${path}/on`, (request, response) => {
      change(response, (changes) => switchOn(changes, placeOf(request.params)));
      response.status(200).end();
    });
    at.post(`${path}/off`, (request, response) => {
      change(response, (changes) => switchOff(changes, placeOf(request.params)));
      response.status(200).end();
    });
  }

  function addStrategies(at: Router): void {
    const path = '/projects/:project/features/:feature/environments/:environment/strategies';
    at.get(path, (request, response) => {
      const place = placeOf(request.params);
      requirePlace(store, place);
      const strategies = store.strategies(place.feature, place.environment);
      response.json(strategies.map((strategy) => ({ ...strategyOut(strategy), milestoneId: null })));
    });
    at.post(path, (request, response) => {
      const input = parseStrategy(bodyOf(request.body), limits);
      const place = placeOf(request.params);
      response.json(strategyOut(change(response, (changes) => addStrategy(changes, place, input, limits))));
    });
    at.get(`${path}/:id`, (request, response) => {
      response.json(strategyOut(existingStrategy(store, placeOf(request.params), request.params.id)));
    });
    at.put(`${path}/:id`, (request, response) => {
      const body = bodyOf(request.body);
      const place = placeOf(request.params);
      const { id } = request.params;
      response.json(
        strategyOut(change(response, (changes) => putStrategy(changes, place, id, body, limits))),
      );
    });
    at.patch(`${path}/:id`, (request: Request<Place & { id: string }, unknown, unknown>, response) => {
      const place = placeOf(request.params);
      const { id } = request.params;
      const patch = request.body;
      response.json(
        strategyOut(change(response, (changes) => patchStrategy(changes, place, id, patch, limits))),
      );
    });
    at.delete(`${path}/:id`, (request, response) => {
      change(response, (changes) => deleteStrategy(changes, placeOf(request.params), request.params.id));
      response.status(200).end();
    });
  }
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

function placeOf({ project, feature, environment }: Place): Place {
  return { project, feature, environment };
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

/** A flag in the list of its project. */
function listed(store: Store, feature: Feature) {
  const { archived: _archived, project: _project, ...rest } = featureOut(feature);
  const environments = ENVIRONMENTS.map(({ name, type, sortOrder }) => {
    const strategies = store.strategies(feature.name, name);
    return {
      name,
      enabled: store.enabled(feature.name, name),
      type,
      sortOrder,
      variantCount: 0,
      lastSeenAt: null,
      hasStrategies: strategies.length > 0,
      hasEnabledStrategies: strategies.some(({ disabled }) => !disabled),
    };
  });
  return { ...rest, favorite: false, environments };
}

/** A flag with everything it holds. */
function detailed(store: Store, feature: Feature) {
  const environments = ENVIRONMENTS.map(({ name, type, sortOrder }) => ({
    name,
    lastSeenAt: null,
    enabled: store.enabled(feature.name, name),
    yes: 0,
    no: 0,
    type,
    sortOrder,
    strategies: store.strategies(feature.name, name).map(strategyOut),
  }));
  return { environments, ...featureOut(feature), variants: [], dependencies: [], children: [], links: [] };
}

function inEnvironment(featureName: string, strategy: Strategy) {
  const { segments: _segments, ...rest } = strategyOut(strategy);
  return { ...rest, featureName };
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
