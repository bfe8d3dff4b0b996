import { ERRORS } from '../core/errors.ts';
import { wilson } from '../core/interval.ts';
import type { Clock, Recorder } from '../core/ports.ts';
import type { Observation, Side } from '../core/types.ts';
import { createUnitSample, type UnitSample } from '../core/unit-sample.ts';

/** Unit keys remembered per group and side; beyond it the number of units is an estimate. */
const UNITS_MAX = 65_536;

/** What a side was given since the group last moved. */
export interface ArmCounts {
  readonly requests: number;
  /** 5xx answers, failures of the side, fallbacks. */
  readonly failures: number;
  /** Distinct units. */
  readonly units: number;
}

export interface GroupTraffic {
  /** Since when, wall time in ms. */
  readonly since: number;
  readonly legacy: ArmCounts;
  readonly service: ArmCounts;
  /** Requests that nothing identified; they stay on the safe side. */
  readonly withoutUnit: number;
  /** The service failed and legacy answered. */
  readonly fallbacks: number;
  /** Writes the service answered: data only it may have. */
  readonly unsafeByService: number;
  /** When the newest request towards the service began, monotonic ms; null when none has ended yet. */
  readonly lastServiceAt: number | null;
}

export interface Traffic extends Pick<Recorder, 'observed'> {
  of(group: string): GroupTraffic;
  /** The group moved: what was counted belongs to the time before. */
  restart(group: string): void;
  /** Requests that belong to no group. */
  readonly ungrouped: number;
}

interface Arm {
  requests: number;
  failures: number;
  readonly units: UnitSample;
}

interface Counts {
  since: number;
  readonly arms: Record<Side, Arm>;
  withoutUnit: number;
  fallbacks: number;
  unsafeByService: number;
  lastServiceAt: number | null;
}

/** Counts what the data plane reports. The groups are those of the configuration, so the maps are bounded by it. */
export function createTraffic(deps: { readonly groups: readonly string[]; readonly clock: Clock }): Traffic {
  const counts = new Map(deps.groups.map((group) => [group, emptyCounts(deps.clock.wall())]));
  let ungrouped = 0;
  return {
    observed(observation) {
      const group = observation.group === null ? undefined : counts.get(observation.group);
      if (group === undefined) ungrouped += 1;
      else count(group, observation, deps.clock.now());
    },
    of(name) {
      const group = counts.get(name) ?? emptyCounts(deps.clock.wall());
      const { arms, ...rest } = group;
      return { ...rest, legacy: armCounts(arms.legacy), service: armCounts(arms.service) };
    },
    restart(name) {
      const before = counts.get(name);
      if (before === undefined) return;
      // Writes outlive a move: they are debt, not the measure of one share.
      const { unsafeByService, lastServiceAt } = before;
      counts.set(name, { ...emptyCounts(deps.clock.wall()), unsafeByService, lastServiceAt });
    },
    get ungrouped() {
      return ungrouped;
    },
  };
}

/** Share of units that were given to the service, percent with its 95 % interval; null while no unit was seen. */
export function measuredShare(traffic: GroupTraffic): {
  readonly percent: number;
  readonly lower: number;
  readonly upper: number;
  readonly units: number;
} | null {
  const units = traffic.legacy.units + traffic.service.units;
  if (units === 0) return null;
  const { lower, upper } = wilson(traffic.service.units, units);
  return { percent: (100 * traffic.service.units) / units, lower: 100 * lower, upper: 100 * upper, units };
}

function count(group: Counts, observation: Observation, now: number): void {
  const { unit, assigned, served, outcome, status } = observation;
  const arm = group.arms[assigned];
  arm.requests += 1;
  // A client that leaves, or sends nonsense, never makes a side look sick.
  if (outcome === 'OK' ? status >= 500 : ERRORS[outcome].blame === 'side') arm.failures += 1;
  if (assigned === 'service')
    group.lastServiceAt = Math.max(group.lastServiceAt ?? 0, now - observation.durationMs);
  if (unit === null) group.withoutUnit += 1;
  else arm.units.add(unit);
  if (served === 'legacy' && assigned === 'service') group.fallbacks += 1;
  if (served === 'service' && observation.unsafe && status < 400) group.unsafeByService += 1;
}

function emptyCounts(since: number): Counts {
  const arm = (): Arm => ({ requests: 0, failures: 0, units: createUnitSample(UNITS_MAX) });
  const arms = { legacy: arm(), service: arm() };
  return { since, arms, withoutUnit: 0, fallbacks: 0, unsafeByService: 0, lastServiceAt: null };
}

function armCounts(arm: Arm): ArmCounts {
  return { requests: arm.requests, failures: arm.failures, units: arm.units.distinct };
}
