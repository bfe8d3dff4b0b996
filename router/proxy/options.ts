/** Limits and timeouts of the front door. Every default is safe for legacy: generous towards the upstream, never endless. */
export interface ProxyOptions {
  /** CIDR blocks of our own proxies; their forwarding fields and shadow mark are believed. Default: none. */
  readonly trustedProxies: readonly string[];
  /** Hosts that are served, lower case, without port; empty = any. Another one is answered 421. */
  readonly hosts: readonly string[];
  /** Certificate and key of the listener, PEM; null = plain. */
  readonly tls: { readonly cert: string; readonly key: string } | null;

  /** Pseudonym in Via; two proxies in one chain need two names. */
  readonly viaName: string;
  /** Via on answers as well. */
  readonly viaResponse: boolean;
  /** Adds a Forwarded element (RFC 7239) even where no trusted proxy sent one. */
  readonly forwarded: boolean;
  /** `pass`: a valid one of the client is kept, else one is made; `create`: always made; `off`: none is added. */
  readonly requestId: 'pass' | 'create' | 'off';
  /** `Fig-Error: CODE` on the answers made here. */
  readonly errorCode: boolean;

  /** Paths that differ only in case are one reading (Windows back ends). */
  readonly caseFold: boolean;
  /** Dots and spaces at the end of a segment are no part of it (Windows back ends). */
  readonly trailingDots: boolean;

  /** Open client connections; more are answered 503 and closed. */
  readonly clientConnectionsMax: number;
  readonly requestsPerConnectionMax: number;
  readonly targetBytesMax: number;
  /** Bytes and field lines of a request head; more are refused with 431, never cut off. */
  readonly headBytesMax: number;
  readonly fieldsMax: number;
  /** Largest request body; a larger one is refused with 413. 0 = no limit. */
  readonly requestBodyBytesMax: number;
  /** Bytes and field lines of an answer's head; a larger one is an upstream fault. */
  readonly upstreamHeadBytesMax: number;
  readonly upstreamFieldsMax: number;
  /** Interim (1xx) answers before the final one; more are an upstream fault. */
  readonly interimAnswersMax: number;
  /** Bytes of an unwanted request body that are read and thrown away before closing. */
  readonly lingerBytesMax: number;
  readonly tunnelsMax: number;
  /** Memory of all copies in the making. */
  readonly shadowBytesMax: number;

  /** First byte of a head to its end; else 408. */
  readonly clientHeadMs: number;
  /** A connection without a request is closed. */
  readonly clientIdleMs: number;
  /** Between two pieces of a request body; else 408. */
  readonly clientBodyIdleMs: number;
  /** The client does not read the answer: the connection is destroyed. */
  readonly clientWriteStallMs: number;
  /** From our FIN to the end of the connection. */
  readonly lingerMs: number;
  /** Waiting for a free connection to the upstream; else 503. */
  readonly queueWaitMs: number;
  /** Until there is a connection, TLS included; else 504. */
  readonly connectMs: number;
  /** The upstream does not read the request; else 504. */
  readonly upstreamSendStallMs: number;
  /** From the last byte of the request to the head of the answer; else 504. */
  readonly upstreamHeadMs: number;
  /** Between two pieces of an answer; `streamIdleMs` for `text/event-stream`. */
  readonly upstreamBodyIdleMs: number;
  readonly streamIdleMs: number;
  readonly tunnelIdleMs: number;
  /** From the first FIN of a tunnel to the end of both directions. */
  readonly tunnelHalfCloseMs: number;
  /** From the head of the request to the last byte of the answer; 0 = no limit. */
  readonly totalMs: number;

  /** Connections to one upstream, three quarters of them for uploads, and requests that wait for one. */
  readonly upstreamConnectionsMax: number;
  readonly upstreamQueueMax: number;
  /** An idle upstream connection is closed after this; below the 5 s after which Node's own server closes it. */
  readonly upstreamIdleMs: number;
  /** A connection is not used again once it is this old. */
  readonly upstreamAgeMs: number;
  /** A request that may not be repeated takes no connection that was idle for longer. */
  readonly unsafeIdleMs: number;
  /** Retries on stale connections as a share of requests, 0-1. */
  readonly retryShare: number;

  /** Legacy answers a safe request when the service gave no answer at all. */
  readonly fallback: boolean;
  /** Tunnels to a service are closed when its group goes back, spread over `tunnelSpreadMs`. */
  readonly closeOnRollback: boolean;
  readonly tunnelSpreadMs: number;

  /** From the signal to the end of accepting. */
  readonly drainLeadMs: number;
  /** Tunnels get a FIN. */
  readonly drainTunnelMs: number;
  /** What is still open is destroyed. */
  readonly drainDeadlineMs: number;
}

export const PROXY_DEFAULTS: ProxyOptions = {
  trustedProxies: [],
  hosts: [],
  tls: null,
  viaName: 'fig',
  viaResponse: true,
  forwarded: false,
  requestId: 'pass',
  errorCode: false,
  caseFold: false,
  trailingDots: false,
  clientConnectionsMax: 16_384,
  requestsPerConnectionMax: 1_000,
  targetBytesMax: 8_192,
  headBytesMax: 16_384,
  fieldsMax: 128,
  requestBodyBytesMax: 0,
  upstreamHeadBytesMax: 65_536,
  upstreamFieldsMax: 512,
  interimAnswersMax: 16,
  lingerBytesMax: 1_048_576,
  tunnelsMax: 1_000,
  shadowBytesMax: 64 * 1_048_576,
  clientHeadMs: 10_000,
  clientIdleMs: 65_000,
  clientBodyIdleMs: 30_000,
  clientWriteStallMs: 60_000,
  lingerMs: 2_000,
  queueWaitMs: 1_000,
  connectMs: 2_000,
  upstreamSendStallMs: 30_000,
  upstreamHeadMs: 60_000,
  upstreamBodyIdleMs: 60_000,
  streamIdleMs: 300_000,
  tunnelIdleMs: 300_000,
  tunnelHalfCloseMs: 10_000,
  totalMs: 0,
  upstreamConnectionsMax: 512,
  upstreamQueueMax: 256,
  upstreamIdleMs: 4_000,
  upstreamAgeMs: 300_000,
  unsafeIdleMs: 1_000,
  retryShare: 0.2,
  fallback: true,
  closeOnRollback: true,
  tunnelSpreadMs: 10_000,
  drainLeadMs: 0,
  drainTunnelMs: 10_000,
  drainDeadlineMs: 30_000,
};
