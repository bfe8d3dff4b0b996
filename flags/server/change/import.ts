import { settleStrategy } from '../parse/strategy.ts';
import type { ImportData, ImportedSegment, ImportedStrategy, ImportRequest } from '../parse/transfer.ts';
import { settleVariants } from '../parse/variant.ts';
import { badData, badRule } from '../problem.ts';
import {
  canonicalJson,
  isInert,
  PROJECT,
  STRATEGY_NAMES,
  type Strategy,
  strategyOut,
  type Variant,
} from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';
import { createContextField } from './context.ts';
import { addDependency } from './dependency.ts';
import { insertFeature, replaceData } from './feature.ts';
import { type Place, type Rules, recordAt, requireEnvironment, requireProject } from './record.ts';
import { createSegment, settleSegments } from './segment.ts';
import { addStrategy, switchOff, switchOn } from './strategy.ts';
import { tagFeature, untagFeature } from './tag.ts';

const NAMES_MAX = 20;
const NAME_CHARS_MAX = 100;

/**
 * Makes the flags of an export those of one environment here: existing ones get its data, tags and strategies, others
 * are created; what is archived here stays so. Segments are found by name, and made when the export says what they
 * hold. What is equal already stays untouched, so repeating an import changes nothing. Any fault throws: run inside
 * one change, nothing of it is stored then.
 */
export function importFlags(changes: Changes, request: ImportRequest, rules: Rules): void {
  const { project, environment } = request;
  requireProject(project);
  requireEnvironment(environment);
  const data = withoutArchived(changes, request.data);
  requireImportable(changes, data);
  for (const field of newFields(changes, data)) createContextField(changes, field, rules);
  const segments = placeSegments(changes, data.segments, rules);
  for (const { name, ...feature } of data.features) {
    const known = changes.feature(name);
    if (known === null) insertFeature(changes, project, { name, ...feature }, rules);
    else replaceData(changes, known, feature, {});
    const place = { project, feature: name, environment };
    putTags(changes, name, data);
    putVariants(changes, place, data);
    putStrategies(changes, place, strategiesOf(data, name, segments), rules);
    putEnabled(changes, place, data);
  }
  for (const { feature, dependencies } of data.dependencies) {
    if (!data.features.some(({ name }) => name === feature)) continue;
    for (const dependency of dependencies) addDependency(changes, project, feature, dependency);
  }
  changes.record({
    type: 'features-imported',
    project,
    environment,
    featureName: null,
    data: null,
    preData: null,
  });
}

interface Finding {
  readonly message: string;
  readonly affectedItems: readonly string[];
}

export interface ImportReport {
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly permissions: readonly Finding[];
}

/** What would keep an import from being taken, and what it would overwrite or leave out. */
export function reviewImport(reads: Reads, { project, data }: ImportRequest): ImportReport {
  const names = data.features.map(({ name }) => name);
  const finding = (message: string, affectedItems: readonly string[]) =>
    affectedItems.length === 0 ? [] : [{ message, affectedItems }];
  return {
    errors: [
      ...finding(
        'We detected the following custom strategy that needs to be created first:',
        unknownStrategies(data),
      ),
      ...finding(
        'We detected the following context fields that do not have matching legal values with the imported ones:',
        clashingFields(reads, data),
      ),
      ...finding('We detected the following features are duplicate in your import data:', duplicates(names)),
      ...finding(
        'We detected the following segments that need to be created first:',
        missingSegments(reads, data),
      ),
      ...finding(
        'We detected the following dependencies that need to be created first:',
        missingParents(reads, data),
      ),
    ],
    warnings: [
      ...finding(
        'The following features will not be imported as they are currently archived. To import them, please unarchive them first:',
        names.filter((name) => isArchived(reads, name)),
      ),
      ...finding(
        'The following features already exist in this project and will be overwritten:',
        names.filter((name) => reads.feature(name)?.project === project),
      ),
    ],
    permissions: [],
  };
}

function requireImportable(reads: Reads, data: ImportData): void {
  const unsupported = [...unknownStrategies(data), ...clashingFields(reads, data)];
  if (unsupported.length > 0) {
    throw badData(brief(unsupported).map((name) => ({ message: `${name} is not supported.` })));
  }
  const segments = missingSegments(reads, data);
  if (segments.length > 0) throw badRule(`Unsupported segments: ${brief(segments).join(', ')}`);
  const parents = missingParents(reads, data);
  if (parents.length > 0) {
    throw badRule(`The following dependent features are missing: ${brief(parents).join(', ')}`);
  }
  const names = data.features.map(({ name }) => name);
  const twice = duplicates(names);
  if (twice.length > 0) throw badRule(`These features are in the import twice: ${brief(twice).join(', ')}`);
  const stray = data.strategies.find(({ feature }) => !names.includes(feature));
  if (stray !== undefined) {
    throw badRule(`The import has a strategy of ${brief([stray.feature]).join()}, but not that feature`);
  }
}

/** Names for an answer, which must not be larger than its question. */
function brief(names: readonly string[]): readonly string[] {
  return names.slice(0, NAMES_MAX).map((name) => name.slice(0, NAME_CHARS_MAX));
}

function isArchived(reads: Reads, name: string): boolean {
  return (reads.feature(name)?.archivedAt ?? null) !== null;
}

/** A flag that is archived here is left out, with all that belongs to it. */
function withoutArchived(reads: Reads, data: ImportData): ImportData {
  const archived = new Set(data.features.map(({ name }) => name).filter((name) => isArchived(reads, name)));
  if (archived.size === 0) return data;
  return {
    ...data,
    features: data.features.filter(({ name }) => !archived.has(name)),
    strategies: data.strategies.filter(({ feature }) => !archived.has(feature)),
    environments: data.environments.filter(({ feature }) => !archived.has(feature)),
    tags: data.tags.filter(({ feature }) => !archived.has(feature)),
    dependencies: data.dependencies.filter(({ feature }) => !archived.has(feature)),
  };
}

function unknownStrategies({ strategies }: ImportData): readonly string[] {
  return strategies.map(({ body }) => body.name ?? '').filter((name) => !STRATEGY_NAMES.has(name));
}

/** Fields that are known with values of their own, among which an imported one is not. */
function clashingFields(reads: Reads, { contextFields }: ImportData): readonly string[] {
  const known = new Map(reads.contextFields().map((field) => [field.name, field.legalValues]));
  return contextFields
    .filter(({ name, legalValues }) => {
      const legal = known.get(name);
      return (
        legal !== undefined && !legalValues.every(({ value }) => legal.some((one) => one.value === value))
      );
    })
    .map(({ name }) => name);
}

function newFields(reads: Reads, { contextFields }: ImportData) {
  const known = new Set(reads.contextFields().map(({ name }) => name));
  return contextFields.filter(({ name }) => !known.has(name));
}

function missingSegments(reads: Reads, { segments }: ImportData): readonly string[] {
  const known = new Set(
    reads
      .segments()
      .filter(({ project }) => project === null || project === PROJECT)
      .map(({ name }) => name),
  );
  return segments.filter(({ name, body }) => body === null && !known.has(name)).map(({ name }) => name);
}

function missingParents(reads: Reads, { features, dependencies }: ImportData): readonly string[] {
  const imported = new Set(features.map(({ name }) => name));
  return dependencies
    .flatMap((one) => one.dependencies.map(({ feature }) => feature))
    .filter((parent) => !imported.has(parent) && reads.feature(parent) === null);
}

function duplicates(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) (seen.has(name) ? twice : seen).add(name);
  return [...twice];
}

/** The segments here by their id in the export. */
function placeSegments(
  changes: Changes,
  segments: readonly ImportedSegment[],
  rules: Rules,
): ReadonlyMap<number, number> {
  const known = new Map(changes.segments().map(({ name, id }) => [name, id]));
  return new Map(
    segments.map(({ id, name, body }) => {
      const here = known.get(name) ?? (body === null ? null : createSegment(changes, body, rules).id);
      if (here === null) throw badRule(`Unsupported segments: ${brief([name]).join()}`);
      return [id, here];
    }),
  );
}

function strategiesOf(
  { strategies }: ImportData,
  name: string,
  segments: ReadonlyMap<number, number>,
): readonly ImportedStrategy['body'][] {
  return strategies
    .filter(({ feature }) => feature === name)
    .map(({ body }) => ({
      ...body,
      // In the order of the export.
      sortOrder: null,
      variants: heaviestFirst(body.variants),
      segments: (body.segments ?? []).map((id) => {
        const here = segments.get(id);
        if (here === undefined)
          throw badRule(`The import has a strategy with the segment ${id}, but not that segment`);
        return here;
      }),
    }));
}

function putTags(changes: Changes, name: string, { tags, tagTypes }: ImportData): void {
  const wanted = tags.filter(({ feature }) => feature === name).map(({ tag }) => tag);
  const types = new Set(tagTypes);
  for (const tag of changes.tagsOf(name)) {
    if (!wanted.some((one) => canonicalJson(one) === canonicalJson(tag))) untagFeature(changes, name, tag);
  }
  for (const tag of wanted) tagFeature(changes, name, tag, types);
}

function putVariants(changes: Changes, place: Place, { environments }: ImportData): void {
  const imported = environments.find(({ feature }) => feature === place.feature);
  if (imported === undefined) return;
  const before = changes.variants(place.feature, place.environment);
  const variants = settledVariants(imported.variants);
  if (canonicalJson(before) === canonicalJson(variants)) return;
  changes.setVariants(place.feature, place.environment, variants);
  recordAt(changes, 'feature-environment-variants-updated', place, {
    data: { variants },
    preData: { variants: before },
  });
}

function settledVariants(variants: readonly Variant[]): readonly Variant[] {
  const overrides = new Map(variants.map((variant) => [variant.name, variant.overrides]));
  const plain = variants.map(({ overrides: _overrides, ...variant }) => variant);
  return settleVariants(heaviestFirst(plain)).map((variant) => {
    const own = overrides.get(variant.name);
    return own === undefined ? variant : { ...variant, overrides: own };
  });
}

/** The first variants get what cannot be shared evenly: those that had it, or users would move. */
function heaviestFirst(variants: readonly Variant[]): readonly Variant[] {
  return variants.toSorted((a, b) => b.weight - a.weight);
}

/** Replaces the strategies of a place, unless they are the same. */
function putStrategies(
  changes: Changes,
  place: Place,
  bodies: readonly ImportedStrategy['body'][],
  rules: Rules,
): void {
  const { project, feature, environment } = place;
  const old = changes.strategies(feature, environment);
  const fields = changes.contextFields();
  const wanted = bodies.map((body) => {
    const { name = '', title, disabled } = body;
    const segments = settleSegments(changes, project, body.segments ?? [], [], rules);
    const settled = settleStrategy(name, body, null, { ...rules, feature, fields });
    return { name, title, disabled: disabled ?? false, segments, ...settled };
  });
  if (canonicalJson(old.map(contentOf)) !== canonicalJson(wanted)) {
    for (const strategy of old) {
      changes.deleteStrategy(strategy.id);
      recordAt(changes, 'feature-strategy-remove', place, { preData: strategyOut(strategy) });
    }
    for (const body of bodies) addStrategy(changes, place, body, rules);
  }
  // Without an active strategy an enabled flag would be on for everyone in the SDKs.
  if (isInert(changes.strategies(feature, environment))) switchOff(changes, place);
}

function contentOf({ name, title, disabled, parameters, constraints, variants, segments }: Strategy) {
  return { name, title, disabled, parameters, constraints, variants, segments };
}

function putEnabled(changes: Changes, place: Place, { environments }: ImportData): void {
  const imported = environments.find(({ feature }) => feature === place.feature);
  if (imported === undefined) return;
  if (imported.enabled) switchOn(changes, place, false);
  else switchOff(changes, place);
}
