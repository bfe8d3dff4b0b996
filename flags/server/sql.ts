import type { Database } from 'better-sqlite3';
import { eventSearch } from './event-search.ts';
import type { Ids } from './ids.ts';
import {
  bit,
  type ContextFieldRow,
  contextFieldOf,
  type DependencyRow,
  dependencyOf,
  dependencySql,
  type EventRow,
  eventOf,
  type FeatureRow,
  featureOf,
  featureSql,
  type SegmentRow,
  type StrategyRow,
  type StrategySql,
  segmentOf,
  segmentSql,
  strategyOf,
  strategySql,
  type TokenSqlRow,
  tokenOf,
  type UsageSqlRow,
  usageOf,
  variantsIn,
} from './rows.ts';
import { ENVIRONMENTS, EVENT_TYPES, type Tag } from './semantics.ts';
import type { Actor, Changes, PlacedStrategy, Reads } from './store.ts';
import { summed } from './usage.ts';

type PlacedRow = StrategyRow & { readonly feature: string; readonly environment: string };

export interface Sql {
  readonly reads: Reads;
  /** Highest id of the events clients can see; 0 on an empty server. */
  revision(): number;
  /** For use inside a transaction only. */
  changes(actor: Actor, now: string, touched: Touched): Changes;
}

/** All SQL of the embedded server, over an open database of the newest version. */
export function openSql(db: Database, ids: Ids): Sql {
  const sql = statements(db);
  const reads = createReads(db, sql);
  return {
    reads,
    revision: () => sql.revision.get()?.revision ?? 0,
    changes: (actor, now, touched) => ({ ...reads, ...createWrites(sql, reads, actor, now, ids, touched) }),
  };
}

function createReads(db: Database, sql: Statements): Reads {
  return {
    feature: (name) => {
      const row = sql.feature.get(name);
      return row === undefined ? null : featureOf(row);
    },
    features: () => sql.features.all().map(featureOf),
    archivedFeatures: () => sql.archived.all().map(featureOf),
    featureCount: () => sql.featureCount.get()?.count ?? 0,
    enabled: (feature, environment) => sql.place.get(feature, environment)?.enabled === 1,
    variants: (feature, environment) => variantsIn(sql.place.get(feature, environment)?.variants ?? '[]'),
    strategies: (feature, environment) => sql.strategies.all(feature, environment).map(strategyOf),
    segments: () => sql.segments.all().map(segmentOf),
    segment: (id) => {
      const row = sql.segment.get(id);
      return row === undefined ? null : segmentOf(row);
    },
    strategy: (id) => {
      const row = sql.strategy.get(id);
      return row === undefined ? null : placed(row);
    },
    segmentUses: (id) => sql.segmentUses.all(id).map(placed),
    dependencies: (child) => sql.dependencies.all(child).map(dependencyOf),
    children: (parent) => sql.children.all(parent).map(({ child }) => child),
    tags: () => sql.tags.all(),
    tagsOf: (feature) => sql.tagsOf.all(feature),
    contextFields: () => sql.contextFields.all().map(contextFieldOf),
    contextUses: () => new Map(sql.contextUses.all().map(({ field, features }) => [field, features])),
    tokens: () => sql.tokens.all().map(tokenOf),
    usage: (feature, since) => sql.usage.all(feature, since).map(usageOf),
    usageApps: (feature, environment) => sql.usageApps.all({ feature, environment }).map(({ name }) => name),
    events(query) {
      const { page, count, values } = eventSearch(query);
      const total = db.prepare<unknown[], { count: number }>(count).get(...values)?.count ?? 0;
      const rows = db.prepare<unknown[], EventRow>(page).all(...values, query.limit, query.offset);
      return { events: rows.map(eventOf), total };
    },
    readOnly: () => sql.setting.get('readOnly')?.value === 'true',
  };
}

function placed(row: PlacedRow): PlacedStrategy {
  const { feature, environment } = row;
  return { feature, environment, strategy: strategyOf(row) };
}

/** What a change has done so far. */
export interface Touched {
  readonly features: Set<string>;
  readonly segments: Set<number>;
  revision: number;
}

function createWrites(
  sql: Statements,
  reads: Reads,
  actor: Actor,
  now: string,
  ids: Ids,
  touched: Touched,
): Omit<Changes, keyof Reads> {
  const groupId = ids.ulid();
  return {
    now,
    actor,
    newId: ids.uuid,
    insertFeature(feature) {
      sql.insertFeature.run(featureSql(feature));
      for (const { name } of ENVIRONMENTS) sql.insertPlace.run(feature.name, name);
      touched.features.add(feature.name);
    },
    updateFeature(feature) {
      sql.updateFeature.run(featureSql(feature));
      touched.features.add(feature.name);
    },
    deleteFeature(name) {
      for (const statement of sql.deleteFeature) statement.run(name);
      touched.features.add(name);
    },
    setEnabled(feature, environment, enabled) {
      sql.setEnabled.run(bit(enabled), feature, environment);
      touched.features.add(feature);
    },
    setVariants(feature, environment, variants) {
      sql.setVariants.run(JSON.stringify(variants), feature, environment);
      touched.features.add(feature);
    },
    insertStrategy(feature, environment, strategy) {
      sql.insertStrategy.run({ ...strategySql(strategy), feature, environment });
      touched.features.add(feature);
    },
    updateStrategy(strategy) {
      for (const { feature } of sql.updateStrategy.all(strategySql(strategy))) touched.features.add(feature);
    },
    deleteStrategy(id) {
      for (const { feature } of sql.deleteStrategy.all(id)) touched.features.add(feature);
    },
    insertSegment(segment, overlay = null) {
      const { lastInsertRowid } = sql.insertSegment.run(segmentSql(segment, overlay));
      const id = Number(lastInsertRowid);
      touched.segments.add(id);
      return { ...segment, id, overlay };
    },
    updateSegment(segment) {
      sql.updateSegment.run(segmentSql(segment, null));
      touched.segments.add(segment.id);
    },
    deleteSegment(id) {
      sql.deleteSegment.run(id);
      touched.segments.add(id);
    },
    insertDependency(dependency) {
      sql.insertDependency.run(dependencySql(dependency));
      touched.features.add(dependency.child);
    },
    deleteDependency(child, parent) {
      sql.deleteDependency.run(child, parent);
      touched.features.add(child);
    },
    insertTag: ({ type, value }) => {
      sql.insertTag.run(type, value);
    },
    tagFeature(feature, { type, value }) {
      sql.tagFeature.run(feature, type, value);
      touched.features.add(feature);
    },
    untagFeature(feature, { type, value }) {
      sql.untagFeature.run(feature, type, value);
      touched.features.add(feature);
    },
    insertContextField(field) {
      const { stickiness, legalValues } = field;
      sql.insertContextField.run({
        ...field,
        stickiness: bit(stickiness),
        legalValues: JSON.stringify(legalValues),
      });
    },
    setReadOnly: (readOnly) => {
      sql.putSetting.run('readOnly', String(readOnly));
    },
    insertToken: (token) => {
      sql.insertToken.run({ ...token, configured: bit(token.configured) });
    },
    deleteToken: (hash) => {
      sql.deleteToken.run(hash);
    },
    deleteConfiguredTokens: () => {
      sql.deleteConfiguredTokens.run();
    },
    addUsage({ feature, environment, appName, hour, yes, no, variants }) {
      const before = sql.usageOf.get(feature, environment, appName, hour);
      const known = before === undefined ? null : usageOf(before);
      sql.addUsage.run({
        feature,
        environment,
        appName,
        hour,
        yes: (known?.yes ?? 0) + yes,
        no: (known?.no ?? 0) + no,
        variants: JSON.stringify(summed(known?.variants ?? {}, variants)),
      });
    },
    dropUsageBefore: (hour) => {
      sql.dropUsageBefore.run(hour);
    },
    record(draft) {
      const { visible, grouped } = EVENT_TYPES[draft.type];
      const { lastInsertRowid } = sql.record.run({
        ...draft,
        createdAt: now,
        createdBy: actor.name,
        createdByUserId: actor.userId,
        data: draft.data === null ? null : JSON.stringify(draft.data),
        preData: draft.preData === null ? null : JSON.stringify(draft.preData),
        groupId: grouped ? groupId : null,
        visible: bit(visible),
        tags: JSON.stringify(draft.featureName === null ? [] : reads.tagsOf(draft.featureName)),
      });
      if (visible) touched.revision = Number(lastInsertRowid);
    },
  };
}

type Statements = ReturnType<typeof statements>;

/** Every statement of the server, prepared once. */
function statements(db: Database) {
  return {
    revision: db.prepare<[], { revision: number | null }>(
      'SELECT max(id) AS revision FROM event WHERE client_visible = 1',
    ),
    feature: db.prepare<[string], FeatureRow>('SELECT * FROM feature WHERE name = ?'),
    features: db.prepare<[], FeatureRow>('SELECT * FROM feature WHERE archived_at IS NULL ORDER BY seq'),
    archived: db.prepare<[], FeatureRow>('SELECT * FROM feature WHERE archived_at IS NOT NULL ORDER BY seq'),
    featureCount: db.prepare<[], { count: number }>('SELECT count(*) AS count FROM feature'),
    place: db.prepare<[string, string], { enabled: number; variants: string }>(
      'SELECT enabled, variants FROM feature_environment WHERE feature = ? AND environment = ?',
    ),
    strategies: db.prepare<[string, string], StrategyRow>(
      'SELECT * FROM strategy WHERE feature = ? AND environment = ? ORDER BY sort_order, seq',
    ),
    strategy: db.prepare<[string], PlacedRow>('SELECT * FROM strategy WHERE id = ?'),
    segmentUses: db.prepare<[number], PlacedRow>(
      `SELECT * FROM strategy
       WHERE EXISTS (SELECT 1 FROM json_each(strategy.segments) WHERE value = ?) ORDER BY seq`,
    ),
    segments: db.prepare<[], SegmentRow>('SELECT * FROM segment ORDER BY name'),
    segment: db.prepare<[number], SegmentRow>('SELECT * FROM segment WHERE id = ?'),
    dependencies: db.prepare<[string], DependencyRow>(
      'SELECT * FROM dependency WHERE child = ? ORDER BY seq',
    ),
    children: db.prepare<[string], { child: string }>(
      'SELECT child FROM dependency WHERE parent = ? ORDER BY seq',
    ),
    tags: db.prepare<[], Tag>('SELECT type, value FROM tag ORDER BY type, value'),
    tagsOf: db.prepare<[string], Tag>(
      'SELECT type, value FROM feature_tag WHERE feature = ? ORDER BY type, value',
    ),
    contextFields: db.prepare<[], ContextFieldRow>('SELECT * FROM context_field ORDER BY name'),
    contextUses: db.prepare<[], { field: string; features: number }>(
      `SELECT json_extract(one.value, '$.contextName') AS field, count(DISTINCT feature.name) AS features
       FROM strategy JOIN feature ON feature.name = strategy.feature AND feature.archived_at IS NULL,
         json_each(strategy.constraints) AS one
       GROUP BY field`,
    ),
    setting: db.prepare<[string], { value: string }>('SELECT value FROM setting WHERE name = ?'),
    tokens: db.prepare<[], TokenSqlRow>('SELECT * FROM token ORDER BY created_at, hash'),
    usage: db.prepare<[string, string], UsageSqlRow>(
      'SELECT * FROM usage WHERE feature = ? AND hour >= ? ORDER BY hour, environment, app_name',
    ),
    /** One look at the primary key per application, however many hours there are. */
    usageApps: db.prepare<{ feature: string; environment: string }, { name: string }>(
      `WITH RECURSIVE app (name) AS (
         SELECT min(app_name) FROM usage WHERE feature = @feature AND environment = @environment
         UNION ALL
         SELECT (SELECT min(app_name) FROM usage
                 WHERE feature = @feature AND environment = @environment AND app_name > app.name)
         FROM app WHERE app.name IS NOT NULL)
       SELECT name FROM app WHERE name IS NOT NULL`,
    ),
    insertFeature: db.prepare(
      `INSERT INTO feature
         (name, project, type, description, stale, impression_data, created_at, archived_at, overlay)
       VALUES (@name, @project, @type, @description, @stale, @impressionData, @createdAt, @archivedAt, @overlay)`,
    ),
    updateFeature: db.prepare(
      `UPDATE feature SET project = @project, type = @type, description = @description, stale = @stale,
         impression_data = @impressionData, archived_at = @archivedAt, overlay = @overlay WHERE name = @name`,
    ),
    insertPlace: db.prepare<[string, string]>(
      'INSERT INTO feature_environment (feature, environment, enabled) VALUES (?, ?, 0)',
    ),
    /** All that hangs on a flag goes first: nothing may be left that names it. Its events stay. */
    deleteFeature: [
      'DELETE FROM strategy WHERE feature = ?',
      'DELETE FROM feature_environment WHERE feature = ?',
      'DELETE FROM feature_tag WHERE feature = ?',
      'DELETE FROM dependency WHERE child = ?',
      'DELETE FROM usage WHERE feature = ?',
      'DELETE FROM feature WHERE name = ?',
    ].map((text) => db.prepare<[string]>(text)),
    setEnabled: db.prepare<[number, string, string]>(
      'UPDATE feature_environment SET enabled = ? WHERE feature = ? AND environment = ?',
    ),
    setVariants: db.prepare<[string, string, string]>(
      'UPDATE feature_environment SET variants = ? WHERE feature = ? AND environment = ?',
    ),
    insertStrategy: db.prepare(
      `INSERT INTO strategy (id, feature, environment, name, title, disabled, sort_order, parameters,
         constraints, variants, segments, overlay)
       VALUES (@id, @feature, @environment, @name, @title, @disabled, @sortOrder, @parameters,
         @constraints, @variants, @segments, @overlay)`,
    ),
    updateStrategy: db.prepare<[StrategySql], { feature: string }>(
      `UPDATE strategy SET name = @name, title = @title, disabled = @disabled, sort_order = @sortOrder,
         parameters = @parameters, constraints = @constraints, variants = @variants, segments = @segments,
         overlay = @overlay WHERE id = @id RETURNING feature`,
    ),
    deleteStrategy: db.prepare<[string], { feature: string }>(
      'DELETE FROM strategy WHERE id = ? RETURNING feature',
    ),
    insertSegment: db.prepare(
      `INSERT INTO segment (id, name, description, project, constraints, created_by, created_at, overlay)
       VALUES (@id, @name, @description, @project, @constraints, @createdBy, @createdAt, @overlay)`,
    ),
    updateSegment: db.prepare(
      `UPDATE segment SET name = @name, description = @description, project = @project,
         constraints = @constraints, overlay = @overlay WHERE id = @id`,
    ),
    deleteSegment: db.prepare<[number]>('DELETE FROM segment WHERE id = ?'),
    insertDependency: db.prepare(
      `INSERT INTO dependency (child, parent, enabled, variants, overlay)
       VALUES (@child, @parent, @enabled, @variants, @overlay)`,
    ),
    deleteDependency: db.prepare<[string, string]>('DELETE FROM dependency WHERE child = ? AND parent = ?'),
    insertTag: db.prepare<[string, string]>('INSERT OR IGNORE INTO tag (type, value) VALUES (?, ?)'),
    tagFeature: db.prepare<[string, string, string]>(
      'INSERT OR IGNORE INTO feature_tag (feature, type, value) VALUES (?, ?, ?)',
    ),
    untagFeature: db.prepare<[string, string, string]>(
      'DELETE FROM feature_tag WHERE feature = ? AND type = ? AND value = ?',
    ),
    insertContextField: db.prepare(
      `INSERT INTO context_field (name, description, stickiness, sort_order, legal_values, created_at)
       VALUES (@name, @description, @stickiness, @sortOrder, @legalValues, @createdAt)`,
    ),
    putSetting: db.prepare<[string, string]>(
      'INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    ),
    insertToken: db.prepare(
      `INSERT INTO token (hash, tail, name, type, project, environment, alias, created_at, expires_at, configured)
       VALUES (@hash, @tail, @name, @type, @project, @environment, @alias, @createdAt, @expiresAt, @configured)`,
    ),
    deleteToken: db.prepare<[Buffer]>('DELETE FROM token WHERE hash = ?'),
    deleteConfiguredTokens: db.prepare<[]>('DELETE FROM token WHERE configured = 1'),
    addUsage: db.prepare(
      `INSERT INTO usage (feature, environment, app_name, hour, yes, no, variants)
       VALUES (@feature, @environment, @appName, @hour, @yes, @no, @variants)
       ON CONFLICT DO UPDATE SET yes = @yes, no = @no, variants = @variants`,
    ),
    usageOf: db.prepare<[string, string, string, string], UsageSqlRow>(
      'SELECT * FROM usage WHERE feature = ? AND environment = ? AND app_name = ? AND hour = ?',
    ),
    dropUsageBefore: db.prepare<[string]>('DELETE FROM usage WHERE hour < ?'),
    record: db.prepare(
      `INSERT INTO event (created_at, type, created_by, created_by_user_id, project, environment,
         feature_name, data, pre_data, group_id, client_visible, tags)
       VALUES (@createdAt, @type, @createdBy, @createdByUserId, @project, @environment,
         @featureName, @data, @preData, @groupId, @visible, @tags)`,
    ),
  };
}
