import { createHash } from 'node:crypto';
import type { Context } from 'unleash-client';
import type { Clock, FlagReader, FlagShare, Log } from '../router/core/ports.ts';
import type { Answer, FlagIntent } from '../router/core/types.ts';
import { type ClientCounts, createClient, type LocalFlags, type Source } from './client.ts';
import { contextOf, propertyFaults } from './context.ts';
import { serveFlag, shadowFlag, shareOf } from './names.ts';
import type { FlagFeed } from './push.ts';
import type { FlagTable } from './table.ts';
import { systemTimer, type Timer } from './timer.ts';
import { type Fault, isLoopback, parseFlagUrl } from './url.ts';

const REFRESH_MS = 1000;
const REFRESH_MIN_MS = 250;
const REFRESH_MAX_MS = 15_000;
const TIMEOUT_MS = 3000;
/** Below it the SDK's HTTP client refuses its own options and never sends a request. */
const TIMEOUT_MIN_MS = 1000;

export type FlagSource =
  /** The embedded flag server of the same process: no HTTP, visible in the same tick. */
  | { readonly kind: 'local'; readonly server: LocalFlags }
  /** The table of another process of ours. */
  | { readonly kind: 'push'; readonly feed: FlagFeed }
  /** An embedded flag server on this machine: `http:` on a loopback address only. */
  | { readonly kind: 'stream'; readonly url: string; readonly token: string }
  /** Any Unleash. */
  | {
      readonly kind: 'poll';
      readonly url: string;
      readonly token: string;
      /** 250-15,000; default 1000. */
      readonly refreshMs?: number;
      /** At least 1000; default 3000. */
      readonly timeoutMs?: number;
      /** PEM of the authority that signed the server's certificate. */
      readonly ca?: string;
    };

export interface ReaderDeps {
  readonly source: FlagSource;
  /** The token's environment, for constraints that name it. */
  readonly environment: string;
  /** Folder of the backups of `poll`; created when needed. */
  readonly backupDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Names of the raw properties that constraints may see; at most 8 names of 256 bytes. Default none. */
  readonly properties?: readonly string[];
  /** What a request without a unit gets: nothing (default), or a shadow answer of its own. */
  readonly withoutUnit?: 'unknown' | 'per-request';
  readonly timer?: Timer;
  readonly random?: () => number;
}

export interface ReaderCounts extends ClientCounts {
  /** Evaluations that threw inside the SDK and were answered `unknown`. */
  readonly evaluationFailures: number;
}

export interface RunningReader extends FlagReader {
  /** Returns at once; `status()` and `onChange` tell when there is data. */
  start(): void;
  stop(): Promise<void>;
  counts(): ReaderCounts;
  /** Everything in force, to be pushed to another process; null while there is no data. */
  table(): FlagTable | null;
}

/** What a flag asks for now: one that is switched off asks for nothing, whatever its shape. */
function seenShare(flag: Parameters<typeof shareOf>[0]): FlagShare {
  return flag?.enabled === false ? 0 : shareOf(flag);
}

/**
 * The synchronous flag reader on the unmodified Unleash SDK. TypeError with every fault when the source cannot be
 * used as given; no I/O before `start()`.
 */
export function createReader(deps: ReaderDeps): RunningReader {
  const source = checked(deps);
  const { environment, backupDir, clock, log, timer = systemTimer, random = Math.random } = deps;
  const { properties = [], withoutUnit = 'unknown' } = deps;
  const client = createClient({ source, environment, backupDir, clock, log, timer, random });
  let evaluationFailures = 0;

  function answer(name: string, context: Context): Answer {
    try {
      return client.isEnabled(name, context) ? 'on' : 'off';
    } catch (error) {
      evaluationFailures += 1;
      if (evaluationFailures === 1)
        log.error('flags.evaluation-failed', { flag: name, error: String(error) });
      return 'unknown';
    }
  }

  /** The SDK is not asked about a flag it does not know: it would count, and warn about, each call. */
  function known(name: string, context: Context): Answer {
    return client.definition(name) === undefined ? 'unknown' : answer(name, context);
  }

  return {
    read(group, subject): FlagIntent {
      if (!client.hasData()) return NO_DATA;
      const { unit, requestId } = subject;
      if (unit === null) {
        if (withoutUnit === 'unknown') return NO_UNIT;
        const context = contextOf(keyOf(requestId), subject.properties, properties);
        return { serve: 'unknown', shadow: known(shadowFlag(group), context), cause: 'no-unit' };
      }
      const context = contextOf(unit, subject.properties, properties);
      const serve = known(serveFlag(group), context);
      const shadow = known(shadowFlag(group), context);
      return { serve, shadow, cause: serve === 'unknown' ? 'missing' : 'flag' };
    },
    intent: (group) => ({
      serve: seenShare(client.definition(serveFlag(group))),
      shadow: seenShare(client.definition(shadowFlag(group))),
    }),
    status: client.status,
    onChange: client.onChange,
    start: client.start,
    stop: client.stop,
    counts: () => ({ ...client.counts(), evaluationFailures }),
    table: client.table,
  };
}

const NO_DATA: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'no-data' };
const NO_UNIT: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'no-unit' };

/** What is wrong with the reader's options; empty when they can be used. Reports every fault at once. */
export function readerFaults(deps: Pick<ReaderDeps, 'source' | 'properties'>): Fault[] {
  const { source, properties = [] } = deps;
  const faults: Fault[] = propertyFaults(properties).map((text) => ({ path: 'properties', text }));
  if (!('url' in source)) return faults;
  const url = parseFlagUrl(source.url);
  if (!(url instanceof URL)) {
    faults.push(url);
  } else if (source.kind === 'stream' && !(url.protocol === 'http:' && isLoopback(url))) {
    // The SDK's stream verifies no certificate and follows redirects with the token.
    faults.push({ path: 'url', text: 'a stream needs http: on a loopback address; use poll' });
  }
  if (source.token === '') faults.push({ path: 'token', text: 'must not be empty' });
  const { refreshMs, timeoutMs } = timesOf(source);
  if (!(refreshMs >= REFRESH_MIN_MS && refreshMs <= REFRESH_MAX_MS)) {
    faults.push({
      path: 'refreshMs',
      text: `must be ${REFRESH_MIN_MS} to ${REFRESH_MAX_MS}, is ${refreshMs}`,
    });
  }
  if (!(timeoutMs >= TIMEOUT_MIN_MS)) {
    faults.push({ path: 'timeoutMs', text: `must be at least ${TIMEOUT_MIN_MS}, is ${timeoutMs}` });
  }
  return faults;
}

function checked(deps: ReaderDeps): Source {
  const faults = readerFaults(deps);
  if (faults.length > 0) {
    throw new TypeError(`flags: ${faults.map((fault) => `${fault.path}: ${fault.text}`).join('; ')}`);
  }
  const { source } = deps;
  if (!('url' in source)) return source;
  const url = parseFlagUrl(source.url);
  if (!(url instanceof URL)) throw new TypeError(`flags: ${url.path}: ${url.text}`);
  const ca = source.kind === 'poll' ? source.ca : undefined;
  return { kind: source.kind, url, token: source.token, ...timesOf(source), ca };
}

function timesOf(source: Extract<FlagSource, { url: string }>): { refreshMs: number; timeoutMs: number } {
  if (source.kind === 'stream') return { refreshMs: REFRESH_MS, timeoutMs: TIMEOUT_MS };
  return { refreshMs: source.refreshMs ?? REFRESH_MS, timeoutMs: source.timeoutMs ?? TIMEOUT_MS };
}

/** The key of an id: first 32 lower-case hex digits of SHA-256 over UTF-8. */
function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}
