import {
  createSegment,
  deleteSegment,
  existingSegment,
  requireFreeSegmentName,
  setStrategySegments,
  updateSegment,
} from '../change/segment.ts';
import { parseSegment, parseStrategySegments } from '../parse/segment.ts';
import { type Segment, segmentOut } from '../semantics.ts';
import type { Store } from '../store.ts';
import { bodyOf, need, string, wrong } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** Segments, and which strategies use them. */
export function addSegments({ at, store, rules, change }: Admin): void {
  at.post('/segments/validate', (request, response) => {
    requireFreeSegmentName(store, need(bodyOf(jsonOf(request)), '/body', 'name', string));
    response.status(204).end();
  });
  at.get('/segments/strategies/:id', (request, response) => {
    const ids = store.strategy(request.params.id)?.strategy.segments ?? [];
    const segments = ids.flatMap((id) => store.segment(id) ?? []);
    response.json({ segments: segments.map(segmentOut) });
  });
  at.post('/segments/strategies', (request, response) => {
    const body = bodyOf(jsonOf(request));
    const wanted = parseStrategySegments(body);
    change(response, (changes) => setStrategySegments(changes, wanted, rules));
    response
      .status(201)
      .location(`strategies/${encodeURIComponent(wanted.strategyId)}`)
      .json(body);
  });
  at.get('/segments/:id/strategies', (request, response) => {
    const { id } = existingSegment(store, idOf(request.params.id));
    const strategies = store.segmentUses(id).map(({ feature, environment, strategy }) => ({
      id: strategy.id,
      projectId: store.feature(feature)?.project,
      featureName: feature,
      strategyName: strategy.name,
      environment,
    }));
    response.json({ strategies, changeRequestStrategies: [] });
  });
  at.get('/segments', (_request, response) => {
    response.json({ segments: store.segments().map((segment) => listed(store, segment)) });
  });
  at.post('/segments', (request, response) => {
    const input = parseSegment(bodyOf(jsonOf(request)));
    const segment = change(response, (changes) => createSegment(changes, input, rules));
    response.status(201).location(`segments/${segment.id}`).json(segmentOut(segment));
  });
  at.get('/segments/:id', (request, response) => {
    response.json(segmentOut(existingSegment(store, idOf(request.params.id))));
  });
  at.put('/segments/:id', (request, response) => {
    const id = idOf(request.params.id);
    const input = parseSegment(bodyOf(jsonOf(request)));
    change(response, (changes) => updateSegment(changes, id, input, rules));
    response.status(204).end();
  });
  at.delete('/segments/:id', (request, response) => {
    const deleted = change(response, (changes) => deleteSegment(changes, idOf(request.params.id)));
    response.status(deleted ? 204 : 409).end();
  });
}

function idOf(text: string | undefined): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) throw wrong('/params/id', 'must be integer', text);
  return Number(text);
}

/** A segment in the list, with how many flags that are not archived use it. */
function listed(store: Store, segment: Segment) {
  const features = new Set(store.segmentUses(segment.id).map(({ feature }) => feature));
  const live = [...features]
    .flatMap((name) => store.feature(name) ?? [])
    .filter(({ archivedAt }) => archivedAt === null);
  const projects = new Set(live.map(({ project }) => project));
  return { ...segmentOut(segment), usedInProjects: projects.size, usedInFeatures: live.length };
}
