import {
  type Constraint,
  canonicalJson,
  clientDependency,
  clientFeature,
  clientSegment,
  clientStrategy,
  type Dependency,
  ENVIRONMENTS,
  type EventType,
  type Feature,
  overlayOf,
  PROJECT,
  type Segment,
  type Strategy,
  segmentOut,
  type Variant,
} from './semantics.ts';
import type { Actor, Changes, Store } from './store.ts';
import { placedIn } from './view.ts';

/** Flags and segments as clients are given them; keys may be missing, and what nobody knows is kept. */
export interface ClientState {
  readonly features: readonly object[];
  readonly segments?: readonly object[];
}

type Given = Readonly<Record<string, unknown>>;

interface GivenFeature {
  readonly name: string;
  readonly given: Given;
}

/**
 * Makes the flags of an environment, and all segments, exactly those of `state`, in one transaction with its events:
 * `view.table(environment)` gives them again, except for the order of flags that were there before. Nothing is
 * checked for portability or rewritten. Flags and segments that are not in it are deleted, those that are equal stay
 * untouched, and a disabled strategy of a flag that differs goes, for no client ever saw it. What belongs to a whole flag
 * (description, type, keys that are missing, …) changes in every environment. TypeError when something has no usable
 * name or id, or has it twice, or a flag's `enabled` or `strategies` cannot be what they are for clients.
 */
export function replaceState(store: Store, actor: Actor, environment: string, state: ClientState): void {
  if (!ENVIRONMENTS.some(({ name }) => name === environment)) {
    throw new TypeError(`the flag server has no environment ${environment}`);
  }
  const features = byKey(state.features.map(featureGiven), ({ name }) => name);
  const segments = byKey((state.segments ?? []).map(segmentGiven), ({ id }) => id);
  store.change(actor, (changes) => {
    putSegments(changes, segments);
    for (const { name } of changes.features()) if (!features.has(name)) removeFeature(changes, name);
    for (const feature of features.values()) putFeature(changes, environment, feature);
  });
}

function removeFeature(changes: Changes, name: string): void {
  changes.deleteFeature(name);
  record(changes, 'feature-deleted', { featureName: name, data: null, preData: null });
}

function putFeature(changes: Changes, environment: string, { name, given }: GivenFeature): void {
  const known = changes.feature(name);
  const before =
    known === null || known.archivedAt !== null ? null : clientFeature(placedIn(changes, known, environment));
  if (before !== null && canonicalJson(before) === canonicalJson(given)) return;
  const plain = featureOf(given, name, known?.createdAt ?? changes.now);
  const enabled = given['enabled'] === true;
  const variants = listOf(given['variants'], isVariant);
  const old = changes.strategies(name, environment);
  const strategies = listOf(given['strategies'], isNamed).map((strategy, index) =>
    strategyOf(strategy, index, old[index]?.id ?? changes.newId()),
  );
  const dependencies = dependenciesOf(given['dependencies'], name);
  const overlay = overlayOf(
    clientFeature({ feature: plain, enabled, variants, strategies, dependencies }),
    given,
  );
  if (known === null) changes.insertFeature({ ...plain, overlay });
  else changes.updateFeature({ ...plain, overlay });
  changes.setEnabled(name, environment, enabled);
  changes.setVariants(name, environment, variants);
  putStrategies(changes, name, environment, old, strategies);
  for (const { parent } of changes.dependencies(name)) changes.deleteDependency(name, parent);
  for (const dependency of dependencies) changes.insertDependency(dependency);
  const type = before === null ? 'feature-created' : 'features-imported';
  record(changes, type, { featureName: name, environment, data: given, preData: before });
}

function putStrategies(
  changes: Changes,
  feature: string,
  environment: string,
  old: readonly Strategy[],
  strategies: readonly Strategy[],
): void {
  for (const { id } of old.slice(strategies.length)) changes.deleteStrategy(id);
  for (const [index, strategy] of strategies.entries()) {
    if (index < old.length) changes.updateStrategy(strategy);
    else changes.insertStrategy(feature, environment, strategy);
  }
}

function putSegments(changes: Changes, wanted: ReadonlyMap<number, SegmentGiven>): void {
  const old = new Map(changes.segments().map((segment) => [segment.id, segment]));
  const differing = [...wanted.values()].filter(({ id, given }) => {
    const known = old.get(id);
    return known === undefined || canonicalJson(clientSegment(known)) !== canonicalJson(given);
  });
  const differingIds = new Set(differing.map(({ id }) => id));
  // All go before one comes: names are unique, and may have been swapped.
  for (const segment of old.values()) {
    if (wanted.has(segment.id) && !differingIds.has(segment.id)) continue;
    changes.deleteSegment(segment.id);
    if (!wanted.has(segment.id)) {
      record(changes, 'segment-deleted', { data: null, preData: segmentOut(segment) });
    }
  }
  const taken = new Set(changes.segments().map(({ name }) => name));
  for (const one of differing) {
    const known = old.get(one.id) ?? null;
    const plain = segmentOf(one, known, taken, changes);
    taken.add(plain.name);
    const stored = changes.insertSegment(plain, overlayOf(clientSegment(plain), one.given));
    record(changes, known === null ? 'segment-created' : 'segment-updated', {
      data: segmentOut(stored),
      preData: known === null ? null : segmentOut(known),
    });
  }
}

interface Recorded {
  readonly featureName?: string;
  readonly environment?: string;
  readonly data: unknown;
  readonly preData: unknown;
}

function record(changes: Changes, type: EventType, recorded: Recorded): void {
  const { featureName = null, environment = null, data, preData } = recorded;
  const project = featureName === null ? null : PROJECT;
  changes.record({ type, project, environment, featureName, data, preData });
}

function featureGiven(value: object): GivenFeature {
  const given = plainCopy(value);
  const { name, enabled, strategies } = given;
  if (typeof name !== 'string') throw new TypeError('a flag of the state has no name');
  if (typeof enabled !== 'boolean') throw new TypeError(`enabled of the flag ${name} is not a boolean`);
  if (strategies !== undefined && !isListOf(strategies, isNamed)) {
    throw new TypeError(`strategies of the flag ${name} is not a list of strategies with names`);
  }
  return { name, given };
}

interface SegmentGiven {
  readonly id: number;
  readonly given: Given;
}

function segmentGiven(value: object): SegmentGiven {
  const given = plainCopy(value);
  const { id } = given;
  if (!isId(id)) {
    throw new TypeError('a segment of the state has no whole number as id');
  }
  return { id, given };
}

/** As JSON would carry it: nothing undefined, nothing shared with the caller. */
function plainCopy(value: object): Given {
  const copy: unknown = JSON.parse(JSON.stringify(value));
  if (!isGiven(copy)) throw new TypeError('a flag or segment of the state is not an object');
  return copy;
}

function byKey<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T> {
  const found = new Map<K, T>();
  for (const item of items) {
    const key = keyOf(item);
    if (found.has(key)) throw new TypeError(`the state has ${String(key)} twice`);
    found.set(key, item);
  }
  return found;
}

/** What fits into our nouns; the rest is for the overlay, and so on below. */
function featureOf(given: Given, name: string, createdAt: string): Feature {
  const { type, description, stale, impressionData } = given;
  return {
    name,
    project: PROJECT,
    type: typeof type === 'string' ? type : 'release',
    description: typeof description === 'string' ? description : null,
    stale: stale === true,
    impressionData: impressionData === true,
    createdAt,
    archivedAt: null,
    overlay: null,
  };
}

function strategyOf(given: Given & { readonly name: string }, sortOrder: number, id: string): Strategy {
  const { name, parameters } = given;
  const plain = {
    id,
    name,
    title: null,
    disabled: false,
    sortOrder,
    parameters: isTexts(parameters) ? parameters : {},
    constraints: listOf(given['constraints'], isConstraint),
    variants: listOf(given['variants'], isVariant),
    segments: listOf(given['segments'], isId),
    overlay: null,
  };
  return { ...plain, overlay: overlayOf(clientStrategy(plain), given) };
}

/** A parent that is named twice can be stored once. */
function dependenciesOf(given: unknown, child: string): Dependency[] {
  const parents = new Map<string, Dependency>();
  for (const one of listOf(given, isParent)) {
    const { feature: parent, enabled, variants } = one;
    const isOn = enabled !== false;
    const plain = { child, parent, enabled: isOn, variants: listOf(variants, isText), overlay: null };
    parents.set(parent, { ...plain, overlay: overlayOf(clientDependency(plain), one) });
  }
  return [...parents.values()];
}

function segmentOf(
  { id, given }: SegmentGiven,
  known: Segment | null,
  taken: ReadonlySet<string>,
  { actor, now }: Changes,
): Segment {
  const { name } = given;
  return {
    id,
    name: typeof name === 'string' && !taken.has(name) ? name : `segment ${String(id).padStart(6, '0')}`,
    description: known?.description ?? null,
    project: known?.project ?? null,
    constraints: listOf(given['constraints'], isConstraint),
    createdBy: known?.createdBy ?? actor.name,
    createdAt: known?.createdAt ?? now,
    overlay: null,
  };
}

function isGiven(value: unknown): value is Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return isGiven(value) && Object.values(value).every(isText);
}

function isNamed(value: unknown): value is Given & { readonly name: string } {
  return isGiven(value) && isText(value['name']);
}

function isParent(value: unknown): value is Given & { readonly feature: string } {
  return isGiven(value) && isText(value['feature']);
}

function isVariant(value: unknown): value is Variant {
  return isNamed(value) && typeof value['weight'] === 'number';
}

function isConstraint(value: unknown): value is Constraint {
  return isGiven(value) && isText(value['contextName']) && isText(value['operator']);
}

function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(is);
}

/** The list when all of it fits; empty otherwise. */
function listOf<T>(value: unknown, is: (item: unknown) => item is T): readonly T[] {
  return isListOf(value, is) ? value : [];
}
