/** Where changes happen, what must be there, and the events they leave. */
import { Problem } from '../problem.ts';
import {
  ENVIRONMENTS,
  type EventType,
  type Feature,
  type Limits,
  type Policy,
  PROJECT,
} from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';

/** What a change is measured by. */
export interface Rules {
  readonly limits: Limits;
  readonly policy: Policy;
}

/** One flag in one environment. */
export interface Place {
  readonly project: string;
  readonly feature: string;
  readonly environment: string;
}

/** The flag of that name, archived or not. 404 when the project does not hold it. */
export function existing(reads: Reads, project: string, name: string): Feature {
  const feature = reads.feature(name);
  if (feature === null || feature.project !== project) {
    const elsewhere =
      feature === null ? '.' : `, but there's a feature with that name in project "${feature.project}"`;
    throw new Problem(
      'NotFoundError',
      `There's no feature named "${name}" in project "${project}"${elsewhere}`,
    );
  }
  return feature;
}

/** The flag of that name, whatever its project. 404 when there is none. */
export function known(reads: Reads, name: string): Feature {
  const feature = reads.feature(name);
  if (feature === null) throw new Problem('NotFoundError', 'No feature flag found');
  return feature;
}

/** 404 unless the flag is there, and the environment is one of ours. */
export function requirePlace(reads: Reads, { project, feature, environment }: Place): Feature {
  const found = existing(reads, project, feature);
  if (!isEnvironment(environment)) {
    throw new Problem('NotFoundError', `Could not find environment ${environment} for feature: ${feature}`);
  }
  return found;
}

export function isEnvironment(environment: string): boolean {
  return ENVIRONMENTS.some(({ name }) => name === environment);
}

export function requireProject(project: string): void {
  if (project !== PROJECT) {
    throw new Problem('NotFoundError', `Active project with id ${project} does not exist`);
  }
}

/** 404 unless the environment is one of ours. */
export function requireEnvironment(environment: string): void {
  if (!ENVIRONMENTS.some(({ name }) => name === environment)) {
    throw new Problem('NotFoundError', `Could not find environment ${environment}`);
  }
}

interface EventData {
  readonly data?: unknown;
  readonly preData?: unknown;
}

/** An event of a flag as a whole. */
export function recordFlag(
  changes: Changes,
  type: EventType,
  { project, name }: Feature,
  { data = null, preData = null }: EventData,
): void {
  changes.record({ type, project, environment: null, featureName: name, data, preData });
}

/** An event of a flag in one environment. */
export function recordAt(
  changes: Changes,
  type: EventType,
  { project, feature, environment }: Place,
  { data = null, preData = null }: EventData,
): void {
  changes.record({ type, project, environment, featureName: feature, data, preData });
}

/** An event of something that belongs to no flag. */
export function recordShared(
  changes: Changes,
  type: EventType,
  { data = null, preData = null, project = null }: EventData & { readonly project?: string | null },
): void {
  changes.record({ type, project, environment: null, featureName: null, data, preData });
}
