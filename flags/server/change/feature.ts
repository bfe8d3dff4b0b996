import type { CloneRequest, FeatureData, NewFeature } from '../parse/feature.ts';
import { parseFeatureData } from '../parse/feature.ts';
import { badRule, exceeds, Problem } from '../problem.ts';
import { canonicalJson, ENVIRONMENTS, type Feature, featureOut, PROJECT } from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';
import type { Body } from '../validate.ts';
import { addDependency, removeDependencies } from './dependency.ts';
import { patched } from './patched.ts';
import { existing, known, type Rules, recordFlag, requireProject } from './record.ts';
import { copyStrategies } from './strategy.ts';
import { tagFeature } from './tag.ts';

/** 409 when a flag, archived ones included, has that name. */
export function requireFreeName(reads: Reads, name: string): void {
  const taken = reads.feature(name);
  if (taken === null) return;
  const kind = taken.archivedAt === null ? 'A flag' : 'An archived flag';
  throw new Problem('NameExistsError', `${kind} with that name already exists`);
}

/** Creates a flag, off in every environment. 404 unknown project, 409 taken name. */
export function createFeature(
  changes: Changes,
  project: string,
  { tags, ...input }: NewFeature,
  rules: Rules,
): Feature {
  const feature = insertFeature(changes, project, { ...input, stale: false }, rules);
  for (const tag of tags) tagFeature(changes, feature.name, tag);
  return feature;
}

/** A new flag, off in every environment. 409 when its name is taken. */
export function insertFeature(
  changes: Changes,
  project: string,
  input: FeatureData & Pick<Feature, 'name'>,
  { limits }: Rules,
): Feature {
  requireFreeName(changes, input.name);
  if (changes.featureCount() >= limits.featuresMax) throw exceeds('feature flag', limits.featuresMax);
  requireProject(project);
  const feature = {
    ...input,
    description: input.description || null,
    project,
    createdAt: changes.now,
    archivedAt: null,
    overlay: null,
  };
  changes.insertFeature(feature);
  recordFlag(changes, 'feature-created', feature, { data: featureOut(feature) });
  return feature;
}

/** A new flag with the data, strategies, variants and dependencies of another one, off in every environment. */
export function cloneFeature(
  changes: Changes,
  project: string,
  name: string,
  request: CloneRequest,
  rules: Rules,
): Feature {
  requireFreeName(changes, request.name);
  const source = changes.feature(name);
  if (source === null || source.archivedAt !== null) throw notServed(name);
  const { type, description, stale, impressionData } = source;
  const data = { name: request.name, type, description, stale, impressionData };
  const clone = insertFeature(changes, project, data, rules);
  const groupId = request.replaceGroupId ? clone.name : null;
  for (const { name: environment } of ENVIRONMENTS) {
    const variants = changes.variants(name, environment);
    if (variants.length > 0) changes.setVariants(clone.name, environment, variants);
    copyStrategies(changes, { project, feature: name, environment }, clone.name, groupId);
  }
  for (const { parent, enabled, variants } of changes.dependencies(name)) {
    const named = variants.length === 0 ? undefined : variants;
    addDependency(changes, project, clone.name, { feature: parent, enabled, variants: named });
  }
  return clone;
}

/** Replaces a flag's data. A name, when given, is the flag's; whether it is archived has ways of its own. */
export function putFeature(changes: Changes, project: string, name: string, body: Body): Feature {
  const { name: given } = body;
  if (given !== undefined && given !== name) throw badRule('Cannot change name of feature flag');
  const data = parseFeatureData(body);
  return replaceData(changes, existing(changes, project, name), data, body);
}

/** Patches a flag's data atomically (RFC 6902). 409 when a `test` does not hold, 400 when the patch does not fit. */
export function patchFeature(changes: Changes, project: string, name: string, patch: unknown): Feature {
  known(changes, name);
  const old = existing(changes, project, name);
  if (touchesVariants(patch)) {
    throw new Problem(
      'OperationDeniedError',
      'Changing variants is done via PATCH operation to /api/admin/projects/:project/features/:feature/variants',
    );
  }
  const document = patched(featureOut(old), patch);
  const feature = replaceData(changes, old, parseFeatureData(document, ''), document);
  if (feature.stale !== old.stale) {
    recordFlag(changes, feature.stale ? 'feature-stale-on' : 'feature-stale-off', feature, {});
  }
  return feature;
}

function touchesVariants(patch: unknown): boolean {
  return (
    Array.isArray(patch) &&
    patch.some(
      (operation: unknown) =>
        typeof operation === 'object' &&
        operation !== null &&
        'path' in operation &&
        typeof operation.path === 'string' &&
        operation.path.includes('/variants'),
    )
  );
}

/** A write that changes nothing makes no event. */
export function replaceData(changes: Changes, old: Feature, data: FeatureData, { archived }: Body): Feature {
  if (archived !== undefined && archived !== (old.archivedAt !== null)) {
    throw new Problem(
      'InvalidOperationError',
      'Archiving and reviving a feature have endpoints of their own.',
    );
  }
  const feature = { ...old, ...data, overlay: null };
  if (canonicalJson(featureOut(feature)) === canonicalJson(featureOut(old))) return old;
  changes.updateFeature(feature);
  recordFlag(changes, 'feature-metadata-updated', feature, {
    data: featureOut(feature),
    preData: featureOut(old),
  });
  return feature;
}

/** Hides a flag from clients at once; its name stays taken. 403 while others depend on it. */
export function archiveFeature(changes: Changes, project: string, name: string): void {
  known(changes, name);
  const feature = existing(changes, project, name);
  requireNoChildren(changes, name);
  if (feature.archivedAt !== null) return;
  changes.updateFeature({ ...feature, archivedAt: changes.now });
  removeDependencies(changes, project, name);
  recordFlag(changes, 'feature-archived', feature, {});
}

/**
 * Brings an archived flag back, off everywhere: its strategies may be from another time. One that is not archived
 * stays as it is; Unleash would switch it off.
 */
export function reviveFeature(changes: Changes, name: string): void {
  const feature = known(changes, name);
  if (feature.archivedAt === null) return;
  changes.updateFeature({ ...feature, archivedAt: null });
  for (const { name: environment } of ENVIRONMENTS) changes.setEnabled(name, environment, false);
  recordFlag(changes, 'feature-revived', feature, {});
}

/** Deletes an archived flag for good; its events stay. Does nothing to one that is not archived. */
export function deleteFeature(changes: Changes, name: string): void {
  requireNoChildren(changes, name);
  const feature = known(changes, name);
  if (feature.archivedAt === null) return;
  // Before it goes: the event carries its tags.
  recordFlag(changes, 'feature-deleted', feature, { preData: featureOut(feature) });
  changes.deleteFeature(name);
}

function requireNoChildren(changes: Changes, name: string): void {
  if (changes.children(name).length > 0) {
    throw new Problem(
      'InvalidOperationError',
      'You can not archive/delete this feature since other features depend on it.',
    );
  }
}

/** 404 as for a flag that is archived. */
export function notServed(name: string): Problem {
  return new Problem('NotFoundError', `Could not find feature flag with name ${name}`);
}

/** The project's flags, in the order of their creation; an unknown project has none. */
export function featuresOf(reads: Reads, project: string): readonly Feature[] {
  return project === PROJECT ? reads.features() : [];
}
