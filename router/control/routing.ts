import type { Current, Ledger } from '../core/ports.ts';
import { buildSnapshot, keepIdentity, type RoutingPlan } from '../core/snapshot.ts';
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
  /** Another configuration is in force, in one swap. What it leaves as it was stays the same object. */
  replan(plan: RoutingPlan): Snapshot;
  /** Called with every new snapshot, in the tick of the swap; returns the unsubscriber. */
  onSwap(listener: (snapshot: Snapshot) => void): () => void;
}

export function createRouting(deps: {
  readonly plan: RoutingPlan;
  readonly ledger: Pick<Ledger, 'state'>;
}): Routing {
  const stops = new Map<string, Stop>();
  const listeners = new Set<(snapshot: Snapshot) => void>();
  let { plan } = deps;
  let current = buildSnapshot(1, plan, deps.ledger.state(), stops);
  const rebuild = () => {
    const next = buildSnapshot(current.revision + 1, plan, deps.ledger.state(), stops);
    current = keepIdentity(current, next);
    for (const listener of listeners) listener(current);
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
    replan(next) {
      plan = next;
      return rebuild();
    },
    onSwap(listener) {
      const subscription = (snapshot: Snapshot) => listener(snapshot);
      listeners.add(subscription);
      return () => void listeners.delete(subscription);
    },
  };
}
