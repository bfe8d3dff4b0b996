import { createHash } from 'node:crypto';
import type { DataPlaneDeps } from '../../router/core/accounts.ts';
import type { Clock, Log, Recorder, ShadowSink } from '../../router/core/ports.ts';
import type { FlagIntent, Observation, ShadowJob, SkipReason, Snapshot } from '../../router/core/types.ts';
import { realClock } from './clock.ts';
import { currentOf } from './current.ts';
import { createWatch } from './watch.ts';

interface LogLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a data plane told its neighbours. */
export interface Told {
  readonly observed: readonly Observation[];
  readonly eligible: readonly (readonly [group: string, skipped: SkipReason | null])[];
  readonly jobs: readonly ShadowJob[];
  readonly log: readonly LogLine[];
  swap(next: Snapshot): void;
  /** Resolves once `n` requests have ended. */
  ended(n: number): Promise<readonly Observation[]>;
  /** Resolves once `n` eligible requests have been accounted for. */
  accounted(n: number): Promise<readonly (readonly [string, SkipReason | null])[]>;
}

/** The doubles around a data plane; each may be replaced. */
export interface Around {
  readonly snapshot: Snapshot;
  readonly intent?: FlagIntent;
  readonly sink?: ShadowSink;
  readonly clock?: Clock;
  /** Told after the list of observations has been. */
  readonly recorder?: Recorder;
  readonly flags?: DataPlaneDeps['flags'];
}

const UNKNOWN: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'missing' };

/** First 32 hex digits of SHA-256, as everywhere. */
export function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}

/** Neighbours that keep everything they are told. Request ids are `test-1`, `test-2` … */
export function createNeighbours(given: Around): { readonly deps: DataPlaneDeps; readonly told: Told } {
  const observed: Observation[] = [];
  const eligible: (readonly [string, SkipReason | null])[] = [];
  const jobs: ShadowJob[] = [];
  const log: LogLine[] = [];
  const watch = createWatch();
  const current = currentOf(given.snapshot);
  let ids = 0;
  const say =
    (level: keyof Log) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      log.push({ level, event, fields });
    };
  const deps: DataPlaneDeps = {
    current,
    flags: given.flags ?? { read: () => given.intent ?? UNKNOWN },
    keyOf,
    shadow: given.sink ?? {
      busy: () => null,
      offer(job) {
        jobs.push(job);
        return null;
      },
    },
    recorder: {
      observed(observation) {
        observed.push(observation);
        watch.wake();
        given.recorder?.observed(observation);
      },
      eligible(group, skipped) {
        eligible.push([group, skipped]);
        watch.wake();
        given.recorder?.eligible(group, skipped);
      },
    },
    clock: given.clock ?? realClock,
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    nextId: () => `test-${++ids}`,
  };
  const told: Told = {
    observed,
    eligible,
    jobs,
    log,
    swap: current.set,
    async ended(n) {
      await watch.until(() => observed.length >= n);
      return observed;
    },
    async accounted(n) {
      await watch.until(() => eligible.length >= n);
      return eligible;
    },
  };
  return { deps, told };
}
