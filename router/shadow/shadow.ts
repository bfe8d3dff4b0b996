/** The shadow side put together: queue, replay, compare, record. Nothing here can delay or change an answer. */
import { assertNever } from '../core/assert.ts';
import type { ServiceReply } from '../core/compare/comparison.ts';
import { type Outcome, outcomeOf } from '../core/outcome.ts';
import type {
  BaselineCounts,
  Clock,
  ComparisonBatch,
  ComparisonStore,
  CopyMeter,
  EvidenceKey,
  Log,
  NoiseRow,
  Replayed,
  Replayer,
  ShadowSink,
} from '../core/ports.ts';
import type { Captured, Fields, ShadowJob, Side, SkipReason } from '../core/types.ts';
import { headerValue } from '../core/unit.ts';
import { askedOf } from './asked.ts';
import { createBaselines } from './baseline.ts';
import { createBreaker } from './breaker.ts';
import { COMPARER_LIMITS, type ComparerLimits, createComparer } from './comparer.ts';
import { areIdentical } from './identical.ts';
import type { Judged } from './judge.ts';
import type { Baseline, Pair, PairMeta } from './pair.ts';
import { createQueue, QUEUE_LIMITS, type QueueLimits, type Ticket } from './queue.ts';
import { createRecorder, type ShadowCounts } from './record.ts';
import { createRedactor } from './redact.ts';
import { createRuleSets } from './rule-sets.ts';
import { createWitness } from './witness.ts';
import { createWrites } from './writes.ts';

export interface ShadowDeps {
  readonly clock: Clock;
  readonly store: Pick<ComparisonStore, 'flush'>;
  readonly log: Log;
  readonly meter: CopyMeter;
  /** Secret of this installation for digests of values; at least 16 bytes. */
  readonly key: Uint8Array;
  /** What an earlier process knew of noise. */
  readonly learned: readonly NoiseRow[];
  /** Number of this data plane. */
  readonly plane: number;
  /** 0 to below 1. */
  readonly random: () => number;
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
  /** Noise models are packed and handed on so often: far more work than a batch of counts. */
  readonly noiseMs: number;
  /** At most one self-test per group in this time. */
  readonly selfTestEveryMs: number;
}

export const SHADOW_OPTIONS: ShadowOptions = {
  queue: QUEUE_LIMITS,
  comparer: COMPARER_LIMITS,
  decodedBytesMax: 4 * 1024 * 1024,
  flushMs: 1000,
  noiseMs: 15_000,
  selfTestEveryMs: 2000,
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
  readonly baseline: BaselineCounts;
  /** Noise models and contents dropped for want of room. */
  readonly noiseDropped: number;
}

/** Above it noise is not packed in time: the thread is stuck. */
const NOISE_MS_MAX = 10_000;
/** A stop does not wait longer for what was learned since it was handed on last. */
const LAST_NOISE_MS_MAX = 1_000;
/** Legacy is not asked twice when so much of the room for copies is taken. */
const CROWDED = 0.5;

const BUILDS_MAX = 1000;
const DAY_MS = 86_400_000;
/** Larger answers are not tested: their mutants would keep the thread from its work. */
const SELF_TEST_BYTES_MAX = 32_768;
const IDENTICAL: Judged = { outcome: 'same', silencedBy: [] };

/** Does no I/O before `start`; offers before it are refused as `draining`. */
export function createShadow(deps: ShadowDeps, options: ShadowOptions = SHADOW_OPTIONS): Shadow {
  const queue = createQueue(options.queue);
  const { replayer } = deps;
  const breaker = createBreaker();
  const comparer = createComparer(
    { key: deps.key, decodedBytesMax: options.decodedBytesMax },
    options.comparer,
    deps.learned,
  );
  const baselines = createBaselines(deps.random);
  const writes = createWrites(deps.key, deps.log);
  const ruleSets = createRuleSets();
  const recorder = createRecorder({ ...deps, store: ruleSets.counting(deps.store) });
  const witness = createWitness(deps.key, createRedactor(deps.key).nameOf);
  /** Last build seen per group and side: a side that gives no answer gives no build either. */
  const builds = new Map<string, string>();
  /** When a group was tested last. */
  const testedAt = new Map<string, number>();
  let tests = 0;
  const idlers: (() => void)[] = [];
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  let pumping = false;
  let day = { number: -1, text: '' };
  /** Something was learned since noise was handed on last. */
  let learning = false;
  /** Models that no store has taken yet, each once: no more of them than the thread has. */
  const unkept = new Map<string, NoiseRow>();
  let noiseAt = deps.clock.now();
  let noiseDropped = 0;

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
    const build = builds.get(job.group.name) ?? '';
    const probe = writes.probe(job, build);
    if (probe !== null) {
      replayer.replay(probe, growOf(ticket), (replayed) => {
        const refused = writes.probed(job, build, replayed);
        if (refused !== null) finish(ticket, null, skip(refused));
        else send(ticket);
      });
    } else if (baselines.wants(job, startedAt, () => isCrowded(job, startedAt))) sendBoth(ticket);
    else send(ticket);
  }

  function growOf(ticket: Ticket): (bytes: number) => boolean {
    return (bytes) => queue.grow(ticket, bytes);
  }

  function send(ticket: Ticket): void {
    replay(ticket, ({ replayed }) => judge(ticket, replayed, null));
  }

  function replay(ticket: Ticket, done: (call: Called) => void): void {
    const { job } = ticket;
    const from = moment();
    replayer.replay(writes.marked(job), growOf(ticket), (replayed) => {
      const to = moment();
      account(job, replayed, to.now - from.now, to.now);
      done({ replayed, startMs: from.wall, endMs: to.wall });
    });
  }

  /** The second call to legacy: no part of what is counted of copies, but for the health of its target. */
  function askAgain(ticket: Ticket, done: (call: Called) => void): void {
    const { job } = ticket;
    const startMs = deps.clock.wall();
    const again = { ...job, target: job.primaryTarget };
    replayer.replay(again, growOf(ticket), (replayed) => {
      watch(job.primaryTarget.origin, replayed, deps.clock.now());
      done({ replayed, startMs, endMs: deps.clock.wall() });
    });
  }

  /** In random order: whoever is always second would look slower, later and fresher than it is. */
  function sendBoth(ticket: Ticket): void {
    let copy: Called | null = null;
    let second: Called | null = null;
    const both = () => {
      if (copy !== null && second !== null) judge(ticket, copy.replayed, { copy, second });
    };
    const first = () =>
      replay(ticket, (call) => {
        copy = call;
        both();
      });
    const again = () =>
      askAgain(ticket, (call) => {
        second = call;
        both();
      });
    const order = deps.random() < 0.5 ? [first, again] : [again, first];
    for (const start of order) start();
  }

  /** Second calls are given up before copies are. */
  function isCrowded({ primaryTarget }: ShadowJob, now: number): boolean {
    const { requestsMax, bytesMax } = options.queue;
    const full = queue.waiting() > requestsMax * CROWDED || queue.bytes() > bytesMax * CROWDED;
    return full || deps.overloaded() || !breaker.allows(primaryTarget.origin, now);
  }

  function moment(): { readonly now: number; readonly wall: number } {
    return { now: deps.clock.now(), wall: deps.clock.wall() };
  }

  function account(
    { group, primary, target }: ShadowJob,
    replayed: Replayed,
    durationMs: number,
    now: number,
  ): void {
    const answered = replayed.kind === 'answer';
    deps.meter.replayed(group.name, otherThan(primary), replayOutcome(replayed), answered, durationMs);
    watch(target.origin, replayed, now);
  }

  function watch(origin: string, replayed: Replayed, now: number): void {
    const unreached = replayed.kind === 'transport' || (replayed.kind === 'timeout' && replayed.connecting);
    // Reading an answer up to the limit again and again costs the front door: a service that never ends is left
    // alone like one that cannot be reached.
    const endless = replayed.kind === 'answer' && replayed.oversize;
    if (unreached || endless) breaker.failed(origin, now);
    else if (replayed.kind === 'answer') breaker.succeeded(origin);
  }

  /** Most pairs are the same byte for byte and cost no more than that; only the others go to the thread. */
  function judge(ticket: Ticket, replayed: Replayed, triple: CalledTwice | null): void {
    const { job } = ticket;
    const sides = writes.answered(job, replayed) ?? orient(job, replayed);
    const baseline = triple === null || typeof sides === 'string' ? null : baselineOf(job, triple);
    if (triple !== null) baselines.over(baseline !== null);
    if (typeof sides === 'string') {
      finish(ticket, replayed, skip(sides));
      return;
    }
    const { legacy, service } = sides;
    if (baseline !== null) learning = true;
    if (isSame(legacy, service) && (baseline === null || isSame(legacy, baseline.reply))) {
      if (baseline !== null) comparer.same(baseline.key, job.route.label);
      finish(ticket, replayed, IDENTICAL);
      selfTest(job, replayed, sides);
      return;
    }
    const pair = { meta: metaOf(job), ...sides, ...(baseline === null ? {} : { baseline }) };
    comparer.judge(pair, job.group.rules).then(
      (judged) => {
        finish(ticket, replayed, judged);
        if (judged.outcome === 'same' || judged.outcome === 'ignored') selfTest(job, replayed, sides);
      },
      (error: unknown) => {
        deps.log.error('shadow.failed', { error: error instanceof Error ? error.message : String(error) });
        finish(ticket, replayed, skip('compare-failed'));
      },
    );
  }

  /** Null: one of the two calls gave nothing that says anything about either side. */
  function baselineOf(job: ShadowJob, { copy, second }: CalledTwice): Baseline | null {
    const reply = replyOf(second.replayed, job);
    if (reply === null) return null;
    const { group, build, rules } = keyOf(job, copy.replayed);
    const call = ({ startMs, endMs }: Called) => ({ startMs, endMs });
    return {
      reply,
      key: { group, build, rules },
      calls: { baseline: call(second), service: call(copy) },
      asked: job.request.fields,
    };
  }

  /** Now and then: would known faults in this answer have been found? Its own result counts for nothing. */
  function selfTest(job: ShadowJob, replayed: Replayed, sides: Omit<Pair, 'meta'>): void {
    const { name, rules } = job.group;
    const now = deps.clock.now();
    const { service, legacy } = sides;
    if (service.kind !== 'answer' || timer === undefined) return;
    if (legacy.body.length > SELF_TEST_BYTES_MAX || service.answer.body.length > SELF_TEST_BYTES_MAX) return;
    if (now - (testedAt.get(name) ?? Number.NEGATIVE_INFINITY) < options.selfTestEveryMs) return;
    if (testedAt.size >= BUILDS_MAX) testedAt.clear();
    testedAt.set(name, now);
    tests += 1;
    const key = keyOf(job, replayed);
    const pair = { meta: { ...metaOf(job), selfTest: tests }, ...sides };
    comparer.judge(pair, rules).then(
      (judged) => {
        if (judged.outcome === 'same' || judged.outcome === 'ignored')
          recorder.selfTested(key, judged.selfTests ?? []);
      },
      (error: unknown) => deps.log.error('self-test.failed', { error: String(error) }),
    );
  }

  function metaOf(job: ShadowJob): PairMeta {
    const { group, route, request, publicOrigin, target, primaryTarget } = job;
    const { method, target: asked } = request;
    return {
      group: group.name,
      route: { label: route.label, segments: route.segments },
      request: { ...askedOf(job), method, target: asked, url: `${publicOrigin}${asked}` },
      internalHosts: [target, primaryTarget].map(({ origin }) => new URL(origin).host),
      today: today(),
      showValues: group.comparing.showValues,
      selfTest: null,
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
    const key = keyOf(job, replayed);
    const legacy = answerOf('legacy', job, replayed);
    recorder.settled(key, judged, witness(job, legacy), buildOf('legacy', job, replayed));
    ruleSets.count({ group: job.group.name, route: job.route.label }, job.group.rules, judged);
    const reason = judged.outcome === 'skipped' ? judged.reason : null;
    if (replayed === null) deps.meter.eligible(job.group.name, reason);
    else deps.meter.compared(job.group.name, judged.outcome, reason);
  }

  function keyOf(job: ShadowJob, replayed: Replayed | null): EvidenceKey {
    const { name } = job.group;
    const rules = ruleSets.digest(job.group.rules, today());
    const shadowed = otherThan(job.primary);
    const build = buildOf('service', job, replayed);
    return { group: name, route: job.route.label, shadowed, build, rules };
  }

  function buildOf(side: Side, job: ShadowJob, replayed: Replayed | null): string {
    const answer = answerOf(side, job, replayed);
    const header = (job.primary === side ? job.primaryTarget : job.target).buildHeader;
    const seen = answer === null || header === null ? null : headerValue(answer.fields, header);
    const name = `${side} ${job.group.name}`;
    if (seen === null) return builds.get(name) ?? '';
    if (builds.size < BUILDS_MAX || builds.has(name)) builds.set(name, seen.slice(0, 128));
    return seen.slice(0, 128);
  }

  function flush(): void {
    recorder.flush();
    const due = deps.clock.now() - noiseAt >= options.noiseMs;
    if (due && (learning || unkept.size > 0)) void handOnNoise(NOISE_MS_MAX);
  }

  async function handOnNoise(withinMs: number): Promise<void> {
    learning = false;
    noiseAt = deps.clock.now();
    const news = await comparer.noise(withinMs);
    if (news !== null) {
      noiseDropped = news.models + news.contents;
      for (const row of news.rows) unkept.set(JSON.stringify([row.group, row.build, row.rules]), row);
    }
    if (unkept.size === 0) return;
    const noise = { plane: deps.plane, rows: [...unkept.values()] };
    try {
      deps.store.flush({ ...nothingAt(deps.clock.wall()), noise });
      unkept.clear();
    } catch (error) {
      deps.log.warn('shadow.noise-not-kept', {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }

  return {
    busy(group, route, method) {
      if (timer === undefined) return 'draining';
      return (
        writes.refusal(group, route, method, today) ??
        (deps.overloaded() ? 'overload' : queue.busy(group, deps.clock.now()))
      );
    },
    offer(job) {
      if (timer === undefined) return 'draining';
      if (deps.overloaded()) return 'overload';
      const { group, route, request } = job;
      const refused =
        writes.refusal(group, route, request.method, today) ?? queue.offer(job, deps.clock.now());
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
        baseline: baselines.counts(),
        noiseDropped,
      };
    },
    flush,
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
      timer = setInterval(flush, options.flushMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      for (const { job } of queue.drain()) settle(job, null, skip('draining'));
      replayer.stop();
      if (learning) await handOnNoise(LAST_NOISE_MS_MAX);
      await comparer.stop();
      if (running > 0) await new Promise<void>((wake) => idlers.push(wake));
      recorder.flush();
    },
  };
}

/** One call and when it began and ended, wall time. */
interface Called {
  readonly replayed: Replayed;
  readonly startMs: number;
  readonly endMs: number;
}

interface CalledTwice {
  readonly copy: Called;
  readonly second: Called;
}

function isSame(legacy: Captured, reply: ServiceReply): boolean {
  return reply.kind === 'answer' && !reply.oversize && areIdentical(legacy, reply.answer);
}

/** A batch in which nothing was compared. */
function nothingAt(at: number): ComparisonBatch {
  return { at, counts: [], causes: [], forgotten: [], evidence: [], selfTests: [] };
}

function skip(reason: SkipReason): Judged {
  return { outcome: 'skipped', reason };
}

/** Null: this side gave none. */
function answerOf(side: Side, job: ShadowJob, replayed: Replayed | null): Captured | null {
  if (job.primary === side) return job.answer;
  return replayed?.kind === 'answer' ? replayed.answer : null;
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
  const service = replyOf(replayed, job);
  return service === null ? 'connection-reused' : { legacy: primary, service };
}

/** What came back, as it is compared; null: nothing that could be held against whoever was asked. */
function replyOf(replayed: Replayed, job: ShadowJob): ServiceReply | null {
  switch (replayed.kind) {
    case 'answer':
      return { kind: 'answer', answer: asCompared(replayed.answer, job), oversize: replayed.oversize };
    case 'timeout':
      return {
        kind: 'failed',
        failure: 'timeout',
        code: replayed.connecting ? 'CONNECT_TIMEOUT' : 'TIMEOUT',
      };
    case 'transport':
      return { kind: 'failed', failure: 'transport', code: replayed.code };
    case 'connection-reused':
    case 'aborted':
    case 'memory':
      return null;
    default:
      return assertNever(replayed);
  }
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
