/** What each admin call does to the stored flags, and which events it leaves. Runs inside one transaction. */
import { applyPatch, PatchRefused } from './patch.ts';
import { badRule, exceeds, Problem } from './problem.ts';
import {
  type ContextField,
  ENVIRONMENTS,
  type EventType,
  type Feature,
  featureOut,
  isInert,
  type Limits,
  PROJECT,
  type Strategy,
  sameStrategy,
  strategyOut,
} from './semantics.ts';
import type { Changes, Reads } from './store.ts';
import {
  type Body,
  bodyOf,
  type NewContextField,
  type NewFeature,
  parseStrategy,
  type StrategyInput,
} from './validate.ts';

/** Where a change happens: one flag in one environment. */
export interface Place {
  readonly project: string;
  readonly feature: string;
  readonly environment: string;
}

/** The flag of that name, archived or not. 404 when the project does not hold it. */
export function existing(reads: Reads, project: string, name: string): Feature {
  const feature = project === PROJECT ? reads.feature(name) : null;
  if (feature === null) {
    throw new Problem('NotFoundError', `There's no feature named "${name}" in project "${project}".`);
  }
  return feature;
}

/** 404 unless the flag is there, not archived, and the environment is one of ours. */
export function requirePlace(reads: Reads, { project, feature, environment }: Place): Feature {
  const found = existing(reads, project, feature);
  if (found.archivedAt !== null) {
    throw new Problem('NotFoundError', `There's no feature named "${feature}" in project "${project}".`);
  }
  if (!ENVIRONMENTS.some(({ name }) => name === environment)) {
    throw new Problem('NotFoundError', `Could not find environment ${environment} for feature: ${feature}`);
  }
  return found;
}

/** Creates a flag, off in every environment. 404 unknown project, 409 taken name (archived ones stay taken). */
export function createFeature(changes: Changes, project: string, input: NewFeature, limits: Limits): Feature {
  if (project !== PROJECT) {
    throw new Problem('NotFoundError', `Could not find project with id ${project}`);
  }
  const taken = changes.feature(input.name);
  if (taken !== null) {
    const kind = taken.archivedAt === null ? 'A flag' : 'An archived flag';
    throw new Problem('NameExistsError', `${kind} with that name already exists`);
  }
  if (changes.featureCount() >= limits.featuresMax) throw exceeds('feature', limits.featuresMax);
  const feature = {
    ...input,
    project,
    stale: false,
    createdAt: changes.now,
    archivedAt: null,
    overlay: null,
  };
  changes.insertFeature(feature);
  recordFlag(changes, 'feature-created', feature, { data: featureOut(feature) });
  return feature;
}

/** Hides a flag from clients at once; its name stays taken. */
export function archiveFeature(changes: Changes, project: string, name: string): void {
  const feature = existing(changes, project, name);
  if (feature.archivedAt !== null) {
    throw new Problem('NotFoundError', `There's no feature named "${name}" in project "${project}".`);
  }
  changes.updateFeature({ ...feature, archivedAt: changes.now });
  recordFlag(changes, 'feature-archived', feature, {});
}

/** Brings an archived flag back, off everywhere: its strategies may be from another time. */
export function reviveFeature(changes: Changes, name: string): void {
  const feature = existing(changes, PROJECT, name);
  if (feature.archivedAt === null) {
    throw new Problem('NotFoundError', `There's no archived feature named "${name}".`);
  }
  changes.updateFeature({ ...feature, archivedAt: null });
  for (const { name: environment } of ENVIRONMENTS) changes.setEnabled(name, environment, false);
  recordFlag(changes, 'feature-revived', feature, {});
}

/** Idempotent. 409 without an active strategy: Unleash would add one that is on for everybody. */
export function switchOn(changes: Changes, place: Place): void {
  requirePlace(changes, place);
  if (changes.enabled(place.feature, place.environment)) return;
  if (isInert(changes.strategies(place.feature, place.environment))) {
    throw new Problem('ConflictError', 'add a strategy with an explicit rollout first');
  }
  setEnabled(changes, place, true);
}

/** Idempotent: the second call makes no event. */
export function switchOff(changes: Changes, place: Place): void {
  requirePlace(changes, place);
  if (changes.enabled(place.feature, place.environment)) setEnabled(changes, place, false);
}

export function addStrategy(changes: Changes, place: Place, input: StrategyInput, limits: Limits): Strategy {
  requirePlace(changes, place);
  const others = changes.strategies(place.feature, place.environment);
  if (others.length >= limits.strategiesMax) throw exceeds('strategy', limits.strategiesMax);
  const last = others.reduce((highest, { sortOrder }) => Math.max(highest, sortOrder), -1);
  const strategy = { ...input, id: changes.newId(), sortOrder: input.sortOrder ?? last + 1 };
  changes.insertStrategy(place.feature, place.environment, strategy);
  recordAt(changes, 'feature-strategy-add', place, { data: strategyOut(strategy) });
  return strategy;
}

/** The strategy of that id at that place. 404 otherwise. */
export function existingStrategy(reads: Reads, place: Place, id: string): Strategy {
  requirePlace(reads, place);
  const strategy = reads.strategies(place.feature, place.environment).find((one) => one.id === id);
  if (strategy === undefined) throw new Problem('NotFoundError', `Could not find strategy with id ${id}`);
  return strategy;
}

/** Replaces a strategy; title, disabled and order stay when the body does not name them. */
export function putStrategy(
  changes: Changes,
  place: Place,
  id: string,
  body: Body,
  limits: Limits,
): Strategy {
  const old = existingStrategy(changes, place, id);
  const { name, title, disabled, sortOrder } = old;
  return replaceStrategy(
    changes,
    place,
    old,
    parseStrategy({ name, title, disabled, sortOrder, ...body }, limits),
  );
}

/** Patches a strategy atomically (RFC 6902). 409 when a `test` does not hold, 400 when the patch does not fit. */
export function patchStrategy(
  changes: Changes,
  place: Place,
  id: string,
  patch: unknown,
  limits: Limits,
): Strategy {
  const old = existingStrategy(changes, place, id);
  return replaceStrategy(changes, place, old, parseStrategy(bodyOf(patched(old, patch)), limits));
}

function patched(old: Strategy, patch: unknown): Body {
  try {
    return applyPatch(strategyOut(old), patch);
  } catch (error) {
    if (!(error instanceof PatchRefused)) throw error;
    throw error.reason === 'test-failed'
      ? new Problem('ConflictError', error.message)
      : badRule(error.message);
  }
}

/** A write that changes nothing makes no event. Disabling the last active strategy switches the flag off. */
function replaceStrategy(changes: Changes, place: Place, old: Strategy, input: StrategyInput): Strategy {
  const strategy = { ...input, id: old.id, sortOrder: input.sortOrder ?? old.sortOrder };
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
  const strategy = existingStrategy(changes, place, id);
  const others = changes.strategies(place.feature, place.environment).filter((one) => one.id !== id);
  switchOffIfInert(changes, place, others);
  changes.deleteStrategy(id);
  recordAt(changes, 'feature-strategy-remove', place, { preData: strategyOut(strategy) });
}

/** 409 when the name is taken. */
export function createContextField(changes: Changes, input: NewContextField, limits: Limits): ContextField {
  const fields = changes.contextFields();
  if (fields.some(({ name }) => name === input.name)) {
    throw new Problem('NameExistsError', 'A context field with that name already exist');
  }
  if (fields.length >= limits.contextFieldsMax) throw exceeds('context field', limits.contextFieldsMax);
  const field = { ...input, createdAt: changes.now };
  changes.insertContextField(field);
  changes.record({
    type: 'context-field-created',
    project: null,
    environment: null,
    featureName: null,
    data: field,
    preData: null,
  });
  return field;
}

/** Without an active strategy an enabled flag would be on for everyone in the SDKs. */
function switchOffIfInert(changes: Changes, place: Place, strategies: readonly Strategy[]): void {
  if (isInert(strategies) && changes.enabled(place.feature, place.environment)) {
    setEnabled(changes, place, false);
  }
}

function setEnabled(changes: Changes, place: Place, enabled: boolean): void {
  changes.setEnabled(place.feature, place.environment, enabled);
  recordAt(changes, enabled ? 'feature-environment-enabled' : 'feature-environment-disabled', place, {});
}

interface EventData {
  readonly data?: unknown;
  readonly preData?: unknown;
}

function recordFlag(changes: Changes, type: EventType, feature: Feature, { data = null }: EventData): void {
  const { project, name } = feature;
  changes.record({ type, project, environment: null, featureName: name, data, preData: null });
}

function recordAt(
  changes: Changes,
  type: EventType,
  { project, feature, environment }: Place,
  { data = null, preData = null }: EventData,
): void {
  changes.record({ type, project, environment, featureName: feature, data, preData });
}
