import { type Choice, type ChooseDeps, copyTarget, isSafe } from './choose.ts';
import { createComplaints } from './complaints.ts';
import { type Copies, type CopyPlan, createCopies, noCopies } from './copies.ts';
import type { ErrorCode } from './errors.ts';
import type { Clock, Current, Log, Recorder, ShadowSink } from './ports.ts';
import { type Budget, createBudget } from './tap.ts';
import type { Admitted, Group, Observation, Route, ShadowJob, Side, SkipReason, Target } from './types.ts';

/** What a data plane needs from its neighbours. */
export interface DataPlaneDeps extends ChooseDeps {
  readonly current: Current;
  readonly shadow: ShadowSink;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes a request id: 1-128 visible characters. */
  nextId(): string;
}

/** How an exchange ended; exactly once. */
export interface Ending {
  readonly outcome: 'OK' | ErrorCode;
  /** What the client got. */
  readonly status: number;
  /** The side whose answer the client got, null when nobody's. */
  readonly served: Side | null;
  readonly fellBack: boolean;
  readonly durationMs: number;
  /** From the first dispatch to the last byte of an answer, or to what ended it. */
  readonly upstreamMs: number;
}

/** What of a forwarded request the accounts are about. */
export interface Accounted {
  readonly admitted: Admitted;
  readonly choice: Choice;
  readonly copies: Copies | null;
}

/** The books of a data plane: one terminal event per request, copies offered or skipped with a reason. Never throws. */
export interface Accounts {
  /** The copies to be made of a request, or null when it is no comparison at all. `rest` is asked only for copies. */
  copiesOf(
    choice: Choice,
    method: string,
    legacy: Target,
    rest: () => Omit<CopyPlan, 'choice' | 'group' | 'route' | 'other'>,
  ): Copies | null;
  /** A request was forwarded. */
  began(choice: Choice): void;
  /** The request left its service for legacy. */
  leftService(choice: Choice): void;
  /** The one terminal event of a request that was forwarded. */
  ended(request: Accounted, ending: Ending): void;
  /** The one terminal event of a request that was answered here: no route, no side. */
  answered(method: string, outcome: 'OK' | ErrorCode, status: number, durationMs: number): void;
  /** Takes one retry out of the budget. */
  mayRetry(): boolean;
  /** Other limits, for what begins from now on. */
  reconfigure(limits: AccountLimits): void;
  counts(): AccountCounts;
}

export interface AccountLimits {
  /** Memory of all copies in the making. */
  readonly shadowBytesMax: number;
  /** Retries as a share of requests, 0-1. */
  readonly retryShare: number;
}

export interface AccountCounts {
  /** Requests at the service of a group, by group name. */
  readonly serviceInFlight: ReadonlyMap<string, number>;
  readonly retries: number;
  /** Memory of copies in the making, and copies given up because it was full. */
  readonly copyBytes: number;
  readonly copyRefusals: number;
}

/** Retries that may follow each other at once. */
const RETRIES_MAX = 10;
const COMPLAIN_EVERY_MS = 1_000;

/** `later` runs a task in a tick of its own. */
export function createAccounts(
  deps: Pick<DataPlaneDeps, 'shadow' | 'recorder' | 'clock' | 'log'> & {
    later(task: () => void): void;
    /** How the runtime copies small pieces best. */
    copy(bytes: Uint8Array): Uint8Array;
  },
  given: AccountLimits,
): Accounts {
  let limits = given;
  const budget: Budget = createBudget(limits.shadowBytesMax, deps.copy);
  const complain = createComplaints(deps.clock, deps.log, COMPLAIN_EVERY_MS);
  /** By group name; a group that was once there stays, so that no request has to make or remove one. */
  const serviceInFlight = new Map<string, { now: number }>();
  /** Of this turn of the event loop. */
  let finished: ShadowJob[] = [];
  let retries = 0;
  let retriesLeft = RETRIES_MAX;

  /** A copy that would be refused is not made: most of what a busy group costs is the copying. */
  function busyOf(group: Group, route: Route, method: string): SkipReason | null {
    try {
      return deps.shadow.busy(group, route, method);
    } catch (error) {
      deps.log.error('shadow-busy-failed', { error });
      return 'compare-failed';
    }
  }

  /** After the last byte of the answer, in a tick of its own: a fault of the shadow side finds no exchange to harm. */
  function offerLater(job: ShadowJob): void {
    finished.push(job);
    if (finished.length === 1) deps.later(offerAll);
  }

  function offerAll(): void {
    const jobs = finished;
    finished = [];
    for (const job of jobs) offer(job);
  }

  function offer(job: ShadowJob): void {
    let skipped: SkipReason | null = 'compare-failed';
    try {
      skipped = deps.shadow.offer(job);
    } catch (error) {
      deps.log.error('shadow-offer-failed', { error });
    }
    eligible(job.group.name, skipped);
  }

  function observe(observation: Observation): void {
    if (observation.outcome !== 'OK') complain(observation);
    try {
      deps.recorder.observed(observation);
    } catch (error) {
      deps.log.error('recorder-failed', { error });
    }
  }

  function eligible(group: string, skipped: SkipReason | null): void {
    try {
      deps.recorder.eligible(group, skipped);
    } catch (error) {
      deps.log.error('recorder-failed', { error });
    }
  }

  function count(group: Group | null, by: 1 | -1): void {
    if (group === null) return;
    const running = serviceInFlight.get(group.name);
    if (running === undefined) serviceInFlight.set(group.name, { now: by });
    else running.now += by;
  }

  return {
    copiesOf(choice, method, legacy, rest) {
      const { group, route, shadow, decision } = choice;
      if (shadow !== 'copy' || group === null || route === null) return null;
      const busy = busyOf(group, route, method);
      if (busy !== null) return noCopies(busy);
      const other = decision.side === 'service' ? legacy : copyTarget(group, route, method);
      if (other === null) return noCopies('unsafe-method');
      return createCopies({ ...rest(), choice, group, route, other }, budget);
    },
    began({ decision, group }) {
      retriesLeft = Math.min(RETRIES_MAX, retriesLeft + limits.retryShare);
      if (decision.side === 'service') count(group, 1);
    },
    leftService: ({ group }) => count(group, -1),
    ended({ admitted, choice, copies }, ending) {
      const { side, reason } = choice.decision;
      if (side === 'service' && !ending.fellBack) count(choice.group, -1);
      observe({
        group: choice.group?.name ?? null,
        route: choice.route?.label ?? null,
        unit: choice.unit,
        role: 'primary',
        reason,
        assigned: side,
        served: ending.served,
        outcome: ending.outcome,
        status: ending.status,
        durationMs: ending.durationMs,
        upstreamMs: ending.upstreamMs,
        unsafe: !isSafe(admitted.method),
      });
      const copy = copies === null ? null : copies.finish({ ...ending, side });
      if (choice.group === null || choice.shadow === null) return;
      if (copy !== null && typeof copy === 'object') offerLater(copy);
      else eligible(choice.group.name, copy ?? (choice.shadow === 'copy' ? 'compare-failed' : choice.shadow));
    },
    answered(method, outcome, status, durationMs) {
      observe({
        group: null,
        route: null,
        unit: null,
        role: 'primary',
        reason: 'no-route',
        assigned: 'legacy',
        served: null,
        outcome,
        status,
        durationMs,
        upstreamMs: null,
        unsafe: !isSafe(method),
      });
    },
    mayRetry() {
      if (retriesLeft < 1) return false;
      retriesLeft -= 1;
      retries += 1;
      return true;
    },
    reconfigure(next) {
      limits = next;
      budget.resize(next.shadowBytesMax);
    },
    counts: () => ({
      serviceInFlight: new Map(
        [...serviceInFlight].flatMap(([name, { now }]) => (now === 0 ? [] : [[name, now] as const])),
      ),
      retries,
      copyBytes: budget.usedBytes(),
      copyRefusals: budget.refusals(),
    }),
  };
}
