import {
  parsePatchedStrategy,
  requireStrategyType,
  type StrategyBody,
  settleStrategy,
} from '../parse/strategy.ts';
import { badRule, exceeds, Problem } from '../problem.ts';
import { isInert, type Strategy, sameStrategy, strategyOut } from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';
import { patched } from './patched.ts';
import { existing, isEnvironment, type Place, type Rules, recordAt, requirePlace } from './record.ts';
import { settleSegments } from './segment.ts';

/**
 * Idempotent. 409 without an active strategy: Unleash would add one that is on for everybody. `activate` makes all
 * disabled strategies active first.
 */
export function switchOn(changes: Changes, place: Place, activate: boolean): void {
  requireUnarchived(changes, place);
  const { feature, environment } = place;
  if (activate) {
    for (const old of changes.strategies(feature, environment))
      replace(changes, place, old, { ...old, disabled: false });
  }
  if (changes.enabled(feature, environment)) return;
  if (isInert(changes.strategies(feature, environment))) {
    throw new Problem('ConflictError', 'add a strategy with an explicit rollout first');
  }
  setEnabled(changes, place, true);
}

/** Idempotent: the second call makes no event. */
export function switchOff(changes: Changes, place: Place): void {
  requireUnarchived(changes, place);
  if (changes.enabled(place.feature, place.environment)) setEnabled(changes, place, false);
}

function requireUnarchived(changes: Changes, place: Place): void {
  if (requirePlace(changes, place).archivedAt !== null) {
    throw new Problem('ArchivedFeatureError', 'Cannot perform this operation on archived features');
  }
}

export function addStrategy(changes: Changes, place: Place, body: StrategyBody, rules: Rules): Strategy {
  const { project, feature, environment } = place;
  existing(changes, project, feature);
  const { name = '', title, disabled } = body;
  requireStrategyType(name);
  const segments = settleSegments(changes, project, body.segments ?? [], [], rules);
  const settled = settleStrategy(name, body, null, { ...rules, feature, fields: changes.contextFields() });
  const others = changes.strategies(feature, environment);
  if (others.length >= rules.limits.strategiesMax) throw exceeds('strategy', rules.limits.strategiesMax);
  if (!isEnvironment(environment)) {
    throw badRule('You have not added the current environment to the project');
  }
  const last = others.reduce((highest, { sortOrder }) => Math.max(highest, sortOrder), -1);
  const strategy = {
    ...settled,
    id: changes.newId(),
    name,
    title,
    disabled: disabled ?? false,
    sortOrder: body.sortOrder ?? last + 1,
    segments,
    overlay: null,
  };
  changes.insertStrategy(feature, environment, strategy);
  recordAt(changes, 'feature-strategy-add', place, { data: strategyOut(strategy) });
  return strategy;
}

/** Copies the strategies of a place to the same environment of another flag; `groupId` null: they keep theirs. */
export function copyStrategies(changes: Changes, from: Place, feature: string, groupId: string | null): void {
  const copies = changes.strategies(from.feature, from.environment).map((strategy) => {
    const { parameters } = strategy;
    const regroup = groupId !== null && Object.hasOwn(parameters, 'groupId');
    const own = regroup ? { ...parameters, groupId } : parameters;
    return { ...strategy, id: changes.newId(), parameters: own, overlay: null };
  });
  for (const copy of copies) changes.insertStrategy(feature, from.environment, copy);
  // As Unleash logs them: those with segments come last.
  for (const copy of copies.toSorted(
    (a, b) => Number(a.segments.length > 0) - Number(b.segments.length > 0),
  )) {
    recordAt(changes, 'feature-strategy-add', { ...from, feature }, { data: strategyOut(copy) });
  }
}

/** The strategy of that id at that place, to be read or patched. 404 otherwise, 403 when it is another flag's. */
export function existingStrategy(reads: Reads, place: Place, id: string): Strategy {
  return strategyAt(reads, place, id) ?? missing(`: ${id}`);
}

/** The same, to be replaced or removed; Unleash says it in other words. */
function storedStrategy(reads: Reads, place: Place, id: string): Strategy {
  return strategyAt(reads, place, id) ?? missing(`=${id}`);
}

function missing(id: string): never {
  throw new Problem('NotFoundError', `Could not find strategy with id${id}`);
}

function strategyAt(reads: Reads, place: Place, id: string): Strategy | null {
  const found = reads.strategy(id);
  if (found !== null && found.feature !== place.feature) {
    throw new Problem(
      'InvalidOperationError',
      'You can not change the featureName for an activation strategy.',
    );
  }
  return found?.environment === place.environment ? found.strategy : null;
}

/** Replaces a strategy; name, title, disabled, segments and order stay when the body does not name them. */
export function putStrategy(
  changes: Changes,
  place: Place,
  id: string,
  body: StrategyBody,
  rules: Rules,
): Strategy {
  return settleAndReplace(changes, place, storedStrategy(changes, place, id), body, rules);
}

/** Patches a strategy atomically (RFC 6902). 409 when a `test` does not hold, 400 when the patch does not fit. */
export function patchStrategy(
  changes: Changes,
  place: Place,
  id: string,
  patch: unknown,
  rules: Rules,
): Strategy {
  const old = existingStrategy(changes, place, id);
  const document = patched(strategyOut(old), patch);
  return settleAndReplace(changes, place, old, parsePatchedStrategy(document), rules);
}

function settleAndReplace(
  changes: Changes,
  place: Place,
  old: Strategy,
  body: StrategyBody,
  rules: Rules,
): Strategy {
  const { project, feature } = place;
  const { name = old.name, title, disabled } = body;
  requireStrategyType(name);
  const wanted = body.segments ?? old.segments;
  const strategy = {
    ...old,
    name,
    title: title ?? old.title,
    disabled: disabled ?? old.disabled,
    segments: settleSegments(changes, project, wanted, old.segments, rules),
    ...settleStrategy(name, body, old, { ...rules, feature, fields: changes.contextFields() }),
    overlay: null,
  };
  return replace(changes, place, old, strategy);
}

/** A write that changes nothing makes no event. Disabling the last active strategy switches the flag off. */
function replace(changes: Changes, place: Place, old: Strategy, strategy: Strategy): Strategy {
  if (sameStrategy(old, strategy)) return old;
  changes.updateStrategy(strategy);
  recordAt(changes, 'feature-strategy-update', place, {
    data: strategyOut(strategy),
    preData: strategyOut(old),
  });
  switchOffIfInert(changes, place, changes.strategies(place.feature, place.environment));
  return strategy;
}

/** Removes a strategy; removing the last active one switches the flag off first. */
export function deleteStrategy(changes: Changes, place: Place, id: string): void {
  const strategy = storedStrategy(changes, place, id);
  const others = changes.strategies(place.feature, place.environment).filter((one) => one.id !== id);
  switchOffIfInert(changes, place, others);
  changes.deleteStrategy(id);
  // As Unleash records it: without the segments, which went first.
  recordAt(changes, 'feature-strategy-remove', place, {
    preData: { ...strategyOut(strategy), segments: [] },
  });
}

export interface SortOrder {
  readonly id: string;
  readonly sortOrder: number;
}

/** Reorders the strategies of a place; ids of other places are passed over. A write that changes nothing makes no event. */
export function sortStrategies(changes: Changes, place: Place, orders: readonly SortOrder[]): void {
  requirePlace(changes, place);
  const { feature, environment } = place;
  const before = changes.strategies(feature, environment);
  const wanted = new Map(orders.map(({ id, sortOrder }) => [id, sortOrder]));
  const moved = before.filter(({ id, sortOrder }) => (wanted.get(id) ?? sortOrder) !== sortOrder);
  if (moved.length === 0) return;
  for (const strategy of moved) {
    changes.updateStrategy({ ...strategy, sortOrder: wanted.get(strategy.id) ?? strategy.sortOrder });
  }
  const after = changes.strategies(feature, environment);
  recordAt(changes, 'strategy-order-changed', place, {
    data: { strategyIds: after.map(({ id }) => id) },
    preData: { strategyIds: before.map(({ id }) => id) },
  });
}

/** Variants belong to strategies: those of a whole flag can only be imported. Always throws the 403 of Unleash. */
export function refuseVariants(reads: Reads, place: Place): never {
  existing(reads, place.project, place.feature);
  throw new Problem(
    'InvalidOperationError',
    `Environment variants deprecated for feature: ${place.feature}. Use strategy variants instead.`,
  );
}

/**
 * Without an active strategy an enabled flag would be on for everyone in the SDKs. 400 for an archived flag, as in
 * Unleash: its switch cannot be moved.
 */
function switchOffIfInert(changes: Changes, place: Place, strategies: readonly Strategy[]): void {
  if (!isInert(strategies)) return;
  requireUnarchived(changes, place);
  if (changes.enabled(place.feature, place.environment)) setEnabled(changes, place, false);
}

function setEnabled(changes: Changes, place: Place, enabled: boolean): void {
  changes.setEnabled(place.feature, place.environment, enabled);
  recordAt(changes, enabled ? 'feature-environment-enabled' : 'feature-environment-disabled', place, {});
}
