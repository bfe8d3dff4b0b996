import type { Framing } from '../core/admit.ts';
import { type AnswerHead, isBodyless, switchesToWebSocket } from '../core/answer.ts';
import { type Choice, isSafe } from '../core/choose.ts';
import { type Copies, isEventStream } from '../core/copies.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import {
  acceptsTrailers,
  answerFields,
  publicOriginOf,
  requestFields,
  trailerAnnouncement,
  trailerFields,
  valuesOf,
} from '../core/headers.ts';
import type { Admitted, Fields, Side, Target } from '../core/types.ts';
import type { AnswerFraming } from '../http1/framing.ts';
import { answerText, lastChunk, requestText } from '../http1/serialise.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Engine } from './engine.ts';
import type { Served } from './served.ts';
import { Tunnel } from './tunnel.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** One admitted request and everything that was decided about it. */
export interface Given {
  readonly admitted: Admitted;
  readonly framing: Framing;
  readonly choice: Choice;
  readonly legacy: Target;
  readonly requestId: string;
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly version: '1.0' | '1.1';
  /** Largest request body; 0 = no limit. */
  readonly bodyMax: number;
}

/** `drain`: the answer is written, but the client has not taken all of it. */
type Phase = 'queue' | 'connect' | 'ask' | 'relay' | 'drain' | 'tunnel' | 'over';

/** How the answer's body is framed towards the client. `close`: by the end of the connection (HTTP/1.0). */
type Sent = 'none' | 'length' | 'chunked' | 'close';

/**
 * Carries one admitted request to the chosen side and the answer back. Order: take a connection, send, await the
 * head, relay the body, end. A side is asked once, but for the one retry RFC 9110 §9.2.2 allows and the one fallback
 * to legacy; both only while no byte of an answer has come. A class because both connections refer to it.
 */
export class Exchange implements Served {
  readonly method: string;
  readonly uploads: boolean;
  readonly #client: ClientConnection;
  readonly #engine: Engine;
  readonly #given: Given;
  readonly #copies: Copies | null;
  /** Safe, without body or protocol change: may be asked twice. */
  readonly #repeatable: boolean;
  #fields: Fields;
  #side: Side;
  #target: Target;
  #phase: Phase = 'queue';
  /** A connection was not to be had at once. */
  #queued = false;
  #upstream: UpstreamConnection | null = null;
  /** Every byte of the request has been handed to the upstream connection. */
  #requestSent = false;
  /** The upstream gets no more of the request body. */
  #uploadStopped = false;
  #requestBytes = 0;
  #retried = false;
  /** What the service did wrong before legacy was asked. */
  #fault: ErrorCode | null = null;
  #status = 0;
  #interims = 0;
  #sent: Sent = 'none';
  #answerWanted = true;
  /** Field lines of the answer, as received. */
  #answerFields: Fields = [];
  #answerIdleMs = 0;
  /** The connection to the client ends behind the answer. */
  #close = false;
  /** Monotonic ms: when a side was first asked, and when its last byte came (0: it has not). */
  #askedAt = 0;
  #upstreamEndedAt = 0;
  readonly #totalAt: number;

  constructor(client: ClientConnection, engine: Engine, given: Given) {
    const { admitted, choice, startedAt } = given;
    this.#client = client;
    this.#engine = engine;
    this.#given = given;
    this.method = admitted.method;
    this.uploads = admitted.hasBody;
    this.#side = choice.decision.side;
    this.#target = choice.target;
    this.#repeatable = isSafe(admitted.method) && !admitted.hasBody && !admitted.upgrade;
    const totalMs = choice.group?.forwarding.totalMs ?? engine.options.totalMs;
    this.#totalAt = totalMs > 0 ? startedAt + totalMs : Infinity;
    this.#fields = this.#requestFields();
    this.#copies = engine.accounts.copiesOf(choice, admitted.method, given.legacy, () => ({
      admitted,
      sent: this.#fields,
      requestId: given.requestId,
      publicOrigin: publicOriginOf(admitted, client),
    }));
  }

  /** It has no connection yet: nothing of the body can be taken. */
  get waiting(): boolean {
    return this.#phase === 'queue';
  }

  get requestSent(): boolean {
    return this.#requestSent;
  }

  start(): void {
    this.#engine.inFlight += 1;
    this.#engine.accounts.began(this.#given.choice);
    this.#askedAt = this.#engine.deps.clock.now();
    this.#take(false);
  }

  /** A fault of this program: it ends this exchange and nothing else. */
  broke(error: unknown): void {
    this.#client.failed(error);
  }

  /** `due`: what is waited for right now. Time that a client takes is not held against the upstream. */
  tick(now: number, due: ErrorCode | 'close'): void {
    if (now < this.#totalAt || this.#phase === 'over' || this.#phase === 'tunnel') return;
    this.expired(due !== 'close' && ERRORS[due].blame === 'client' ? due : 'UPSTREAM_TOTAL_TIMEOUT');
  }

  // The request, on its way up.

  /** A connection to the upstream: the head goes out, or waits for the connection to be made. */
  taken(upstream: UpstreamConnection): void {
    const { admitted } = this.#given;
    const queued = this.#queued;
    this.#queued = false;
    this.#upstream = upstream;
    this.#phase = upstream.connecting ? 'connect' : 'ask';
    upstream.serve(this);
    upstream.out.text(requestText(admitted.method, admitted.target, this.#fields));
    this.#requestSent = !admitted.hasBody;
    if (upstream.connecting) this.#client.arm(this.#engine.options.connectMs, 'UPSTREAM_CONNECT_TIMEOUT');
    if (this.#requestSent || queued) this.requestFlush();
    if (queued) this.#client.takeUp();
  }

  connected(): void {
    if (this.#phase === 'connect') this.#phase = 'ask';
    this.#await();
  }

  requestData(bytes: Buffer, from: number, to: number): void {
    if (this.#uploadStopped || this.#upstream === null) return;
    const { framing, bodyMax } = this.#given;
    this.#requestBytes += to - from;
    if (bodyMax > 0 && this.#requestBytes > bodyMax) {
      this.clientFault('CLIENT_BODY_LARGE');
      return;
    }
    this.#copies?.request(bytes.subarray(from, to));
    const { out } = this.#upstream;
    if (framing.kind === 'chunked') out.chunked(bytes, from, to);
    else out.bytes(bytes, from, to);
  }

  /** What was read of the request in this tick leaves. */
  requestFlush(): void {
    const upstream = this.#upstream;
    if (upstream === null || this.#phase === 'over') return;
    if (!upstream.out.flush() && !this.#requestSent) this.#client.pause();
    this.#await();
  }

  /** The slice was read to its end, and nobody else has it. */
  requestSpent(bytes: Buffer): void {
    this.#upstream?.out.spend(bytes);
  }

  requestEnd(trailers: Fields): void {
    const upstream = this.#upstream;
    if (upstream === null || this.#uploadStopped) return;
    const { framing, admitted } = this.#given;
    if (framing.kind === 'chunked') upstream.out.text(lastChunk(trailerFields(trailers, admitted.fields)));
    this.#requestSent = true;
    upstream.uploaded();
    this.requestFlush();
  }

  upstreamDrained(): void {
    this.#await();
    this.#client.resume();
  }

  /** What the client sent is no request body, or it ended too early, or is too large. */
  clientFault(code: ErrorCode): void {
    this.#uploadStopped = true;
    if (this.#phase === 'relay' || this.#phase === 'drain') this.#cut(code);
    else this.#failed(code, false);
  }

  // The answer, on its way down.

  /** An interim answer is passed on as it comes. Source: RFC 9110 §15.2. */
  interim(head: AnswerHead, minor: '0' | '1'): void {
    const { version } = this.#given;
    const { interimAnswersMax, viaName, viaResponse } = this.#engine.options;
    this.#interims += 1;
    if (this.#interims > interimAnswersMax) {
      this.#failed('UPSTREAM_SYNTAX', false);
      return;
    }
    this.#await();
    if (version === '1.0') return;
    const fields = answerFields(204, head.fields, this.#target, '');
    if (viaResponse) fields.push('Via', `1.${minor} ${viaName}`);
    const { out } = this.#client;
    out.text(answerText(head.status, head.reason, fields));
    out.flush();
  }

  answered(head: AnswerHead, minor: '0' | '1', framing: AnswerFraming): void {
    const { admitted } = this.#given;
    const { options } = this.#engine;
    const { status } = head;
    this.#phase = 'relay';
    this.#status = status;
    this.#answerFields = head.fields;
    this.#answerWanted = status !== 205;
    this.#sent = this.#framingSent(status, framing);
    // An answer that succeeds may belong to a body that is still on its way; any other is the last word.
    if (!this.#requestSent && status >= 300) this.#stopUpload();
    this.#close = this.#closesAfter();
    const publicOrigin =
      this.#target.rewriteLocation.length > 0 ? publicOriginOf(admitted, this.#client) : '';
    const fields = answerFields(status, head.fields, this.#target, publicOrigin);
    this.#copies?.answerHead(status, fields.slice());
    this.#answerIdleMs = isEventStream(fields) ? options.streamIdleMs : options.upstreamBodyIdleMs;
    if (options.viaResponse) fields.push('Via', `1.${minor} ${options.viaName}`);
    if (valuesOf(fields, 'date').length === 0) fields.push('Date', this.#engine.date());
    if (this.#sent === 'chunked') {
      if (framing.kind === 'chunked' && acceptsTrailers(admitted.fields))
        fields.push(...trailerAnnouncement(head.fields));
      fields.push('Transfer-Encoding', 'chunked');
    }
    if (this.#close) fields.push('Connection', 'close');
    this.#client.out.text(answerText(status, head.reason, fields));
  }

  answerData(bytes: Buffer, from: number, to: number): void {
    if (!this.#answerWanted || this.#phase !== 'relay') return;
    this.#copies?.answer(bytes.subarray(from, to));
    const { out } = this.#client;
    if (this.#sent === 'chunked') out.chunked(bytes, from, to);
    else out.bytes(bytes, from, to);
  }

  /** What has come of the answer in this tick leaves: nothing is held back for more. */
  answerFlush(): void {
    if (this.#phase !== 'relay') return;
    if (!this.#client.out.flush()) this.#upstream?.pause();
    this.#await();
  }

  /** The whole answer has come; the connection it came on is no longer ours. */
  answerEnd(trailers: Fields): void {
    if (this.#phase !== 'relay') return;
    const { admitted } = this.#given;
    this.#upstream = null;
    this.#upstreamEndedAt = this.#engine.moment.now;
    if (this.#sent === 'chunked') {
      const sent = acceptsTrailers(admitted.fields) ? trailerFields(trailers, this.#answerFields) : [];
      this.#client.out.text(lastChunk(sent));
    }
    this.#phase = 'drain';
    if (this.#client.out.flush()) this.#complete();
    else this.#client.arm(this.#engine.options.clientWriteStallMs, 'CLIENT_SLOW');
  }

  clientDrained(): void {
    if (this.#phase === 'drain') this.#complete();
    else if (this.#phase === 'relay') {
      this.#await();
      this.#upstream?.resume();
    }
  }

  /** A 101: the two connections become a tunnel, or null when nobody asked for that. */
  switched(head: AnswerHead, minor: '0' | '1', upstream: UpstreamConnection): Tunnel | null {
    const { admitted, choice } = this.#given;
    if (!admitted.upgrade || !switchesToWebSocket(head)) return null;
    const { options, tunnels, deps } = this.#engine;
    // Others may have been faster since this one was admitted.
    if (tunnels.size >= options.tunnelsMax) {
      this.#failed('FIG_OVERLOADED', false);
      return null;
    }
    const fields = answerFields(204, head.fields, this.#target, '');
    if (options.viaResponse) fields.push('Via', `1.${minor} ${options.viaName}`);
    fields.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
    this.#client.out.text(answerText(101, head.reason, fields));
    this.#client.out.flush();
    this.#phase = 'tunnel';
    this.#status = 101;
    // The life of a tunnel is no latency.
    this.#upstreamEndedAt = deps.clock.now();
    const group = this.#side === 'service' ? choice.group : null;
    const tunnel: Tunnel = new Tunnel(
      this.#given.requestId,
      {
        client: this.#client,
        upstream,
        group,
        over: (outcome) => {
          tunnels.delete(tunnel);
          this.#end(outcome, this.#side);
        },
      },
      options,
    );
    tunnels.add(tunnel);
    const held = this.#client.tunnel(tunnel);
    if (held !== null) tunnel.fromClient(held);
    if (this.#client.ended) tunnel.clientEnded();
    return tunnel;
  }

  // What can go wrong.

  /** The upstream connection is gone. `stale`: it was a kept one, and nobody has read the request. */
  upstreamLost(code: ErrorCode, stale: boolean): void {
    this.#upstream = null;
    if (this.#phase === 'relay') this.#cut(code === 'UPSTREAM_BODY_SYNTAX' ? code : 'UPSTREAM_BODY_CUT');
    else this.#failed(code, stale);
  }

  expired(code: ErrorCode): void {
    if (this.#phase === 'relay' || this.#phase === 'drain') this.#cut(code);
    else this.#failed(code, false);
  }

  clientGone(): void {
    if (this.#phase === 'over' || this.#phase === 'tunnel') return;
    this.#letGo();
    this.#end('CLIENT_GONE', this.#status === 0 ? null : this.#side);
  }

  /** A fault of this program. */
  internal(): void {
    if (this.#phase === 'over') return;
    this.#letGo();
    this.#status = ERRORS.FIG_INTERNAL.status;
    this.#end('FIG_INTERNAL', null);
  }

  /** Nothing of an answer has come from this side, and nothing will. */
  #failed(code: ErrorCode, stale: boolean): void {
    if (this.#phase === 'over') return;
    this.#letGo();
    if (stale && this.#repeatable && !this.#retried && this.#engine.accounts.mayRetry()) {
      this.#retried = true;
      this.#take(true);
    } else if (this.#mayFallBack(code)) {
      this.#fault = code;
      this.#side = 'legacy';
      this.#target = this.#given.legacy;
      this.#fields = this.#requestFields();
      this.#engine.accounts.leftService(this.#given.choice);
      this.#take(false);
    } else this.#refuse(code);
  }

  #mayFallBack(code: ErrorCode): boolean {
    const stage = this.#given.choice.group?.stage;
    const inTime = code !== 'UPSTREAM_TOTAL_TIMEOUT';
    const allowed = this.#engine.options.fallback && this.#side === 'service' && this.#repeatable && inTime;
    return allowed && code.startsWith('UPSTREAM_') && (stage === 'canary' || stage === 'live');
  }

  #refuse(code: ErrorCode): void {
    const { admitted, requestId } = this.#given;
    this.#status = ERRORS[code].status;
    const unread = admitted.hasBody && !this.#requestSent;
    const close = this.#status === 400 || unread || admitted.upgrade || this.#closesAfter();
    this.#client.answer(code, requestId, close, admitted.method === 'HEAD');
    this.#end(code, null);
    this.#client.exchangeOver(close);
  }

  /** The answer has begun and cannot be finished: the client must see that it is not whole. */
  #cut(code: ErrorCode): void {
    if (this.#phase === 'over') return;
    this.#letGo();
    this.#end(code, this.#side);
    if (code === 'CLIENT_SLOW') this.#client.destroy();
    // A FIN would look like the regular end of an answer that ends with its connection.
    else if (this.#sent === 'close') this.#client.reset();
    else this.#client.finish();
  }

  #complete(): void {
    this.#end('OK', this.#side);
    this.#client.exchangeOver(this.#close || !this.#requestSent);
  }

  #end(outcome: 'OK' | ErrorCode, served: Side | null): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#client.disarm();
    const { accounts, deps } = this.#engine;
    this.#engine.inFlight -= 1;
    const now = this.#status === 101 ? this.#upstreamEndedAt : deps.clock.now();
    const upstreamEndedAt = this.#upstreamEndedAt === 0 ? now : this.#upstreamEndedAt;
    const { admitted, choice } = this.#given;
    accounts.ended(
      { admitted, choice, copies: this.#copies },
      {
        // Whatever came after a fallback must not hide from the judge what the service did.
        outcome: this.#fault ?? outcome,
        status: outcome === 'CLIENT_GONE' && this.#status === 0 ? ERRORS.CLIENT_GONE.status : this.#status,
        served,
        fellBack: this.#fault !== null,
        durationMs: now - this.#given.startedAt,
        upstreamMs: upstreamEndedAt - this.#askedAt,
      },
    );
  }

  #take(fresh: boolean): void {
    const { admitted } = this.#given;
    const pool = this.#engine.pools.of(this.#target);
    this.#phase = 'queue';
    const refused = pool.take(this, fresh || admitted.upgrade, !isSafe(admitted.method));
    if (refused !== null) this.#failed(refused, false);
    else if (this.waiting) {
      this.#queued = true;
      this.#client.arm(this.#engine.options.queueWaitMs, 'UPSTREAM_FULL');
    }
  }

  /** Lets go of the upstream: nobody listens to it any more. */
  #letGo(): void {
    if (this.#phase === 'queue') this.#engine.pools.of(this.#target).forget(this);
    this.#upstream?.destroy();
    this.#upstream = null;
  }

  /**
   * The deadline runs against whom we wait for: the client while it uploads or does not read, then the upstream. An
   * answer that has begun while the upload goes on changes nothing about that.
   */
  #await(): void {
    const upstream = this.#upstream;
    const relays = this.#phase === 'relay';
    if (upstream === null || !(relays || this.#phase === 'ask')) return;
    const { options } = this.#engine;
    if (relays && this.#client.needsDrain) this.#client.arm(options.clientWriteStallMs, 'CLIENT_SLOW');
    else if (!this.#uploadStopped && upstream.needsDrain)
      this.#client.arm(options.upstreamSendStallMs, 'UPSTREAM_SEND_TIMEOUT');
    else if (!this.#uploadStopped && !this.#requestSent)
      this.#client.arm(options.clientBodyIdleMs, 'CLIENT_BODY_TIMEOUT');
    else if (relays) this.#client.arm(this.#answerIdleMs, 'UPSTREAM_BODY_TIMEOUT');
    else {
      const headMs = this.#given.choice.group?.forwarding.upstreamHeadMs ?? options.upstreamHeadMs;
      this.#client.arm(headMs, 'UPSTREAM_HEAD_TIMEOUT');
    }
  }

  #stopUpload(): void {
    this.#uploadStopped = true;
    this.#upstream?.uploaded();
    this.#client.resume();
  }

  #closesAfter(): boolean {
    const { admitted } = this.#given;
    return (
      admitted.closes ||
      admitted.upgrade ||
      this.#uploadStopped ||
      this.#sent === 'close' ||
      this.#client.isLast
    );
  }

  #framingSent(status: number, framing: AnswerFraming): Sent {
    if (framing.kind === 'none' || isBodyless(this.method, status)) return 'none';
    if (framing.kind === 'length' || status === 205) return 'length';
    return this.#given.version === '1.0' ? 'close' : 'chunked';
  }

  #requestFields(): Fields {
    const { admitted, framing, version, requestId } = this.#given;
    const { viaName, forwarded, requestId: policy } = this.#engine.options;
    return requestFields(admitted, framing, {
      viaName,
      version,
      peer: this.#client.peer,
      peerTrusted: this.#client.peerTrusted,
      scheme: this.#client.scheme,
      requestId: policy === 'off' ? null : requestId,
      host: this.#target.host,
      forwarded,
      interim: true,
    });
  }
}
