import { contentLength } from './admit.ts';
import type { Choice } from './choose.ts';
import type { ErrorCode } from './errors.ts';
import { valuesOf } from './headers.ts';
import { type Budget, createBudget, createTap, type Tap } from './tap.ts';
import type { Admitted, Fields, Group, Route, ShadowJob, Side, SkipReason, Target } from './types.ts';

/** What is copied of one exchange. Whatever goes wrong here ends in a reason, never in the relay. */
export interface Copies {
  request(bytes: Uint8Array): void;
  /** The head of the answer, end-to-end fields as the client gets them. */
  answerHead(status: number, fields: Fields): void;
  answer(bytes: Uint8Array): void;
  /** The finished exchange as a job, or why there is none. Frees the shared memory; called once. */
  finish(end: ExchangeEnd): ShadowJob | SkipReason;
}

interface ExchangeEnd {
  readonly outcome: 'OK' | ErrorCode;
  readonly side: Side;
  readonly fellBack: boolean;
  readonly durationMs: number;
}

/** The parts of a job that are known when the request is forwarded. */
export interface CopyPlan {
  readonly admitted: Admitted;
  readonly choice: Choice;
  readonly group: Group;
  readonly route: Route;
  /** Field lines sent to the primary. */
  readonly sent: Fields;
  readonly requestId: string;
  readonly publicOrigin: string;
  /** Where the copy goes. */
  readonly other: Target;
}

/** Of a request without a body nothing has to be kept. */
const NO_BODY: Tap = createTap(0, createBudget(0));

/** Copies of at most `bodyBytesMax` of the group's limits, each out of the shared budget. */
export function createCopies(plan: CopyPlan, budget: Budget): Copies {
  const { bodyBytesMax } = plan.group.shadowLimits;
  const request = plan.admitted.hasBody ? createTap(bodyBytesMax, budget) : NO_BODY;
  const answer = createTap(bodyBytesMax, budget);
  let status = 0;
  let fields: Fields = [];
  const conditionalRange = valuesOf(plan.admitted.fields, 'if-range').length > 0;

  return {
    request: request.write,
    answer: answer.write,
    answerHead(answerStatus, answerFields) {
      status = answerStatus;
      fields = answerFields;
      if (status === 304 || conditionalRange) answer.giveUp('conditional');
      else if (isEventStream(fields)) answer.giveUp('stream');
      // Known before the first byte: nothing is copied in vain.
      else if (declaredBytes(fields) > bodyBytesMax && plan.admitted.method !== 'HEAD')
        answer.giveUp('too-large');
    },
    finish(end) {
      const skipped = skipOf(end, request.skipped() ?? answer.skipped());
      const requestBody = request.release();
      const answerBody = answer.release();
      if (skipped !== null) return skipped;
      const { method, target } = plan.admitted;
      return {
        group: plan.group,
        route: plan.route,
        requestId: plan.requestId,
        unit: plan.choice.unit,
        primary: end.side,
        target: plan.other,
        primaryTarget: plan.choice.target,
        publicOrigin: plan.publicOrigin,
        request: { method, target, fields: plan.sent, body: requestBody },
        answer: { status, fields, body: answerBody, truncated: false },
        durationMs: end.durationMs,
      };
    },
  };
}

/** For an exchange that is eligible but will not be copied: nothing is kept, only the reason. */
export function noCopies(reason: SkipReason): Copies {
  return {
    request: ignore,
    answer: ignore,
    answerHead: ignore,
    finish: (end) => skipOf(end, reason) ?? reason,
  };
}

function ignore(): void {}

/** First reason wins: what happened to the exchange before what happened to its copy. */
function skipOf(end: ExchangeEnd, tapped: SkipReason | null): SkipReason | null {
  if (end.fellBack) return 'fallback';
  if (end.outcome === 'OK') return tapped;
  if (end.outcome === 'CLIENT_BODY_LARGE') return 'too-large';
  if (end.outcome.startsWith('CLIENT_')) return 'client-gone';
  // The service answers for itself: its failure is counted by the judge, not compared.
  if (end.side === 'service') return 'fallback';
  if (end.outcome === 'UPSTREAM_BODY_CUT' || end.outcome === 'UPSTREAM_BODY_TIMEOUT')
    return 'legacy-truncated';
  return end.outcome.endsWith('_TIMEOUT') ? 'timeout' : 'legacy-failed';
}

const EVENT_STREAM = 'text/event-stream';

export function isEventStream(fields: Fields): boolean {
  return valuesOf(fields, 'content-type').some(
    (value) => value.length >= EVENT_STREAM.length && /^text\/event-stream\b/i.test(value),
  );
}

function declaredBytes(fields: Fields): number {
  return contentLength(valuesOf(fields, 'content-length')[0] ?? '') ?? 0;
}
