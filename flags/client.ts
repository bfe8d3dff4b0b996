import { hostname } from 'node:os';
import {
  type Context,
  InMemStorageProvider,
  Unleash,
  type UnleashConfig,
  UnleashEvents,
} from 'unleash-client';
import type { Clock, FlagStatus, Log } from '../router/core/ports.ts';
import { createFlagAgent, type FlagAgent } from './agent.ts';
import { type Backup, createBackup } from './backup.ts';
import { isRecord } from './json.ts';
import { FLAG_PREFIX } from './names.ts';
import type { FlagFeed } from './push.ts';
import {
  createTable,
  type Definition,
  type FlagTable,
  isDefinition,
  type Repository,
  type Segment,
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
/** A list this long makes an evaluation several times as expensive. */
const LIST_VALUES_MAX = 100;

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
  /** Flags that came in a shape that cannot be evaluated, at the last change. */
  readonly malformedFlags: number;
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
  /** The definition in force; undefined when there is none that can be evaluated, or no data yet. */
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
  const agent =
    source.kind === 'local' || source.kind === 'push' ? null : createFlagAgent({ ...source, timer });
  const backup = source.kind === 'poll' ? backupOf(source.url, deps) : null;
  const table = agent === null ? createTable() : null;
  const listeners = new Set<(revision: number) => void>();
  const cancels: Record<'refused' | 'silent' | 'stream' | 'commit', (() => void) | null> = {
    refused: null,
    silent: null,
    stream: null,
    commit: null,
  };
  const counts = { errors: 0, warnings: 0, listenerFailures: 0 };
  let unleash: Unleash | null = null;
  let stopped = false;
  let ready = false;
  let revision = 0;
  let current: FlagTable = { features: [], segments: [] };
  const findings = new WeakMap<Definition, Findings>();
  let malformed = 0;
  let longLists: ReadonlySet<string> = new Set();
  let streamDue = false;
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
    const next = table?.current ?? tableOf(repositoryOf(client));
    // A heartbeat raises `changed` too; the table is another one only when its parts are.
    if (sameParts(next.features, current.features) && sameParts(next.segments, current.segments)) return;
    current = next;
    survey(next);
    revision += 1;
    for (const listener of listeners) guarded(listener)(revision);
  }

  /** What is worth knowing of flags before one is evaluated; those that did not change are not looked at again. */
  function survey({ features, segments }: FlagTable): void {
    const before = malformed;
    malformed = features.filter((feature) => !findingsOf(feature).sound).length;
    if (malformed > 0 && before === 0) log.warn('flags.malformed', { flags: malformed });
    const longSegments = new Set(segments.filter(hasLongList).map(({ id }) => id));
    const long = features.filter((feature) => {
      const { sound, longList } = findingsOf(feature);
      return sound && (longList || (longSegments.size > 0 && usesOneOf(feature, longSegments)));
    });
    const names = long.map(({ name }) => name);
    for (const flag of names) {
      if (!longLists.has(flag)) log.warn('flags.long-list', { flag, valuesMax: LIST_VALUES_MAX });
    }
    longLists = new Set(names);
  }

  function findingsOf(feature: Definition): Findings {
    const known = findings.get(feature);
    if (known !== undefined) return known;
    const sound = isDefinition(feature);
    const found = { sound, longList: sound && (feature.strategies ?? []).some(hasLongList) };
    // What is not sound may not even be an object.
    if (sound) findings.set(feature, found);
    return found;
  }

  function contacted(client: Unleash): void {
    if (lastError !== null) log.info('flags.reachable', { transport: source.kind, failures: counts.errors });
    lastError = null;
    lastContactMs = clock.now();
    watchStream(client);
    if (!streamDue) return;
    streamDue = false;
    // Not before the SDK has planned its next poll: it forgets to cancel one that is under way, and polls twice.
    setImmediate(() => {
      if (!stopped) switchMode(client, 'streaming');
    });
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
    if (text.startsWith('Socket keep alive error')) failed('the flag server cut the connection');
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
    if (repository === null || stopped) return;
    // The SDK keeps the ETag of a body it could not read: 304 for ever. Of one that it did read the ETag is right.
    if (!MALFORMED_FLAG.test(textOf(error))) repository.etag = undefined;
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

  /** A stream can be open, and even send bytes, without saying anything of flags. The SDK would wait for ever. */
  function watchStream(client: Unleash): void {
    if (source.kind !== 'stream') return;
    cancels.silent?.();
    cancels.silent = timer.after(STREAM_STALE_MS, () => {
      if (controlsOf(client)?.getMode() !== 'streaming') return;
      failed('the flag server sent nothing of use on its stream');
      switchMode(client, 'polling');
    });
  }

  function returnToStream(client: Unleash): void {
    if (source.kind !== 'stream' || cancels.stream !== null) return;
    cancels.stream = timer.after(jittered(STREAM_RETRY_MS, 0.2, random), () => {
      cancels.stream = null;
      streamDue = controlsOf(client)?.getMode() === 'polling';
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
        contacted(client);
        if (ready) swapped(client);
      }),
    );
    client.on(
      UnleashEvents.Unchanged,
      guarded(() => {
        if (lastContactMs !== null) contacted(client);
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
      const client = new Unleash(optionsOf(deps, agent?.agent ?? null, backup, table));
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
      watchStream(client);
      void settled(client.start());
    },

    async stop() {
      const client = unleash;
      if (client === null || stopped) return;
      stopped = true;
      for (const cancel of Object.values(cancels)) cancel?.();
      if (lastError === null && lastContactMs !== null) await settled(flush(client));
      const repository = repositoryOf(client);
      client.destroy();
      // A fetch that fails after this emits `error` on an emitter that lost its listeners: uncaught, exit 1.
      repository.on(UnleashEvents.Error, () => undefined);
      agent?.close();
      await backup?.close();
    },

    hasData: () => ready,

    definition(name) {
      const found = ready ? unleash?.getFeatureToggleDefinition(name) : undefined;
      return found !== undefined && findingsOf(found).sound ? found : undefined;
    },

    table: () => (ready ? current : null),

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

    counts: () => ({ ...counts, backupFailures: backup?.failures() ?? 0, malformedFlags: malformed }),
  };
}

function optionsOf(
  { source, environment, random }: ClientDeps,
  agent: FlagAgent['agent'] | null,
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
    customHeaders: { Authorization: source.token, 'Accept-Encoding': 'identity' },
    // Otherwise HTTP_PROXY captures the requests, loopback ones too.
    httpOptions: { agent: () => agent, rejectUnauthorized: true },
    experimentalMode: source.kind === 'stream' ? { type: 'streaming' } : { type: 'polling', format: 'full' },
  };
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

/** Everything the SDK's own repository has; it never changes a flag or a segment in place. */
function tableOf(repository: Repository): FlagTable {
  const segments = hasControls(repository) ? [...repository.segments.values()] : [];
  return { features: repository.getToggles(), segments };
}

function sameParts(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((part, index) => part === other[index]);
}

/** What is known of one flag, whatever its segments are. */
interface Findings {
  readonly sound: boolean;
  readonly longList: boolean;
}

function hasLongList({ constraints }: { readonly constraints?: unknown }): boolean {
  return Array.isArray(constraints) && constraints.some(isLong);
}

function isLong(constraint: unknown): boolean {
  if (!isRecord(constraint)) return false;
  const { values } = constraint;
  return Array.isArray(values) && values.length > LIST_VALUES_MAX;
}

function usesOneOf({ strategies = [] }: Definition, segments: ReadonlySet<number>): boolean {
  return strategies.some((strategy) => (strategy.segments ?? []).some((id) => segments.has(id)));
}

/** What the SDK's own repository can do beyond its public interface. */
interface Controls {
  etag: string | undefined;
  readonly segments: ReadonlyMap<number, Segment>;
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
  return 'etag' in repository && 'segments' in repository && 'fetch' in repository && 'getMode' in repository;
}

function hex6(random: () => number): string {
  return Math.floor(random() * 0x100_0000)
    .toString(16)
    .padStart(6, '0');
}

/** What the SDK says of each flag whose parts it cannot use; it takes it all the same. */
const MALFORMED_FLAG = /feature\.\w+ should be/;

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
  if (/it is too large$/.test(text)) return 'the flag server sent an answer that is too large';
  if (/it is compressed$/.test(text)) return 'the flag server sent a compressed answer';
  if (/Client features was|Invalid API response|JSON|feature\./.test(text)) {
    return 'the flag server sent an answer of another shape';
  }
  return 'the flag server could not be reached';
}
