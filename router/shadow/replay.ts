/** Sends one copy and reads its answer: own connections, own limits, once, whatever the other end does. */
import http from 'node:http';
import https from 'node:https';
import { shadowFields } from '../core/headers.ts';
import { rewriteLocationFields } from '../core/location.ts';
import type { Captured, Fields, ShadowJob } from '../core/types.ts';

export type Replayed =
  /** `oversize`: longer than we read; `answer.body` is its beginning. */
  | { readonly kind: 'answer'; readonly answer: Captured; readonly oversize: boolean }
  /** `connecting`: it was not even reached in time. */
  | { readonly kind: 'timeout'; readonly connecting: boolean }
  | { readonly kind: 'transport'; readonly code: string }
  /** A kept-alive connection was closed as we took it: neither side's fault, and not repeated. */
  | { readonly kind: 'connection-reused' }
  | { readonly kind: 'aborted' }
  /** The budget for copies ran out while reading. */
  | { readonly kind: 'memory' };

export interface ReplayLimits {
  readonly connectTimeoutMs: number;
  /** The deadline grows with the primary's duration up to here. */
  readonly timeoutMsMax: number;
  /** The copied answer may be this many times as large as a copied body. */
  readonly answerFactor: number;
  readonly headBytesMax: number;
  readonly socketsMax: number;
}

export const REPLAY_LIMITS: ReplayLimits = {
  connectTimeoutMs: 500,
  timeoutMsMax: 30_000,
  answerFactor: 4,
  headBytesMax: 65_536,
  socketsMax: 64,
};

export interface Replayer {
  /** `grow`: asks for bytes of the memory budget. Always resolves. */
  replay(job: ShadowJob, signal: AbortSignal, grow: (bytes: number) => boolean): Promise<Replayed>;
  /** Closes idle connections; running replays end by their signal. */
  stop(): void;
}

export function createReplayer(limits: ReplayLimits = REPLAY_LIMITS): Replayer {
  const options = { keepAlive: true, maxSockets: limits.socketsMax, maxFreeSockets: 16 };
  const agents = { http: new http.Agent(options), https: new https.Agent(options) };
  return {
    replay: (job, signal, grow) => exchange(job, signal, grow, agents, limits),
    stop() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/** Deadline of one copy: three times what the primary took, within the group's and our own bounds. */
function deadlineMs(job: ShadowJob, limits: ReplayLimits): number {
  return Math.min(limits.timeoutMsMax, Math.max(job.group.shadowLimits.timeoutMs, 3 * job.durationMs));
}

/** What the copy is sent with: the primary's end-to-end fields, the length of the copied body, and the mark. */
function copyFields({ request }: ShadowJob): Fields {
  const length = request.body.length > 0 ? ['Content-Length', String(request.body.length)] : [];
  return [...shadowFields(request.fields), ...length, 'Fig-Shadow', '1'];
}

function exchange(
  job: ShadowJob,
  signal: AbortSignal,
  grow: (bytes: number) => boolean,
  agents: Agents,
  limits: ReplayLimits,
): Promise<Replayed> {
  const { promise, resolve } = Promise.withResolvers<Replayed>();
  let request: http.ClientRequest;
  try {
    request = open(job, agents, limits);
  } catch (error) {
    return Promise.resolve({ kind: 'transport', code: codeOf(error) });
  }
  const deadline = setTimeout(() => finish({ kind: 'timeout', connecting: false }), deadlineMs(job, limits));
  const abort = () => finish({ kind: 'aborted' });
  let connecting: NodeJS.Timeout | undefined;
  let bytesBefore = 0;
  let responded = false;
  let done = false;

  function finish(replayed: Replayed): void {
    if (done) return;
    done = true;
    clearTimeout(deadline);
    clearTimeout(connecting);
    signal.removeEventListener('abort', abort);
    const whole = replayed.kind === 'answer' && !replayed.oversize && !replayed.answer.truncated;
    // A complete exchange gives its connection back; anything else must not be used again.
    if (!whole) request.destroy();
    resolve(replayed);
  }

  signal.addEventListener('abort', abort);
  request.on('socket', (socket) => {
    bytesBefore = socket.bytesRead;
    if (!socket.connecting) return;
    connecting = setTimeout(() => finish({ kind: 'timeout', connecting: true }), limits.connectTimeoutMs);
    socket.once('connect', () => clearTimeout(connecting));
  });
  request.on('error', (error) => {
    const silent = (request.socket?.bytesRead ?? 0) === bytesBefore;
    finish(
      request.reusedSocket && silent
        ? { kind: 'connection-reused' }
        : { kind: 'transport', code: codeOf(error) },
    );
  });
  request.on('response', (response) => {
    responded = true;
    read(response, job, grow, limits, finish);
  });
  // Not asked for: an answer that changes the protocol is no answer.
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    finish({ kind: 'transport', code: 'SWITCHED' });
  });
  // Once there is an answer, how it ended is told by the answer.
  request.on('close', () => {
    if (!responded) finish({ kind: 'transport', code: 'ECONNRESET' });
  });
  request.end(job.request.body.length > 0 ? job.request.body : undefined);
  if (signal.aborted) abort();
  return promise;
}

function open(job: ShadowJob, agents: Agents, limits: ReplayLimits): http.ClientRequest {
  const origin = new URL(job.target.origin);
  const secure = origin.protocol === 'https:';
  return (secure ? https : http).request({
    protocol: origin.protocol,
    hostname: origin.hostname.replace(/^\[|\]$/g, ''),
    port: origin.port === '' ? (secure ? 443 : 80) : Number(origin.port),
    method: job.request.method,
    path: job.request.target,
    headers: [...copyFields(job)],
    agent: secure ? agents.https : agents.http,
    setHost: false,
    maxHeaderSize: limits.headBytesMax,
  });
}

function read(
  response: http.IncomingMessage,
  job: ShadowJob,
  grow: (bytes: number) => boolean,
  limits: ReplayLimits,
  finish: (replayed: Replayed) => void,
): void {
  const bytesMax = limits.answerFactor * job.group.shadowLimits.bodyBytesMax;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const answered = (truncated: boolean, oversize: boolean) => {
    const status = response.statusCode ?? 0;
    // As a client behind this target would have received it.
    const fields = rewriteLocationFields(
      response.rawHeaders,
      status,
      job.target.rewriteLocation,
      job.publicOrigin,
    );
    finish({ kind: 'answer', answer: { status, fields, body: Buffer.concat(chunks), truncated }, oversize });
  };
  response.on('data', (chunk: Uint8Array) => {
    if (!grow(chunk.length)) {
      finish({ kind: 'memory' });
      return;
    }
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) answered(false, true);
  });
  response.on('end', () => answered(!response.complete, false));
  // Cut off in the body: what came so far is an answer that ended early.
  response.on('error', () => answered(true, false));
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^[A-Z][A-Z0-9_]{1,39}$/.test(code) ? code : 'FAILED';
}
