import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { hostname } from 'node:os';
import {
  type Context,
  InMemStorageProvider,
  Unleash,
  type UnleashConfig,
  UnleashEvents,
} from 'unleash-client';
import type { Clock, FlagStatus, Log } from '../router/core/ports.ts';
import { type Backup, createBackup } from './backup.ts';
import { FLAG_PREFIX } from './names.ts';
import type { FlagFeed } from './push.ts';
import {
  createTable,
  type Definition,
  type FlagTable,
  type Repository,
  type SwappableTable,
} from './table.ts';
import { jittered, type Timer } from './timer.ts';

export const APP_NAME = 'strangler-fig';
const PROJECT = 'default';
const METRICS_INTERVAL_MS = 60_000;
const METRICS_JITTER_MS = 10_000;
/** A refused token stops the SDK's polling for ever; we ask again this often. */
const REFUSED_RETRY_MS = 60_000;
/** A stream that fell back to polling never returns by itself; we try this often, +-20 %. */
const STREAM_RETRY_MS = 5 * 60_000;
const STREAM_STALE_MS = 45_000;
const POLL_STALE_MIN_MS = 30_000;

/** The flag server of the same process, seen by the reader. */
export interface LocalFlags {
  table(environment: string): FlagTable;
  /** Called after each commit, in the same tick; returns the unsubscriber. */
  onCommit(listener: () => void): () => void;
}

/** A checked flag source; `reader.ts` checks it. */
export type Source =
  | { readonly kind: 'local'; readonly server: LocalFlags }
  | { readonly kind: 'push'; readonly feed: FlagFeed }
  | {
      readonly kind: 'stream' | 'poll';
      /** With `/api/` at its end. */
      readonly url: URL;
      readonly token: string;
      readonly refreshMs: number;
      readonly timeoutMs: number;
      /** PEM of a private authority, for `poll` over https. */
      readonly ca: string | undefined;
    };

export interface ClientDeps {
  readonly source: Source;
  readonly environment: string;
  readonly backupDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly timer: Timer;
  /** 0 (inclusive) to 1 (exclusive). */
  random(): number;
}

export interface ClientCounts {
  readonly errors: number;
  readonly warnings: number;
  readonly backupFailures: number;
  readonly listenerFailures: number;
}

export interface FlagClient {
  /**
   * Attaches everything, then contacts the server in the background. Throws when the server of this process does
   * not listen yet or has no such environment.
   */
  start(): void;
  /** Sends the last usage counts (at most one request timeout) and lets go of every socket and timer. */
  stop(): Promise<void>;
  /** Whether there is anything to evaluate; the cheap half of `status()`. */
  hasData(): boolean;
  /** The definition in force; undefined when there is none or there is no data yet. */
  definition(name: string): Definition | undefined;
  /** Everything in force, to be handed to another process; null while there is no data. */
  table(): FlagTable | null;
  /** Only when `hasData()`, and only for a flag that `definition` knows. May throw. */
  isEnabled(name: string, context: Context): boolean;
  /** Counts an evaluation that was not asked for again, for the usage the flag server shows. */
  count(name: string, enabled: boolean): void;
  status(): FlagStatus;
  /** Called after the whole table was swapped. */
  onChange(listener: (revision: number) => void): () => void;
  counts(): ClientCounts;
}

/**
 * One Unleash client that keeps its promises: it never storms the server, never dies for ever, never crashes the
 * process, and knows how old its data is. Each remedy names what unleash-client 6.12.1 does without it.
 */
export function createClient(deps: ClientDeps): FlagClient {
  const { source, clock, log, timer, random } = deps;
  const pushed = source.kind === 'push' ? source.feed : null;
  const inMemory = source.kind === 'local' || source.kind === 'push';
  const agent = inMemory ? null : createAgent(source);
  const backup = source.kind === 'poll' ? backupOf(source.url, deps) : null;
  const table = inMemory ? createTable() : null;
  const listeners = new Set<(revision: number) => void>();
  const cancels: { refused: (() => void) | null; stream: (() => void) | null; commit: (() => void) | null } =
    {
      refused: null,
      stream: null,
      commit: null,
    };
  const counts = { errors: 0, warnings: 0, listenerFailures: 0 };
  let unleash: Unleash | null = null;
  let ready = false;
  let revision = 0;
  let parts: readonly unknown[] = [];
  let lastContactMs: number | null = null;
  let lastError: string | null = null;

  function guarded<A extends readonly unknown[]>(listener: (...args: A) => void): (...args: A) => void {
    // A listener that throws inside the SDK's stream handler makes it reconnect without delay.
    return (...args) => {
      try {
        listener(...args);
      } catch (error) {
        counts.listenerFailures += 1;
        if (counts.listenerFailures === 1) log.error('flags.listener-failed', { error: String(error) });
      }
    };
  }

  function swapped(client: Unleash): void {
    // A heartbeat raises `changed` too; the table is another one only when its parts are.
    const next = partsOf(client);
    if (next.length === parts.length && next.every((part, index) => part === parts[index])) return;
    parts = next;
    revision += 1;
    for (const listener of listeners) guarded(listener)(revision);
  }

  function contacted(): void {
    if (lastError !== null) log.info('flags.reachable', { transport: source.kind, failures: counts.errors });
    lastError = null;
    lastContactMs = clock.now();
  }

  function failed(message: string): void {
    counts.errors += 1;
    if (lastError === null) log.warn('flags.unreachable', { transport: source.kind, reason: message });
    lastError = message;
  }

  function onWarning(client: Unleash, warning: unknown): void {
    counts.warnings += 1;
    const text = textOf(warning);
    const status = /responded (?:\D*\()?(\d{3})/.exec(text)?.[1];
    if (status !== undefined) failed(`the flag server answered ${status}`);
    // The SDK is about to reconnect at once because one stream event was malformed, and would do so for ever.
    // Polling fetches the whole truth instead; the stream is tried again later.
    if (text.startsWith('Requesting full re-hydration')) {
      failed('the flag server sent a malformed event');
      switchMode(client, 'polling');
    }
  }

  function onError(client: Unleash, error: unknown): void {
    failed(reasonOf(error));
    const repository = controlsOf(client);
    if (repository === null) return;
    // The SDK keeps the ETag of a body it could not read: 304 for ever.
    repository.etag = undefined;
    if (/responded 40[13]\b/.test(textOf(error)) && cancels.refused === null) {
      cancels.refused = timer.after(REFUSED_RETRY_MS, () => {
        cancels.refused = null;
        void settled(repository.fetch());
      });
    }
  }

  function switchMode(client: Unleash, mode: 'polling' | 'streaming'): void {
    void settled(client.setExperimentalMode(mode));
  }

  /** A background promise of the SDK: it reports through events; a rejection is counted, never unhandled. */
  async function settled(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      failed(reasonOf(error));
    }
  }

  function returnToStream(client: Unleash): void {
    if (source.kind !== 'stream' || cancels.stream !== null) return;
    cancels.stream = timer.after(jittered(STREAM_RETRY_MS, 0.2, random), () => {
      cancels.stream = null;
      if (controlsOf(client)?.getMode() !== 'polling') return;
      if (lastError === null) switchMode(client, 'streaming');
      else returnToStream(client);
    });
  }

  function attach(client: Unleash): void {
    const repository = repositoryOf(client);
    repository.on(
      UnleashEvents.Ready,
      guarded(() => {
        ready = true;
        swapped(client);
      }),
    );
    repository.on(
      UnleashEvents.Mode,
      guarded((change: { readonly to?: unknown }) => {
        log.info('flags.transport', { to: String(change.to) });
        if (change.to === 'polling') returnToStream(client);
      }),
    );
    client.on(
      UnleashEvents.Changed,
      guarded(() => {
        contacted();
        if (ready) swapped(client);
      }),
    );
    client.on(
      UnleashEvents.Unchanged,
      guarded(() => {
        if (lastContactMs !== null) contacted();
      }),
    );
    client.on(
      UnleashEvents.Warn,
      guarded((warning: unknown) => onWarning(client, warning)),
    );
    client.on(
      UnleashEvents.Error,
      guarded((error: unknown) => onError(client, error)),
    );
  }

  function transport(): FlagStatus['transport'] {
    if (source.kind !== 'stream') return source.kind;
    const mode = unleash === null ? 'streaming' : controlsOf(unleash)?.getMode();
    return mode === 'polling' ? 'poll' : 'stream';
  }

  return {
    start() {
      if (unleash !== null) throw new TypeError('the flag client was started before');
      const client = new Unleash(optionsOf(deps, agent, backup, table));
      unleash = client;
      attach(client);
      if (source.kind === 'local' && table !== null) {
        const refresh = () => table.swap(source.server.table(deps.environment));
        refresh();
        cancels.commit = source.server.onCommit(guarded(refresh));
      }
      if (pushed !== null && table !== null) {
        const known = pushed.latest();
        if (known !== null) table.swap(known.table);
        cancels.commit = pushed.onTable(guarded((next: FlagTable) => table.swap(next)));
      }
      void settled(client.start());
    },

    async stop() {
      const client = unleash;
      if (client === null) return;
      for (const cancel of Object.values(cancels)) cancel?.();
      if (lastError === null && lastContactMs !== null) await settled(flush(client));
      const repository = repositoryOf(client);
      client.destroy();
      // A fetch that fails after this emits `error` on an emitter that lost its listeners: uncaught, exit 1.
      repository.on(UnleashEvents.Error, () => undefined);
      agent?.destroy();
      await backup?.close();
    },

    hasData: () => ready,

    definition: (name) => (ready ? unleash?.getFeatureToggleDefinition(name) : undefined),

    table() {
      if (!ready || unleash === null) return null;
      return { features: unleash.getFeatureToggleDefinitions(), segments: segmentsOf(unleash) };
    },

    isEnabled(name, context) {
      return unleash?.isEnabled(name, context, false) ?? false;
    },

    count(name, enabled) {
      unleash?.count(name, enabled);
    },

    status() {
      const ageMs = lastContactMs === null ? null : clock.now() - lastContactMs;
      const now = transport();
      const latest = pushed?.latest() ?? null;
      if (ready && latest !== null) {
        const { data, stale, ageMs: pushedAgeMs } = latest;
        return { data, stale, ageMs: pushedAgeMs, transport: now, revision, lastError };
      }
      const data = !ready ? 'none' : lastContactMs === null ? 'backup' : 'fresh';
      return {
        data,
        stale: isStale(source, now, ageMs),
        ageMs: ageOf(now, ageMs),
        transport: now,
        revision,
        lastError,
      };
    },

    onChange(listener) {
      // Wrapped, so that one listener registered twice is two subscriptions.
      const subscription = (at: number) => listener(at);
      listeners.add(subscription);
      return () => {
        listeners.delete(subscription);
      };
    },

    counts: () => ({ ...counts, backupFailures: backup?.failures() ?? 0 }),
  };
}

function optionsOf(
  { source, environment, random }: ClientDeps,
  agent: HttpAgent | null,
  backup: Backup | null,
  table: SwappableTable | null,
): UnleashConfig {
  const shared: UnleashConfig = {
    appName: APP_NAME,
    // The SDK's default is equal for all processes of a host.
    instanceId: `${hostname()}-${process.pid}-${hex6(random)}`,
    environment,
    projectName: PROJECT,
    namePrefix: FLAG_PREFIX,
    url: 'url' in source ? source.url.href : 'http://local.invalid/api/',
    disableAutoStart: true,
    skipInstanceCountWarning: true,
    storageProvider: backup ?? new InMemStorageProvider(),
  };
  if (!('url' in source) || agent === null || table !== null) {
    return table === null ? shared : { ...shared, disableMetrics: true, repository: table };
  }
  return {
    ...shared,
    refreshInterval: source.refreshMs,
    timeout: source.timeoutMs,
    metricsInterval: METRICS_INTERVAL_MS,
    metricsJitter: METRICS_JITTER_MS,
    customHeaders: { Authorization: source.token },
    // Otherwise HTTP_PROXY captures the requests, loopback ones too.
    httpOptions: { agent: () => agent, rejectUnauthorized: true },
    experimentalMode: source.kind === 'stream' ? { type: 'streaming' } : { type: 'polling', format: 'full' },
  };
}

function createAgent(source: Extract<Source, { url: URL }>): HttpAgent {
  const options = { keepAlive: true, timeout: source.timeoutMs };
  if (source.url.protocol === 'http:') return new HttpAgent(options);
  const tls = { ...options, rejectUnauthorized: true };
  return new HttpsAgent(source.ca === undefined ? tls : { ...tls, ca: source.ca });
}

function backupOf(url: URL, { backupDir, environment, clock, log }: ClientDeps): Backup {
  return createBackup({ dir: backupDir, url: url.href, environment, appName: APP_NAME, clock, log });
}

/** Above this age the data is stale; a table that is swapped in the same process never is. */
function isStale(source: Source, transport: FlagStatus['transport'], ageMs: number | null): boolean {
  if (!('url' in source) || ageMs === null) return false;
  const limitMs =
    transport === 'stream' ? STREAM_STALE_MS : Math.max(10 * source.refreshMs, POLL_STALE_MIN_MS);
  return ageMs > limitMs;
}

/** The local table is the truth itself: always of this moment. */
function ageOf(transport: FlagStatus['transport'], ageMs: number | null): number | null {
  return transport === 'local' && ageMs !== null ? 0 : ageMs;
}

/** The flag and segment objects in force; the SDK never changes one in place. */
function partsOf(client: Unleash): readonly unknown[] {
  return [...client.getFeatureToggleDefinitions(), ...segmentsOf(client)];
}

/** The segments that some strategy uses, each once. */
function segmentsOf(client: Unleash): FlagTable['segments'] {
  const used = client
    .getFeatureToggleDefinitions(true)
    .flatMap((feature) => feature.strategies ?? [])
    .flatMap((strategy) => strategy.segments ?? [])
    .filter((segment) => segment !== undefined);
  return [...new Map(used.map((segment) => [segment.id, segment])).values()];
}

/** What the SDK's own repository can do beyond its public interface. */
interface Controls {
  etag: string | undefined;
  fetch(): Promise<void>;
  getMode(): 'polling' | 'streaming';
}

/** Sends the usage counts. The SDK starts another metrics loop at that and loses the timer of the first one. */
function flush(client: Unleash): Promise<void> {
  clearTimeout(client['metrics']['timer']);
  return client.flushMetrics();
}

function repositoryOf(client: Unleash): Repository {
  return client['repository'];
}

function controlsOf(client: Unleash): Controls | null {
  const repository = repositoryOf(client);
  return hasControls(repository) ? repository : null;
}

function hasControls(repository: Repository): repository is Repository & Controls {
  return 'etag' in repository && 'fetch' in repository && 'getMode' in repository;
}

function hex6(random: () => number): string {
  return Math.floor(random() * 0x100_0000)
    .toString(16)
    .padStart(6, '0');
}

function textOf(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}

/** One sentence without addresses: the SDK's messages carry URLs. */
function reasonOf(error: unknown): string {
  const text = textOf(error);
  const status = /responded (\d{3})|but was (\d{3})/.exec(text);
  const code = status?.[1] ?? status?.[2];
  if (code === '401' || code === '403') return `the flag server refused the token (${code})`;
  if (code !== undefined) return `the flag server answered ${code}`;
  if (/ECONNREFUSED/.test(text)) return 'the flag server refused the connection';
  if (/timeout|ETIMEDOUT|ERR_SOCKET_TIMEOUT/i.test(text)) return 'the flag server did not answer in time';
  if (/certificate|self-signed|CERT_|ERR_TLS/i.test(text)) return 'the flag server could not be verified';
  if (/Client features was|Invalid API response|JSON|feature\./.test(text)) {
    return 'the flag server sent an answer of another shape';
  }
  return 'the flag server could not be reached';
}
