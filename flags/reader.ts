import { createHash } from 'node:crypto';
import type { Context } from 'unleash-client';
import type { FlagExplained } from '../router/core/flags.ts';
import { createMemo, type Memo } from '../router/core/memo.ts';
import type { Clock, FlagReader, FlagShare, Log } from '../router/core/ports.ts';
import type { Answer, FlagIntent, Subject } from '../router/core/types.ts';
import { APP_NAME, type ClientCounts, createClient, type LocalFlags, type Source } from './client.ts';
import { contextOf, propertyFaults } from './context.ts';
import { explainFlag } from './explain.ts';
import { serveFlag, shadowFlag, shareOf } from './names.ts';
import type { FlagFeed } from './push.ts';
import type { Definition, FlagTable } from './table.ts';
import { systemTimer, type Timer } from './timer.ts';
import { type Fault, isLoopback, parseFlagUrl } from './url.ts';

/** Units whose flags are remembered per group, about twice as many at most. */
const UNITS_REMEMBERED = 8_192;
const GROUPS_MAX = 1_000;
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
  const known = new Map<string, Evaluations>();

  /** What is remembered of a group, as long as its two flags are the same objects: a new table brings new ones. */
  function evaluationsOf(group: string): Evaluations {
    const before = known.get(group);
    const serveName = before?.serveName ?? serveFlag(group);
    const shadowName = before?.shadowName ?? shadowFlag(group);
    const serve = client.definition(serveName);
    const shadow = client.definition(shadowName);
    if (before !== undefined && before.serve === serve && before.shadow === shadow) return before;
    // In our shape an answer depends on the unit alone: not on the time, on chance or on other properties.
    const pure = typeof shareOf(serve) === 'number' && typeof shareOf(shadow) === 'number';
    const intents = pure ? createMemo<FlagIntent>(UNITS_REMEMBERED) : null;
    const made = { serveName, shadowName, serve, shadow, intents };
    if (known.size >= GROUPS_MAX) known.clear();
    known.set(group, made);
    return made;
  }

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
  function evaluate(definition: Definition | undefined, name: string, context: Context): Answer {
    return definition === undefined ? 'unknown' : answer(name, context);
  }

  function intentOf(of: Evaluations, context: Context): FlagIntent {
    const serve = evaluate(of.serve, of.serveName, context);
    const shadow = evaluate(of.shadow, of.shadowName, context);
    return { serve, shadow, cause: serve === 'unknown' ? 'missing' : 'flag' };
  }

  function explained(name: string, subject: Subject): FlagExplained {
    const unknown = (why: string): FlagExplained => ({ name, answer: 'unknown', why, strategies: [] });
    const table = client.table();
    if (table === null) return unknown('no flag was read yet');
    const { unit } = subject;
    if (unit === null) return unknown('the request carries no unit');
    const definition = client.definition(name);
    if (definition === undefined) return unknown('there is no such flag');
    const context = { appName: APP_NAME, environment, ...contextOf(unit, subject.properties, properties) };
    return explainFlag(definition, table.segments, context, client.definition);
  }

  return {
    read(group, subject): FlagIntent {
      if (!client.hasData()) return NO_DATA;
      const { unit, requestId } = subject;
      const of = evaluationsOf(group);
      if (unit === null) {
        if (withoutUnit === 'unknown') return NO_UNIT;
        const context = contextOf(keyOf(requestId), subject.properties, properties);
        return { serve: 'unknown', shadow: evaluate(of.shadow, of.shadowName, context), cause: 'no-unit' };
      }
      const before = of.intents?.get(unit);
      if (before !== undefined) {
        client.count(of.serveName, before.serve === 'on');
        client.count(of.shadowName, before.shadow === 'on');
        return before;
      }
      const intent = intentOf(of, contextOf(unit, subject.properties, properties));
      if (intent.serve !== 'unknown' && intent.shadow !== 'unknown') of.intents?.set(unit, intent);
      return intent;
    },
    intent: (group) => ({
      serve: seenShare(client.definition(serveFlag(group))),
      shadow: seenShare(client.definition(shadowFlag(group))),
    }),
    explain: (group, subject) => ({
      serve: explained(serveFlag(group), subject),
      shadow: explained(shadowFlag(group), subject),
    }),
    status: client.status,
    onChange: client.onChange,
    start: client.start,
    stop: client.stop,
    counts: () => ({ ...client.counts(), evaluationFailures }),
    table: client.table,
  };
}

/** What was evaluated under one pair of flags. */
interface Evaluations {
  readonly serveName: string;
  readonly shadowName: string;
  readonly serve: Definition | undefined;
  readonly shadow: Definition | undefined;
  /** By unit; null: the answer may depend on more than the unit. */
  readonly intents: Memo<FlagIntent> | null;
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
