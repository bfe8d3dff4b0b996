import type { ErrorCode } from '../core/errors.ts';
import type { Target } from '../core/types.ts';
import type { Moment } from './moment.ts';
import type { ProxyOptions } from './options.ts';
import type { Served } from './served.ts';
import { UpstreamConnection } from './upstream-connection.ts';

type PoolOptions = Pick<
  ProxyOptions,
  | 'upstreamConnectionsMax'
  | 'upstreamQueueMax'
  | 'upstreamIdleMs'
  | 'upstreamAgeMs'
  | 'unsafeIdleMs'
  | 'upstreamHeadBytesMax'
  | 'upstreamFieldsMax'
>;

interface Waiting {
  readonly exchange: Served;
  /** It must have a new connection. */
  readonly fresh: boolean;
}

/**
 * Of all connections, those that uploads may hold at one time: whoever sends a body byte by byte keeps its connection
 * for as long as it likes, and must not keep everybody else from theirs.
 */
const UPLOAD_SHARE = 0.75;

/** A pool that nobody has used for this long, and that holds nothing, is let go. */
const POOL_UNUSED_MS = 60_000;

/**
 * The connections to one upstream: a stack of idle ones, the last used first. A class because connections refer to
 * the pool they belong to.
 */
export class Pool {
  readonly target: Target;
  usedAt = 0;
  /** Let go: whoever still refers to it asks for another one. */
  retired = false;
  readonly moment: Moment;
  readonly #options: () => PoolOptions;
  readonly #idle: UpstreamConnection[] = [];
  readonly #waiting: Waiting[] = [];
  #parked: UpstreamConnection[] = [];
  #open = 0;
  #uploads = 0;
  #offering = false;

  constructor(target: Target, moment: Moment, options: () => PoolOptions) {
    this.target = target;
    this.moment = moment;
    this.#options = options;
  }

  get open(): number {
    return this.#open;
  }

  get options(): PoolOptions {
    return this.#options();
  }

  /**
   * Gives the exchange a connection by calling its `taken`: at once, or when one is free. `fresh`: a new one;
   * `unsafe`: none that was idle for long. A code: there is neither a connection nor a place in the queue.
   */
  take(exchange: Served, fresh: boolean, unsafe: boolean): ErrorCode | null {
    const options = this.options;
    const { now } = this.moment;
    this.usedAt = now;
    const may = this.#admits(exchange);
    const idle = fresh || !may ? null : this.#freshest(now, unsafe ? options.unsafeIdleMs : Infinity);
    if (idle !== null || (may && this.#hasRoom)) this.#give(exchange, idle);
    else if (this.#waiting.length < options.upstreamQueueMax) {
      this.#waiting.push({ exchange, fresh });
      // Nobody may use the idle ones instead: one of them makes room.
      if (may) this.#idle.shift()?.destroy();
    } else return 'UPSTREAM_FULL';
    return null;
  }

  /** The exchange does not wait any more. */
  forget(exchange: Served): void {
    const at = this.#waiting.findIndex((waiting) => waiting.exchange === exchange);
    if (at !== -1) this.#waiting.splice(at, 1);
  }

  /**
   * Takes a connection back whose exchange is over. It is offered again only after the events that came with the
   * end of the answer have been seen: a FIN or a byte among them destroys it.
   */
  park(connection: UpstreamConnection): void {
    this.#parked.push(connection);
    this.#offerSoon();
  }

  /** A connection is gone, or is a tunnel now; its place is free. */
  left(connection: UpstreamConnection): void {
    this.#open -= 1;
    const at = this.#idle.lastIndexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    const next = this.#hasRoom ? this.#next() : null;
    if (next !== null) this.#give(next.exchange, null);
  }

  /** A connection carries a request whose body is still on its way. */
  uploadBegan(): void {
    this.#uploads += 1;
  }

  uploadEnded(): void {
    this.#uploads -= 1;
    if (this.#waiting.length > 0) this.#offerSoon();
  }

  /** Closes what has been idle for too long. */
  sweep(now: number): void {
    for (let oldest = this.#idle[0]; oldest !== undefined; oldest = this.#idle[0]) {
      if (oldest.idleUntil > now) return;
      this.#idle.shift();
      oldest.destroy();
    }
  }

  destroyIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  get #hasRoom(): boolean {
    return this.#open < this.options.upstreamConnectionsMax;
  }

  #admits({ uploads }: Served): boolean {
    return !uploads || this.#uploads < Math.ceil(UPLOAD_SHARE * this.options.upstreamConnectionsMax);
  }

  #offerSoon(): void {
    if (this.#offering) return;
    this.#offering = true;
    setImmediate(() => this.#offer());
  }

  #offer(): void {
    this.#offering = false;
    const parked = this.#parked;
    this.#parked = [];
    for (const connection of parked) {
      if (!connection.isIdle()) continue;
      const next = this.#next();
      if (next === null) this.#keep(connection);
      // Whoever waits for a new one gets its place.
      else if (next.fresh) {
        this.#waiting.unshift(next);
        connection.destroy();
      } else this.#give(next.exchange, connection);
    }
    while (this.#hasRoom || this.#idle.length > 0) {
      const next = this.#next();
      if (next === null) return;
      const idle = next.fresh ? null : this.#freshest(this.moment.now, this.options.unsafeIdleMs);
      if (idle === null && !this.#hasRoom) {
        this.#waiting.unshift(next);
        this.#idle.shift()?.destroy();
        return;
      }
      this.#give(next.exchange, idle);
    }
  }

  #keep(connection: UpstreamConnection): void {
    const { now } = this.moment;
    connection.idleSince = now;
    connection.idleUntil = now + connection.idleMs(this.options.upstreamIdleMs);
    this.#idle.push(connection);
  }

  /** Takes the first out of the queue that may have a connection now. */
  #next(): Waiting | null {
    if (this.#waiting.length === 0) return null;
    const at = this.#waiting.findIndex(({ exchange }) => this.#admits(exchange));
    return at === -1 ? null : (this.#waiting.splice(at, 1)[0] ?? null);
  }

  #freshest(now: number, idleMsMax: number): UpstreamConnection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      const usable =
        connection.isIdle() && now < connection.idleUntil && now - connection.idleSince <= idleMsMax;
      if (usable && now - connection.bornAt < this.options.upstreamAgeMs) return connection;
      connection.destroy();
    }
  }

  /** This one, or a new one. What goes wrong is the end of the exchange, not of whoever makes room for it. */
  #give(exchange: Served, connection: UpstreamConnection | null): void {
    try {
      exchange.taken(connection ?? this.#connect());
    } catch (error) {
      exchange.broke(error);
    }
  }

  #connect(): UpstreamConnection {
    const connection = new UpstreamConnection(this, this.moment.now);
    this.#open += 1;
    return connection;
  }
}

export interface Pools {
  /** The pool of a target; targets that lead to the same place in the same way share one. */
  of(target: Target): Pool;
  sweep(now: number): void;
  destroyIdle(): void;
  open(): number;
}

export function createPools(moment: Moment, options: () => PoolOptions): Pools {
  const byTarget = new WeakMap<Target, Pool>();
  const byPlace = new Map<string, Pool>();

  /** By what the configuration says, never by anything of a request. */
  function find(target: Target): Pool {
    const place = JSON.stringify([target.origin, target.tls]);
    const pool = byPlace.get(place) ?? new Pool(target, moment, options);
    byPlace.set(place, pool);
    byTarget.set(target, pool);
    return pool;
  }

  return {
    of(target) {
      const pool = byTarget.get(target);
      return pool === undefined || pool.retired ? find(target) : pool;
    },
    sweep(now) {
      for (const [place, pool] of byPlace) {
        pool.sweep(now);
        if (pool.open > 0 || now - pool.usedAt <= POOL_UNUSED_MS) continue;
        pool.retired = true;
        byPlace.delete(place);
      }
    },
    destroyIdle() {
      for (const pool of byPlace.values()) pool.destroyIdle();
    },
    open: () => [...byPlace.values()].reduce((sum, pool) => sum + pool.open, 0),
  };
}
