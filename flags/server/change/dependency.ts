import type { DependencyBody } from '../parse/feature.ts';
import { Problem } from '../problem.ts';
import type { Feature } from '../semantics.ts';
import type { Changes } from '../store.ts';
import { existing, recordFlag } from './record.ts';

/**
 * Makes a flag depend on another one, instead of the one it depended on. 403 when that would be a chain, or the
 * parent is no active flag.
 */
export function addDependency(
  changes: Changes,
  project: string,
  child: string,
  { feature: parent, enabled, variants }: DependencyBody,
): void {
  if (child === parent) throw refused('A feature flag cannot depend on itself.');
  if (changes.children(child).length > 0) {
    throw refused(
      'Transitive dependency detected. Cannot add a dependency to the feature that other features depend on.',
    );
  }
  if (changes.dependencies(parent).length > 0) {
    throw refused(
      'Transitive dependency detected. Cannot add a dependency to the feature that has parent dependency.',
    );
  }
  const target = changes.feature(parent);
  if (target === null || target.archivedAt !== null) throw refused(`No active feature ${parent} exists`);
  const feature = changes.feature(child);
  if (feature === null || feature.project !== target.project) {
    throw refused('Parent and child features should be in the same project');
  }
  existing(changes, project, child);
  // A parent that must be off has no variant.
  const named = enabled ? (variants ?? []) : [];
  const before = changes.dependencies(child);
  const [only] = before;
  if (
    before.length === 1 &&
    only?.parent === parent &&
    only.enabled === enabled &&
    same(only.variants, named)
  ) {
    return;
  }
  for (const one of before) changes.deleteDependency(child, one.parent);
  changes.insertDependency({ child, parent, enabled, variants: named, overlay: null });
  const data = { feature: parent, enabled, ...(variants === undefined ? {} : { variants }) };
  recordFlag(changes, 'feature-dependency-added', feature, { data });
}

/** Does nothing when there is no such dependency, or no such flag. */
export function removeDependency(changes: Changes, project: string, child: string, parent: string): void {
  const feature = featureIn(changes, project, child);
  if (feature === null || !changes.dependencies(child).some((one) => one.parent === parent)) return;
  changes.deleteDependency(child, parent);
  recordFlag(changes, 'feature-dependency-removed', feature, { data: { feature: parent } });
}

/** Does nothing when the flag depends on none, or there is no such flag. */
export function removeDependencies(changes: Changes, project: string, child: string): void {
  const feature = featureIn(changes, project, child);
  const dependencies = changes.dependencies(child);
  if (feature === null || dependencies.length === 0) return;
  for (const { parent } of dependencies) changes.deleteDependency(child, parent);
  recordFlag(changes, 'feature-dependencies-removed', feature, {});
}

function featureIn(changes: Changes, project: string, name: string): Feature | null {
  const feature = changes.feature(name);
  return feature?.project === project ? feature : null;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function refused(message: string): Problem {
  return new Problem('InvalidOperationError', message);
}
