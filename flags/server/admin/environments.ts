import { existing, isEnvironment } from '../change/record.ts';
import { refuseVariants, switchOff, switchOn } from '../change/strategy.ts';
import { Problem } from '../problem.ts';
import type { ENVIRONMENTS, Strategy } from '../semantics.ts';
import { strategyOut } from '../semantics.ts';
import type { Store } from '../store.ts';
import { type Admin, jsonOf, placeOf } from './routes.ts';

/** A flag in one environment: its state, its switch, and the variants that belong to strategies today. */
export function addEnvironments({ at, store, change }: Admin): void {
  const path = '/projects/:project/features/:feature/environments/:environment';
  at.get(path, (request, response) => {
    const { project, feature: name, environment } = request.params;
    existing(store, project, name);
    if (!isEnvironment(environment)) {
      throw new Problem('NotFoundError', `Could not find ${name} in ${environment}`);
    }
    const strategies = store.strategies(name, environment).map((strategy) => inEnvironment(name, strategy));
    response.json({ name, environment, enabled: store.enabled(name, environment), strategies });
  });
  at.post(`${path}/on`, (request, response) => {
    const activate = request.query['shouldActivateDisabledStrategies'] === 'true';
    change(response, (changes) => switchOn(changes, placeOf(request.params), activate));
    response.status(200).end();
  });
  at.post(`${path}/off`, (request, response) => {
    change(response, (changes) => switchOff(changes, placeOf(request.params)));
    response.status(200).end();
  });
  at.get(`${path}/variants`, (request, response) => {
    const { project, feature, environment } = request.params;
    existing(store, project, feature);
    response.json({ version: 1, variants: store.variants(feature, environment) });
  });
  at.put(`${path}/variants`, (request) => {
    jsonOf(request);
    refuseVariants(store, placeOf(request.params));
  });
}

function inEnvironment(featureName: string, strategy: Strategy) {
  const { segments: _segments, ...rest } = strategyOut(strategy);
  return { ...rest, featureName };
}

/** What one flag is in one environment, as lists of flags show it. */
export function environmentOut(
  store: Store,
  feature: string,
  { name, type, sortOrder }: (typeof ENVIRONMENTS)[number],
) {
  const strategies = store.strategies(feature, name);
  return {
    name,
    enabled: store.enabled(feature, name),
    type,
    sortOrder,
    variantCount: store.variants(feature, name).length,
    lastSeenAt: null,
    hasStrategies: strategies.length > 0,
    hasEnabledStrategies: strategies.some(({ disabled }) => !disabled),
  };
}
