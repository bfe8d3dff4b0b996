import type { Socket } from 'node:net';
import { isWithin, plainAddress } from '../core/address.ts';
import { type AdmitPolicy, admit, type Framing, type Head, isLastHop } from '../core/admit.ts';
import { mayGoToLegacy, readingsOf } from '../core/agree.ts';
import { choose } from '../core/choose.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import { receivedRequestId } from '../core/headers.ts';
import type { Admitted, Snapshot } from '../core/types.ts';
import { BodyReader, type BodySink } from '../http1/body-reader.ts';
import { isRefusal, MORE } from '../http1/refusal.ts';
import { readRequestHead } from '../http1/request-head.ts';
import type { Engine } from './engine.ts';
import { Exchange } from './exchange.ts';
import { errorAnswer, optionsAnswer } from './local-answer.ts';
import { Outgoing } from './outgoing.ts';
import type { Tunnel } from './tunnel.ts';

/** `linger`: we have said our last; what still comes is read and thrown away, so that no RST erases the answer. */
type State = 'idle' | 'head' | 'exchange' | 'tunnel' | 'linger' | 'closed';

/** What happens when the deadline passes. */
type Due = ErrorCode | 'close';

/** Most heads are shorter: only this much of a slice is decoded before anybody knows where the head ends. */
const HEAD_GUESS_BYTES = 2_048;

/**
 * One client connection: reads requests, one at a time and in order, and answers each before it looks at the next.
 * A class because it is a state machine with an identity.
 */
export class ClientConnection implements BodySink {
  readonly out: Outgoing;
  readonly peer: string;
  readonly scheme: 'http' | 'https';

  readonly #engine: Engine;
  readonly #socket: Socket;
  readonly #leave: () => void;
  readonly #reader = new BodyReader('client');
  #state: State = 'idle';
  /** Bytes that nobody has read yet: part of a head, or the requests behind the one in progress. */
  #pending: Buffer | null = null;
  #exchange: Exchange | null = null;
  #tunnel: Tunnel | null = null;
  #requests = 0;
  #lingerBytes = 0;
  /** The client has said its last. */
  #ended = false;
  /** Requests are being read out of what has come. */
  #reading = false;
  /** Monotonic ms; Infinity: nobody is waited for. */
  #dueAt = Infinity;
  #due: Due = 'close';
  #activeAt: number;
  #judgedBy: Engine['trusted'] | null = null;
  #peerTrusted = false;

  constructor(socket: Socket, engine: Engine) {
    this.#engine = engine;
    this.#socket = socket;
    this.#leave = engine.clients.enter(this);
    this.out = new Outgoing(socket, true);
    this.peer = plainAddress(socket.remoteAddress ?? '');
    this.scheme = 'encrypted' in socket ? 'https' : 'http';
    engine.moment.begin();
    this.#activeAt = engine.moment.now;
    socket.on('data', (bytes: Buffer) => {
      engine.moment.begin();
      this.#received(bytes);
    });
    socket.on('drain', () => this.#drained());
    socket.on('finish', () => this.#flushed());
    socket.on('end', () => this.#finned());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
    this.arm(engine.options.clientIdleMs, 'close');
  }

  /** By the proxies that are trusted now: a reload holds for connections that were there before. */
  get peerTrusted(): boolean {
    const { trusted } = this.#engine;
    if (this.#judgedBy !== trusted) {
      this.#judgedBy = trusted;
      this.#peerTrusted = isWithin(this.peer, trusted);
    }
    return this.#peerTrusted;
  }

  get idle(): boolean {
    return this.#state === 'idle';
  }

  /** Monotonic ms of the last request or answer. */
  get activeAt(): number {
    return this.#activeAt;
  }

  /** The client has said its last. */
  get ended(): boolean {
    return this.#ended;
  }

  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Whether the answer to the request in progress is the last one here. */
  get isLast(): boolean {
    const { closing, options } = this.#engine;
    return (
      closing ||
      (this.#ended && this.#pending === null && !this.#reading) ||
      this.#requests >= options.requestsPerConnectionMax
    );
  }

  /** `code` is what happens when `ms` pass without another call. */
  arm(ms: number, code: Due): void {
    this.#dueAt = this.#engine.moment.now + ms;
    this.#due = code;
  }

  disarm(): void {
    this.#dueAt = Infinity;
  }

  /** Called a few times a second. */
  tick(now: number): void {
    this.#exchange?.tick(now, this.#due);
    if (now < this.#dueAt) return;
    this.#dueAt = Infinity;
    if (this.#tunnel !== null) this.#tunnel.close('TUNNEL_IDLE');
    else if (this.#exchange !== null && this.#due !== 'close') this.#exchange.expired(this.#due);
    else if (this.#state === 'head') this.#refuse('CLIENT_HEAD_TIMEOUT');
    else this.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Half-closes and nothing more. */
  end(): void {
    this.out.send();
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The client must not take what it got for a whole answer that ends with its connection. */
  reset(): void {
    if ('resetAndDestroy' in this.#socket && this.scheme === 'http') this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Says our last, reads and drops what still comes, and closes. */
  finish(): void {
    if (this.#state === 'closed' || this.#state === 'linger') return;
    this.#state = 'linger';
    this.#exchange = null;
    this.#tunnel = null;
    this.#pending = null;
    this.out.send();
    this.#socket.end();
    this.#socket.resume();
    this.#linger();
  }

  /** What the client has still to read is no reason to hurry; once all of it is out, it has a moment to close. */
  #linger(): void {
    const { clientWriteStallMs, lingerMs } = this.#engine.options;
    this.arm(this.#socket.writableFinished ? lingerMs : clientWriteStallMs, 'close');
  }

  /** A line of the error table; the request was well understood, so the connection may stay. */
  answer(code: ErrorCode, requestId: string, close: boolean, bodyless: boolean): void {
    const { options } = this.#engine;
    const date = this.#engine.date();
    this.out.text(errorAnswer(code, { requestId, date, close, bodyless, errorCode: options.errorCode }));
    this.out.flush();
  }

  /** The exchange is over and its answer handed over. */
  exchangeOver(close: boolean): void {
    if (this.#state === 'closed') return;
    this.#exchange = null;
    this.#activeAt = this.#engine.moment.now;
    if (close || !this.#reader.done) {
      this.finish();
      return;
    }
    this.#state = 'idle';
    this.arm(this.#engine.options.clientIdleMs, 'close');
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#takeUp();
  }

  /** The exchange has a connection now: what of its body was held is read. */
  takeUp(): void {
    this.#socket.resume();
    this.#takeUp();
  }

  /** From now on bytes are passed on as they are. Gives what came behind the request. */
  tunnel(tunnel: Tunnel): Buffer | null {
    const held = this.#pending;
    this.#exchange = null;
    this.#tunnel = tunnel;
    this.#state = 'tunnel';
    this.#pending = null;
    this.#socket.resume();
    return held;
  }

  data(bytes: Buffer, from: number, to: number): void {
    this.#exchange?.requestData(bytes, from, to);
  }

  /** A fault of this program in an exchange: it ends, its two sockets are destroyed, the process lives. */
  failed(error: unknown): void {
    this.#engine.deps.log.error('exchange-failed', { error });
    const { accounts } = this.#engine;
    if (this.#exchange !== null) this.#exchange.internal();
    else if (this.#state !== 'tunnel') accounts.answered('', 'FIG_INTERNAL', ERRORS.FIG_INTERNAL.status, 0);
    this.destroy();
  }

  #takeUp(): void {
    const held = this.#pending;
    this.#pending = null;
    if (held !== null) this.#received(held);
    else if (this.#ended && !this.#reading) this.#finned();
  }

  #received(bytes: Buffer): void {
    this.#reading = true;
    try {
      let rest: Buffer | null = bytes;
      while (rest !== null) rest = this.#consume(rest);
    } catch (error) {
      this.failed(error);
    }
    this.#reading = false;
    // The FIN came while these bytes were held; now it is known what it cut.
    if (this.#ended) this.#finned();
  }

  /** Gives what is left for the next state to read. */
  #consume(bytes: Buffer): Buffer | null {
    switch (this.#state) {
      case 'idle':
      case 'head':
        return this.#head(bytes);
      case 'exchange':
        return this.#body(bytes);
      case 'tunnel':
        this.#tunnel?.fromClient(bytes);
        return null;
      case 'linger':
        this.#lingerBytes += bytes.length;
        if (this.#lingerBytes > this.#engine.options.lingerBytesMax) this.destroy();
        return null;
      case 'closed':
        return null;
    }
  }

  #head(bytes: Buffer): Buffer | null {
    const all = this.#pending === null ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#pending = null;
    const { options } = this.#engine;
    let result = readRequestHead(all.toString('latin1', 0, HEAD_GUESS_BYTES), options);
    if (result === MORE && all.length > HEAD_GUESS_BYTES) {
      result = readRequestHead(all.toString('latin1', 0, options.headBytesMax + 1), options);
    }
    if (result === MORE) {
      this.#pending = all;
      // From the first byte on, and never anew: a drip of bytes buys no time.
      if (this.#state === 'idle') this.arm(options.clientHeadMs, 'CLIENT_HEAD_TIMEOUT');
      this.#state = 'head';
      return null;
    }
    this.disarm();
    if (isRefusal(result)) {
      this.#engine.deps.log.debug('request-refused', { code: result.code, why: result.why, rfc: result.rfc });
      this.#refuse(result.code);
      return null;
    }
    const rest = result.end < all.length ? all.subarray(result.end) : null;
    this.#begin(result.head, rest);
    return rest;
  }

  /** One synchronous run from the head to the first byte upstream: one snapshot, one flag reading, no waiting. */
  #begin(head: Head, rest: Buffer | null): void {
    const engine = this.#engine;
    const { deps, options } = engine;
    const startedAt = this.#engine.moment.now;
    const snapshot = deps.current.get();
    this.#requests += 1;
    const requestId = this.#requestId(head);
    const admission = admit(head, this.#policy(snapshot));
    if (!admission.ok) {
      this.#refuse(admission.code, head, requestId, startedAt);
      return;
    }
    const { admitted, framing } = admission;
    if (isLastHop(admitted)) {
      this.#answerOptions(requestId, startedAt, admitted.closes || framing.kind !== 'none');
      return;
    }
    const readings = readingsOf(snapshot.table, admitted.method, admitted.path, options);
    const ungrouped = readings !== 'agreed' && mayGoToLegacy(readings, snapshot);
    if (readings !== 'agreed' && !ungrouped) {
      this.#refuse('CLIENT_PATH_AMBIGUOUS', head, requestId, startedAt);
      return;
    }
    const choice = choose(snapshot, admitted, requestId, deps, ungrouped);
    const bodyMax = choice.group?.forwarding.requestBodyBytesMax ?? options.requestBodyBytesMax;
    const refusal = this.#overLimit(admitted, framing, bodyMax);
    if (refusal !== null) {
      this.#refuse(refusal, head, requestId, startedAt);
      return;
    }
    this.#state = 'exchange';
    this.#reader.start(framing);
    const version = head.version === '1.0' ? '1.0' : '1.1';
    const { legacy } = snapshot;
    const given = { admitted, framing, choice, legacy, requestId, startedAt, version, bodyMax } as const;
    this.#exchange = new Exchange(this, engine, given);
    this.#exchange.start();
    // A body that came with its head leaves with it, in one write.
    if (rest === null && admitted.hasBody) this.#exchange?.requestFlush();
  }

  #overLimit(admitted: Admitted, framing: Framing, bodyMax: number): ErrorCode | null {
    if (bodyMax > 0 && framing.kind === 'length' && framing.bytes > bodyMax) return 'CLIENT_BODY_LARGE';
    const { tunnels, options } = this.#engine;
    return admitted.upgrade && tunnels.size >= options.tunnelsMax ? 'FIG_OVERLOADED' : null;
  }

  #policy(snapshot: Snapshot): AdmitPolicy {
    const { viaName, fieldsMax, targetBytesMax, hosts } = this.#engine.options;
    return {
      viaName,
      fieldsMax,
      targetBytesMax,
      hosts,
      // Known per group, and so only once the group is.
      requestBodyBytesMax: 0,
      peerTrusted: this.peerTrusted,
      defaultHost: snapshot.legacy.origin.slice(snapshot.legacy.origin.indexOf('//') + 2),
      strict: true,
    };
  }

  #requestId(head: Head): string {
    const { deps, options } = this.#engine;
    const received = options.requestId === 'pass' ? receivedRequestId(head.fields) : null;
    return received ?? deps.nextId();
  }

  #body(bytes: Buffer): Buffer | null {
    const exchange = this.#exchange;
    if (exchange === null || this.#reader.done || exchange.waiting) {
      this.#hold(bytes);
      return null;
    }
    const end = this.#reader.read(bytes, 0, this);
    if (this.#exchange === exchange) {
      if (this.#reader.fault !== null) exchange.clientFault('CLIENT_BODY_SYNTAX');
      else if (this.#reader.done) exchange.requestEnd(this.#reader.trailers);
      else exchange.requestFlush();
    }
    if (end < bytes.length) return bytes.subarray(end);
    exchange.requestSpent(bytes);
    return null;
  }

  /** Bytes whose turn has not come; a connection that sends too many of them is read on only when it has. */
  #hold(bytes: Buffer): void {
    this.#pending = this.#pending === null ? bytes : Buffer.concat([this.#pending, bytes]);
    if (this.#pending.length >= this.#engine.options.headBytesMax) this.#socket.pause();
  }

  #refuse(
    code: ErrorCode,
    head: Head | null = null,
    requestId = this.#engine.deps.nextId(),
    startedAt?: number,
  ): void {
    const { accounts, deps } = this.#engine;
    const now = deps.clock.now();
    accounts.answered(head?.method ?? '', code, ERRORS[code].status, now - (startedAt ?? now));
    this.answer(code, requestId, true, head?.method === 'HEAD');
    this.finish();
  }

  #answerOptions(requestId: string, startedAt: number, last: boolean): void {
    const { accounts, deps } = this.#engine;
    const close = last || this.isLast;
    accounts.answered('OPTIONS', 'OK', 200, deps.clock.now() - startedAt);
    this.out.text(optionsAnswer({ requestId, date: this.#engine.date(), close }));
    this.out.flush();
    this.#state = 'exchange';
    this.#reader.start({ kind: 'none' });
    this.exchangeOver(close);
  }

  #drained(): void {
    this.#engine.moment.begin();
    if (this.#tunnel !== null) this.#tunnel.clientDrained();
    else this.#exchange?.clientDrained();
  }

  /** Our FIN is out. */
  #flushed(): void {
    if (this.#state === 'linger') this.#linger();
  }

  /** A FIN behind a whole request is no farewell: the client still reads. Source: RFC 9112 §9.6. */
  #finned(): void {
    this.#ended = true;
    switch (this.#state) {
      case 'idle':
        this.finish();
        break;
      case 'head':
        this.#refuse('CLIENT_SYNTAX');
        break;
      case 'exchange':
        // While it waits for a connection, what is held may be the rest of the body.
        if (!this.#reader.done && this.#exchange?.waiting === false)
          this.#exchange.clientFault('CLIENT_BODY_CUT');
        break;
      case 'tunnel':
        this.#tunnel?.clientEnded();
        break;
      case 'linger':
      case 'closed':
        break;
    }
  }

  #closed(): void {
    if (this.#state === 'head')
      this.#engine.accounts.answered('', 'CLIENT_GONE', ERRORS.CLIENT_GONE.status, 0);
    this.#state = 'closed';
    this.#leave();
    this.#tunnel?.clientLost();
    this.#exchange?.clientGone();
    this.#exchange = null;
    this.#tunnel = null;
    this.#pending = null;
  }
}
