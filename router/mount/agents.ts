import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/ports.ts';
import type { MountOptions } from './options.ts';

/** Where an origin is and the connections that are kept to it. */
interface Upstream {
  readonly agent: HttpAgent | HttpsAgent;
  readonly address: { readonly protocol: string; readonly hostname: string; readonly port: string };
  /** Closes idle connections that have been idle for longer than this. */
  closeIdle(olderThanMs: number): void;
}

export interface Agents {
  /** The upstream of an origin (`http://host:port`); the same object as long as it is in use. */
  of(origin: string): Upstream;
  destroy(): void;
}

type Limits = Pick<MountOptions, 'upstreamConnectionsMax' | 'upstreamIdleMs' | 'upstreamsMax'>;

/** One keep-alive pool per origin, last in first out, at most `upstreamsMax` of them. */
export function createAgents(clock: Clock, limits: Limits): Agents {
  const upstreams = new Map<string, Upstream>();

  function of(origin: string): Upstream {
    let upstream = upstreams.get(origin);
    // Deleted and set again: a Map keeps its order, so the first entry is the one unused for longest.
    if (upstream !== undefined) upstreams.delete(origin);
    else {
      upstream = createUpstream(origin, clock, limits);
      // A pool that gives way is only let go: requests on it finish, its idle connections time out.
      const [oldest] = upstreams.keys();
      if (upstreams.size >= limits.upstreamsMax && oldest !== undefined) upstreams.delete(oldest);
    }
    upstreams.set(origin, upstream);
    return upstream;
  }

  return {
    of,
    destroy() {
      for (const { agent } of upstreams.values()) agent.destroy();
      upstreams.clear();
    },
  };
}

function createUpstream(origin: string, clock: Clock, limits: Limits): Upstream {
  const { protocol, hostname, port } = new URL(origin);
  const options = {
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: limits.upstreamConnectionsMax,
    maxFreeSockets: limits.upstreamConnectionsMax,
    timeout: limits.upstreamIdleMs,
  } as const;
  const agent = protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  const freedAt = new WeakMap<Duplex, number>();
  agent.on('free', (socket: Duplex) => freedAt.set(socket, clock.now()));
  return {
    agent,
    address: { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port },
    closeIdle(olderThanMs) {
      const before = clock.now() - olderThanMs;
      for (const sockets of Object.values(agent.freeSockets)) {
        for (const socket of sockets ?? []) if ((freedAt.get(socket) ?? 0) < before) socket.destroy();
      }
    },
  };
}
