import {
  archiveFeature,
  cloneFeature,
  createFeature,
  deleteFeature,
  featuresOf,
  notServed,
  patchFeature,
  putFeature,
  requireFreeName,
  reviveFeature,
} from '../change/feature.ts';
import { existing } from '../change/record.ts';
import { parseClone, parseFeature, parseName } from '../parse/feature.ts';
import { ENVIRONMENTS, type Feature, featureOut, strategyOut } from '../semantics.ts';
import type { Store } from '../store.ts';
import { bodyOf } from '../validate.ts';
import { dependencyOut } from './dependencies.ts';
import { environmentOut } from './environments.ts';
import { type Admin, jsonOf } from './routes.ts';

/** Flags: from their creation to their deletion. */
export function addFeatures({ at, store, rules, change }: Admin): void {
  const all = '/projects/:project/features';
  const one = `${all}/:feature`;
  at.get(all, (request, response) => {
    const features = featuresOf(store, request.params.project).map((feature) => listed(store, feature));
    response.json({ version: 2, features });
  });
  at.post(all, (request, response) => {
    const input = parseFeature(bodyOf(jsonOf(request)));
    const { project } = request.params;
    const feature = change(response, (changes) => createFeature(changes, project, input, rules));
    response.status(201).json(featureOut(feature));
  });
  at.post(`${one}/clone`, (request, response) => {
    const input = parseClone(bodyOf(request.body));
    const { project, feature: name } = request.params;
    const feature = change(response, (changes) => cloneFeature(changes, project, name, input, rules));
    response.status(201).json(featureOut(feature));
  });
  at.post('/features/validate', (request, response) => {
    requireFreeName(store, parseName(bodyOf(jsonOf(request))));
    response.status(200).end();
  });
  at.get(one, (request, response) => {
    const { project, feature: name } = request.params;
    const feature = existing(store, project, name);
    if (feature.archivedAt !== null) throw notServed(name);
    response.json(detailed(store, feature, request.query['variantEnvironments'] === 'true'));
  });
  at.put(one, (request, response) => {
    const body = bodyOf(jsonOf(request));
    const { project, feature: name } = request.params;
    response.json(featureOut(change(response, (changes) => putFeature(changes, project, name, body))));
  });
  at.patch(one, (request, response) => {
    const patch = jsonOf(request);
    const { project, feature: name } = request.params;
    response.json(featureOut(change(response, (changes) => patchFeature(changes, project, name, patch))));
  });
  at.delete(one, (request, response) => {
    const { project, feature } = request.params;
    change(response, (changes) => archiveFeature(changes, project, feature));
    response.status(202).end();
  });
  at.post('/archive/revive/:feature', (request, response) => {
    change(response, (changes) => reviveFeature(changes, request.params.feature));
    response.status(200).end();
  });
  at.delete('/archive/:feature', (request, response) => {
    change(response, (changes) => deleteFeature(changes, request.params.feature));
    response.status(200).end();
  });
}

/** A flag in the list of its project. */
function listed(store: Store, feature: Feature) {
  const { archived: _archived, project: _project, ...rest } = featureOut(feature);
  const environments = ENVIRONMENTS.map((environment) => environmentOut(store, feature.name, environment));
  return { ...rest, favorite: false, environments };
}

/** A flag with everything it holds. */
function detailed(store: Store, feature: Feature, withVariants: boolean) {
  const { name: flag } = feature;
  const environments = ENVIRONMENTS.map(({ name, type, sortOrder }) => ({
    name,
    lastSeenAt: null,
    enabled: store.enabled(flag, name),
    yes: 0,
    no: 0,
    type,
    sortOrder,
    strategies: store.strategies(flag, name).map(strategyOut),
    ...(withVariants ? { variants: store.variants(flag, name) } : {}),
  }));
  return {
    environments,
    ...featureOut(feature),
    variants: [],
    dependencies: store.dependencies(flag).map(dependencyOut),
    children: store.children(flag),
    links: [],
  };
}
