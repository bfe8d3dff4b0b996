import type { ExportRequest } from '../parse/transfer.ts';
import { type Feature, featureOut, type Segment, type Strategy } from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';
import { tagTypesOf } from '../tag-types.ts';
import { featuresOf } from './feature.ts';
import { recordShared, requireEnvironment } from './record.ts';

/** Who reads an export, as its event says it. */
export interface Reader {
  readonly id: number;
  readonly username: string;
  readonly ip: string;
}

/** Everything that an import needs to know of the flags that are asked for, of one environment. */
export function exportFlags(changes: Changes, request: ExportRequest, auditUser: Reader) {
  requireEnvironment(request.environment);
  const data = exported(changes, request);
  recordShared(changes, 'features-exported', { data: { data, auditUser } });
  return data;
}

function exported(reads: Reads, { which, environment, segmentDetails }: ExportRequest) {
  const features = selected(reads, which);
  const strategies = features.flatMap(({ name }) =>
    reads.strategies(name, environment).map((strategy) => ({ feature: name, strategy })),
  );
  const featureEnvironments = features.map(({ name }) => ({
    enabled: reads.enabled(name, environment),
    featureName: name,
    environment,
    variants: reads.variants(name, environment),
    name,
  }));
  const featureTags = features.flatMap(({ name: featureName }) =>
    reads.tagsOf(featureName).map(({ type, value }) => ({ featureName, tagType: type, tagValue: value })),
  );
  const used = new Set(strategies.flatMap(({ strategy }) => strategy.segments));
  const segments = reads.segments().filter(({ id }) => used.has(id));
  const types = new Set(featureTags.map(({ tagType }) => tagType));
  return {
    features: features.map(exportedFeature),
    featureStrategies: strategies.map(({ feature, strategy }) => exportedStrategy(feature, strategy)),
    featureEnvironments,
    contextFields: fieldsOf(
      reads,
      strategies.map(({ strategy }) => strategy),
      segmentDetails ? segments : [],
      featureEnvironments.flatMap(({ variants }) => variants),
    ),
    featureTags,
    segments: segments.map((segment) => exportedSegment(segment, segmentDetails)),
    tagTypes: tagTypesOf([...types]).filter(({ name }) => types.has(name)),
    dependencies: features.flatMap(({ name }) => exportedDependencies(reads, name)),
    links: [],
  };
}

function selected(reads: Reads, which: ExportRequest['which']): readonly Feature[] {
  const all = reads.features();
  switch (which.by) {
    case 'tag':
      return all.filter(({ name }) => reads.tagsOf(name).some(({ value }) => value === which.value));
    case 'features':
      return all.filter(({ name }) => which.names.length === 0 || which.names.includes(name));
    case 'project':
      return featuresOf(reads, which.project);
  }
}

function exportedFeature(feature: Feature) {
  const { createdAt: _createdAt, lastSeenAt: _lastSeenAt, ...rest } = featureOut(feature);
  return rest;
}

function exportedStrategy(featureName: string, strategy: Strategy) {
  const { name, id, title, parameters, constraints, variants, disabled, segments } = strategy;
  return { name, id, featureName, title, parameters, constraints, variants, disabled, segments };
}

function exportedSegment({ id, name, description, project, constraints }: Segment, details: boolean) {
  return { id, name, ...(details ? { description, project, constraints } : {}) };
}

function exportedDependencies(reads: Reads, feature: string) {
  const dependencies = reads
    .dependencies(feature)
    .map(({ parent, enabled, variants }) => ({ feature: parent, enabled, variants }));
  return dependencies.length === 0 ? [] : [{ feature, dependencies }];
}

/** The fields that a constraint looks at, or by which users are spread. */
function fieldsOf(
  reads: Reads,
  strategies: readonly Strategy[],
  segments: readonly Segment[],
  variants: Strategy['variants'],
) {
  const used = new Set<string>();
  for (const { parameters } of strategies) used.add(parameters['stickiness'] ?? '');
  for (const { constraints } of [...strategies, ...segments]) {
    for (const { contextName } of constraints) used.add(contextName);
  }
  for (const { stickiness, overrides = [] } of [
    ...variants,
    ...strategies.flatMap((strategy) => strategy.variants),
  ]) {
    if (stickiness !== undefined) used.add(stickiness);
    for (const { contextName } of overrides) used.add(contextName);
  }
  return reads
    .contextFields()
    .filter(({ name }) => used.has(name))
    .map(({ createdAt: _createdAt, ...field }) => field);
}
