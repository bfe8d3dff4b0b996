import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Log } from '../../router/core/ports.ts';
import type { LocalFlags } from '../client.ts';
import { systemTimer, type Timer } from '../timer.ts';
import { setReadOnly } from './admin/maintenance.ts';
import { createAuth, type FlagTokens, type ParsedToken, parseToken } from './auth.ts';
import { createDeltas } from './delta.ts';
import { createHttpApp } from './http-app.ts';
import { createIds, type Ids } from './ids.ts';
import { createJournal } from './journal.ts';
import { type ContextField, LIMITS, type Limits, type Policy } from './semantics.ts';
import { type ClientState, replaceState } from './state.ts';
import { openStore, type Store } from './store.ts';
import { startError } from './store-error.ts';
import { createStreams, type Streams } from './stream.ts';
import { createTokens } from './tokens.ts';
import { createUsage, type Usage, type UsageCounts } from './usage.ts';
import { createView, type View } from './view.ts';

const CONNECTIONS_MAX = 1000;
/** Changes remembered for clients that come back. */
const JOURNAL_MAX = 1000;
/** How long an answer under way may take at `close()`. */
const CLOSE_GRACE_MS = 500;

export interface FlagServerDeps {
  /** Path of the data file, made when missing. */
  readonly file: string;
  /** Kept by the caller (`newTokens` makes some); replaces the ones of an earlier start. */
  readonly tokens: FlagTokens;
  readonly clock: Clock;
  readonly log: Log;
  readonly timer?: Timer;
  readonly random?: () => number;
  readonly ids?: Ids;
  readonly limits?: Partial<Limits>;
  /** `strict` by default; `unleash` is for tests only. */
  readonly policy?: Policy;
}

export interface FlagServer extends LocalFlags {
  /**
   * Opens the data file, then the port (0 = any free one; `host` defaults to 127.0.0.1). Rejects in one sentence
   * when the file is in use, too new or no flag database, or the port is taken; nothing stays open then.
   * `url` is what readers and writers take.
   */
  listen(at: { readonly port: number; readonly host?: string }): Promise<{ url: string; port: number }>;
  /** Makes the flags and segments of an environment those of `state`, as they are: see `replaceState`. */
  replaceState(environment: string, state: ClientState): void;
  /** Highest event id that clients can see; only rises. */
  revision(): number;
  streams(): ReturnType<Streams['counts']>;
  /** What of the SDKs' usage reports was not counted. */
  usage(): UsageCounts;
  /** Lets the admin API refuse changes (503), also after a restart, or take them again; everything else goes on. */
  setReadOnly(readOnly: boolean): void;
  /** Ends streams, closes the port, then the file. */
  close(): Promise<void>;
}

interface Running {
  readonly store: Store;
  readonly view: View;
  readonly streams: Streams;
  readonly usage: Usage;
  readonly http: Server;
}

/**
 * A flag server that the unmodified Unleash SDKs talk to, in one process and one file: client API with streaming,
 * and the part of the admin API that moves flags. No I/O before `listen`.
 */
export function createFlagServer(deps: FlagServerDeps): FlagServer {
  const listeners = new Set<() => void>();
  let running: Running | null = null;

  function started(): Running {
    if (running === null) throw new TypeError('the flag server is not listening');
    return running;
  }

  return {
    async listen({ port, host = '127.0.0.1' }) {
      if (running !== null) throw new TypeError('the flag server is listening already');
      const opened = open(deps, listeners);
      try {
        await listening(opened.http, port, host);
      } catch (error) {
        opened.store.close();
        throw error;
      }
      running = opened;
      const { port: bound } = addressOf(opened.http);
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, port: bound };
    },

    table: (environment) => started().view.table(environment),

    onCommit(listener) {
      const subscription = () => listener();
      listeners.add(subscription);
      return () => {
        listeners.delete(subscription);
      };
    },

    replaceState(environment, state) {
      replaceState(started().store, SYSTEM, environment, state);
    },

    revision: () => started().store.revision(),
    streams: () => started().streams.counts(),
    usage: () => started().usage.counts(),

    setReadOnly(readOnly) {
      started().store.change(SYSTEM, (changes) => setReadOnly(changes, readOnly));
    },

    async close() {
      if (running === null) return;
      const { http, streams, store } = running;
      running = null;
      streams.close();
      await closed(http);
      store.close();
    },
  };
}

function open(deps: FlagServerDeps, listeners: ReadonlySet<() => void>): Running {
  const { file, clock, log, ids = createIds(clock) } = deps;
  const tokens = [parseToken('admin', deps.tokens.admin), parseToken('client', deps.tokens.client)];
  const store = openStore({ file, clock, ids, log });
  try {
    putTokens(store, tokens, clock);
    return over(store, { ...deps, ids }, listeners);
  } catch (error) {
    store.close();
    throw startError(file, error);
  }
}

function over(
  store: Store,
  deps: FlagServerDeps & { readonly ids: Ids },
  listeners: ReadonlySet<() => void>,
): Running {
  const { ids, clock, log, timer = systemTimer, random = Math.random } = deps;
  const limits = { ...LIMITS, ...deps.limits };
  const policy = deps.policy ?? 'strict';
  seedContextFields(store, clock);
  // A restored or swapped data file must never meet an ETag of another life.
  const epoch = ids.epoch();
  const view = createView(store, epoch);
  const journal = createJournal(JOURNAL_MAX, store.revision());
  const deltas = createDeltas({ store, view, journal, epoch });
  const streams = createStreams({ deltas, limits, clock, log, timer, random });
  const held = createTokens(store, clock);
  const auth = createAuth(held, ids);
  const usage = createUsage({ store, clock, policy, actor: SYSTEM });
  const app = createHttpApp({
    auth,
    tokens: held,
    usage,
    store,
    view,
    streams,
    deltas,
    limits,
    policy,
    clock,
    log,
    ids,
  });
  store.onCommit((commit) => {
    journal.touch(commit, commit.revision);
    streams.publish(commit);
    for (const listener of listeners) listener();
  });
  const http = createServer(app);
  http.maxConnections = CONNECTIONS_MAX;
  return { store, view, streams, usage, http };
}

/** The tokens of this start replace those of the last one; what was made through the API stays. */
function putTokens(store: Store, tokens: readonly ParsedToken[], clock: Clock): void {
  const createdAt = new Date(clock.wall()).toISOString();
  store.change(SYSTEM, (changes) => {
    changes.deleteConfiguredTokens();
    for (const token of tokens) {
      changes.insertToken({ ...token, alias: null, createdAt, expiresAt: null, configured: true });
    }
  });
}

/** The fields of an empty Unleash, and ours. */
function seedContextFields(store: Store, clock: Clock): void {
  const known = new Set(store.contextFields().map(({ name }) => name));
  const createdAt = new Date(clock.wall()).toISOString();
  const missing = CONTEXT_FIELDS.filter(({ name }) => !known.has(name));
  if (missing.length === 0) return;
  store.change(SYSTEM, (changes) => {
    for (const field of missing) changes.insertContextField({ ...field, legalValues: [], createdAt });
  });
}

const SYSTEM = { name: 'system', userId: -1337 };

const CONTEXT_FIELDS: readonly Omit<ContextField, 'legalValues' | 'createdAt'>[] = [
  contextField('appName', 'Allows you to constrain on application name', false, 2),
  contextField('currentTime', 'Allows you to constrain on date values', false, 3),
  contextField('environment', 'Allows you to constrain on application environment', false, 0),
  contextField('figUnit', 'Sticky key of the unit that a request belongs to', true, 5),
  contextField('sessionId', 'Allows you to constrain on sessionId', true, 4),
  contextField('userId', 'Allows you to constrain on userId', false, 1),
];

function contextField(name: string, description: string, stickiness: boolean, sortOrder: number) {
  return { name, description, stickiness, sortOrder };
}

function listening(http: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });
}

function closed(http: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => http.closeAllConnections(), CLOSE_GRACE_MS);
    http.close((error) => {
      clearTimeout(cut);
      if (error === undefined) resolve();
      else reject(error);
    });
    http.closeIdleConnections();
  });
}

function addressOf(http: Server): AddressInfo {
  const address = http.address();
  if (address === null || typeof address === 'string') throw new TypeError('the flag server has no port');
  return address;
}
