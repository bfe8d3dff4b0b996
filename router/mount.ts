import { type ClientRequest, type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { type AccountCounts, createAccounts, type DataPlaneDeps } from './core/accounts.ts';
import { isWithin, parseCidr, plainAddress } from './core/address.ts';
import { type Admission, type AdmitPolicy, admit, asksForWebSocket, isLastHop } from './core/admit.ts';
import { routesAgree } from './core/agree.ts';
import { choose, isSafe } from './core/choose.ts';
import { ERRORS, type ErrorCode } from './core/errors.ts';
import { type Hop, publicOriginOf, receivedRequestId, requestFields, valuesOf } from './core/headers.ts';
import { createRoster } from './core/roster.ts';
import type { Snapshot, Target } from './core/types.ts';
import { createAgents } from './mount/agents.ts';
import { type ExchangeDeps, type Given, startExchange } from './mount/exchange.ts';
import { MOUNT_DEFAULTS, type MountOptions } from './mount/options.ts';
import { Outbound } from './mount/outbound.ts';
import { replyError, replyOptions } from './mount/reply.ts';

export type { MountOptions } from './mount/options.ts';

export interface MountCounts extends AccountCounts {
  readonly inFlight: number;
  readonly tunnels: number;
}

export interface Mount {
  /** Answers a request: an Express or Connect middleware and a `node:http` request listener alike. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Answers a request that expects a 100: the listener of the server's `checkContinue` event. */
  expect(req: IncomingMessage, res: ServerResponse): void;
  /** Answers an upgrade: the listener of the server's `upgrade` event. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** For `shouldUpgradeCallback` of the server: only WebSocket handshakes leave HTTP, all else is a plain request. */
  wantsUpgrade(req: IncomingMessage): boolean;
  counts(): MountCounts;
  /** Says in the log when the runtime lacks security fixes this proxy rests on. */
  start(): void;
  /** Answers what is in flight, at most `stopMs`; then cuts it, closes tunnels and connections. */
  stop(): Promise<void>;
}

const RETRY_SHARE = 0.2;
const NO_BYTES = new Uint8Array(0);

/**
 * The router as a middleware on http-proxy. Throws RangeError when a trusted proxy is no CIDR block, and when
 * http-proxy is not the version whose faults are known (see test/advisories/).
 */
export function createMount(deps: DataPlaneDeps, given: Partial<MountOptions> = {}): Mount {
  const options: MountOptions = { ...MOUNT_DEFAULTS, ...given };
  const trusted = options.trustedProxies.map(cidr);
  const proxy = createProxy();
  const agents = createAgents(deps.clock, options);
  const accounts = createAccounts(
    { ...deps, later: setImmediate, copy: Buffer.from },
    { shadowBytesMax: options.shadowBytesMax, retryShare: RETRY_SHARE },
  );
  const responses = createRoster<ServerResponse>();
  const tunnels = new Set<Socket>();
  let state: 'running' | 'draining' | 'stopped' = 'running';
  let drained: (() => void) | null = null;

  const exchanges: ExchangeDeps = {
    clock: deps.clock,
    log: deps.log,
    options,
    dispatch,
    mayRetry: accounts.mayRetry,
    closing: () => state !== 'running',
    leftService: ({ choice }) => accounts.leftService(choice),
    ended(exchange, ending) {
      accounts.ended(exchange, ending);
      exchange.leave();
      if (responses.size() === 0) drained?.();
    },
  };

  /** One synchronous run from the head to the first byte upstream: one snapshot, one flag reading, no waiting. */
  function accept(req: IncomingMessage, res: ServerResponse, early: Uint8Array, continues: boolean): void {
    const startedAt = deps.clock.now();
    const requestId = receivedRequestId(req.rawHeaders) ?? deps.nextId();
    const hop = hopOf(req, requestId);
    const snapshot = deps.current.get();
    const admission = check(req, snapshot, hop);
    if (!admission.ok) {
      refused(req, res, admission.code, requestId, startedAt);
      return;
    }
    const { admitted, framing } = admission;
    if (isLastHop(admitted)) {
      accounts.answered(admitted.method, 'OK', 200, deps.clock.now() - startedAt);
      replyOptions(res, requestId);
      return;
    }
    const choice = choose(snapshot, admitted, requestId, deps);
    const fields = requestFields(admitted, framing, hop);
    const publicOrigin = publicOriginOf(admitted, hop);
    const { legacy } = snapshot;
    const request = {
      req,
      res,
      early,
      continues,
      startedAt,
      requestId,
      admitted,
      framing,
      choice,
      legacy,
      fields,
      publicOrigin,
    };
    accounts.began(choice);
    const copies = accounts.copiesOf(choice, admitted.method, legacy, () => ({
      admitted,
      sent: fields,
      requestId,
      publicOrigin,
    }));
    startExchange({ ...request, copies, leave: responses.enter(res) }, exchanges);
  }

  /** Admission, and what only a mount has to ask. */
  function check(req: IncomingMessage, snapshot: Snapshot, hop: Hop): Admission {
    if (state === 'stopped') return { ok: false, code: 'FIG_DRAINING' };
    const policy: AdmitPolicy = {
      ...options,
      peerTrusted: hop.peerTrusted,
      defaultHost: snapshot.legacy.origin.replace(/^https?:\/\//, ''),
      hosts: [],
      strict: false,
    };
    const head = {
      method: req.method ?? '',
      target: targetOf(req),
      version: req.httpVersion,
      fields: req.rawHeaders,
    };
    const admission = admit(head, policy);
    if (!admission.ok) return admission;
    const { method, path, hasBody } = admission.admitted;
    if (!routesAgree(snapshot.table, method, path)) return { ok: false, code: 'CLIENT_PATH_AMBIGUOUS' };
    return hasBody && isBodyTaken(req) ? { ok: false, code: 'MOUNT_BODY_CONSUMED' } : admission;
  }

  function hopOf(req: IncomingMessage, requestId: string): Hop {
    const peer = plainAddress(req.socket.remoteAddress ?? '');
    return {
      viaName: options.viaName,
      version: req.httpVersion,
      peer,
      peerTrusted: isWithin(peer, trusted),
      scheme: 'encrypted' in req.socket ? 'https' : 'http',
      requestId,
      host: null,
      forwarded: false,
      // node answers 100 by itself and gives no trailers before the end.
      interim: false,
    };
  }

  function dispatch(
    exchange: Given,
    target: Target,
    fresh: boolean,
    take: (upstream: ClientRequest) => void,
    failed: (error: Error) => void,
  ): void {
    const { req, res, admitted } = exchange;
    const upstream = agents.of(target.origin);
    if (!isSafe(admitted.method)) upstream.closeIdle(options.unsafeIdleMs);
    const outbound = new Outbound(req, admitted.method, take);
    proxy.web(
      outbound,
      res,
      {
        target: upstream.address,
        agent: fresh || admitted.upgrade ? false : upstream.agent,
        // http-proxy makes the options of its `http.request` out of this object.
        ssl: { maxHeaderSize: options.answerHeadBytesMax, setHost: false },
      },
      failed,
    );
  }

  function refused(
    req: IncomingMessage,
    res: ServerResponse,
    code: ErrorCode,
    requestId: string,
    startedAt: number,
  ): void {
    accounts.answered(req.method ?? '', code, ERRORS[code].status, deps.clock.now() - startedAt);
    replyError(req, res, code, requestId, true, options);
  }

  function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // From the first tick on: a reset while the upstream is asked must not be an unhandled error.
    socket.on('error', () => socket.destroy());
    if (!(socket instanceof Socket)) {
      socket.destroy();
      return;
    }
    const res = new ServerResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket);
    res.on('finish', () => {
      res.detachSocket(socket);
      socket.destroySoon();
    });
    if (tunnels.size >= options.tunnelsMax) {
      refused(
        req,
        res,
        'FIG_OVERLOADED',
        receivedRequestId(req.rawHeaders) ?? deps.nextId(),
        deps.clock.now(),
      );
      return;
    }
    tunnels.add(socket);
    socket.on('close', () => tunnels.delete(socket));
    accept(req, res, head, false);
  }

  async function stop(): Promise<void> {
    if (state !== 'running') return;
    state = 'draining';
    if (responses.size() > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      drained = resolve;
      const timer = setTimeout(resolve, options.stopMs);
      await promise;
      clearTimeout(timer);
    }
    state = 'stopped';
    for (const res of responses.members()) res.destroy();
    for (const socket of tunnels) socket.destroy();
    agents.destroy();
  }

  return {
    handle: (req, res) => accept(req, res, NO_BYTES, false),
    expect: (req, res) => accept(req, res, NO_BYTES, true),
    upgrade,
    wantsUpgrade: (req) =>
      asksForWebSocket(
        req.method ?? '',
        req.httpVersion,
        valuesOf(req.rawHeaders, 'connection'),
        valuesOf(req.rawHeaders, 'upgrade'),
      ),
    counts: () => ({
      ...accounts.counts(),
      inFlight: responses.size(),
      tunnels: tunnels.size,
    }),
    start() {
      if (!hasParserFixes(process.versions.node)) {
        deps.log.warn('runtime-unfixed', { node: process.versions.node, needs: '24.18.1 or 26.5.1' });
      }
    },
    stop,
  };
}

/** http-proxy, disarmed: it opens the request and tells of errors; heads, bodies and answers are ours. */
function createProxy(): httpProxy {
  const proxy = httpProxy.createProxyServer({
    selfHandleResponse: true,
    ignorePath: true,
    xfwd: false,
    toProxy: true,
  });
  const passes: unknown = 'webPasses' in proxy ? proxy.webPasses : null;
  const at = Array.isArray(passes)
    ? passes.findIndex((pass: unknown) => typeof pass === 'function' && pass.name === 'deleteLength')
    : -1;
  // CVE-2026-29057: the pass turns a chunked DELETE into `content-length: 0` and still sends the body.
  if (!Array.isArray(passes) || at === -1)
    throw new RangeError('http-proxy is not the version this mount knows');
  passes.splice(at, 1);
  return proxy;
}

function cidr(text: string): NonNullable<ReturnType<typeof parseCidr>> {
  const block = parseCidr(text);
  if (block === null) throw new RangeError(`not a CIDR block: ${text}`);
  return block;
}

/** Express and Connect cut the mount path off `url`; what is forwarded is what the client sent. */
function targetOf(req: IncomingMessage): string {
  return 'originalUrl' in req && typeof req.originalUrl === 'string' ? req.originalUrl : (req.url ?? '');
}

/** Somebody before us has read the body: there is nothing left to forward. */
function isBodyTaken(req: IncomingMessage): boolean {
  return req.readableDidRead || ('body' in req && req.body !== undefined);
}

/** CVE-2026-58044 (header lists cut off), CVE-2026-48931 (answers on idle connections). */
function hasParserFixes(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major === 24) return minor > 18 || (minor === 18 && patch >= 1);
  return major > 26 || (major === 26 && (minor > 5 || (minor === 5 && patch >= 1)));
}
