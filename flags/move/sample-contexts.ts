import type { Context } from 'unleash-client';
import { STICKY_FIELD } from '../names.ts';
import type { FlagTable } from '../table.ts';

/** How often a field is left out, and how often a value is one that a constraint names. */
const MISSING = 0.15;
const NAMED = 0.85;
/** Fields that are not properties of the SDK's context. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'userId',
  'sessionId',
  'remoteAddress',
  'environment',
  'appName',
]);

interface Named {
  readonly operator: string;
  readonly values: readonly string[];
}

/**
 * Gives one SDK context after another, the same ones for the same seed. Every field that a constraint or a
 * stickiness of the tables names is drawn: values of the constraints, values just beside them, others, or none.
 * Fields of a stickiness are always there, because without them the SDK draws lots.
 */
export function createSamples(tables: readonly FlagTable[], seed: number, nowMs: number): () => Context {
  const random = seeded(seed);
  const below = (count: number) => Math.floor(random() * count);
  const sticky = stickyFields(tables);
  const named = namedValues(tables);
  const fields = new Set(['userId', ...named.keys(), ...sticky].filter((field) => field !== STICKY_FIELD));
  const pick = <T>(items: readonly T[]): T | undefined => items[below(items.length)];

  function draw(field: string): string | undefined {
    const isSticky = sticky.has(field);
    if (!isSticky && random() < MISSING) return undefined;
    const constraint = random() < NAMED ? pick(named.get(field) ?? []) : undefined;
    const value = constraint === undefined ? undefined : pick(constraint.values);
    return constraint === undefined || value === undefined
      ? `${field}-${below(1_000_000)}`
      : (pick(besides(constraint.operator, value)) ?? value);
  }

  return () => {
    const unit = Array.from({ length: 32 }, () => below(16).toString(16)).join('');
    const properties: Record<string, string> = { [STICKY_FIELD]: unit };
    const context: Context = { sessionId: unit, currentTime: new Date(nowMs), properties };
    for (const field of fields) {
      const value = draw(field);
      if (value === undefined) continue;
      if (field === 'currentTime') {
        const atMs = Date.parse(value);
        if (!Number.isNaN(atMs)) context.currentTime = new Date(atMs);
      } else if (OWN_FIELDS.has(field)) context[field] = value;
      else properties[field] = value;
    }
    return context;
  };
}

/** Values on both sides of what an operator asks for: the value itself first. */
function besides(operator: string, value: string): readonly string[] {
  if (operator.startsWith('NUM_')) {
    const number = Number(value);
    return Number.isNaN(number)
      ? [value]
      : [number, number - 1, number + 1, number - 0.5, number + 0.5].map(String);
  }
  if (operator.startsWith('DATE_')) {
    const atMs = Date.parse(value);
    return Number.isNaN(atMs)
      ? [value]
      : [0, -1_000, 1_000, -86_400_000, 86_400_000].map((ms) => new Date(atMs + ms).toISOString());
  }
  if (operator.startsWith('SEMVER_')) {
    const [, major = '0', minor = '0', patch = '0'] = /^(\d+)\.(\d+)\.(\d+)/.exec(value) ?? [];
    const up = `${major}.${minor}.${Number(patch) + 1}`;
    const down =
      Number(patch) > 0 ? `${major}.${minor}.${Number(patch) - 1}` : `${major}.${minor}.${patch}-alpha`;
    return [value, up, down, `${Number(major) + 1}.0.0`, '0.0.1', 'latest'];
  }
  if (operator === 'REGEX') return [value.replaceAll(/[\\^$*+?.()|[\]{}]/g, ''), value, `a${value}z`];
  if (operator === 'IN_CIDR') return [value.replace(/\/\d+$/, ''), '10.1.2.3', 'nowhere'];
  return [value, value, `${value}x`, `x${value}`, `x${value}x`, value.toUpperCase()];
}

/** What constraints, segments and the lists of older strategies name, by field. */
function namedValues(tables: readonly FlagTable[]): ReadonlyMap<string, readonly Named[]> {
  const named = new Map<string, Named[]>();
  const add = (field: string, operator: string, values: readonly string[]) => {
    const known = named.get(field) ?? [];
    known.push({ operator, values });
    named.set(field, known);
  };
  for (const { features, segments } of tables) {
    const strategies = features.flatMap((feature) => feature.strategies ?? []);
    for (const { contextName, operator, values = [], value } of [
      ...strategies.flatMap((strategy) => strategy.constraints ?? []),
      ...segments.flatMap((segment) => segment.constraints),
    ]) {
      const all = value === undefined || value === null ? values : [...values, String(value)];
      add(contextName, operator, all);
    }
    for (const { parameters } of strategies) {
      for (const [parameter, field] of [
        ['userIds', 'userId'],
        ['IPs', 'remoteAddress'],
      ] as const) {
        const list = parameters?.[parameter];
        if (typeof list === 'string') add(field, 'IN', list.split(/\s*,\s*/));
      }
    }
    for (const variant of variantsOf(features))
      for (const { contextName, values } of variant.overrides ?? []) add(contextName, 'IN', values);
  }
  return named;
}

function stickyFields(tables: readonly FlagTable[]): ReadonlySet<string> {
  const features = tables.flatMap((table) => table.features);
  const strategies = features.flatMap((feature) => feature.strategies ?? []);
  const names = [
    ...strategies.map(({ parameters }) => parameters?.['stickiness']),
    ...variantsOf(features).map(({ stickiness }) => stickiness),
  ];
  // `default` takes the user or the session, and a session is always there.
  return new Set(
    names
      .filter((name) => typeof name === 'string')
      .filter((name) => name !== 'default' && name !== 'random' && name !== 'sessionId'),
  );
}

function variantsOf(features: FlagTable['features']) {
  return features.flatMap(({ variants = [], strategies = [] }) => [
    ...variants,
    ...strategies.flatMap((strategy) => strategy.variants ?? []),
  ]);
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
