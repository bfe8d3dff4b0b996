import { assertNever } from './assert.ts';
import { decide } from './decide.ts';
import { murmur3, position } from './hash.ts';
import { match } from './match.ts';
import type { FlagReader } from './ports.ts';
import type {
  Admitted,
  Answer,
  Decision,
  FlagIntent,
  Group,
  Route,
  Side,
  SkipReason,
  Snapshot,
  Target,
} from './types.ts';
import { unitId } from './unit.ts';

/** Everything that was decided about one request, once; it travels with the exchange to logs, shadow and explain. */
export interface Choice {
  readonly route: Route | null;
  readonly group: Group | null;
  /** The sticky key, or null: nobody to be sticky for. */
  readonly unit: string | null;
  /** Where the unit stands in its group, 0-100; null without a unit. */
  readonly position: number | null;
  readonly intent: FlagIntent;
  readonly decision: Decision;
  /** Where the request goes. */
  readonly target: Target;
  /** Not a comparison at all (`null`), to be copied (`'copy'`), or skipped with the reason. */
  readonly shadow: 'copy' | SkipReason | null;
}

export interface ChooseDeps {
  readonly flags: Pick<FlagReader, 'read'>;
  /** Raw id to sticky key: first 32 lower-case hex digits of SHA-256 over UTF-8. */
  keyOf(id: string): string;
}

const NO_INTENT: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'missing' };
const NO_PROPERTIES: Readonly<Record<string, string>> = {};

/**
 * Route, unit, flags, decision: one synchronous run over one snapshot and one flag reading. The same function
 * serves the data plane and `fig explain`. `ungrouped`: legacy answers, whatever the path says.
 */
export function choose(
  snapshot: Snapshot,
  request: Admitted,
  requestId: string,
  deps: ChooseDeps,
  ungrouped = false,
): Choice {
  const route = ungrouped ? null : match(snapshot.table, request.method, request.path);
  const group = route === null ? null : (snapshot.groups.get(route.group) ?? null);
  if (route === null || group === null) {
    const decision = decide(null);
    const target = snapshot.legacy;
    return { route, group, unit: null, position: null, intent: NO_INTENT, decision, target, shadow: null };
  }
  const id = unitId(request.fields, group.unit);
  const unit = id === null ? null : deps.keyOf(id);
  const at = unit === null ? null : position(group.groupId, unit);
  const intent = deps.flags.read(group.name, { unit, requestId, properties: NO_PROPERTIES });
  const serve = withinCeiling(intent.serve, at, group.ceiling);
  const { stage, stopped } = group;
  const decision = decide({ stage, stopped, serve, shadow: intent.shadow });
  const target = decision.side === 'service' ? group.service : snapshot.legacy;
  const shadow = shadowPlan(request, route, group, {
    side: decision.side,
    ...sampled(group, unit, requestId, intent, deps),
  });
  return { route, group, unit, position: at, intent, decision, target, shadow };
}

/** Flags propose, the ledger disposes: a flag that says `on` above the ceiling is `off` for that unit. */
function withinCeiling(serve: Answer, at: number | null, ceiling: number): Answer {
  if (serve !== 'on' || ceiling >= 100) return serve;
  return at !== null && at < ceiling ? 'on' : 'off';
}

interface Sampled {
  readonly answer: Answer;
  readonly cause: FlagIntent['cause'];
  /** What the sample goes by; null: nobody to be sticky for. */
  readonly key: string | null;
}

/** By unit the answer came with the other flag's; by request it is that of a unit nobody else has. */
function sampled(
  { name, stage, shadowPolicy }: Group,
  unit: string | null,
  requestId: string,
  intent: FlagIntent,
  { flags, keyOf }: ChooseDeps,
): Sampled {
  const watched = stage === 'shadow' || stage === 'canary' || stage === 'live';
  if (shadowPolicy.sampleBy === 'unit' || !watched)
    return { answer: intent.shadow, cause: intent.cause, key: unit };
  const key = keyOf(requestId);
  const { shadow, cause } = flags.read(name, { unit: key, requestId, properties: NO_PROPERTIES });
  return { answer: shadow, cause, key };
}

/** Whether the request is copied to the other side, and if not, why. First reason wins. */
function shadowPlan(
  request: Admitted,
  route: Route,
  group: Group,
  { answer, cause, key, side }: Sampled & { readonly side: Side },
): 'copy' | SkipReason | null {
  if (group.stage === 'legacy' || group.stage === 'sealed' || group.stage === 'retired') return null;
  if (group.stopped === 'killed') return 'killed';
  if (request.marked) return 'marked';
  if (request.upgrade) return 'upgrade';
  // A service must never see a write twice, nor a copy of a read that acts; legacy gets no writes of the service.
  const isWrite = changes(request.method, route);
  if (isWrite && (side === 'service' || copyTarget(group, route, request.method) === null))
    return isSafe(request.method) ? 'effectful-route' : 'unsafe-method';
  if (answer === 'unknown') return cause === 'no-unit' ? 'no-unit' : 'flag-unknown';
  return answer === 'on' && isThinned(group.shadowPolicy.thin, key) ? 'copy' : 'flag-off';
}

/** Whether a request of the route may change something. */
export function changes(method: string, route: Pick<Route, 'effects'>): boolean {
  return route.effects || !isSafe(method);
}

/** Where a copy of a request of the route goes while legacy answers; null: it must not be copied. */
export function copyTarget(group: Group, route: Route, method: string): Target | null {
  if (!changes(method, route)) return group.service;
  if (route.writes === null) return null;
  const { mode } = route.writes;
  switch (mode) {
    case 'dry-run':
    case 'idempotent':
      return group.service;
    case 'shadow-database':
      return group.shadowService;
    default:
      return assertNever(mode);
  }
}

/** Of the sample, the part that `thin` leaves: the same key hashed once more, in ten-thousandths. */
function isThinned(thin: number, key: string | null): boolean {
  return thin >= 1 || (key !== null && murmur3(key, THIN_SEED) % 10_000 < thin * 10_000);
}

/** Another one than that of the flags, so that the two samples have nothing to do with each other. */
const THIN_SEED = 0x5ad0;

/** RFC 9110 §9.2.1, less TRACE, which is never forwarded. */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}
