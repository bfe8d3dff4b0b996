import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Framing } from '../core/admit.ts';
import {
  type AnswerHead,
  hasLegalBytes,
  isBodyless,
  isRelayable,
  switchesToWebSocket,
  upstreamFault,
} from '../core/answer.ts';
import { type Choice, isSafe } from '../core/choose.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import { answerFields, valuesOf } from '../core/headers.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Admitted, Fields, Side, Target } from '../core/types.ts';
import { type Copies, isEventStream } from './copies.ts';
import { createDeadline } from './deadline.ts';
import type { MountOptions } from './options.ts';
import { writeRequestHead } from './outbound.ts';
import { discardBody, replyError } from './reply.ts';
import { openTunnel } from './tunnel.ts';

/** One request on its way: everything that was decided, and the client's two objects. */
export interface Given {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Bytes that came behind an upgrade request. */
  readonly early: Uint8Array;
  /** The client waits for a 100 before it sends its body, and nobody has sent one. */
  readonly continues: boolean;
  readonly startedAt: number;
  readonly requestId: string;
  readonly admitted: Admitted;
  readonly framing: Framing;
  readonly choice: Choice;
  readonly legacy: Target;
  readonly publicOrigin: string;
  /** Field lines to send upstream. */
  readonly fields: Fields;
  readonly copies: Copies | null;
  /** Strikes it off the list of requests in flight. */
  leave(): void;
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

export interface ExchangeDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly options: MountOptions;
  /** Opens the upstream request; `take` gets it before its head is out. `fresh`: on a new connection. */
  dispatch(
    given: Given,
    target: Target,
    fresh: boolean,
    take: (upstream: ClientRequest) => void,
    failed: (error: Error) => void,
  ): void;
  /** Takes one retry out of the budget. */
  mayRetry(): boolean;
  /** Whether answers should end their connection. */
  closing(): boolean;
  /** The request left its service for legacy. */
  leftService(given: Given): void;
  ended(given: Given, ending: Ending): void;
}

/** One try at one side. */
interface Attempt {
  readonly fresh: boolean;
  upstream: ClientRequest | null;
  socket: Socket | null;
  /** Bytes this connection had read before it was ours. */
  bytesReadBefore: number;
  interim: number;
  /** The request body goes to this attempt. */
  uploading: boolean;
  answered: boolean;
}

/**
 * Carries one admitted request to the chosen side and the answer back. Order: send, pump the body, await the
 * head, relay the body, end. A side is asked once, but for the one retry RFC 9110 §9.2.2 allows and the one
 * fallback to legacy; both only while no byte of an answer has come.
 */
export function startExchange(given: Given, deps: ExchangeDeps): void {
  const { req, res, admitted, choice, copies } = given;
  const { options } = deps;
  const repeatable = isSafe(admitted.method) && !admitted.hasBody && !admitted.upgrade;
  const deadline = createDeadline(deps.clock, expired);
  let side: Side = choice.decision.side;
  let target: Target = choice.target;
  let attempt: Attempt | null = null;
  let retried = false;
  let fault: ErrorCode | null = null;
  let status = 0;
  /** Nothing but the end of the connection tells the client where the answer ends. */
  let endsWithConnection = false;
  let ended = false;
  const dispatchedAt = deps.clock.now();
  let receivedAt: number | null = null;

  res.on('close', clientLeft);
  send(false);

  function send(fresh: boolean): void {
    const current: Attempt = {
      fresh,
      upstream: null,
      socket: null,
      bytesReadBefore: 0,
      interim: 0,
      uploading: false,
      answered: false,
    };
    attempt = current;
    deadline.arm(options.connectMs, 'UPSTREAM_CONNECT_TIMEOUT');
    deps.dispatch(
      given,
      target,
      fresh,
      (upstream) => begin(current, upstream),
      (error) => failed(current, upstreamFault(codeOf(error))),
    );
  }

  function begin(current: Attempt, upstream: ClientRequest): void {
    current.upstream = upstream;
    writeRequestHead(upstream, admitted.target, given.fields);
    upstream.maxHeadersCount = 0; // Counted by us: node would cut the list off without a word.
    upstream.on('socket', (socket) => gotSocket(current, socket));
    upstream.on('information', (interim) => {
      current.interim += 1;
      if (current.interim > options.interimAnswersMax) failed(current, 'UPSTREAM_SYNTAX');
      else if (interim.statusCode === 103) hint(interim.rawHeaders);
    });
    if (given.continues && admitted.hasBody) {
      upstream.setHeader('Expect', '100-continue');
      upstream.on('continue', () => res.writeContinue());
    }
    upstream.on('response', (answer) => answered(current, answer));
    upstream.on('upgrade', (answer, socket, early) => switched(current, answer, socket, early));
    upstream.on('finish', () => awaitHead(current));
    if (admitted.hasBody) pump(current, upstream);
    else upstream.end();
  }

  /** The only interim answer node lets us pass on, and only its Link lines; a hint it cannot read is left out. */
  function hint(fields: Fields): void {
    if (req.httpVersion === '1.0' || res.headersSent || ended) return;
    try {
      res.writeEarlyHints({ link: [...valuesOf(fields, 'link')] });
    } catch (error) {
      deps.log.debug('early-hint-dropped', { error });
    }
  }

  function gotSocket(current: Attempt, socket: Socket): void {
    current.socket = socket;
    current.bytesReadBefore = socket.bytesRead;
    const connected = (): void => awaitHead(current);
    if (!socket.connecting) connected();
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
  }

  /** Connected: from now on the one we wait for is the client while it uploads, then the upstream. */
  function awaitHead(current: Attempt): void {
    if (attempt !== current || current.answered || ended || current.socket?.connecting !== false) return;
    if (current.upstream?.writableFinished) deadline.arm(options.upstreamHeadMs, 'UPSTREAM_HEAD_TIMEOUT');
    else if (current.upstream?.writableNeedDrain) deadline.arm(options.sendStallMs, 'UPSTREAM_SEND_TIMEOUT');
    else deadline.arm(options.clientBodyIdleMs, 'CLIENT_BODY_TIMEOUT');
  }

  /** Not `pipe`: the tap sits beside the relay, and a limit may end it in the middle. */
  function pump(current: Attempt, upstream: ClientRequest): void {
    const bytesMax = options.requestBodyBytesMax;
    let bytes = 0;
    current.uploading = true;
    upstream.flushHeaders(); // The upstream may refuse by the head alone; the client may wait for that.
    req.on('data', (chunk: Uint8Array) => {
      if (!current.uploading) return;
      bytes += chunk.length;
      if (bytesMax > 0 && bytes > bytesMax) {
        failed(current, 'CLIENT_BODY_LARGE');
        return;
      }
      copies?.request(chunk);
      if (!upstream.write(chunk)) req.pause();
      awaitHead(current);
    });
    req.on('end', () => {
      if (current.uploading) upstream.end();
    });
    upstream.on('drain', () => {
      awaitHead(current);
      req.resume();
    });
  }

  function answered(current: Attempt, answer: IncomingMessage): void {
    if (attempt !== current || ended) {
      answer.destroy();
      return;
    }
    const head = headOf(answer);
    const bodyless = isBodyless(admitted.method, head.status);
    if (!isRelayable(head, bodyless, options.answerFieldsMax)) {
      failed(current, 'UPSTREAM_SYNTAX');
      return;
    }
    current.answered = true;
    const fields = answerFields(head.status, head.fields, target, given.publicOrigin);
    status = head.status;
    endsWithConnection = req.httpVersion === '1.0' && valuesOf(fields, 'content-length').length === 0;
    copies?.answerHead(status, fields);
    // The client still uploads, but the answer is final: nothing more goes upstream.
    const early = admitted.hasBody && current.upstream?.writableFinished === false;
    res.writeHead(head.status, head.reason, [...fields, ...ownFields(answer)]);
    relay(current, answer, isEventStream(fields) ? options.streamIdleMs : options.upstreamBodyIdleMs);
    if (early) abandonUpload(current);
  }

  function ownFields(answer: IncomingMessage): Fields {
    const own: string[] = ['Via', `${answer.httpVersion} ${options.viaName}`];
    if (req.httpVersion === '1.0' || admitted.upgrade || deps.closing()) own.push('Connection', 'close');
    return own;
  }

  function relay(current: Attempt, answer: IncomingMessage, idleMs: number): void {
    const wanted = status !== 205;
    const awaitMore = (): void => deadline.arm(idleMs, 'UPSTREAM_BODY_TIMEOUT');
    awaitMore();
    answer.on('data', (chunk: Uint8Array) => {
      if (!wanted) return;
      copies?.answer(chunk);
      if (res.write(chunk)) awaitMore();
      else {
        answer.pause();
        deadline.arm(options.clientWriteStallMs, 'CLIENT_SLOW');
      }
    });
    res.on('drain', () => {
      if (ended) return;
      awaitMore();
      answer.resume();
    });
    answer.on('end', () => {
      if (ended || !answer.complete) return;
      receivedAt = deps.clock.now();
      deadline.arm(options.clientWriteStallMs, 'CLIENT_SLOW');
      res.end();
      // An answer that came before the request was out leaves a connection nobody can use again.
      if (current.upstream?.writableFinished === false) current.upstream.destroy();
    });
    answer.on('close', () => {
      if (!answer.complete) cut('UPSTREAM_BODY_CUT');
    });
    res.on('finish', () => end('OK', side));
    if (isBodyless(admitted.method, status)) res.flushHeaders();
  }

  /** Reads and drops what the client still sends, so that a RST does not erase the answer. */
  function abandonUpload(current: Attempt): void {
    current.uploading = false;
    discardBody(req, options, (whole) => {
      if (whole || req.socket.destroyed) return;
      if (res.writableFinished) req.socket.destroy();
      else res.once('finish', () => req.socket.destroy());
    });
  }

  function switched(
    current: Attempt,
    answer: IncomingMessage,
    upstream: Duplex,
    upstreamEarly: Buffer,
  ): void {
    const client = res.socket;
    const head = headOf(answer);
    const asked =
      admitted.upgrade && switchesToWebSocket(head) && hasLegalBytes(head, options.answerFieldsMax);
    if (attempt !== current || ended || !asked || client === null || !(upstream instanceof Socket)) {
      upstream.on('error', () => {});
      upstream.destroy();
      failed(current, 'UPSTREAM_SWITCHED');
      return;
    }
    current.answered = true;
    status = 101;
    res.off('close', clientLeft);
    res.detachSocket(client);
    const ends = { client, upstream, early: given.early, upstreamEarly };
    openTunnel(ends, head, target, given.publicOrigin, `${answer.httpVersion} ${options.viaName}`, options);
    end('OK', side);
  }

  /** Nothing of an answer has come from this attempt, and nothing will. */
  function failed(current: Attempt, code: ErrorCode): void {
    if (attempt !== current || current.answered || ended) return;
    const stale = code === 'UPSTREAM_RESET' && isStale(current);
    attempt = null;
    current.uploading = false;
    current.upstream?.destroy();
    if (res.destroyed || res.closed) end('CLIENT_GONE', null);
    else if (stale && repeatable && !retried && deps.mayRetry()) {
      retried = true;
      send(true);
    } else if (mayFallBack(code)) {
      fault = code;
      side = 'legacy';
      target = given.legacy;
      deps.leftService(given);
      send(false);
    } else refuse(code);
  }

  function mayFallBack(code: ErrorCode): boolean {
    const stage = choice.group?.stage;
    return (
      options.fallback &&
      side === 'service' &&
      repeatable &&
      code.startsWith('UPSTREAM_') &&
      (stage === 'canary' || stage === 'live')
    );
  }

  function refuse(code: ErrorCode): void {
    status = ERRORS[code].status;
    const unread = admitted.hasBody && !req.complete;
    const close = status === 400 || unread || admitted.upgrade || req.httpVersion === '1.0' || deps.closing();
    end(code, null);
    replyError(req, res, code, given.requestId, close, options);
  }

  /** The answer has begun and cannot be finished: the client must see that it is not whole. */
  function cut(code: ErrorCode): void {
    if (ended) return;
    end(code, side);
    attempt?.upstream?.destroy();
    // FIN would look like the regular end of an answer that ends with its connection.
    if (endsWithConnection && res.socket instanceof Socket) res.socket.resetAndDestroy();
    else res.destroy();
  }

  function expired(code: ErrorCode): void {
    if (attempt !== null && !attempt.answered) failed(attempt, code);
    else cut(code);
  }

  function clientLeft(): void {
    if (ended || res.writableFinished) return;
    end('CLIENT_GONE', status === 0 ? null : side);
    attempt?.upstream?.destroy();
  }

  function end(outcome: 'OK' | ErrorCode, served: Side | null): void {
    if (ended) return;
    ended = true;
    deadline.clear();
    const now = deps.clock.now();
    const shown = outcome === 'CLIENT_GONE' && status === 0 ? ERRORS.CLIENT_GONE.status : status;
    // Whatever came after a fallback must not hide from the judge what the service did.
    deps.ended(given, {
      outcome: fault ?? outcome,
      status: shown,
      served,
      fellBack: fault !== null,
      durationMs: now - given.startedAt,
      upstreamMs: (receivedAt ?? now) - dispatchedAt,
    });
  }
}

/** A kept connection that the upstream closed in the very moment it was used again: nobody read the request. */
function isStale(attempt: Attempt): boolean {
  const { upstream, socket } = attempt;
  return upstream?.reusedSocket === true && socket !== null && socket.bytesRead === attempt.bytesReadBefore;
}

function headOf(answer: IncomingMessage): AnswerHead {
  return { status: answer.statusCode ?? 0, reason: answer.statusMessage ?? '', fields: answer.rawHeaders };
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
