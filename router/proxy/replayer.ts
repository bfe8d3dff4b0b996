/** Copies, sent over the engine's own connections but in pools of their own: they never take one of a primary. */
import type { AnswerHead } from '../core/answer.ts';
import { isSafe } from '../core/choose.ts';
import type { ErrorCode } from '../core/errors.ts';
import { trimmed } from '../core/grammar.ts';
import { createGrowing } from '../core/growing.ts';
import { answerFields, shadowFields, valuesOf } from '../core/headers.ts';
import type { Clock, Log, Replay, Replayed, Replayer } from '../core/ports.ts';
import { createRoster, type Roster } from '../core/roster.ts';
import type { Fields, ShadowJob } from '../core/types.ts';
import { requestText } from '../http1/serialise.ts';
import { createMoment } from './moment.ts';
import { createPools } from './pool.ts';
import type { Served } from './served.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface ReplayLimits {
  /** The deadline grows with the primary's duration up to here. */
  readonly timeoutMsMax: number;
  readonly interimAnswersMax: number;
  readonly upstreamHeadBytesMax: number;
  readonly upstreamFieldsMax: number;
  readonly upstreamConnectionsMax: number;
  readonly upstreamIdleMs: number;
  readonly upstreamAgeMs: number;
}

const REPLAY_LIMITS: ReplayLimits = {
  timeoutMsMax: 30_000,
  interimAnswersMax: 16,
  upstreamHeadBytesMax: 65_536,
  upstreamFieldsMax: 512,
  upstreamConnectionsMax: 128,
  upstreamIdleMs: 4_000,
  upstreamAgeMs: 300_000,
};

/** Deadlines are met within this. */
const TICK_MS = 20;

/** Does nothing before `start`. */
export function createReplayer(
  deps: { readonly clock: Clock; readonly log: Log },
  limits: ReplayLimits = REPLAY_LIMITS,
): Replayer {
  const moment = createMoment(deps.clock);
  const options = { ...limits, upstreamQueueMax: 0, unsafeIdleMs: Infinity };
  const pools = createPools(moment, () => options);
  const copies = createRoster<Copy>();
  let ticker: NodeJS.Timeout | undefined;

  function tick(): void {
    moment.begin();
    const { now } = moment;
    for (const copy of copies.members()) copy.tick(now);
    pools.sweep(now);
  }

  return {
    replay(job, grow, done) {
      moment.begin();
      const copy = new Copy(job, moment.now, deps.log, limits, copies, grow, done);
      try {
        const full = ticker === undefined ? 'UPSTREAM_FULL' : pools.of(job.target).take(copy, false, false);
        if (full !== null) copy.abort();
      } catch (error) {
        copy.broke(error);
      }
    },
    start() {
      ticker ??= setInterval(tick, TICK_MS).unref();
    },
    stop() {
      clearInterval(ticker);
      ticker = undefined;
      for (const copy of copies.members()) copy.abort();
      pools.destroyIdle();
    },
  };
}

/** Deadline of one copy: three times what the primary took, within the group's and our own bounds. */
function deadlineMs(job: ShadowJob, limits: ReplayLimits): number {
  return Math.min(limits.timeoutMsMax, Math.max(job.group.shadowLimits.timeoutMs, 3 * job.durationMs));
}

/** What the copy is sent with: the primary's end-to-end fields, the length of the copied body, and the marks. */
function copyFields(job: Replay): Fields {
  const { request } = job;
  const fields = [...shadowFields(request.fields, withoutOf(job))];
  const host = hostOf(job);
  if (host !== null) {
    const at = fields.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
    if (at !== -1) fields[at + 1] = host;
  }
  if (request.body.length > 0) fields.push('Content-Length', String(request.body.length));
  fields.push('Fig-Shadow', '1', ...(job.marks ?? []));
  return fields;
}

/** A validator belongs to the side that issued it; on a write it is a condition, and stays. */
const VALIDATORS = ['if-none-match', 'if-modified-since'] as const;

function withoutOf({ group, request, marks = [] }: Replay): ReadonlySet<string> {
  const { conditional, dropHeaders } = group.shadowPolicy;
  const without = new Set(dropHeaders);
  if (conditional === 'remove' && isSafe(request.method)) for (const name of VALIDATORS) without.add(name);
  for (let i = 0; i < marks.length; i += 2) without.add((marks[i] ?? '').toLowerCase());
  return without;
}

/** The Host of a side that wants its own, or the client's where only the primary wanted its own; null = as sent. */
function hostOf({ group, target, primaryTarget, publicOrigin }: ShadowJob): string | null {
  if (group.shadowPolicy.host === 'target') return target.host ?? new URL(target.origin).host;
  if (target.host !== null || primaryTarget.host === null) return target.host;
  return publicOrigin.slice(publicOrigin.indexOf('//') + 2);
}

/** The service says that it has done nothing. Such a field is no part of what a client would have received. */
function honoursDryRun(fields: Fields): boolean {
  const [said, ...more] = valuesOf(fields, 'fig-dry-run');
  return said !== undefined && more.length === 0 && trimmed(said).toLowerCase() === 'honoured';
}

/** One copy on its way. A class because a connection refers to whom it serves. */
class Copy implements Served {
  readonly method: string;
  readonly requestSent = true;
  readonly uploads = false;
  readonly #job: Replay;
  readonly #log: Log;
  readonly #limits: ReplayLimits;
  readonly #grow: (bytes: number) => boolean;
  readonly #done: (replayed: Replayed) => void;
  readonly #leave: () => void;
  readonly #bytesMax: number;
  readonly #connectBy: number;
  readonly #answerBy: number;
  readonly #body = createGrowing();
  #upstream: UpstreamConnection | null = null;
  #interims = 0;
  #head: AnswerHead | null = null;
  #over = false;

  constructor(
    job: Replay,
    now: number,
    log: Log,
    limits: ReplayLimits,
    copies: Roster<Copy>,
    grow: (bytes: number) => boolean,
    done: (replayed: Replayed) => void,
  ) {
    this.method = job.request.method;
    this.#job = job;
    this.#log = log;
    this.#limits = limits;
    this.#grow = grow;
    this.#done = done;
    this.#leave = copies.enter(this);
    this.#bytesMax = job.group.shadowPolicy.answerBytesMax;
    this.#connectBy = now + job.group.shadowPolicy.connectTimeoutMs;
    this.#answerBy = now + deadlineMs(job, limits);
  }

  taken(upstream: UpstreamConnection): void {
    const { method, target, body } = this.#job.request;
    this.#upstream = upstream;
    upstream.serve(this);
    upstream.out.text(requestText(method, target, copyFields(this.#job)));
    if (body.length > 0)
      upstream.out.bytes(Buffer.from(body.buffer, body.byteOffset, body.length), 0, body.length);
    upstream.out.flush();
  }

  tick(now: number): void {
    const connecting = this.#upstream?.connecting === true;
    if (now >= this.#answerBy || (connecting && now >= this.#connectBy))
      this.#finish({ kind: 'timeout', connecting });
  }

  abort(): void {
    this.#finish({ kind: 'aborted' });
  }

  connected(): void {}

  upstreamDrained(): void {}

  interim(): void {
    this.#interims += 1;
    if (this.#interims > this.#limits.interimAnswersMax)
      this.#finish({ kind: 'transport', code: 'UPSTREAM_SYNTAX' });
  }

  answered(head: AnswerHead): void {
    this.#head = head;
  }

  answerData(bytes: Buffer, from: number, to: number): void {
    if (this.#over) return;
    if (!this.#grow(to - from)) {
      this.#finish({ kind: 'memory' });
      return;
    }
    this.#body.append(bytes.subarray(from, to));
    if (this.#body.length > this.#bytesMax) this.#answer(false, true);
  }

  answerFlush(): void {}

  answerEnd(): void {
    this.#upstream = null;
    this.#answer(false, false);
  }

  /** Not asked for: an answer that changes the protocol is no answer. */
  switched(): null {
    return null;
  }

  upstreamLost(code: ErrorCode, stale: boolean): void {
    this.#upstream = null;
    // Cut off in the body: what came so far is an answer that ended early.
    if (this.#head !== null && code === 'UPSTREAM_RESET') this.#answer(true, false);
    else this.#finish(stale ? { kind: 'connection-reused' } : { kind: 'transport', code });
  }

  broke(error: unknown): void {
    this.#log.error('copy-failed', { error });
    this.#finish({ kind: 'transport', code: 'FIG_INTERNAL' });
  }

  #answer(truncated: boolean, oversize: boolean): void {
    if (this.#head === null) return;
    const { target, publicOrigin } = this.#job;
    const { status } = this.#head;
    // As a client behind this target would have received it.
    const fields = answerFields(status, this.#head.fields, target, publicOrigin);
    const body = this.#body.whole();
    const answer = { status, fields, body, truncated };
    this.#finish({ kind: 'answer', answer, oversize, dryRun: honoursDryRun(this.#head.fields) });
  }

  #finish(replayed: Replayed): void {
    if (this.#over) return;
    this.#over = true;
    this.#leave();
    // Anything but a whole exchange leaves a connection nobody may use again.
    this.#upstream?.destroy();
    this.#upstream = null;
    this.#done(replayed);
  }
}
