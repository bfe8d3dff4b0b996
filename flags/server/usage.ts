import type { Clock } from '../../router/core/ports.ts';
import type { Policy } from './semantics.ts';
import type { Actor, Changes, Store, UsageRow } from './store.ts';
import { type Body, bodyOf, list, need, object, requireAppName } from './validate.ts';

const HOUR_MS = 60 * 60 * 1000;
/** How long counts are kept. */
const KEPT_MS = 7 * 24 * HOUR_MS;
/** Applications that are counted for one flag in one environment. */
const APPS_MAX = 100;
/** Variants whose counts are read from one report of a flag. */
const VARIANTS_MAX = 100;
const NAME_CHARS_MAX = 255;
const COUNT_MAX = 1e12;

/** How often SDKs evaluated which flag, as they report it. */
export interface Usage {
  /**
   * Counts one application's report (`POST /metrics`). What is not a count of a flag that exists is dropped: an
   * answer that is no 2xx would stop the SDK's reports for ever. Under `unleash` a fault throws, as 7.5.1 answers it.
   */
  report(environment: string, body: unknown): void;
  /** The same for a report of many applications (`POST /metrics/bulk`); other environments' counts are dropped. */
  reportMany(environment: string, body: unknown): void;
  /** A report that was too large to be read. */
  drop(): void;
  counts(): UsageCounts;
}

/** Since the start of the server. */
export interface UsageCounts {
  /** Counts of flags that do not exist. */
  readonly unknownFlags: number;
  /** Counts above a bound or outside the days that are kept, and reports too large to be read. */
  readonly dropped: number;
}

export interface UsageDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly policy: Policy;
  /** Whom the store's changes are made by. */
  readonly actor: Actor;
}

interface Count {
  readonly feature: string;
  readonly appName: string;
  /** ms since 1970; Infinity when it was not said. */
  readonly at: number;
  readonly yes: number;
  readonly no: number;
  readonly variants: Readonly<Record<string, number>>;
}

/** The beginning of the hour of a time, both as ISO time. */
export function hourOf(ms: number): string {
  return new Date(Math.floor(ms / HOUR_MS) * HOUR_MS).toISOString();
}

/** Counts per flag, environment, application and hour, written with each report. */
export function createUsage({ store, clock, policy, actor }: UsageDeps): Usage {
  const counts = { unknownFlags: 0, dropped: 0 };

  function write(environment: string, reported: readonly Count[]): void {
    const now = clock.wall();
    const rows = new Map<string, UsageRow>();
    for (const count of reported) {
      if (store.feature(count.feature) === null) counts.unknownFlags += 1;
      else if (count.at < now - KEPT_MS) counts.dropped += 1;
      else if (count.yes > 0 || count.no > 0) add(rows, environment, count, now);
    }
    if (rows.size === 0) return;
    store.change(actor, (changes) => {
      for (const row of rows.values()) {
        if (isCounted(changes, row)) changes.addUsage(row);
        else counts.dropped += 1;
      }
      changes.dropUsageBefore(hourOf(now - KEPT_MS));
    });
  }

  return {
    report(environment, body) {
      if (policy === 'unleash') requireReport(bodyOf(body));
      write(environment, countsIn(body));
    },
    reportMany(environment, body) {
      if (policy === 'unleash') requireReports(bodyOf(body));
      write(environment, manyCountsIn(environment, body));
    },
    drop() {
      counts.dropped += 1;
    },
    counts: () => ({ ...counts }),
  };
}

function add(rows: Map<string, UsageRow>, environment: string, count: Count, now: number): void {
  const { feature, appName, at, yes, no, variants } = count;
  // A clock that is ahead counts as now.
  const hour = hourOf(Math.min(at, now));
  const key = JSON.stringify([feature, appName, hour]);
  const before = rows.get(key);
  rows.set(key, {
    feature,
    environment,
    appName,
    hour,
    yes: yes + (before?.yes ?? 0),
    no: no + (before?.no ?? 0),
    variants: summed(before?.variants ?? {}, variants),
  });
}

/** The sum of two counts by name; names above the bound are left out. */
export function summed(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sums = new Map(Object.entries(a));
  for (const [name, count] of Object.entries(b)) {
    if (sums.has(name) || sums.size < VARIANTS_MAX) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  return Object.fromEntries(sums);
}

/** Applications that are known for a flag go on being counted, new ones only up to the bound. */
function isCounted(changes: Changes, { feature, environment, appName }: UsageRow): boolean {
  const apps = changes.usageApps(feature, environment);
  return apps.length < APPS_MAX || apps.includes(appName);
}

function countsIn(body: unknown): readonly Count[] {
  const { appName, bucket } = bodyLike(body);
  if (!isName(appName)) return [];
  const { stop, toggles } = bodyLike(bucket);
  const at = timeOf(stop);
  return Object.entries(bodyLike(toggles)).map(([feature, value]) =>
    countOf(feature, appName, at, bodyLike(value)),
  );
}

function manyCountsIn(own: string, body: unknown): readonly Count[] {
  const { metrics } = bodyLike(body);
  if (!Array.isArray(metrics)) return [];
  return metrics.flatMap((value: unknown) => {
    const metric = bodyLike(value);
    const { featureName, appName, environment, timestamp } = metric;
    if (environment !== own || !isName(featureName) || !isName(appName)) return [];
    return [countOf(featureName, appName, timeOf(timestamp), metric)];
  });
}

function countOf(feature: string, appName: string, at: number, { yes, no, variants }: Body): Count {
  const named = Object.entries(bodyLike(variants)).filter(([name]) => isName(name));
  return {
    feature,
    appName,
    at,
    yes: whole(yes),
    no: whole(no),
    variants: summed({}, Object.fromEntries(named.map(([name, count]) => [name, whole(count)]))),
  };
}

function whole(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(Math.floor(value), COUNT_MAX) : 0;
}

function timeOf(value: unknown): number {
  const time =
    typeof value === 'string' || typeof value === 'number' ? new Date(value).getTime() : Number.NaN;
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

function isName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= NAME_CHARS_MAX &&
    value.isWellFormed() &&
    !value.includes('\0')
  );
}

function bodyLike(value: unknown): Body {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function requireReport(body: Body): void {
  requireAppName(body);
  const bucket = need(body, '/body', 'bucket', object);
  for (const name of ['start', 'stop']) need(bucket, '/body/bucket', name, (value) => value);
  need(bucket, '/body/bucket', 'toggles', object);
}

function requireReports(body: Body): void {
  for (const name of ['applications', 'metrics']) need(body, '/body', name, list(object));
}
