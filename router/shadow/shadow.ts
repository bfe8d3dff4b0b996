/** The shadow side put together: queue, replay, compare, record. Nothing here can delay or change an answer. */
import { assertNever } from '../core/assert.ts';
import type { ServiceReply } from '../core/compare/comparison.ts';
import { type Outcome, outcomeOf } from '../core/outcome.ts';
import type {
  Clock,
  ComparisonStore,
  CopyMeter,
  EvidenceKey,
  Log,
  Replayed,
  Replayer,
  ShadowSink,
} from '../core/ports.ts';
import type { Captured, Fields, ShadowJob, Side, SkipReason } from '../core/types.ts';
import { headerValue } from '../core/unit.ts';
import { createBreaker } from './breaker.ts';
import { COMPARER_LIMITS, type ComparerLimits, createComparer } from './comparer.ts';
import { areIdentical } from './identical.ts';
import type { Judged } from './judge.ts';
import type { PairMeta } from './pair.ts';
import { createQueue, QUEUE_LIMITS, type QueueLimits, type Ticket } from './queue.ts';
import { createRecorder, type ShadowCounts } from './record.ts';
import { createRuleSets } from './rule-sets.ts';

export interface ShadowDeps {
  readonly clock: Clock;
  readonly store: Pick<ComparisonStore, 'flush'>;
  readonly log: Log;
  readonly meter: CopyMeter;
  /** Secret of this installation for digests of values; at least 16 bytes. */
  readonly key: Uint8Array;
  /** True while the process has no time for copies (event loop late, primary near its limit). Called per offer. */
  readonly overloaded: () => boolean;
  /** Sends the copies; started and stopped with the shadow side. */
  readonly replayer: Replayer;
}

export interface ShadowOptions {
  readonly queue: QueueLimits;
  readonly comparer: ComparerLimits;
  /** Largest decoded body of one side, bytes. */
  readonly decodedBytesMax: number;
  readonly flushMs: number;
}

export const SHADOW_OPTIONS: ShadowOptions = {
  queue: QUEUE_LIMITS,
  comparer: COMPARER_LIMITS,
  decodedBytesMax: 4 * 1024 * 1024,
  flushMs: 1000,
};

export interface Shadow extends ShadowSink {
  /** Counts a request that never became a copy. With null it does nothing: a copy is counted when it is settled. */
  eligible(group: string, skipped: SkipReason | null): void;
  counts(group: string): ShadowCounts;
  /** What the shadow side holds and has lost, for status and metrics. */
  health(): ShadowHealth;
  /** Everything counted so far is in the store afterwards, or still held if the store refuses. */
  flush(): void;
  /** Resolves when nothing is waiting or in flight. */
  idle(): Promise<void>;
  start(): void;
  /** Aborts copies (`draining`), flushes, ends the comparer. */
  stop(): Promise<void>;
}

interface ShadowHealth {
  readonly waiting: number;
  readonly inFlight: number;
  readonly bytes: number;
  readonly comparersReplaced: number;
  readonly causesDropped: number;
  readonly countsDropped: number;
  readonly failedFlushes: number;
}

const BUILDS_MAX = 1000;
const DAY_MS = 86_400_000;
const IDENTICAL: Judged = { outcome: 'same', silencedBy: [] };

/** Does no I/O before `start`; offers before it are refused as `draining`. */
export function createShadow(deps: ShadowDeps, options: ShadowOptions = SHADOW_OPTIONS): Shadow {
  const queue = createQueue(options.queue);
  const { replayer } = deps;
  const breaker = createBreaker();
  const comparer = createComparer(
    { key: deps.key, decodedBytesMax: options.decodedBytesMax },
    options.comparer,
  );
  const ruleSets = createRuleSets();
  const recorder = createRecorder({ ...deps, store: ruleSets.counting(deps.store) });
  /** Last build seen per group: a service that gives no answer gives no build either. */
  const builds = new Map<string, string>();
  const idlers: (() => void)[] = [];
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  let pumping = false;
  let day = { number: -1, text: '' };

  /** In a later tick, so that the answer that has just ended is not followed by the work of its copy. */
  function pump(): void {
    if (pumping) return;
    pumping = true;
    setImmediate(() => {
      pumping = false;
      for (let taken = queue.next(deps.clock.now()); taken !== null; taken = queue.next(deps.clock.now())) {
        if (taken.kind === 'stale') settle(taken.ticket.job, null, { outcome: 'skipped', reason: 'stale' });
        else run(taken.ticket);
      }
    });
  }

  function run(ticket: Ticket): void {
    running += 1;
    const { job } = ticket;
    const { origin } = job.target;
    const startedAt = deps.clock.now();
    if (!breaker.allows(origin, startedAt)) {
      finish(ticket, null, skip('breaker-open'));
      return;
    }
    const grow = (bytes: number) => queue.grow(ticket, bytes);
    replayer.replay(job, grow, (replayed) => {
      const now = deps.clock.now();
      account(job, replayed, now - startedAt, now);
      judge(ticket, replayed);
    });
  }

  function account(
    { group, primary, target }: ShadowJob,
    replayed: Replayed,
    durationMs: number,
    now: number,
  ): void {
    const answered = replayed.kind === 'answer';
    deps.meter.replayed(group.name, otherThan(primary), replayOutcome(replayed), answered, durationMs);
    const unreached = replayed.kind === 'transport' || (replayed.kind === 'timeout' && replayed.connecting);
    // Reading an answer up to the limit again and again costs the front door: a service that never ends is left
    // alone like one that cannot be reached.
    const endless = replayed.kind === 'answer' && replayed.oversize;
    if (unreached || endless) breaker.failed(target.origin, now);
    else if (replayed.kind === 'answer') breaker.succeeded(target.origin);
  }

  /** Most pairs are the same byte for byte and cost no more than that; only the others go to the thread. */
  function judge(ticket: Ticket, replayed: Replayed): void {
    const { job } = ticket;
    const sides = orient(job, replayed);
    if (typeof sides === 'string') {
      finish(ticket, replayed, skip(sides));
      return;
    }
    const { legacy, service } = sides;
    if (service.kind === 'answer' && !service.oversize && areIdentical(legacy, service.answer)) {
      finish(ticket, replayed, IDENTICAL);
      return;
    }
    comparer.judge({ meta: metaOf(job), ...sides }, job.group.rules).then(
      (judged) => finish(ticket, replayed, judged),
      (error: unknown) => {
        deps.log.error('shadow.failed', { error: error instanceof Error ? error.message : String(error) });
        finish(ticket, replayed, skip('compare-failed'));
      },
    );
  }

  function metaOf({ group, route, request, publicOrigin, target, primaryTarget }: ShadowJob): PairMeta {
    return {
      group: group.name,
      route: { label: route.label, segments: route.segments },
      request: { method: request.method, target: request.target, url: `${publicOrigin}${request.target}` },
      internalHosts: [target, primaryTarget].map(({ origin }) => new URL(origin).host),
      today: today(),
    };
  }

  /** Asked for every pair: the text is made once a day. */
  function today(): string {
    const wall = deps.clock.wall();
    const number = Math.floor(wall / DAY_MS);
    if (number !== day.number) day = { number, text: new Date(wall).toISOString().slice(0, 10) };
    return day.text;
  }

  function finish(ticket: Ticket, replayed: Replayed | null, judged: Judged): void {
    settle(ticket.job, replayed, judged);
    queue.release(ticket);
    running -= 1;
    pump();
    if (running === 0) for (const wake of idlers.splice(0)) wake();
  }

  function settle(job: ShadowJob, replayed: Replayed | null, judged: Judged): void {
    recorder.settled(keyOf(job, replayed), judged);
    ruleSets.count({ group: job.group.name, route: job.route.label }, job.group.rules, judged);
    const reason = judged.outcome === 'skipped' ? judged.reason : null;
    if (replayed === null) deps.meter.eligible(job.group.name, reason);
    else deps.meter.compared(job.group.name, judged.outcome, reason);
  }

  function keyOf(job: ShadowJob, replayed: Replayed | null): EvidenceKey {
    const { name } = job.group;
    const rules = ruleSets.digest(job.group.rules, today());
    const shadowed = otherThan(job.primary);
    return { group: name, route: job.route.label, shadowed, build: buildOf(job, replayed), rules };
  }

  function buildOf(job: ShadowJob, replayed: Replayed | null): string {
    const copied = replayed?.kind === 'answer' ? replayed.answer : null;
    const answer = job.primary === 'service' ? job.answer : copied;
    const header = (job.primary === 'service' ? job.primaryTarget : job.target).buildHeader;
    const seen = answer === null || header === null ? null : headerValue(answer.fields, header);
    const { name } = job.group;
    if (seen === null) return builds.get(name) ?? '';
    if (builds.size < BUILDS_MAX || builds.has(name)) builds.set(name, seen.slice(0, 128));
    return seen.slice(0, 128);
  }

  return {
    busy(group) {
      if (timer === undefined) return 'draining';
      return deps.overloaded() ? 'overload' : queue.busy(group, deps.clock.now());
    },
    offer(job) {
      if (timer === undefined) return 'draining';
      if (deps.overloaded()) return 'overload';
      const refused = queue.offer(job, deps.clock.now());
      if (refused !== null) return refused;
      recorder.taken(job.group.name);
      pump();
      return null;
    },
    eligible(group, skipped) {
      if (skipped !== null) recorder.skipped(group, skipped);
      deps.meter.eligible(group, skipped);
    },
    counts: recorder.counts,
    health() {
      const { causes: causesDropped, counts: countsDropped, failedFlushes } = recorder.dropped();
      return {
        waiting: queue.waiting(),
        inFlight: running,
        bytes: queue.bytes(),
        comparersReplaced: comparer.replaced(),
        causesDropped,
        countsDropped,
        failedFlushes,
      };
    },
    flush: recorder.flush,
    async idle() {
      while (pumping || running > 0 || queue.waiting() > 0) {
        await new Promise<void>((wake) => {
          if (running > 0) idlers.push(wake);
          else setImmediate(wake);
        });
      }
    },
    start() {
      if (timer !== undefined) return;
      replayer.start();
      comparer.start();
      timer = setInterval(recorder.flush, options.flushMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      for (const { job } of queue.drain()) settle(job, null, skip('draining'));
      replayer.stop();
      await comparer.stop();
      if (running > 0) await new Promise<void>((wake) => idlers.push(wake));
      recorder.flush();
    },
  };
}

function skip(reason: SkipReason): Judged {
  return { outcome: 'skipped', reason };
}

function otherThan(primary: Side): Side {
  return primary === 'legacy' ? 'service' : 'legacy';
}

/** What the copy's side did; what we gave up ourselves is not held against it. */
function replayOutcome(replayed: Replayed): Outcome {
  switch (replayed.kind) {
    case 'answer':
      return replayed.answer.truncated ? 'transport' : outcomeOf('OK', replayed.answer.status);
    case 'timeout':
    case 'transport':
      return replayed.kind;
    case 'connection-reused':
    case 'aborted':
    case 'memory':
      return 'aborted';
    default:
      return assertNever(replayed);
  }
}

/**
 * Legacy and service from primary and copy. A failure of the service is a difference; a failure of legacy says
 * nothing about the service and is the reason why there is no comparison.
 */
function orient(
  job: ShadowJob,
  replayed: Replayed,
): { readonly legacy: Captured; readonly service: ServiceReply } | SkipReason {
  if (replayed.kind === 'aborted') return 'draining';
  if (replayed.kind === 'memory' || replayed.kind === 'connection-reused') return replayed.kind;
  const primary = asCompared(job.answer, job);
  if (job.primary === 'service') {
    if (replayed.kind === 'timeout') return 'timeout';
    if (replayed.kind === 'transport') return 'legacy-failed';
    if (replayed.oversize) return 'too-large';
    if (replayed.answer.truncated) return 'legacy-truncated';
    const service = { kind: 'answer', answer: primary, oversize: false } as const;
    return { legacy: asCompared(replayed.answer, job), service };
  }
  if (primary.truncated) return 'legacy-truncated';
  if (replayed.kind === 'timeout') {
    const code = replayed.connecting ? 'CONNECT_TIMEOUT' : 'TIMEOUT';
    return { legacy: primary, service: { kind: 'failed', failure: 'timeout', code } };
  }
  if (replayed.kind === 'transport') {
    return { legacy: primary, service: { kind: 'failed', failure: 'transport', code: replayed.code } };
  }
  const { answer, oversize } = replayed;
  return { legacy: primary, service: { kind: 'answer', answer: asCompared(answer, job), oversize } };
}

/** Without what only says which build answered. */
function asCompared(answer: Captured, { target, primaryTarget }: ShadowJob): Captured {
  if (target.buildHeader === null && primaryTarget.buildHeader === null) return answer;
  const fields: string[] = [];
  for (let i = 0; i + 1 < answer.fields.length; i += 2) {
    const name = answer.fields[i] ?? '';
    const lower = name.toLowerCase();
    if (lower !== target.buildHeader && lower !== primaryTarget.buildHeader)
      fields.push(name, answer.fields[i + 1] ?? '');
  }
  return { ...answer, fields: fields satisfies Fields };
}
