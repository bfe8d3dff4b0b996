import { InMemStorageProvider, Unleash, type Variant } from 'unleash-client';
import { createTable, type Definition, type FlagTable } from '../table.ts';
import { createSamples } from './sample-contexts.ts';

/** Units that every flag is evaluated for. */
const SAMPLES = 10_000;
/** Differences that are kept; the others are counted. */
const DIFFERENCES_MAX = 20;
/** Evaluations between two looks at the event loop. */
const TURN_EVALUATIONS = 20_000;

export interface VerifyOptions {
  readonly source: FlagTable;
  readonly target: FlagTable;
  /** What the SDK is configured with on both sides. */
  readonly environment: string;
  /** The same units for the same seed. */
  readonly seed: number;
  /** Unix milliseconds: the time of a unit when no date constraint asks for another. */
  readonly nowMs: number;
  readonly samples?: number;
}

/** A flag that the two sides answer differently. */
export interface FlagDifference {
  readonly flag: string;
  /** How the source answers, and the target: `on`, `off`, `on, variant red "payload"`, `missing`. */
  readonly source: string;
  readonly target: string;
  /** The context of the unit as JSON; null when the definitions were compared. */
  readonly context: string | null;
}

export interface Verification {
  readonly flags: number;
  /** Pairs of answers that were compared, each both the flag and its variant. */
  readonly evaluations: number;
  /** Flags that answer at random and were therefore compared by their definition. */
  readonly byDefinition: readonly string[];
  readonly differenceCount: number;
  /** The first ones, at most one for a flag. */
  readonly differences: readonly FlagDifference[];
}

/**
 * Evaluates every flag of `source` on both tables with the SDK, for units drawn from a seed and from the values in
 * the constraints of both, matching and not. A flag that only the target has is no difference.
 * An export has 5,000 flags at most; a thousand take about a minute.
 */
export async function verifyFlags(options: VerifyOptions): Promise<Verification> {
  const { source, target, environment } = options;
  const random = randomFlags(source);
  const evaluated = source.features.filter(({ name }) => !random.has(name));
  const { samples = SAMPLES } = options;
  const differences = new Map<string, FlagDifference>();
  for (const name of random) {
    const [here, there] = [source, target].map((table) => definitionText(table, name));
    if (here !== there)
      differences.set(name, {
        flag: name,
        source: here ?? 'missing',
        target: there ?? 'missing',
        context: null,
      });
  }
  const [ours, theirs] = await Promise.all([evaluator(source, environment), evaluator(target, environment)]);
  const draw = createSamples([source, target], options.seed, options.nowMs);
  let evaluations = 0;
  try {
    for (let i = 0; i < samples; i += 1) {
      const context = draw();
      for (const { name } of evaluated) {
        const here = ours.answer(name, context);
        const there = theirs.answer(name, context);
        evaluations += 1;
        if (here !== there && !differences.has(name))
          differences.set(name, {
            flag: name,
            source: here,
            target: there,
            context: JSON.stringify(context),
          });
        if (evaluations % TURN_EVALUATIONS === 0) await new Promise(setImmediate);
      }
    }
  } finally {
    ours.stop();
    theirs.stop();
  }
  return {
    flags: source.features.length,
    evaluations,
    byDefinition: [...random],
    differenceCount: differences.size,
    differences: [...differences.values()].slice(0, DIFFERENCES_MAX),
  };
}

type Context = Parameters<Unleash['getVariant']>[1];

async function evaluator(table: FlagTable, environment: string) {
  const repository = createTable();
  const client = new Unleash({
    appName: 'strangler-fig',
    url: 'http://local.invalid/api/',
    environment,
    disableAutoStart: true,
    disableMetrics: true,
    skipInstanceCountWarning: true,
    storageProvider: new InMemStorageProvider(),
    repository,
  });
  // What cannot be evaluated is off, on both sides alike; the SDK would print it for every unit.
  client.on('error', () => undefined);
  client.on('warn', () => undefined);
  await client.start();
  repository.swap(table);
  const known = new Set(table.features.map(({ name }) => name));
  return {
    answer: (name: string, context: Context): string =>
      known.has(name) ? variantText(client.getVariant(name, context)) : 'missing',
    stop: () => client.destroy(),
  };
}

function variantText({ name, enabled, feature_enabled: on, payload }: Variant): string {
  if (!enabled) return on === true ? 'on' : 'off';
  return `on, variant ${name}${payload === undefined ? '' : ` ${payload.type} ${JSON.stringify(payload.value)}`}`;
}

/** Flags that may answer the same unit otherwise the next time, and those that depend on them. */
function randomFlags({ features }: FlagTable): ReadonlySet<string> {
  const random = new Set(features.filter(isRandom).map(({ name }) => name));
  const children = features.filter(({ dependencies = [] }) =>
    dependencies.some(({ feature }) => random.has(feature)),
  );
  for (const { name } of children) random.add(name);
  return random;
}

function isRandom({ strategies = [], variants = [] }: Definition): boolean {
  const all = [...variants, ...strategies.flatMap((strategy) => strategy.variants ?? [])];
  return (
    all.some(({ stickiness }) => stickiness === 'random') ||
    strategies.some(
      ({ name, parameters }) => name === 'gradualRolloutRandom' || parameters?.['stickiness'] === 'random',
    )
  );
}

/** The definition with its segments spelled out, in one order of keys and without what is a default. */
function definitionText(table: FlagTable, name: string): string | null {
  const flag = table.features.find((one) => one.name === name);
  if (flag === undefined) return null;
  const { enabled, strategies = [], variants = [], dependencies = [] } = flag;
  const segments = new Map(table.segments.map(({ id, constraints }) => [id, constraints]));
  const spelled = strategies.map(({ segments: ids = [], ...strategy }) => ({
    ...strategy,
    segments: ids.map((id) => segments.get(id) ?? 'missing'),
  }));
  return JSON.stringify(plain({ enabled, strategies: spelled, variants, dependencies }));
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, inner]) => !isDefault(inner));
  return Object.fromEntries(
    kept.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, plain(inner)]),
  );
}

function isDefault(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === false ||
    value === '' ||
    (Array.isArray(value) && value.length === 0)
  );
}
