import { wilson } from '../core/interval.ts';
import type { Clock } from '../core/ports.ts';
import type { ArmDelta, GroupDelta, TrafficDelta } from '../core/tally.ts';
import type { Side } from '../core/types.ts';
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

export interface Traffic {
  /** Adds what a data plane has counted. */
  add(delta: TrafficDelta): void;
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

interface TrafficDeps {
  /** Those of the configuration in force: what is counted is bounded by them. */
  groups(): readonly string[];
  readonly clock: Clock;
}

/** Sums what the data planes report. */
export function createTraffic({ groups, clock }: TrafficDeps): Traffic {
  const counts = new Map<string, Counts>();
  let ungrouped = 0;

  function countsOf(name: string): Counts {
    const found = counts.get(name);
    if (found !== undefined) return found;
    const made = noCounts(clock.wall());
    if (groups().includes(name)) counts.set(name, made);
    return made;
  }

  for (const name of groups()) countsOf(name);
  return {
    add(delta) {
      ungrouped += delta.ungrouped;
      for (const group of delta.groups) {
        if (groups().includes(group.group)) addGroup(countsOf(group.group), group, clock.now());
        else ungrouped += group.legacy.requests + group.service.requests;
      }
      for (const name of counts.keys()) if (!groups().includes(name)) counts.delete(name);
    },
    of(name) {
      const { arms, ...rest } = countsOf(name);
      return { ...rest, legacy: armCounts(arms.legacy), service: armCounts(arms.service) };
    },
    restart(name) {
      const before = counts.get(name);
      if (before === undefined) return;
      // Writes outlive a move: they are debt, not the measure of one share.
      const { unsafeByService, lastServiceAt } = before;
      counts.set(name, { ...noCounts(clock.wall()), unsafeByService, lastServiceAt });
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

function addGroup(sum: Counts, delta: GroupDelta, now: number): void {
  addArm(sum.arms.legacy, delta.legacy);
  addArm(sum.arms.service, delta.service);
  sum.withoutUnit += delta.withoutUnit;
  sum.fallbacks += delta.fallbacks;
  sum.unsafeByService += delta.unsafeByService;
  if (delta.lastServiceAgeMs !== null)
    sum.lastServiceAt = Math.max(sum.lastServiceAt ?? 0, now - delta.lastServiceAgeMs);
}

function addArm(sum: Arm, delta: ArmDelta): void {
  sum.requests += delta.requests;
  sum.failures += delta.failures;
  sum.units.merge(delta.units);
}

function noCounts(since: number): Counts {
  const arm = (): Arm => ({ requests: 0, failures: 0, units: createUnitSample(UNITS_MAX) });
  const arms = { legacy: arm(), service: arm() };
  return { since, arms, withoutUnit: 0, fallbacks: 0, unsafeByService: 0, lastServiceAt: null };
}

function armCounts(arm: Arm): ArmCounts {
  return { requests: arm.requests, failures: arm.failures, units: arm.units.distinct };
}
