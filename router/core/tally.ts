/** Counts what the data plane did, to be handed on: over a function call or a pipe, and summed on the other side. */
import { ERRORS } from './errors.ts';
import type { Clock, Recorder } from './ports.ts';
import type { Observation, Side } from './types.ts';
import { createUnitSample, type UnitKeys, type UnitSample } from './unit-sample.ts';

/** Unit keys kept per group and side between two hand-overs; beyond it the number of units is an estimate. */
const UNITS_MAX = 16_384;

export interface ArmDelta {
  readonly requests: number;
  /** 5xx answers, failures of the side, fallbacks. */
  readonly failures: number;
  readonly units: UnitKeys;
}

/** What happened to one group since the last hand-over. */
export interface GroupDelta extends Readonly<Record<Side, ArmDelta>> {
  readonly group: string;
  /** Requests that nothing identified; they stay on the safe side. */
  readonly withoutUnit: number;
  /** The service failed and legacy answered. */
  readonly fallbacks: number;
  /** Writes the service answered: data only it may have. */
  readonly unsafeByService: number;
  /** How long ago the newest request towards the service began, ms; null when none ended. Clocks do not travel, ages do. */
  readonly lastServiceAgeMs: number | null;
}

export interface TrafficDelta {
  readonly groups: readonly GroupDelta[];
  /** Requests that belong to no group. */
  readonly ungrouped: number;
}

export interface Tally extends Pick<Recorder, 'observed'> {
  /** Everything counted since the last call. */
  drain(): TrafficDelta;
}

interface Arm {
  requests: number;
  failures: number;
  readonly units: UnitSample;
}

interface Counts {
  readonly arms: Record<Side, Arm>;
  withoutUnit: number;
  fallbacks: number;
  unsafeByService: number;
  lastServiceAt: number | null;
}

/** Groups are those of the snapshots in force since the last hand-over, so the map is bounded by them. */
export function createTally(clock: Pick<Clock, 'now'>): Tally {
  const counts = new Map<string, Counts>();
  let ungrouped = 0;
  return {
    observed(observation) {
      if (observation.group === null) {
        ungrouped += 1;
        return;
      }
      let group = counts.get(observation.group);
      if (group === undefined) {
        group = noCounts();
        counts.set(observation.group, group);
      }
      count(group, observation, clock);
    },
    drain() {
      const now = clock.now();
      const delta = { ungrouped, groups: [...counts].map(([name, group]) => deltaOf(name, group, now)) };
      counts.clear();
      ungrouped = 0;
      return delta;
    },
  };
}

function count(group: Counts, observation: Observation, clock: Pick<Clock, 'now'>): void {
  const { unit, assigned, served, outcome, status } = observation;
  const arm = group.arms[assigned];
  arm.requests += 1;
  // A client that leaves, or sends nonsense, never makes a side look sick.
  if (outcome === 'OK' ? status >= 500 : ERRORS[outcome].blame === 'side') arm.failures += 1;
  if (assigned === 'service')
    group.lastServiceAt = Math.max(group.lastServiceAt ?? 0, clock.now() - observation.durationMs);
  if (unit === null) group.withoutUnit += 1;
  else arm.units.add(unit);
  if (served === 'legacy' && assigned === 'service') group.fallbacks += 1;
  if (served === 'service' && observation.unsafe && status < 400) group.unsafeByService += 1;
}

function noCounts(): Counts {
  const arm = (): Arm => ({ requests: 0, failures: 0, units: createUnitSample(UNITS_MAX) });
  const arms = { legacy: arm(), service: arm() };
  return { arms, withoutUnit: 0, fallbacks: 0, unsafeByService: 0, lastServiceAt: null };
}

function deltaOf(group: string, { arms, lastServiceAt, ...rest }: Counts, now: number): GroupDelta {
  const lastServiceAgeMs = lastServiceAt === null ? null : now - lastServiceAt;
  return { group, ...rest, lastServiceAgeMs, legacy: armDelta(arms.legacy), service: armDelta(arms.service) };
}

function armDelta({ requests, failures, units }: Arm): ArmDelta {
  return { requests, failures, units: units.content() };
}
