/** The server's nouns and rules: data in, data out. What Unleash 7.5.1 does is copied, observed, never guessed. */

export const PROJECT = 'default';
export const ENVIRONMENTS = [
  { name: 'development', type: 'development', sortOrder: 2 },
  { name: 'production', type: 'production', sortOrder: 3 },
] as const;
export const FEATURE_TYPES: ReadonlySet<string> = new Set([
  'release',
  'experiment',
  'operational',
  'kill-switch',
  'permission',
]);
export const STRATEGY_NAMES: ReadonlySet<string> = new Set([
  'default',
  'flexibleRollout',
  'remoteAddress',
  'applicationHostname',
]);

/** Bounds of Unleash 7.5.1, and our own. What is above is refused with 400 (streams: 429). */
export interface Limits {
  readonly featuresMax: number;
  readonly strategiesMax: number;
  readonly constraintsMax: number;
  readonly constraintValuesMax: number;
  readonly contextFieldsMax: number;
  readonly streamsMax: number;
  /** Unsent bytes of one stream before it is cut; it hydrates when it comes back. */
  readonly streamBytesMax: number;
}
export const LIMITS: Limits = {
  featuresMax: 5000,
  strategiesMax: 30,
  constraintsMax: 30,
  constraintValuesMax: 250,
  contextFieldsMax: 100,
  streamsMax: 200,
  streamBytesMax: 1024 * 1024,
};

export interface Feature {
  readonly name: string;
  readonly description: string | null;
  readonly type: string;
  readonly project: string;
  readonly stale: boolean;
  readonly createdAt: string;
  readonly impressionData: boolean;
  readonly archivedAt: string | null;
}

export interface Constraint {
  readonly contextName: string;
  readonly operator: string;
  readonly inverted?: boolean;
  readonly caseInsensitive?: boolean;
  readonly values?: readonly string[];
  readonly value?: string;
}

export interface Strategy {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly disabled: boolean;
  readonly constraints: readonly Constraint[];
  readonly parameters: Readonly<Record<string, string>>;
  readonly sortOrder: number;
}

export interface ContextField {
  readonly name: string;
  readonly description: string | null;
  readonly stickiness: boolean;
  readonly sortOrder: number;
  readonly legalValues: readonly LegalValue[];
  readonly createdAt: string;
}

export interface LegalValue {
  readonly value: string;
  readonly description?: string;
}

export const EVENT_TYPES = {
  'feature-created': { visible: true, label: 'Flag created' },
  'feature-archived': { visible: true, label: 'Flag archived' },
  'feature-revived': { visible: true, label: 'Flag revived' },
  'feature-strategy-add': { visible: true, label: 'Flag strategy added' },
  'feature-strategy-update': { visible: true, label: 'Flag strategy updated' },
  'feature-strategy-remove': { visible: true, label: 'Flag strategy removed' },
  'feature-environment-enabled': { visible: true, label: 'Flag enabled' },
  'feature-environment-disabled': { visible: true, label: 'Flag disabled' },
  'context-field-created': { visible: false, label: 'Context field created' },
} as const satisfies Record<string, { readonly visible: boolean; readonly label: string }>;
/** `visible`: clients can see its effect, so it raises the revision. */
export type EventType = keyof typeof EVENT_TYPES;

/** One line of the audit log, as it is about to be stored. */
export interface EventDraft {
  readonly type: EventType;
  readonly project: string | null;
  readonly environment: string | null;
  readonly featureName: string | null;
  readonly data: unknown;
  readonly preData: unknown;
}

/** Two strategies that differ in nothing a person or a client could see. */
export function sameStrategy(a: Strategy, b: Strategy): boolean {
  return canonicalJson(strategyOut(a)) === canonicalJson(strategyOut(b));
}

/** No strategy that could switch anybody on: then the environment must be off in storage too. */
export function isInert(strategies: readonly Strategy[]): boolean {
  return strategies.every((strategy) => strategy.disabled);
}

/** A flag as admin answers and events show it. */
export function featureOut(feature: Feature) {
  const { name, description, type, project, stale, createdAt, impressionData, archivedAt } = feature;
  const archived = archivedAt !== null;
  return { name, description, type, project, stale, createdAt, lastSeenAt: null, impressionData, archived };
}

/** A strategy as admin answers and events show it. */
export function strategyOut(strategy: Strategy) {
  const { id, name, title, disabled, constraints, parameters, sortOrder } = strategy;
  return { id, name, title, disabled, constraints, parameters, variants: [], sortOrder, segments: [] };
}

/** A flag as clients see it: no ids, no titles, no disabled strategies; the order is kept. */
export function clientFeature(feature: Feature, enabled: boolean, strategies: readonly Strategy[]) {
  return {
    name: feature.name,
    type: feature.type,
    enabled,
    project: feature.project,
    stale: feature.stale,
    strategies: strategies.filter(({ disabled }) => !disabled).map(clientStrategy),
    variants: [],
    description: feature.description,
    impressionData: feature.impressionData,
  };
}

function clientStrategy({ name, constraints, parameters }: Strategy) {
  return { name, constraints, parameters, variants: [] };
}

/** JSON with sorted keys: equal exactly when the values are. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
