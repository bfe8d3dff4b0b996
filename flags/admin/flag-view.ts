import type { FlagListed, FlagOwner, FlagShown, StrategyShown } from '../../router/core/flags.ts';
import { isRecord, type Json, recordsOf, textOr } from '../json.ts';
import {
  type FlagShape,
  groupFlagOf,
  rolloutOf,
  type StrategyShape,
  shadowGroupId,
  shareOf,
} from '../names.ts';
import { constraintText, dependencyText, strategyText, variantText } from './words.ts';

/** How to tell whether a group's flag is in its shape. */
export interface Ownership {
  /** The environment that decides about traffic. */
  readonly environment: string;
  /** The hash seed of a group, as its ledger has it; null: there is no such group. */
  seedOf(group: string): string | null;
}

/** A flag of the admin API (as listed or in full) in one environment, in short. */
export function listedOf(flag: Json, environment: string, ownership: Ownership): FlagListed {
  const here = hereIn(flag, environment);
  const strategies = recordsOf(here['strategies']);
  const shape = shapeIn(flag, here);
  const unread = isUnread(here);
  const name = textOr(flag['name'], '');
  return {
    name,
    type: textOr(flag['type'], null),
    enabled: shape.enabled,
    share: unread ? 'custom' : shareAlone(shape),
    strategies: unread ? ['not read'] : strategies.map(strategyText),
    stale: flag['stale'] === true,
    archived: isArchived(flag),
    owner: ownerOf(flag, ownership),
  };
}

export interface Beside {
  readonly segments: readonly Json[];
  /** Null: not known. */
  readonly tags: readonly Json[] | null;
}

/** A flag of the admin API with everything it holds. */
export function shownOf(flag: Json, ownership: Ownership, beside: Beside): FlagShown {
  const { segments, tags } = beside;
  const name = textOr(flag['name'], '');
  return {
    name,
    type: textOr(flag['type'], null),
    description: textOr(flag['description'], null),
    stale: flag['stale'] === true,
    archived: isArchived(flag),
    impressionData: flag['impressionData'] === true,
    owner: ownerOf(flag, ownership),
    environments: recordsOf(flag['environments']).map((one) => ({
      name: textOr(one['name'], ''),
      enabled: one['enabled'] === true,
      strategies: isUnread(one)
        ? null
        : recordsOf(one['strategies']).map((strategy) => strategyShown(strategy, segments)),
    })),
    variants: recordsOf(flag['variants']).map(variantText),
    dependencies: recordsOf(flag['dependencies']).map(dependencyText),
    tags: tags === null ? null : tags.map(({ type, value }) => `${String(type)}:${String(value)}`),
    definition: flag,
  };
}

function ownerOf(flag: Json, { environment, seedOf }: Ownership): FlagOwner | null {
  const of = groupFlagOf(textOr(flag['name'], ''));
  const seed = of === null ? null : seedOf(of.group);
  if (of === null || seed === null) return null;
  const shape = shapeIn(flag, hereIn(flag, environment));
  return { ...of, foreign: shareOf(shape, of.flag === 'serve' ? seed : shadowGroupId(seed)) === 'custom' };
}

/** Lists mark archived flags by a time, details by a boolean. */
function isArchived({ archived, archivedAt }: Json): boolean {
  return archived === true || typeof archivedAt === 'string';
}

/** A list tells of strategies without saying them. */
function isUnread(here: Json): boolean {
  return here['hasStrategies'] === true && here['strategies'] === undefined;
}

function hereIn(flag: Json, environment: string): Json {
  return recordsOf(flag['environments']).find(({ name }) => name === environment) ?? {};
}

function shapeIn(flag: Json, here: Json): FlagShape {
  return {
    enabled: here['enabled'] === true,
    impressionData: flag['impressionData'] === true,
    strategies: recordsOf(here['strategies']).map(shapeOf),
    variants: [...recordsOf(flag['variants']), ...recordsOf(here['variants'])],
    dependencies: recordsOf(flag['dependencies']),
  };
}

/** Percent of units when one rollout alone decides. A switched-off flag keeps what it asks for when it is on. */
function shareAlone({ strategies = [], dependencies = [] }: FlagShape): FlagListed['share'] {
  const [strategy, ...others] = strategies;
  if (strategy === undefined) return null;
  const { constraints = [], segments = [], disabled } = strategy;
  const plain = strategy.name === 'flexibleRollout' && constraints.length === 0 && segments.length === 0;
  const alone = plain && others.length === 0 && dependencies.length === 0 && disabled !== true;
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
