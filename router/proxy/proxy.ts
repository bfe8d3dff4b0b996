/** The data plane: accepts connections, forwards requests, tells its neighbours what happened. */
import net, { type Server, type Socket } from 'node:net';
import tls from 'node:tls';
import { type AccountCounts, createAccounts, type DataPlaneDeps } from '../core/accounts.ts';
import { parseCidr } from '../core/address.ts';
import { ERRORS } from '../core/errors.ts';
import { position } from '../core/hash.ts';
import { createRoster } from '../core/roster.ts';
import { ClientConnection } from './client-connection.ts';
import type { Engine } from './engine.ts';
import { errorAnswer } from './local-answer.ts';
import { createMoment } from './moment.ts';
import type { ProxyOptions } from './options.ts';
import { COPIED_BYTES } from './outgoing.ts';
import { createPools } from './pool.ts';
import type { Tunnel } from './tunnel.ts';

export interface ProxyCounts extends AccountCounts {
  readonly connections: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly upstreamConnections: number;
}

export interface Proxy {
  /** Binds and resolves with the port. Rejects with the error of the system (`EADDRINUSE`, `ENOTSUP` …). */
  listen(address: {
    readonly host: string;
    readonly port: number;
    readonly reusePort: boolean;
  }): Promise<number>;
  /** New limits, timeouts, TLS material: for everything that begins from now on. Throws on bad TLS material. */
  reconfigure(options: ProxyOptions): void;
  counts(): ProxyCounts;
  /** So many requests are in flight that nothing but them may have a connection. Cheap. */
  busy(): boolean;
  /**
   * Not accepting any more; answers what is in flight, with `Connection: close`, within the limits of the options;
   * then cuts what is left. Resolves when no connection is open.
   */
  drain(): Promise<void>;
}

/** How often deadlines are looked at: they are met within this. */
const TICK_MS = 250;
/** A connection that was just used may be used again before its client hears that it closes. */
const DRAIN_IDLE_MS = 1_000;
const BACKLOG = 4_096;
/** Under a flood nobody is given time to read the refusal. */
const TURNED_AWAY_MAX = 1_024;

/** Does nothing until `listen`. Throws RangeError on a trusted proxy that is no CIDR block and on bad TLS material. */
export function createProxy(deps: DataPlaneDeps, given: ProxyOptions): Proxy {
  const moment = createMoment(deps.clock);
  const engine: Engine = {
    deps,
    moment,
    accounts: createAccounts({ ...deps, later: setImmediate, copy: Buffer.from }, given),
    pools: createPools(moment, () => engine.options),
    clients: createRoster(),
    tunnels: new Set(),
    options: given,
    trusted: given.trustedProxies.map(cidr),
    closing: false,
    inFlight: 0,
    date: createDate(deps.clock.wall),
  };
  const server =
    given.tls === null ? createPlain(accept) : createSecure(given.tls, given.clientHeadMs, accept);
  let ticker: NodeJS.Timeout | undefined;
  let drained: (() => void) | null = null;
  let drainingSince = Infinity;
  /** Connections that have their refusal and may read it. */
  let turnedAway = 0;
  let nextComplaintAt = 0;
  let closing: Promise<void> | null = null;

  function accept(socket: Socket): void {
    if (engine.clients.size() >= engine.options.clientConnectionsMax) turnAway(socket);
    else new ClientConnection(socket, engine);
  }

  /** Said without reading anything: there is no room for a conversation. */
  function turnAway(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    engine.accounts.answered('', 'FIG_OVERLOADED', ERRORS.FIG_OVERLOADED.status, 0);
    const refusal = {
      requestId: deps.nextId(),
      date: engine.date(),
      close: true,
      bodyless: false,
      errorCode: engine.options.errorCode,
    };
    socket.end(errorAnswer('FIG_OVERLOADED', refusal), 'latin1');
    // Bytes that nobody reads would make the end a reset, which erases the answer.
    socket.resume();
    turnedAway += 1;
    const lingerMs = turnedAway > TURNED_AWAY_MAX ? 0 : engine.options.lingerMs;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.on('close', () => {
      clearTimeout(timer);
      turnedAway -= 1;
    });
  }

  /** At most once a second: what cannot be accepted comes in floods. */
  function complainOfListener(error: Error): void {
    const now = deps.clock.now();
    if (now < nextComplaintAt) return;
    nextComplaintAt = now + 1_000;
    deps.log.warn('listener-failed', { error: error.message });
  }

  function tick(): void {
    moment.begin();
    const { now } = moment;
    for (const client of engine.clients.members()) client.tick(now);
    engine.pools.sweep(now);
    closeRolledBack(now);
    if (drainingSince !== Infinity) drainTick(now);
  }

  /** Who went back to legacy is told so: a tunnel to the service is closed, not all of them at once. */
  function closeRolledBack(now: number): void {
    if (!engine.options.closeOnRollback || engine.tunnels.size === 0) return;
    const { groups } = deps.current.get();
    for (const tunnel of engine.tunnels) {
      const then = tunnel.group;
      if (then === null) continue;
      const group = groups.get(then.name);
      const stays = group !== undefined && group.epoch === then.epoch && group.stopped === null;
      if (!stays && tunnel.closesAt === Infinity) tunnel.closesAt = now + spread(tunnel);
      if (now >= tunnel.closesAt) tunnel.close('TUNNEL_ROLLED_BACK');
    }
  }

  function spread(tunnel: Tunnel): number {
    return (engine.options.tunnelSpreadMs * position('tunnel', tunnel.id)) / 100;
  }

  function drainTick(now: number): void {
    const { drainTunnelMs, drainDeadlineMs } = engine.options;
    const since = now - drainingSince;
    if (since >= drainTunnelMs) for (const tunnel of engine.tunnels) tunnel.close('OK');
    for (const client of engine.clients.members()) {
      if (since >= drainDeadlineMs) client.destroy();
      else if (client.idle && now - client.activeAt >= DRAIN_IDLE_MS) client.finish();
    }
    if (engine.clients.size() === 0) drained?.();
  }

  async function close(): Promise<void> {
    engine.closing = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    drainingSince = deps.clock.now();
    if (engine.clients.size() > 0) await new Promise<void>((resolve) => (drained = resolve));
    clearInterval(ticker);
    engine.pools.destroyIdle();
    await closed;
  }

  return {
    async listen({ host, port, reusePort }) {
      await bind(server, { host, port, reusePort, backlog: BACKLOG });
      // EMFILE and the like: the listener lives, whoever could not be accepted tries again.
      server.on('error', (error) => complainOfListener(error));
      ticker = setInterval(tick, TICK_MS);
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the listener has no port');
      return address.port;
    },
    reconfigure(options) {
      const trusted = options.trustedProxies.map(cidr);
      if (options.tls !== null && server instanceof tls.Server) server.setSecureContext(options.tls);
      engine.options = options;
      engine.accounts.reconfigure(options);
      engine.trusted = trusted;
    },
    busy: () => engine.inFlight - engine.tunnels.size > BUSY_SHARE * engine.options.upstreamConnectionsMax,
    counts: () => ({
      ...engine.accounts.counts(),
      connections: engine.clients.size(),
      inFlight: engine.inFlight,
      tunnels: engine.tunnels.size,
      upstreamConnections: engine.pools.open(),
    }),
    drain: () => (closing ??= close()),
  };
}

/** Of the connections that one upstream may have. */
const BUSY_SHARE = 0.8;

/** The high water mark is part of a contract: see Outgoing. */
const ACCEPTED = { allowHalfOpen: true, highWaterMark: COPIED_BYTES } as const;

function createPlain(accept: (socket: Socket) => void): Server {
  return net.createServer({ ...ACCEPTED, noDelay: true }, accept);
}

function createSecure(
  material: { readonly cert: string; readonly key: string },
  handshakeMs: number,
  accept: (socket: Socket) => void,
): Server {
  const server = tls.createServer(
    {
      ...material,
      allowHalfOpen: true,
      noDelay: true,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeMs,
    },
    accept,
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function bind(server: Server, options: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function createDate(wall: () => number): () => string {
  let second = 0;
  let text = '';
  return () => {
    const now = Math.floor(wall() / 1_000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1_000).toUTCString();
    }
    return text;
  };
}

function cidr(text: string): NonNullable<ReturnType<typeof parseCidr>> {
  const block = parseCidr(text);
  if (block === null) throw new RangeError(`not a CIDR block: ${text}`);
  return block;
}
