/** The server's nouns and rules: data in, data out. What Unleash 7.5.1 does is copied, observed, never guessed. */

export const PROJECT = 'default';
export const ENVIRONMENTS = [
  { name: 'development', type: 'development', sortOrder: 2 },
  { name: 'production', type: 'production', sortOrder: 3 },
] as const;
export const FEATURE_TYPES: ReadonlySet<string> = new Set([
  'experiment',
  'kill-switch',
  'release',
  'operational',
  'permission',
]);
export const STRATEGY_NAMES: ReadonlySet<string> = new Set([
  'default',
  'flexibleRollout',
  'remoteAddress',
  'applicationHostname',
]);

/** `unleash`, for tests only: takes and answers what 7.5.1 does where we are stricter on purpose. */
export type Policy = 'strict' | 'unleash';

/** Bounds of Unleash 7.5.1, and our own. What is above is refused with 400 (streams: 429). */
export interface Limits {
  readonly featuresMax: number;
  readonly strategiesMax: number;
  readonly constraintsMax: number;
  readonly constraintValuesMax: number;
  readonly contextFieldsMax: number;
  readonly segmentsMax: number;
  readonly segmentValuesMax: number;
  readonly strategySegmentsMax: number;
  readonly tokensMax: number;
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
  segmentsMax: 300,
  segmentValuesMax: 1000,
  strategySegmentsMax: 5,
  tokensMax: 100,
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
  readonly overlay: Overlay | null;
}

/**
 * What clients were given for a stored thing that differs from what we would write ourselves: a state taken over
 * from another server keeps its absent keys and the ones we do not know. An edit drops it.
 */
export interface Overlay {
  readonly absent: readonly string[];
  readonly extra: Readonly<Record<string, unknown>>;
}

export interface Constraint {
  readonly contextName: string;
  readonly operator: string;
  readonly inverted?: boolean;
  readonly caseInsensitive?: boolean;
  readonly values?: readonly string[];
  readonly value?: string;
}

export interface Variant {
  readonly name: string;
  /** Per mille; the weights of one list sum up to 1000. */
  readonly weight: number;
  /** Absent, like stickiness, only in a state that was taken over. */
  readonly weightType?: 'fix' | 'variable';
  readonly stickiness?: string;
  readonly payload?: { readonly type: string; readonly value: string };
  /** Only on variants of a whole flag, which today can only be imported. */
  readonly overrides?: readonly { readonly contextName: string; readonly values: readonly string[] }[];
}

export interface Strategy {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly disabled: boolean;
  readonly constraints: readonly Constraint[];
  readonly parameters: Readonly<Record<string, string>>;
  readonly variants: readonly Variant[];
  readonly sortOrder: number;
  /** Ids of segments. */
  readonly segments: readonly number[];
  readonly overlay: Overlay | null;
}

export interface Segment {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  /** The only project it may be used in; null: any. */
  readonly project: string | null;
  readonly constraints: readonly Constraint[];
  readonly createdBy: string;
  readonly createdAt: string;
  readonly overlay: Overlay | null;
}

/** A segment as it is written; every edit drops the overlay. */
export type SegmentInput = Omit<Segment, 'overlay'>;

/** A flag that is on only while another one is: `enabled` says which way, `variants` which of its variants. */
export interface Dependency {
  readonly child: string;
  readonly parent: string;
  readonly enabled: boolean;
  readonly variants: readonly string[];
  readonly overlay: Overlay | null;
}

export interface Tag {
  readonly type: string;
  readonly value: string;
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
  'feature-created': { visible: true, grouped: true, label: 'Flag created' },
  'feature-metadata-updated': { visible: true, grouped: true, label: 'Flag metadata updated' },
  'feature-stale-on': { visible: true, grouped: true, label: 'Flag marked as stale' },
  'feature-stale-off': { visible: true, grouped: true, label: 'Flag marked as active' },
  'feature-archived': { visible: true, grouped: true, label: 'Flag archived' },
  'feature-revived': { visible: true, grouped: true, label: 'Flag revived' },
  'feature-deleted': { visible: true, grouped: false, label: 'Flag deleted' },
  'feature-strategy-add': { visible: true, grouped: true, label: 'Flag strategy added' },
  'feature-strategy-update': { visible: true, grouped: true, label: 'Flag strategy updated' },
  'feature-strategy-remove': { visible: true, grouped: true, label: 'Flag strategy removed' },
  'strategy-order-changed': { visible: true, grouped: true, label: 'Flag strategy order changed' },
  'feature-environment-enabled': { visible: true, grouped: true, label: 'Flag enabled' },
  'feature-environment-disabled': { visible: true, grouped: true, label: 'Flag disabled' },
  'feature-environment-variants-updated': {
    visible: true,
    grouped: true,
    label: 'Flag variants updated',
  },
  'feature-dependency-added': { visible: true, grouped: true, label: 'feature-dependency-added' },
  'feature-dependency-removed': { visible: true, grouped: true, label: 'feature-dependency-removed' },
  'feature-dependencies-removed': { visible: true, grouped: true, label: 'feature-dependencies-removed' },
  'feature-tagged': { visible: true, grouped: false, label: 'Flag tagged' },
  'feature-untagged': { visible: true, grouped: false, label: 'Flag untagged' },
  'tag-created': { visible: false, grouped: false, label: 'tag-created' },
  'segment-created': { visible: true, grouped: false, label: 'Segment created' },
  'segment-updated': { visible: true, grouped: false, label: 'Segment updated' },
  'segment-deleted': { visible: true, grouped: false, label: 'Segment deleted' },
  'context-field-created': { visible: false, grouped: false, label: 'Context field created' },
  'api-token-created': { visible: false, grouped: false, label: 'API token created' },
  'api-token-updated': { visible: false, grouped: false, label: 'API token updated' },
  'api-token-deleted': { visible: false, grouped: false, label: 'API token deleted' },
  'setting-updated': { visible: false, grouped: false, label: 'setting-updated' },
  'features-exported': { visible: false, grouped: false, label: 'Flags exported' },
  'features-imported': { visible: true, grouped: false, label: 'Flags imported' },
} as const satisfies Record<
  string,
  { readonly visible: boolean; readonly grouped: boolean; readonly label: string }
>;
/**
 * `visible`: clients can see its effect, so it raises the revision. `grouped`: it names the transaction it belongs
 * to, as in Unleash.
 */
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
  return {
    name,
    description,
    type,
    project,
    stale,
    createdAt,
    lastSeenAt: null,
    impressionData,
    archived: archivedAt !== null,
    ...(archivedAt === null ? {} : { archivedAt }),
  };
}

/** A strategy as admin answers and events show it. */
export function strategyOut(strategy: Strategy) {
  const { id, name, title, disabled, constraints, parameters, variants, sortOrder, segments } = strategy;
  return { id, name, title, disabled, constraints, parameters, variants, sortOrder, segments };
}

/** A segment as admin answers and events show it. */
export function segmentOut({
  id,
  name,
  description,
  project,
  constraints,
  createdBy,
  createdAt,
}: SegmentInput) {
  return {
    id,
    name,
    description,
    ...(project === null ? {} : { project }),
    constraints,
    createdBy,
    createdAt,
  };
}

/** What one flag is in one environment. */
export interface Placed {
  readonly feature: Feature;
  readonly enabled: boolean;
  readonly variants: readonly Variant[];
  readonly strategies: readonly Strategy[];
  readonly dependencies: readonly Dependency[];
}

/** A flag as clients see it: no ids, no titles, no disabled strategies; the order is kept. */
export function clientFeature({ feature, enabled, variants, strategies, dependencies }: Placed) {
  const ours = {
    name: feature.name,
    type: feature.type,
    enabled,
    project: feature.project,
    stale: feature.stale,
    strategies: strategies.filter(({ disabled }) => !disabled).map(clientStrategy),
    variants,
    description: feature.description,
    impressionData: feature.impressionData,
    ...(dependencies.length === 0 ? {} : { dependencies: dependencies.map(clientDependency) }),
  };
  return overlaid(ours, feature.overlay);
}

/** A strategy as clients see it. */
export function clientStrategy({ name, constraints, parameters, variants, segments, overlay }: Strategy) {
  const ours = { name, constraints, parameters, variants, ...(segments.length === 0 ? {} : { segments }) };
  return overlaid(ours, overlay);
}

/** A dependency as clients see it: variants of a parent that has to be off mean nothing. */
export function clientDependency({ parent, enabled, variants, overlay }: Dependency) {
  const ours = { feature: parent, enabled, ...(enabled ? { variants } : {}) };
  return overlaid(ours, overlay);
}

/** A segment as clients see it. */
export function clientSegment({ id, name, constraints, overlay }: Segment) {
  return overlaid({ id, name, constraints }, overlay);
}

/** What has to be remembered so that `overlaid(ours, …)` gives `given` again; null when that is `ours` already. */
export function overlayOf(ours: object, given: object): Overlay | null {
  const mine = new Map<string, unknown>(Object.entries(ours));
  const wanted = Object.entries(given);
  const names = new Set(wanted.map(([name]) => name));
  const absent = [...mine.keys()].filter((name) => !names.has(name));
  const extra = wanted.filter(
    ([name, value]) => !mine.has(name) || canonicalJson(mine.get(name)) !== canonicalJson(value),
  );
  return absent.length === 0 && extra.length === 0 ? null : { absent, extra: Object.fromEntries(extra) };
}

/** A list that was absent and has been filled since is given: only its emptiness was taken over. */
function overlaid(ours: object, overlay: Overlay | null): object {
  if (overlay === null) return ours;
  const isFilled = (value: unknown) => Array.isArray(value) && value.length > 0;
  const kept = Object.entries(ours).filter(
    ([name, value]) => !overlay.absent.includes(name) || isFilled(value),
  );
  return { ...Object.fromEntries(kept), ...overlay.extra };
}

/** JSON with sorted keys: equal exactly when the values are. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
