import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { type AnswerHead, upstreamFault } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import { valuesOf } from '../core/headers.ts';
import type { Target } from '../core/types.ts';
import { BodyReader, type BodySink } from '../http1/body-reader.ts';
import { type AnswerFraming, answerFraming, persists } from '../http1/framing.ts';
import { isRefusal, MORE } from '../http1/refusal.ts';
import { readResponseHead } from '../http1/response-head.ts';
import { COPIED_BYTES, Outgoing } from './outgoing.ts';
import type { Pool } from './pool.ts';
import type { Served } from './served.ts';
import type { Tunnel } from './tunnel.ts';

/** Most heads are shorter: only this much of a slice is decoded before anybody knows where the head ends. */
const HEAD_GUESS_BYTES = 2_048;

/**
 * One connection to an upstream: reads answers, one after the other, and tells the exchange it serves. Whatever
 * comes while it serves none destroys it. A class because it is a state machine with an identity.
 */
export class UpstreamConnection implements BodySink {
  readonly bornAt: number;
  readonly out: Outgoing;
  /** Monotonic ms; set by the pool while the connection is idle. */
  idleSince = 0;
  idleUntil = 0;
  connecting = true;

  readonly #pool: Pool;
  readonly #socket: Socket;
  readonly #reader = new BodyReader('upstream');
  /** What the next read fills. */
  #buffer = SHARED_BUFFER;
  /** Large slices of this answer, or tunnel, have come. */
  #streams = false;
  #exchange: Served | null = null;
  #tunnel: Tunnel | null = null;
  /** It counts as one of the pool. A tunnel does not: it may live for days, and there is a limit of its own for it. */
  #pooled = true;
  /** The beginning of a head that is not complete. */
  #pending: Buffer | null = null;
  /** How the body in progress is framed; null while a head is awaited. */
  #framing: AnswerFraming | null = null;
  #served = 0;
  /** It counts among the pool's uploads. */
  #uploading = false;
  /** A byte of an answer to the exchange has come. */
  #answered = false;
  #keepAlive = false;
  #keepAliveMs = Infinity;
  #dead = false;

  constructor(pool: Pool, now: number) {
    this.#pool = pool;
    this.bornAt = now;
    this.#socket = connect(pool.target, {
      buffer: () => this.#nextBuffer(),
      received: (bytes) => this.#received(bytes),
    });
    this.out = new Outgoing(this.#socket, false);
    const socket = this.#socket;
    socket.on(pool.target.origin.startsWith('https:') ? 'secureConnect' : 'connect', () => this.#connected());
    socket.on('drain', () => this.#drained());
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#lost(faultOf(error, this.connecting)));
    socket.on('close', () => this.#closed());
  }

  /** From now on it serves this exchange. */
  serve(exchange: Served): void {
    this.#exchange = exchange;
    this.#answered = false;
    this.#served += 1;
    if (exchange.uploads) {
      this.#uploading = true;
      this.#pool.uploadBegan();
    }
  }

  /** The request has all of its body, or gets no more of it. */
  uploaded(): void {
    if (!this.#uploading) return;
    this.#uploading = false;
    this.#pool.uploadEnded();
  }

  /** It was kept, and nothing of an answer has come: perhaps nobody has read the request. */
  isStale(): boolean {
    return this.#served > 1 && !this.#answered;
  }

  isIdle(): boolean {
    return this.#exchange === null && !this.#dead;
  }

  /** How long it may be idle: less than the upstream has announced. */
  idleMs(most: number): number {
    return Math.min(most, this.#keepAliveMs);
  }

  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Half-closes: the tunnel's other end has said its last. */
  end(): void {
    this.out.send();
    this.#socket.end();
  }

  /** Its exchange, if any, is not told: whoever destroys it knows why. */
  destroy(): void {
    this.#exchange = null;
    this.#tunnel = null;
    this.#dead = true;
    this.uploaded();
    this.#socket.destroy();
  }

  data(bytes: Buffer, from: number, to: number): void {
    this.#exchange?.answerData(bytes, from, to);
  }

  #drained(): void {
    this.#pool.moment.begin();
    this.out.settle();
    if (this.#tunnel === null) this.#exchange?.upstreamDrained();
    else this.#tunnel.upstreamDrained();
  }

  #connected(): void {
    this.#pool.moment.begin();
    this.connecting = false;
    this.#exchange?.connected();
  }

  #received(bytes: Buffer): void {
    this.#pool.moment.begin();
    const exchange = this.#exchange;
    if (this.#tunnel !== null) this.#tunnel.fromUpstream(this.#own(bytes));
    else if (exchange === null) this.destroy();
    else {
      this.#answered = true;
      try {
        this.#read(this.#own(bytes), exchange);
      } catch (error) {
        exchange.broke(error);
      }
    }
  }

  /**
   * A slice that will be handed on as it is must not lie in the shared buffer. From the first one on this connection
   * reads into a buffer of its own, and reads only while nothing of that is on its way: see Outgoing.
   */
  #own(bytes: Buffer): Buffer {
    if (bytes.length <= COPIED_BYTES || bytes.buffer !== SHARED_BUFFER.buffer) return bytes;
    this.#streams = true;
    return Buffer.from(bytes);
  }

  /** An answer that came whole needs none of its own. */
  #nextBuffer(): Buffer {
    const goesOn = this.#exchange !== null || this.#tunnel !== null;
    if (this.#streams && goesOn && this.#buffer === SHARED_BUFFER) {
      this.#buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    }
    return this.#buffer;
  }

  /** Reads as many messages as have come: interim answers, then the final one. */
  #read(bytes: Buffer, exchange: Served): void {
    let rest: Buffer | null = bytes;
    while (rest !== null && this.#exchange === exchange && this.#tunnel === null) {
      rest = this.#framing === null ? this.#head(rest, exchange) : this.#body(rest, this.#framing, exchange);
    }
  }

  #head(bytes: Buffer, exchange: Served): Buffer | null {
    const all = this.#pending === null ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#pending = null;
    const limits = this.#pool.options;
    let result = readResponseHead(all.toString('latin1', 0, HEAD_GUESS_BYTES), limits);
    if (result === MORE && all.length > HEAD_GUESS_BYTES) {
      result = readResponseHead(all.toString('latin1', 0, limits.upstreamHeadBytesMax + 1), limits);
    }
    if (result === MORE) {
      // A copy: the slice may belong to the buffer that the next read fills.
      this.#pending = Buffer.from(all);
      return null;
    }
    if (isRefusal(result)) {
      this.#lost(result.code);
      return null;
    }
    const { head, minor, end } = result;
    const framing = answerFraming(exchange.method, head.status, minor, head.fields);
    if (isRefusal(framing)) {
      this.#lost(framing.code);
      return null;
    }
    const rest = end < all.length ? all.subarray(end) : null;
    if (head.status === 101) return this.#switched(head, minor, rest, exchange);
    if (head.status < 200) {
      exchange.interim(head, minor);
      return rest;
    }
    this.#framing = framing;
    this.#keepAlive = persists(`1.${minor}`, head.fields) && framing.kind !== 'until-close';
    this.#keepAliveMs = announcedMs(head);
    this.#reader.start(framing);
    exchange.answered(head, minor, framing);
    if (!this.#reader.done) return rest ?? this.#flushed(exchange);
    this.#finish(exchange, rest !== null);
    return null;
  }

  #body(bytes: Buffer, framing: AnswerFraming, exchange: Served): Buffer | null {
    const end = this.#reader.read(bytes, 0, this);
    if (this.#exchange !== exchange) return null;
    if (this.#reader.fault !== null) this.#lost(this.#reader.fault.code);
    else if (framing.kind !== 'until-close' && this.#reader.done) this.#finish(exchange, end < bytes.length);
    else exchange.answerFlush();
    return null;
  }

  #flushed(exchange: Served): null {
    exchange.answerFlush();
    return null;
  }

  #switched(head: AnswerHead, minor: '0' | '1', rest: Buffer | null, exchange: Served): null {
    this.#tunnel = exchange.switched(head, minor, this);
    if (this.#tunnel === null) this.#lost('UPSTREAM_SWITCHED');
    else {
      if (rest !== null) this.#tunnel.fromUpstream(rest);
      this.#leavePool();
    }
    return null;
  }

  /** The answer is complete. `surplus`: bytes came behind it that nobody asked for. */
  #finish(exchange: Served, surplus: boolean): void {
    const { trailers } = this.#reader;
    const sent = exchange.requestSent && this.out.empty;
    const reusable = this.#keepAlive && !surplus && !this.#dead && sent;
    this.#exchange = null;
    this.#framing = null;
    // The one of its own may still be on its way to the client.
    this.#buffer = SHARED_BUFFER;
    this.#streams = false;
    exchange.answerEnd(trailers);
    if (reusable) this.#pool.park(this);
    else this.destroy();
  }

  #ended(): void {
    this.#pool.moment.begin();
    const exchange = this.#exchange;
    if (this.#tunnel !== null) this.#tunnel.upstreamEnded();
    else if (exchange !== null && this.#framing?.kind === 'until-close') this.#finish(exchange, false);
    else this.#lost('UPSTREAM_RESET');
  }

  #lost(code: ErrorCode): void {
    this.#pool.moment.begin();
    const exchange = this.#exchange;
    const tunnel = this.#tunnel;
    const stale = this.isStale();
    this.destroy();
    if (tunnel !== null) tunnel.upstreamLost();
    else exchange?.upstreamLost(code, stale && code === 'UPSTREAM_RESET');
  }

  #closed(): void {
    if (!this.#dead) this.#lost('UPSTREAM_RESET');
    this.#leavePool();
  }

  #leavePool(): void {
    if (!this.#pooled) return;
    this.#pooled = false;
    this.#pool.left(this);
  }
}

const READ_BYTES = 65_536;
/**
 * What plain upstream connections read small answers into: it is used up before the next read, or copied. Half of
 * what a small answer costs in memory would be buffers of 64 KiB.
 */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(READ_BYTES);

interface Reads {
  /** What the next read fills. */
  buffer(): Buffer;
  received(bytes: Buffer): void;
}

function connect({ origin, tls: material }: Target, reads: Reads): Socket {
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  const common = { host, allowHalfOpen: true, noDelay: true };
  if (protocol === 'http:') {
    const callback = (bytesRead: number, buffer: Uint8Array): boolean => {
      reads.received(Buffer.from(buffer.buffer, buffer.byteOffset, bytesRead));
      return true;
    };
    return net.connect({ ...common, port: Number(port || 80), onread: { buffer: reads.buffer, callback } });
  }
  const socket = tls.connect({
    ...common,
    port: Number(port || 443),
    ALPNProtocols: ['http/1.1'],
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(material?.ca != null ? { ca: material.ca } : {}),
    ...(material?.cert != null && material.key != null ? { cert: material.cert, key: material.key } : {}),
  });
  return socket.on('data', (bytes: Buffer) => reads.received(bytes));
}

function faultOf(error: Error, connecting: boolean): ErrorCode {
  const fault = upstreamFault('code' in error && typeof error.code === 'string' ? error.code : '');
  return fault === 'UPSTREAM_RESET' && connecting ? 'UPSTREAM_REFUSED' : fault;
}

/** One second less than `Keep-Alive: timeout=N` says, so that we close first. */
function announcedMs({ fields }: AnswerHead): number {
  const lines = valuesOf(fields, 'keep-alive');
  if (lines.length === 0) return Infinity;
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})(?:[,\s]|$)/i.exec(lines.join(','))?.[1];
  return seconds === undefined ? Infinity : Math.max(0, 1_000 * Number(seconds) - 1_000);
}
