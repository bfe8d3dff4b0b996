/** How nouns lie in the tables: one row type and two mappings for each. */
import type {
  Constraint,
  ContextField,
  Dependency,
  EventType,
  Feature,
  LegalValue,
  Overlay,
  Segment,
  SegmentInput,
  Strategy,
  Tag,
  Variant,
} from './semantics.ts';
import type { StoredEvent, TokenRow, UsageRow } from './store.ts';

export interface FeatureRow {
  readonly name: string;
  readonly project: string;
  readonly type: string;
  readonly description: string | null;
  readonly stale: number;
  readonly impression_data: number;
  readonly created_at: string;
  readonly archived_at: string | null;
  readonly overlay: string | null;
}
export interface StrategyRow {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly disabled: number;
  readonly sort_order: number;
  readonly parameters: string;
  readonly constraints: string;
  readonly variants: string;
  readonly segments: string;
  readonly overlay: string | null;
}
export interface SegmentRow {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  readonly project: string | null;
  readonly constraints: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly overlay: string | null;
}
export interface DependencyRow {
  readonly child: string;
  readonly parent: string;
  readonly enabled: number;
  readonly variants: string;
  readonly overlay: string | null;
}
export interface ContextFieldRow {
  readonly name: string;
  readonly description: string | null;
  readonly stickiness: number;
  readonly sort_order: number;
  readonly legal_values: string;
  readonly created_at: string;
}
export interface EventRow {
  readonly id: number;
  readonly created_at: string;
  readonly type: EventType;
  readonly created_by: string;
  readonly created_by_user_id: number;
  readonly project: string | null;
  readonly environment: string | null;
  readonly feature_name: string | null;
  readonly data: string | null;
  readonly pre_data: string | null;
  readonly group_id: string | null;
  readonly tags: string;
}
export interface TokenSqlRow {
  readonly hash: Buffer;
  readonly tail: string;
  readonly name: string;
  readonly type: TokenRow['type'];
  readonly project: string;
  readonly environment: string;
  readonly alias: string | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly configured: number;
}
export interface UsageSqlRow {
  readonly feature: string;
  readonly environment: string;
  readonly app_name: string;
  readonly hour: string;
  readonly yes: number;
  readonly no: number;
  readonly variants: string;
}

export function bit(value: boolean): number {
  return value ? 1 : 0;
}

export function featureOf(row: FeatureRow): Feature {
  const { name, project, type, description, stale, impression_data, created_at, archived_at } = row;
  return {
    name,
    project,
    type,
    description,
    stale: stale === 1,
    impressionData: impression_data === 1,
    createdAt: created_at,
    archivedAt: archived_at,
    overlay: overlayIn(row.overlay),
  };
}

export function featureSql(feature: Feature) {
  const { stale, impressionData, overlay } = feature;
  return {
    ...feature,
    stale: bit(stale),
    impressionData: bit(impressionData),
    overlay: overlayText(overlay),
  };
}

export function strategyOf(row: StrategyRow): Strategy {
  const { id, name, title, disabled, sort_order } = row;
  const parameters: Readonly<Record<string, string>> = JSON.parse(row.parameters);
  const segments: readonly number[] = JSON.parse(row.segments);
  return {
    id,
    name,
    title,
    disabled: disabled === 1,
    sortOrder: sort_order,
    parameters,
    constraints: constraintsIn(row.constraints),
    variants: variantsIn(row.variants),
    segments,
    overlay: overlayIn(row.overlay),
  };
}

export type StrategySql = ReturnType<typeof strategySql>;

export function strategySql(strategy: Strategy) {
  const { id, name, title, disabled, sortOrder, parameters, constraints, variants, segments, overlay } =
    strategy;
  return {
    id,
    name,
    title,
    disabled: bit(disabled),
    sortOrder,
    parameters: JSON.stringify(parameters),
    constraints: JSON.stringify(constraints),
    variants: JSON.stringify(variants),
    segments: JSON.stringify(segments),
    overlay: overlayText(overlay),
  };
}

export function segmentOf(row: SegmentRow): Segment {
  const { id, name, description, project, created_by, created_at } = row;
  return {
    id,
    name,
    description,
    project,
    constraints: constraintsIn(row.constraints),
    createdBy: created_by,
    createdAt: created_at,
    overlay: overlayIn(row.overlay),
  };
}

export function segmentSql(
  segment: Omit<SegmentInput, 'id'> & { readonly id: number | null },
  overlay: Overlay | null,
) {
  const { id, name, description, project, constraints, createdBy, createdAt } = segment;
  return {
    id,
    name,
    description,
    project,
    constraints: JSON.stringify(constraints),
    createdBy,
    createdAt,
    overlay: overlayText(overlay),
  };
}

export function dependencyOf({ child, parent, enabled, variants, overlay }: DependencyRow): Dependency {
  const names: readonly string[] = JSON.parse(variants);
  return { child, parent, enabled: enabled === 1, variants: names, overlay: overlayIn(overlay) };
}

export function dependencySql(dependency: Dependency) {
  const { enabled, variants, overlay } = dependency;
  return {
    ...dependency,
    enabled: bit(enabled),
    variants: JSON.stringify(variants),
    overlay: overlayText(overlay),
  };
}

export function variantsIn(text: string): readonly Variant[] {
  return JSON.parse(text);
}

export function contextFieldOf(row: ContextFieldRow): ContextField {
  const { name, description, stickiness, sort_order, created_at } = row;
  const legalValues: readonly LegalValue[] = JSON.parse(row.legal_values);
  return {
    name,
    description,
    stickiness: stickiness === 1,
    sortOrder: sort_order,
    legalValues,
    createdAt: created_at,
  };
}

export function tokenOf(row: TokenSqlRow): TokenRow {
  const { created_at, expires_at, configured, ...rest } = row;
  return { ...rest, createdAt: created_at, expiresAt: expires_at, configured: configured === 1 };
}

export function usageOf({ app_name, variants, ...row }: UsageSqlRow): UsageRow {
  const counts: Readonly<Record<string, number>> = JSON.parse(variants);
  return { ...row, appName: app_name, variants: counts };
}

export function eventOf(row: EventRow): StoredEvent {
  const data: unknown = row.data === null ? null : JSON.parse(row.data);
  const preData: unknown = row.pre_data === null ? null : JSON.parse(row.pre_data);
  const tags: readonly Tag[] = JSON.parse(row.tags);
  return {
    id: row.id,
    type: row.type,
    createdBy: row.created_by,
    createdAt: row.created_at,
    createdByUserId: row.created_by_user_id,
    data,
    preData,
    tags,
    featureName: row.feature_name,
    project: row.project,
    environment: row.environment,
    groupId: row.group_id,
  };
}

function constraintsIn(text: string): readonly Constraint[] {
  return JSON.parse(text);
}

function overlayIn(text: string | null): Overlay | null {
  return text === null ? null : JSON.parse(text);
}

function overlayText(overlay: Overlay | null): string | null {
  return overlay === null ? null : JSON.stringify(overlay);
}
