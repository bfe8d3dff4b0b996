import { requireSegment, type SegmentBody, type StrategySegments } from '../parse/segment.ts';
import { badRule, exceeds, Problem } from '../problem.ts';
import { canonicalJson, type Segment, type Strategy, segmentOut, strategyOut } from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';
import { type Rules, recordAt, recordShared } from './record.ts';

/** The segment of that id. 404 when there is none. */
export function existingSegment(reads: Reads, id: number): Segment {
  const segment = reads.segment(id);
  if (segment === null) throw new Problem('NotFoundError', `No segment exists with ID "${id}"`);
  return segment;
}

/** 400 without a name, 409 when it is taken. */
export function requireFreeSegmentName(reads: Reads, name: string): void {
  if (name === '') throw badRule('Segment name cannot be empty');
  if (reads.segments().some((segment) => segment.name === name)) {
    throw new Problem('NameExistsError', 'Segment name already exists');
  }
}

export function createSegment(changes: Changes, body: SegmentBody, { limits }: Rules): Segment {
  if (changes.segments().length >= limits.segmentsMax) throw exceeds('segment', limits.segmentsMax);
  requireSegment(body, limits, changes.contextFields());
  requireFreeSegmentName(changes, body.name);
  const segment = changes.insertSegment({
    ...body,
    id: null,
    description: body.description ?? null,
    createdBy: changes.actor.name,
    createdAt: changes.now,
  });
  recordShared(changes, 'segment-created', { data: segmentOut(segment), project: segment.project });
  return segment;
}

/** A description that is left out stays; a project that is left out is none. A change of nothing makes no event. */
export function updateSegment(changes: Changes, id: number, body: SegmentBody, { limits }: Rules): void {
  requireSegment(body, limits, changes.contextFields());
  const old = existingSegment(changes, id);
  if (body.name !== old.name) requireFreeSegmentName(changes, body.name);
  const { name, description = old.description, project, constraints } = body;
  const segment = { ...old, name, description, project, constraints };
  const [data, preData] = [segmentOut(segment), segmentOut(old)];
  if (canonicalJson(data) === canonicalJson(preData)) return;
  changes.updateSegment(segment);
  recordShared(changes, 'segment-updated', { data, preData, project });
}

/** False: a strategy uses it, so it stays. */
export function deleteSegment(changes: Changes, id: number): boolean {
  if (changes.segmentUses(id).length > 0) return false;
  const segment = existingSegment(changes, id);
  changes.deleteSegment(id);
  recordShared(changes, 'segment-deleted', { preData: segmentOut(segment), project: segment.project });
  return true;
}

/**
 * The segments a strategy is to have: what it has stays in its order, new ones follow. 400 above the limit, or for
 * one of another project, 404 for one that does not exist.
 */
export function settleSegments(
  reads: Reads,
  project: string,
  wanted: readonly number[],
  current: readonly number[],
  { limits }: Rules,
): readonly number[] {
  const ids = [...new Set(wanted)];
  const foreign = ids
    // What an import left without its segment may stay.
    .filter((id) => !current.includes(id))
    .map((id) => existingSegment(reads, id))
    .filter((segment) => segment.project !== null && segment.project !== project);
  if (foreign.length > 0) {
    const names = foreign.map(({ name, id }) => `${name} with id ${id}`).join(',');
    throw badRule(`The segments ${names} does not belong to project "${project}"`);
  }
  if (ids.length > limits.strategySegmentsMax) {
    throw badRule(`Strategies may not have more than ${limits.strategySegmentsMax} segments`);
  }
  return [...current.filter((id) => ids.includes(id)), ...ids.filter((id) => !current.includes(id))];
}

/** Gives a strategy exactly these segments. Without an event, as Unleash does it, clients would keep the old ones. */
export function setStrategySegments(
  changes: Changes,
  { strategyId, projectId, segmentIds }: StrategySegments,
  rules: Rules,
): void {
  const found = changes.strategy(strategyId);
  if (found === null) {
    throw new Problem('NotFoundError', `Could not find strategy with id ${strategyId}`);
  }
  const { feature, environment, strategy: old } = found;
  const project = changes.feature(feature)?.project ?? projectId;
  const segments = settleSegments(changes, project, segmentIds, old.segments, rules);
  const strategy: Strategy = { ...old, segments, overlay: null };
  const [data, preData] = [strategyOut(strategy), strategyOut(old)];
  if (canonicalJson(data) === canonicalJson(preData)) return;
  changes.updateStrategy(strategy);
  if (rules.policy === 'unleash') return;
  recordAt(changes, 'feature-strategy-update', { project, feature, environment }, { data, preData });
}
