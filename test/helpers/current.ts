import { buildTable, parsePattern } from '../../router/core/match.ts';
import type { Current } from '../../router/core/ports.ts';
import {
  AS_EVERYWHERE,
  COMPARED_AS_EVERYWHERE,
  PLAIN_SHADOW,
  PLAIN_TARGET,
} from '../../router/core/snapshot.ts';
import type { Group, Route, Snapshot, Target, WritePlan } from '../../router/core/types.ts';

export type TestGroup = Partial<Omit<Group, 'routes' | 'service'>> & {
  readonly name: string;
  /** Origin of the service. */
  readonly service: string;
  /** `GET /a/:id`; prefix `!` marks a safe method with effects. */
  readonly routes: readonly string[];
  /** By route. */
  readonly writes?: Readonly<Record<string, WritePlan>>;
  readonly rewriteLocation?: Target['rewriteLocation'];
};

/** A target without rewriting. */
export function targetAt(
  name: string,
  origin: string,
  rewriteLocation: Target['rewriteLocation'] = [],
): Target {
  return { ...PLAIN_TARGET, name, origin, rewriteLocation };
}

/** A snapshot out of a few words; every default is the first day of a migration (stage legacy, ceiling 0). */
export function snapshotOf(
  legacy: string | Target,
  groups: readonly TestGroup[] = [],
  revision = 1,
): Snapshot {
  const built = groups.map(groupOf);
  return {
    revision,
    legacy: typeof legacy === 'string' ? targetAt('legacy', legacy) : legacy,
    groups: new Map(built.map((group) => [group.name, group])),
    table: buildTable(built.flatMap((group) => group.routes)),
  };
}

/** A routing state that can be swapped. */
export function currentOf(first: Snapshot): Current & { set(next: Snapshot): void } {
  let snapshot = first;
  return {
    get: () => snapshot,
    set(next) {
      snapshot = next;
    },
  };
}

function groupOf({ service, routes, rewriteLocation, writes = {}, ...given }: TestGroup): Group {
  return {
    groupId: given.name,
    rev: 1,
    epoch: 1,
    stage: 'legacy',
    ceiling: 0,
    stopped: null,
    unit: [],
    shadowLimits: { perSecondMax: 50, inFlightMax: 8, bodyBytesMax: 65_536, timeoutMs: 2_000 },
    shadowPolicy: PLAIN_SHADOW,
    shadowService: null,
    forwarding: AS_EVERYWHERE,
    rules: [],
    comparing: COMPARED_AS_EVERYWHERE,
    ...given,
    service: targetAt(given.name, service, rewriteLocation),
    routes: routes.map((text) => ({ ...routeOf(text, given.name), writes: writes[text] ?? null })),
  };
}

function routeOf(text: string, group: string): Route {
  const effects = text.startsWith('!');
  const label = effects ? text.slice(1) : text;
  const [method = '', pattern = ''] = label.split(' ');
  const segments = parsePattern(pattern);
  if (segments === null) throw new RangeError(`not a route: ${text}`);
  return { label, method, segments, effects, writes: null, group };
}
