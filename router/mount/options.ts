/** Limits and timeouts of the mount. Every default is safe for legacy: generous towards the upstream, never endless. */
export interface MountOptions {
  /** CIDR blocks of our own proxies; their forwarding fields and shadow mark are believed. Default: none. */
  readonly trustedProxies: readonly string[];
  /** Pseudonym in Via; two proxies in one chain need two names. */
  readonly viaName: string;
  /** Field lines of a request; more are refused with 431. */
  readonly fieldsMax: number;
  /** Longest request target; a longer one is refused with 414. */
  readonly targetBytesMax: number;
  /** Largest request body; a larger one is refused with 413. 0 = no limit. */
  readonly requestBodyBytesMax: number;
  /** Field lines and bytes of an answer's head; a larger one is an upstream fault. */
  readonly answerFieldsMax: number;
  readonly answerHeadBytesMax: number;
  /** Interim (1xx) answers before the final one; more are an upstream fault. */
  readonly interimAnswersMax: number;
  /** Until there is a connection, TLS and waiting for a free one included. */
  readonly connectMs: number;
  /** The upstream does not read the request. */
  readonly sendStallMs: number;
  /** From the last byte of the request to the head of the answer. */
  readonly upstreamHeadMs: number;
  /** Between two pieces of an answer; `streamIdleMs` for `text/event-stream`. */
  readonly upstreamBodyIdleMs: number;
  readonly streamIdleMs: number;
  /** The client does not send more of its request body. */
  readonly clientBodyIdleMs: number;
  /** The client does not read the answer. */
  readonly clientWriteStallMs: number;
  /** How long, and how many bytes, of an unwanted request body are read and thrown away before closing. */
  readonly lingerMs: number;
  readonly lingerBytesMax: number;
  /** Connections to one upstream; more requests wait for a free one until `connectMs`. */
  readonly upstreamConnectionsMax: number;
  /** An idle upstream connection is closed after this; below the 5 s after which node's own server closes it. */
  readonly upstreamIdleMs: number;
  /** A request that may not be repeated takes no connection that was idle for longer. */
  readonly unsafeIdleMs: number;
  /** Origins that have a pool at one time; the one unused for longest gives way. */
  readonly upstreamsMax: number;
  /** Legacy answers a safe request when the service gave no answer at all. */
  readonly fallback: boolean;
  readonly tunnelsMax: number;
  readonly tunnelIdleMs: number;
  /** From the end of one direction of a tunnel to the end of both. */
  readonly tunnelHalfCloseMs: number;
  /** Memory of all copies in the making. */
  readonly shadowBytesMax: number;
  /** How long `stop` waits for exchanges in flight before it cuts them. */
  readonly stopMs: number;
}

export const MOUNT_DEFAULTS: MountOptions = {
  trustedProxies: [],
  viaName: 'fig',
  fieldsMax: 128,
  targetBytesMax: 8_192,
  requestBodyBytesMax: 0,
  answerFieldsMax: 512,
  answerHeadBytesMax: 65_536,
  interimAnswersMax: 16,
  connectMs: 2_000,
  sendStallMs: 30_000,
  upstreamHeadMs: 60_000,
  upstreamBodyIdleMs: 60_000,
  streamIdleMs: 300_000,
  clientBodyIdleMs: 30_000,
  clientWriteStallMs: 60_000,
  lingerMs: 2_000,
  lingerBytesMax: 1_048_576,
  upstreamConnectionsMax: 512,
  upstreamIdleMs: 4_000,
  unsafeIdleMs: 1_000,
  upstreamsMax: 64,
  fallback: true,
  tunnelsMax: 1_000,
  tunnelIdleMs: 300_000,
  tunnelHalfCloseMs: 10_000,
  shadowBytesMax: 64 * 1_048_576,
  stopMs: 10_000,
};
