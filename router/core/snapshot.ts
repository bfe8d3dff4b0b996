import { buildTable } from './match.ts';
import type { GroupState, LedgerState } from './rollout.ts';
import type {
  CompareRule,
  Group,
  GroupComparing,
  GroupForwarding,
  Route,
  ShadowLimits,
  ShadowPolicy,
  Snapshot,
  Stop,
  Target,
  UnitSource,
} from './types.ts';

/** Everything of an upstream that is not its name and origin, where nothing else is said. */
export const PLAIN_TARGET = {
  host: null,
  tls: null,
  rewriteLocation: [],
  rewriteCookieDomain: [],
  rewriteCookiePath: [],
  buildHeader: null,
} as const satisfies Partial<Target>;

/** A group that sets nothing differently. */
export const AS_EVERYWHERE: GroupForwarding = {
  upstreamHeadMs: null,
  totalMs: null,
  requestBodyBytesMax: null,
  onDisagree: 'refuse',
};

/** A group with a unit that sets nothing differently. */
export const PLAIN_SHADOW: ShadowPolicy = {
  sampleBy: 'unit',
  thin: 1,
  conditional: 'remove',
  host: 'preserve',
  dropHeaders: [],
  answerBytesMax: 262_144,
  connectTimeoutMs: 500,
  queueAgeMsMax: 2_000,
  baseline: { first: 200, rate: 0.05, perSecondMax: 5 },
};

/** A group whose comparisons are shown and weighed as everywhere. */
export const COMPARED_AS_EVERYWHERE: GroupComparing = { showValues: [], buildsIgnored: false, budget: 0.001 };

/** A group as the configuration describes it. */
export interface GroupPlan {
  readonly name: string;
  readonly service: Target;
  readonly unit: readonly UnitSource[];
  readonly routes: readonly Route[];
  readonly shadowLimits: ShadowLimits;
  readonly shadowPolicy: ShadowPolicy;
  readonly shadowService: Target | null;
  readonly forwarding: GroupForwarding;
  readonly rules: readonly CompareRule[];
  readonly comparing: GroupComparing;
}

export interface RoutingPlan {
  readonly legacy: Target;
  readonly groups: readonly GroupPlan[];
}

/**
 * Joins configuration, ledger and the stops in force into one immutable routing state. A group the ledger does
 * not know yet stays on legacy. `stops` holds what is visible before it is recorded.
 */
export function buildSnapshot(
  revision: number,
  plan: RoutingPlan,
  state: LedgerState,
  stops: ReadonlyMap<string, Stop>,
): Snapshot {
  const groups = new Map<string, Group>();
  for (const group of plan.groups) {
    const recorded = state.groups.get(group.name);
    // Those of the configuration come first: of two that decide about one value they win.
    const rules = [...group.rules, ...(recorded?.rules ?? []).map(({ rule }) => rule)];
    const routed = routing(group.name, recorded, stops.get(group.name) ?? null);
    groups.set(group.name, { ...group, rules, ...routed });
  }
  return { revision, legacy: plan.legacy, groups, table: buildTable(plan.groups.flatMap((g) => g.routes)) };
}

/**
 * `next`, with every upstream and rule list that says the same as in `before` being the same object: pools and
 * digests hang on them, and a copy that came over a pipe has lost who it was.
 */
export function keepIdentity(before: Snapshot, next: Snapshot): Snapshot {
  const groups = new Map<string, Group>();
  for (const [name, group] of next.groups) {
    const known = before.groups.get(name);
    groups.set(
      name,
      known === undefined
        ? group
        : {
            ...group,
            service: same(known.service, group.service),
            shadowService: same(known.shadowService, group.shadowService),
            rules: same(known.rules, group.rules),
          },
    );
  }
  return { ...next, legacy: same(before.legacy, next.legacy), groups };
}

/** Plain data on both sides, with keys in one order: it came from one place. */
function same<T>(before: T, next: T): T {
  return before === next || JSON.stringify(before) === JSON.stringify(next) ? before : next;
}

/** The part of the shadow limits that one of several workers may use; each may do at least one copy. */
export function shadowPart(snapshot: Snapshot, workers: number): Snapshot {
  const part = (whole: number) => Math.max(1, Math.floor(whole / workers));
  const groups = new Map<string, Group>();
  for (const [name, group] of snapshot.groups) {
    const { perSecondMax, inFlightMax } = group.shadowLimits;
    const shadowLimits = {
      ...group.shadowLimits,
      perSecondMax: part(perSecondMax),
      inFlightMax: part(inFlightMax),
    };
    const { baseline } = group.shadowPolicy;
    const shadowPolicy = {
      ...group.shadowPolicy,
      baseline: {
        ...baseline,
        first: Math.ceil(baseline.first / workers),
        perSecondMax: baseline.perSecondMax / workers,
      },
    };
    groups.set(name, { ...group, shadowLimits, shadowPolicy });
  }
  return { ...snapshot, groups };
}

/** These groups, or all, are killed; sealed ones have no legacy to return to. */
export function withKilled(snapshot: Snapshot, asked: 'all' | ReadonlySet<string>): Snapshot {
  const groups = new Map<string, Group>();
  for (const [name, group] of snapshot.groups) {
    const meant = asked === 'all' || asked.has(name);
    const sealed = group.stage === 'sealed' || group.stage === 'retired';
    groups.set(name, meant && !sealed ? { ...group, stopped: 'killed' } : group);
  }
  return { ...snapshot, groups };
}

function routing(name: string, recorded: GroupState | undefined, stop: Stop | null) {
  if (recorded === undefined) {
    return { groupId: name, rev: 0, epoch: 0, stage: 'legacy', ceiling: 0, stopped: stop } as const;
  }
  const { groupId, rev, epoch, stage, share, killed } = recorded;
  // A kill outranks a trip: it also stops shadowing.
  return {
    groupId,
    rev,
    epoch,
    stage,
    ceiling: stage === 'live' ? 100 : share,
    stopped: killed ? 'killed' : stop,
  } as const;
}
