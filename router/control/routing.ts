import type { Current, Ledger } from '../core/ports.ts';
import { buildSnapshot, type RoutingPlan } from '../core/snapshot.ts';
import type { Snapshot, Stop } from '../core/types.ts';

/** Holds the snapshot in force. Every change is a new snapshot with a higher revision; readers keep what they read. */
export interface Routing extends Current {
  /**
   * Everything of the group goes to legacy from the next request on, before anything is recorded. It stays so
   * until `refresh` settles exactly this stop; a trip does not replace a kill.
   */
  stop(group: string, stop: Stop): void;
  /** Reads ledger and configuration again; `settled` = the ledger now says what this stop of the group said. */
  refresh(settled?: { readonly group: string; readonly stop: Stop }): Snapshot;
}

export function createRouting(deps: {
  readonly plan: RoutingPlan;
  readonly ledger: Pick<Ledger, 'state'>;
}): Routing {
  const stops = new Map<string, Stop>();
  let current = buildSnapshot(1, deps.plan, deps.ledger.state(), stops);
  const rebuild = () => {
    current = buildSnapshot(current.revision + 1, deps.plan, deps.ledger.state(), stops);
    return current;
  };
  return {
    get: () => current,
    stop(group, stop) {
      if (stops.get(group) !== 'killed') stops.set(group, stop);
      rebuild();
    },
    refresh(settled) {
      if (settled !== undefined && stops.get(settled.group) === settled.stop) stops.delete(settled.group);
      return rebuild();
    },
  };
}
