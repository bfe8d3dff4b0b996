import type { FlagListed, FlagShown, StrategyShown } from '../router/core/flags.ts';
import { isRecord, type Json, recordsOf, textOr } from './json.ts';
import { canonicalSeed, ownerOf, rolloutOf, type StrategyShape } from './names.ts';
import { constraintText, dependencyText, strategyText, variantText } from './words.ts';

/** A flag of the admin API (as listed or in full) in one environment, in short. */
export function listedOf(flag: Json, environment: string, archived: boolean): FlagListed {
  const here = recordsOf(flag['environments']).find(({ name }) => name === environment) ?? {};
  const strategies = recordsOf(here['strategies']);
  const shape = {
    enabled: here['enabled'] === true,
    impressionData: flag['impressionData'] === true,
    strategies: strategies.map(shapeOf),
    variants: [...recordsOf(flag['variants']), ...recordsOf(here['variants'])],
    dependencies: recordsOf(flag['dependencies']),
  };
  const unread = here['hasStrategies'] === true && here['strategies'] === undefined;
  const name = textOr(flag['name'], '');
  return {
    name,
    type: textOr(flag['type'], null),
    enabled: shape.enabled,
    share: unread ? 'custom' : shareOf(shape.strategies, shape.dependencies.length > 0),
    strategies: unread ? ['not read'] : strategies.map(strategyText),
    stale: flag['stale'] === true,
    archived: archived || flag['archived'] === true,
    owner: ownerOf(name),
    seed: canonicalSeed(shape),
  };
}

/** A flag of the admin API with everything it holds. `segments`: those that are known; `tags` null: not known. */
export function shownOf(flag: Json, segments: readonly Json[], tags: readonly Json[] | null): FlagShown {
  const name = textOr(flag['name'], '');
  return {
    name,
    type: textOr(flag['type'], null),
    description: textOr(flag['description'], null),
    stale: flag['stale'] === true,
    archived: flag['archived'] === true,
    impressionData: flag['impressionData'] === true,
    owner: ownerOf(name),
    environments: recordsOf(flag['environments']).map((environment) => ({
      name: textOr(environment['name'], ''),
      enabled: environment['enabled'] === true,
      strategies: recordsOf(environment['strategies']).map((strategy) => strategyShown(strategy, segments)),
    })),
    variants: recordsOf(flag['variants']).map(variantText),
    dependencies: recordsOf(flag['dependencies']).map(dependencyText),
    tags: tags === null ? null : tags.map(({ type, value }) => `${String(type)}:${String(value)}`),
    definition: flag,
  };
}

/** Percent of units when one rollout alone decides. A switched-off flag keeps what it asks for when it is on. */
function shareOf(strategies: readonly StrategyShape[], depends: boolean): FlagListed['share'] {
  const [strategy, ...others] = strategies;
  if (strategy === undefined) return null;
  const { constraints = [], segments = [], disabled } = strategy;
  const plain = strategy.name === 'flexibleRollout' && constraints.length === 0 && segments.length === 0;
  const alone = plain && others.length === 0 && !depends && disabled !== true;
  return alone ? (rolloutOf(strategy) ?? 'custom') : 'custom';
}

function shapeOf(strategy: Json): StrategyShape {
  const { name, parameters, constraints, variants, segments, disabled } = strategy;
  return {
    name: textOr(name, ''),
    parameters: isRecord(parameters) ? parameters : {},
    constraints: recordsOf(constraints),
    variants: recordsOf(variants),
    segments: Array.isArray(segments) ? segments : [],
    disabled: disabled === true,
  };
}

function strategyShown(strategy: Json, segments: readonly Json[]): StrategyShown {
  const { name, title, disabled, parameters, constraints, variants, segments: used } = strategy;
  return {
    name: textOr(name, ''),
    title: textOr(title, null),
    disabled: disabled === true,
    parameters: Object.fromEntries(
      Object.entries(isRecord(parameters) ? parameters : {}).map(([key, value]) => [key, String(value)]),
    ),
    constraints: recordsOf(constraints).map(constraintText),
    segments: (Array.isArray(used) ? used : []).map((id: unknown) => {
      const segment = segments.find((one) => one['id'] === id);
      return {
        id: Number(id),
        name: textOr(segment?.['name'], null),
        constraints: recordsOf(segment?.['constraints']).map(constraintText),
      };
    }),
    variants: recordsOf(variants).map(variantText),
  };
}
