import type { Clock } from '../../../router/core/ports.ts';
import type { UsageRow } from '../store.ts';
import { hourOf } from '../usage.ts';
import type { Admin } from './routes.ts';

const HOUR_MS = 60 * 60 * 1000;
const HOURS_DEFAULT = 24;
const HOURS_MAX = 48;

/** How often a flag was evaluated: the last hour, and hour by hour. A flag that is not known was never used. */
export function addUsage({ at, store }: Admin, clock: Clock): void {
  const since = (hours: number) => new Date(clock.wall() - hours * HOUR_MS).toISOString();

  at.get('/client-metrics/features/:feature/raw', (request, response) => {
    const { feature } = request.params;
    const hours = hoursOf(request.query['hoursBack']);
    const buckets = Array.from({ length: hours }, (_, index) => hourOf(clock.wall() - index * HOUR_MS));
    const data = everyHour(store.usage(feature, since(hours)), feature, buckets.reverse());
    response.json({ version: 1, maturity: 'stable', data });
  });
  at.get('/client-metrics/features/:feature', (request, response) => {
    const { feature } = request.params;
    const recent = store.usage(feature, since(1));
    const seen = store.usage(feature, since(HOURS_DEFAULT)).map(({ appName }) => appName);
    response.json({
      version: 1,
      maturity: 'stable',
      featureName: feature,
      lastHourUsage: byEnvironment(recent),
      seenApplications: [...new Set(seen)].sort(),
    });
  });
}

/** As in Unleash, what is no number of hours counts as not given. */
function hoursOf(value: unknown): number {
  const hours = typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isInteger(hours) && hours >= 1 && hours <= HOURS_MAX ? hours : HOURS_DEFAULT;
}

function byEnvironment(rows: readonly UsageRow[]) {
  const sums = new Map<string, { environment: string; timestamp: string; yes: number; no: number }>();
  for (const { environment, hour, yes, no } of rows) {
    const before = sums.get(environment);
    sums.set(environment, {
      environment,
      timestamp: before?.timestamp ?? hour,
      yes: yes + (before?.yes ?? 0),
      no: no + (before?.no ?? 0),
    });
  }
  return [...sums.values()];
}

/** One line for each hour, environment and application; the ones without a count are zero. Oldest first. */
function everyHour(rows: readonly UsageRow[], featureName: string, hours: readonly string[]) {
  const found = new Map(rows.map((row) => [keyOf(row.environment, row.appName, row.hour), row]));
  const environments = [...new Set(rows.map(({ environment }) => environment))];
  const apps = [...new Set(rows.map(({ appName }) => appName))];
  return hours.flatMap((timestamp) =>
    environments.flatMap((environment) =>
      apps.map((appName) => {
        const row = found.get(keyOf(environment, appName, timestamp));
        const about = { featureName, appName, environment, timestamp };
        return row === undefined
          ? { ...about, yes: 0, no: 0 }
          : { ...about, yes: row.yes, no: row.no, variants: row.variants };
      }),
    ),
  );
}

function keyOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
