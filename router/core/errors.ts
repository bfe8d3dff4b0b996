/**
 * One closed table of everything that can go wrong with a request. Every row says when it happens, who is to blame and what the client reads.
 * `side` = the side addressed, legacy or service; only such rows may count against a side.
 */
export type Blame = 'client' | 'side' | 'operator' | 'fig';
export type During = 'admit' | 'connect' | 'send' | 'wait' | 'receive' | 'tunnel';

interface ErrorRow {
  readonly status: number;
  readonly during: During;
  readonly blame: Blame;
  /** One constant sentence for the client: no URL, header, address, side or version. */
  readonly text: string;
}

export const ERRORS = {
  CLIENT_SYNTAX: { status: 400, during: 'admit', blame: 'client', text: 'the request is malformed' },
  CLIENT_TARGET: { status: 400, during: 'admit', blame: 'client', text: 'the request target is malformed' },
  CLIENT_TARGET_LONG: {
    status: 414,
    during: 'admit',
    blame: 'client',
    text: 'the request target is too long',
  },
  CLIENT_HEAD_LARGE: {
    status: 431,
    during: 'admit',
    blame: 'client',
    text: 'the request head is too large',
  },
  CLIENT_VERSION: {
    status: 505,
    during: 'admit',
    blame: 'client',
    text: 'this version of HTTP is not supported here',
  },
  CLIENT_HEAD_TIMEOUT: {
    status: 408,
    during: 'admit',
    blame: 'client',
    text: 'the request head did not arrive in time',
  },
  CLIENT_METHOD: { status: 405, during: 'admit', blame: 'client', text: 'this method is not supported here' },
  CLIENT_HOST: {
    status: 400,
    during: 'admit',
    blame: 'client',
    text: 'the request needs exactly one valid Host',
  },
  CLIENT_HOST_UNKNOWN: {
    status: 421,
    during: 'admit',
    blame: 'client',
    text: 'this host is not served here',
  },
  CLIENT_FRAMING: {
    status: 400,
    during: 'admit',
    blame: 'client',
    text: 'the length of the request body is ambiguous',
  },
  CLIENT_CODING: {
    status: 501,
    during: 'admit',
    blame: 'client',
    text: 'this transfer coding is not supported here',
  },
  CLIENT_EXPECT: { status: 417, during: 'admit', blame: 'client', text: 'this expectation is not supported' },
  CLIENT_PATH: { status: 400, during: 'admit', blame: 'client', text: 'the path is not acceptable' },
  CLIENT_PATH_AMBIGUOUS: {
    status: 400,
    during: 'admit',
    blame: 'client',
    text: 'the path has more than one reading',
  },
  CLIENT_BODY_LARGE: { status: 413, during: 'send', blame: 'client', text: 'the request body is too large' },
  CLIENT_BODY_TIMEOUT: {
    status: 408,
    during: 'send',
    blame: 'client',
    text: 'the request body stopped arriving',
  },
  CLIENT_BODY_SYNTAX: {
    status: 400,
    during: 'send',
    blame: 'client',
    text: 'the request body is malformed',
  },
  CLIENT_BODY_CUT: { status: 400, during: 'send', blame: 'client', text: 'the request body ended early' },
  CLIENT_GONE: {
    status: 499,
    during: 'receive',
    blame: 'client',
    text: 'the client left before the answer was complete',
  },
  CLIENT_SLOW: {
    status: 499,
    during: 'receive',
    blame: 'client',
    text: 'the client stopped reading the answer',
  },
  LOOP: { status: 508, during: 'admit', blame: 'operator', text: 'the request has passed this proxy before' },
  MOUNT_BODY_CONSUMED: {
    status: 500,
    during: 'admit',
    blame: 'operator',
    text: 'the request body was already read; mount the router before body parsers',
  },
  UPSTREAM_NAME: {
    status: 502,
    during: 'connect',
    blame: 'operator',
    text: 'the upstream could not be found',
  },
  UPSTREAM_TLS: {
    status: 502,
    during: 'connect',
    blame: 'operator',
    text: 'the upstream could not be verified',
  },
  UPSTREAM_FULL: {
    status: 503,
    during: 'connect',
    blame: 'side',
    text: 'the upstream has no free connection',
  },
  UPSTREAM_REFUSED: {
    status: 502,
    during: 'connect',
    blame: 'side',
    text: 'the upstream refused the connection',
  },
  UPSTREAM_RESET: {
    status: 502,
    during: 'wait',
    blame: 'side',
    text: 'the upstream closed the connection without an answer',
  },
  UPSTREAM_CONNECT_TIMEOUT: {
    status: 504,
    during: 'connect',
    blame: 'side',
    text: 'the upstream could not be reached in time',
  },
  UPSTREAM_SEND_TIMEOUT: {
    status: 504,
    during: 'send',
    blame: 'side',
    text: 'the upstream stopped reading the request',
  },
  UPSTREAM_HEAD_TIMEOUT: {
    status: 504,
    during: 'wait',
    blame: 'side',
    text: 'the upstream did not answer in time',
  },
  UPSTREAM_TOTAL_TIMEOUT: {
    status: 504,
    during: 'wait',
    blame: 'side',
    text: 'the exchange took too long',
  },
  UPSTREAM_SYNTAX: {
    status: 502,
    during: 'wait',
    blame: 'side',
    text: 'the upstream sent a malformed answer',
  },
  UPSTREAM_FRAMING: {
    status: 502,
    during: 'wait',
    blame: 'side',
    text: 'the length of the answer is ambiguous',
  },
  UPSTREAM_HEAD_LARGE: {
    status: 502,
    during: 'wait',
    blame: 'side',
    text: 'the head of the answer is too large',
  },
  UPSTREAM_SWITCHED: {
    status: 502,
    during: 'wait',
    blame: 'side',
    text: 'the upstream changed the protocol without being asked',
  },
  UPSTREAM_BODY_CUT: {
    status: 502,
    during: 'receive',
    blame: 'side',
    text: 'the upstream ended its answer early',
  },
  UPSTREAM_BODY_SYNTAX: {
    status: 502,
    during: 'receive',
    blame: 'side',
    text: 'the upstream sent a malformed answer',
  },
  UPSTREAM_BODY_TIMEOUT: {
    status: 504,
    during: 'receive',
    blame: 'side',
    text: 'the upstream stopped in the middle of its answer',
  },
  TUNNEL_IDLE: { status: 101, during: 'tunnel', blame: 'client', text: 'nothing passed the tunnel' },
  TUNNEL_CUT: { status: 101, during: 'tunnel', blame: 'side', text: 'the upstream cut the tunnel' },
  TUNNEL_ROLLED_BACK: { status: 101, during: 'tunnel', blame: 'fig', text: 'the group went back to legacy' },
  FIG_OVERLOADED: { status: 503, during: 'admit', blame: 'fig', text: 'the proxy has too much to do' },
  FIG_DRAINING: { status: 503, during: 'admit', blame: 'fig', text: 'the proxy is shutting down' },
  FIG_INTERNAL: { status: 500, during: 'wait', blame: 'fig', text: 'the proxy failed' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
