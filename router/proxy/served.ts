import type { AnswerHead } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Fields } from '../core/types.ts';
import type { AnswerFraming } from '../http1/framing.ts';
import type { Tunnel } from './tunnel.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** Whom an upstream connection serves: it is told everything that comes, in order, until the answer ends or is lost. */
export interface Served {
  readonly method: string;
  /** Its body comes from a client, at whatever pace that has. */
  readonly uploads: boolean;
  /** Every byte of the request has been handed to the connection. */
  readonly requestSent: boolean;
  /** The connection is this one's now; it may still be connecting. */
  taken(upstream: UpstreamConnection): void;
  connected(): void;
  /** The socket has room again. */
  upstreamDrained(): void;
  interim(head: AnswerHead, minor: '0' | '1'): void;
  answered(head: AnswerHead, minor: '0' | '1', framing: AnswerFraming): void;
  /** A range of a slice that does not outlive the call. */
  answerData(bytes: Buffer, from: number, to: number): void;
  /** No more has come for now. */
  answerFlush(): void;
  answerEnd(trailers: Fields): void;
  /** A 101; null refuses it. */
  switched(head: AnswerHead, minor: '0' | '1', upstream: UpstreamConnection): Tunnel | null;
  /** The connection is gone. `stale`: it was a kept one, and nobody has read the request. */
  upstreamLost(code: ErrorCode, stale: boolean): void;
  /** A fault of this program while it was told something. */
  broke(error: unknown): void;
}
