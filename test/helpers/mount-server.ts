import http from 'node:http';
import type { Mount } from '../../router/mount.ts';

/** Limits of the front door; a mount in somebody else's server has that server's. */
export interface ServerOptions {
  /** Complete request head within, from its first byte; else 408. */
  readonly clientHeadMs: number;
  /** A kept connection without a request is closed after. */
  readonly clientIdleMs: number;
  /** Bytes of a request head; more are refused with 431. */
  readonly headBytesMax: number;
  readonly clientConnectionsMax: number;
  readonly requestsPerConnectionMax: number;
}

const SERVER_DEFAULTS: ServerOptions = {
  clientHeadMs: 10_000,
  clientIdleMs: 65_000,
  headBytesMax: 16_384,
  clientConnectionsMax: 16_384,
  requestsPerConnectionMax: 1_000,
};

/**
 * A `node:http` server around a mount, with every switch set that lets the mount do its work: upgrades to
 * anything but WebSocket stay plain requests, nobody invents a 100, and a client that half-closes gets its answer.
 */
export function createMountServer(mount: Mount, given: Partial<ServerOptions> = {}): http.Server {
  const options = { ...SERVER_DEFAULTS, ...given };
  const server = http.createServer(
    {
      shouldUpgradeCallback: mount.wantsUpgrade,
      headersTimeout: options.clientHeadMs,
      // No limit on the whole request: the mount ends an upload that stands still, not a long one.
      requestTimeout: 0,
      keepAliveTimeout: options.clientIdleMs,
      connectionsCheckingInterval: Math.min(1_000, options.clientHeadMs),
      maxHeaderSize: options.headBytesMax,
      noDelay: true,
    },
    mount.handle,
  );
  server.maxConnections = options.clientConnectionsMax;
  server.maxRequestsPerSocket = options.requestsPerConnectionMax;
  server.maxHeadersCount = 0; // Counted by admission: node would cut the list off without a word.
  // RFC 9112 §9.6: a FIN after the request does not say that the client lost interest.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('upgrade', mount.upgrade);
  server.on('checkContinue', mount.expect);
  server.on('checkExpectation', mount.handle);
  return server;
}
