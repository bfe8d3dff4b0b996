/** Which copies legacy is asked a second time for, so that what differs by itself is known. */
import { changes } from '../core/choose.ts';
import type { BaselineCounts } from '../core/ports.ts';
import type { ShadowJob } from '../core/types.ts';

export interface Baselines {
  /** Whether legacy is asked again for this job; then `over` must be called once. `busy`: there is no room for it. */
  wants(job: ShadowJob, now: number, busy: () => boolean): boolean;
  over(judged: boolean): void;
  counts(): BaselineCounts;
}

interface Lane {
  tokens: number;
  refilledAt: number;
  /** Second calls by route. */
  readonly started: Map<string, number>;
}

/** Second calls at once, all groups together. */
const IN_FLIGHT_MAX = 16;
const GROUPS_MAX = 1_000;

/** `random`: 0 to below 1. */
export function createBaselines(random: () => number): Baselines {
  const lanes = new Map<string, Lane>();
  let inFlight = 0;
  const counts = { started: 0, judged: 0, lost: 0, shed: 0 };

  function laneOf({ group }: ShadowJob, now: number): Lane {
    const { perSecondMax } = group.shadowPolicy.baseline;
    /** Less than one a second is one every now and then. */
    const most = Math.max(1, perSecondMax);
    let lane = lanes.get(group.name);
    if (lane === undefined) {
      const [oldest] = lanes.keys();
      if (lanes.size >= GROUPS_MAX && oldest !== undefined) lanes.delete(oldest);
      lane = { tokens: most, refilledAt: now, started: new Map() };
      lanes.set(group.name, lane);
    }
    lane.tokens = Math.min(most, lane.tokens + ((now - lane.refilledAt) / 1_000) * perSecondMax);
    lane.refilledAt = now;
    return lane;
  }

  return {
    wants(job, now, busy) {
      const { first, rate, perSecondMax } = job.group.shadowPolicy.baseline;
      // A write is never repeated, and legacy as the copy's side has its answer already.
      if (perSecondMax === 0 || job.primary !== 'legacy' || changes(job.request.method, job.route))
        return false;
      const lane = laneOf(job, now);
      const { label } = job.route;
      const started = lane.started.get(label) ?? 0;
      if (started >= first && random() >= rate) return false;
      if (lane.tokens < 1 || inFlight >= IN_FLIGHT_MAX || busy()) {
        counts.shed += 1;
        return false;
      }
      lane.tokens -= 1;
      // Routes are configured; after a reload those that are gone are few.
      lane.started.set(label, started + 1);
      inFlight += 1;
      counts.started += 1;
      return true;
    },
    over(judged) {
      inFlight -= 1;
      counts[judged ? 'judged' : 'lost'] += 1;
    },
    counts: () => ({ ...counts }),
  };
}
