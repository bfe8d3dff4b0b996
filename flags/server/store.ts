import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase, { type Database, SqliteError } from 'better-sqlite3';
import type { Clock, Log } from '../../router/core/ports.ts';
import type { Ids } from './ids.ts';
import { migrate } from './migrations.ts';
import {
  type Constraint,
  type ContextField,
  ENVIRONMENTS,
  EVENT_TYPES,
  type EventDraft,
  type Feature,
  type LegalValue,
  type Strategy,
} from './semantics.ts';

export type TokenType = 'client' | 'admin';

export interface TokenRow {
  readonly hash: Buffer;
  readonly name: string;
  readonly type: TokenType;
  readonly project: string;
  readonly environment: string;
}

/** The flag server's data file cannot be used; `message` says which and why. */
class FlagStoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FlagStoreError';
  }
}

/** Who makes a change: goes into every event of it. */
export interface Actor {
  readonly name: string;
  readonly userId: number;
}

export interface StoredEvent extends EventDraft {
  readonly id: number;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly createdByUserId: number;
  /** One per request; null on events that concern no flag. */
  readonly groupId: string | null;
}

interface EventQuery {
  readonly feature: string | null;
  readonly project: string | null;
  readonly type: string | null;
  readonly limit: number;
  readonly offset: number;
}

/** What one transaction changed for clients. */
export interface Commit {
  readonly revision: number;
  readonly features: readonly string[];
}

/** Reads of committed data, and inside a change of its own writes. */
export interface Reads {
  feature(name: string): Feature | null;
  features(): Feature[];
  featureCount(): number;
  enabled(feature: string, environment: string): boolean;
  strategies(feature: string, environment: string): Strategy[];
  contextFields(): ContextField[];
  events(query: EventQuery): { readonly events: StoredEvent[]; readonly total: number };
}

export interface Changes extends Reads {
  /** ISO time of this change; the same for everything it writes. */
  readonly now: string;
  newId(): string;
  insertFeature(feature: Feature): void;
  archive(feature: string, at: string | null): void;
  setEnabled(feature: string, environment: string, enabled: boolean): void;
  insertStrategy(feature: string, environment: string, strategy: Strategy): void;
  updateStrategy(strategy: Strategy): void;
  deleteStrategy(id: string): void;
  insertContextField(field: ContextField): void;
  record(draft: EventDraft): void;
}

export interface Store extends Reads {
  /** Highest id of the events clients can see; 0 on an empty server. Only rises. */
  revision(): number;
  /** Flags with a visible event above `revision`, at most `limit`. */
  changedSince(revision: number, limit: number): string[];
  /** Runs one change with all its events in ONE durable transaction, then calls the commit listeners. */
  change<T>(actor: Actor, run: (changes: Changes) => T): T;
  tokens(): TokenRow[];
  /** Adds or replaces the token of that name. */
  putToken(token: TokenRow, tail: string): void;
  onCommit(listener: (commit: Commit) => void): () => void;
  close(): void;
}

export interface StoreDeps {
  /** Path of the data file; its folder is created. Mode 0600. */
  readonly file: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

/**
 * Opens the data file: WAL, fsync at every commit, exclusively ours. Throws in one sentence when another process
 * holds the file, when a newer program wrote it, or when it is no flag database.
 */
export function openStore({ file, clock, ids, log }: StoreDeps): Store {
  const db = openDatabase(file);
  try {
    migrate(db, (version) => `${file}.v${version}-${clock.wall()}.copy`);
    return createStore(db, clock, ids, log);
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDatabase(file: string): Database {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const db = new SqliteDatabase(file, { timeout: 0 });
  try {
    // Together they take the lock here: a second server must fail at its start, not at its first write.
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    return db;
  } catch (error) {
    db.close();
    if (!(error instanceof SqliteError)) throw error;
    if (error.code.startsWith('SQLITE_BUSY')) {
      throw new FlagStoreError(`another flag server has ${file} open`, { cause: error });
    }
    throw new FlagStoreError(`${file} cannot be used as a flag database (${error.code})`, { cause: error });
  }
}

function createStore(db: Database, clock: Clock, ids: Ids, log: Log): Store {
  const sql = statements(db);
  const listeners = new Set<(commit: Commit) => void>();
  let revision = sql.revision.get()?.revision ?? 0;
  const reads = createReads(sql);

  /** The change is durable already: a listener that throws must not turn its answer into an error. */
  function publish(commit: Commit): void {
    for (const listener of listeners) {
      try {
        listener(commit);
      } catch (error) {
        log.error('flags.commit-listener-failed', { revision: commit.revision, error: String(error) });
      }
    }
  }

  function change<T>(actor: Actor, run: (changes: Changes) => T): T {
    const touched = new Set<string>();
    let highest = revision;
    const writes = createWrites(sql, actor, new Date(clock.wall()).toISOString(), ids, (id, feature) => {
      highest = id;
      touched.add(feature);
    });
    const result = db.transaction(() => run({ ...reads, ...writes })).immediate();
    if (highest > revision) {
      revision = highest;
      publish({ revision, features: [...touched] });
    }
    return result;
  }

  return {
    ...reads,
    change,
    revision: () => revision,
    changedSince: (since, limit) => sql.changedSince.all({ since, limit }).map((row) => row.feature_name),
    tokens: () => sql.tokens.all(),
    putToken: db.transaction((token: TokenRow, tail: string) => {
      sql.dropToken.run(token.name);
      sql.putToken.run({ ...token, tail, createdAt: new Date(clock.wall()).toISOString() });
    }),
    onCommit(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    close: () => {
      db.close();
    },
  };
}

function createReads(sql: Statements): Reads {
  return {
    feature: (name) => {
      const row = sql.feature.get(name);
      return row === undefined ? null : featureOf(row);
    },
    features: () => sql.features.all().map(featureOf),
    featureCount: () => sql.featureCount.get()?.count ?? 0,
    enabled: (feature, environment) => sql.enabled.get(feature, environment)?.enabled === 1,
    strategies: (feature, environment) => sql.strategies.all(feature, environment).map(strategyOf),
    contextFields: () => sql.contextFields.all().map(contextFieldOf),
    events(query) {
      const total = sql.eventCount.get(query)?.count ?? 0;
      return { events: sql.events.all(query).map(eventOf), total };
    },
  };
}

function createWrites(
  sql: Statements,
  actor: Actor,
  now: string,
  ids: Ids,
  visible: (eventId: number, feature: string) => void,
): Omit<Changes, keyof Reads> {
  const groupId = ids.ulid();
  return {
    now,
    newId: ids.uuid,
    insertFeature(feature) {
      const { stale, impressionData } = feature;
      sql.insertFeature.run({ ...feature, stale: bit(stale), impressionData: bit(impressionData) });
      for (const { name } of ENVIRONMENTS) sql.insertEnvironment.run(feature.name, name);
    },
    archive: (feature, at) => {
      sql.archive.run(at, feature);
    },
    setEnabled: (feature, environment, enabled) => {
      sql.setEnabled.run(bit(enabled), feature, environment);
    },
    insertStrategy: (feature, environment, strategy) => {
      sql.insertStrategy.run({ ...strategyRow(strategy), feature, environment });
    },
    updateStrategy: (strategy) => {
      sql.updateStrategy.run(strategyRow(strategy));
    },
    deleteStrategy: (id) => {
      sql.deleteStrategy.run(id);
    },
    insertContextField(field) {
      const { stickiness, legalValues } = field;
      sql.insertContextField.run({
        ...field,
        stickiness: bit(stickiness),
        legalValues: JSON.stringify(legalValues),
      });
    },
    record(draft) {
      const isVisible = EVENT_TYPES[draft.type].visible;
      const { lastInsertRowid } = sql.record.run({
        ...draft,
        createdAt: now,
        createdBy: actor.name,
        createdByUserId: actor.userId,
        data: draft.data === null ? null : JSON.stringify(draft.data),
        preData: draft.preData === null ? null : JSON.stringify(draft.preData),
        groupId: draft.featureName === null ? null : groupId,
        visible: bit(isVisible),
      });
      if (isVisible && draft.featureName !== null) visible(Number(lastInsertRowid), draft.featureName);
    },
  };
}

interface FeatureRow {
  readonly name: string;
  readonly project: string;
  readonly type: string;
  readonly description: string | null;
  readonly stale: number;
  readonly impression_data: number;
  readonly created_at: string;
  readonly archived_at: string | null;
}
interface StrategyRow {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly disabled: number;
  readonly sort_order: number;
  readonly parameters: string;
  readonly constraints: string;
}
interface ContextFieldRow {
  readonly name: string;
  readonly description: string | null;
  readonly stickiness: number;
  readonly sort_order: number;
  readonly legal_values: string;
  readonly created_at: string;
}
interface EventRow {
  readonly id: number;
  readonly created_at: string;
  readonly type: StoredEvent['type'];
  readonly created_by: string;
  readonly created_by_user_id: number;
  readonly project: string | null;
  readonly environment: string | null;
  readonly feature_name: string | null;
  readonly data: string | null;
  readonly pre_data: string | null;
  readonly group_id: string | null;
}

type Statements = ReturnType<typeof statements>;

/** Every statement of the server, prepared once. */
function statements(db: Database) {
  const filter = `FROM event
    WHERE (@feature IS NULL OR feature_name = @feature)
      AND (@project IS NULL OR project = @project) AND (@type IS NULL OR type = @type)`;
  return {
    revision: db.prepare<[], { revision: number | null }>(
      'SELECT max(id) AS revision FROM event WHERE client_visible = 1',
    ),
    changedSince: db.prepare<{ since: number; limit: number }, { feature_name: string }>(
      `SELECT DISTINCT feature_name FROM event
       WHERE client_visible = 1 AND id > @since AND feature_name IS NOT NULL LIMIT @limit`,
    ),
    feature: db.prepare<[string], FeatureRow>('SELECT * FROM feature WHERE name = ?'),
    features: db.prepare<[], FeatureRow>('SELECT * FROM feature WHERE archived_at IS NULL ORDER BY seq'),
    featureCount: db.prepare<[], { count: number }>('SELECT count(*) AS count FROM feature'),
    enabled: db.prepare<[string, string], { enabled: number }>(
      'SELECT enabled FROM feature_environment WHERE feature = ? AND environment = ?',
    ),
    strategies: db.prepare<[string, string], StrategyRow>(
      'SELECT * FROM strategy WHERE feature = ? AND environment = ? ORDER BY sort_order, seq',
    ),
    contextFields: db.prepare<[], ContextFieldRow>('SELECT * FROM context_field ORDER BY name'),
    events: db.prepare<EventQuery, EventRow>(
      `SELECT * ${filter} ORDER BY id DESC LIMIT @limit OFFSET @offset`,
    ),
    eventCount: db.prepare<EventQuery, { count: number }>(`SELECT count(*) AS count ${filter}`),
    tokens: db.prepare<[], TokenRow>('SELECT hash, name, type, project, environment FROM api_token'),
    dropToken: db.prepare<[string]>('DELETE FROM api_token WHERE name = ?'),
    putToken: db.prepare(
      `INSERT INTO api_token (hash, tail, name, type, project, environment, created_at)
       VALUES (@hash, @tail, @name, @type, @project, @environment, @createdAt)`,
    ),
    insertFeature: db.prepare(
      `INSERT INTO feature (name, project, type, description, stale, impression_data, created_at, archived_at)
       VALUES (@name, @project, @type, @description, @stale, @impressionData, @createdAt, @archivedAt)`,
    ),
    insertEnvironment: db.prepare<[string, string]>('INSERT INTO feature_environment VALUES (?, ?, 0)'),
    archive: db.prepare<[string | null, string]>('UPDATE feature SET archived_at = ? WHERE name = ?'),
    setEnabled: db.prepare<[number, string, string]>(
      'UPDATE feature_environment SET enabled = ? WHERE feature = ? AND environment = ?',
    ),
    insertStrategy: db.prepare(
      `INSERT INTO strategy
         (id, feature, environment, name, title, disabled, sort_order, parameters, constraints)
       VALUES
         (@id, @feature, @environment, @name, @title, @disabled, @sortOrder, @parameters, @constraints)`,
    ),
    updateStrategy: db.prepare(
      `UPDATE strategy SET name = @name, title = @title, disabled = @disabled, sort_order = @sortOrder,
         parameters = @parameters, constraints = @constraints WHERE id = @id`,
    ),
    deleteStrategy: db.prepare<[string]>('DELETE FROM strategy WHERE id = ?'),
    insertContextField: db.prepare(
      `INSERT INTO context_field (name, description, stickiness, sort_order, legal_values, created_at)
       VALUES (@name, @description, @stickiness, @sortOrder, @legalValues, @createdAt)`,
    ),
    record: db.prepare(
      `INSERT INTO event (created_at, type, created_by, created_by_user_id, project, environment,
         feature_name, data, pre_data, group_id, client_visible)
       VALUES (@createdAt, @type, @createdBy, @createdByUserId, @project, @environment,
         @featureName, @data, @preData, @groupId, @visible)`,
    ),
  };
}

function bit(value: boolean): number {
  return value ? 1 : 0;
}

function featureOf(row: FeatureRow): Feature {
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
  };
}

function strategyOf(row: StrategyRow): Strategy {
  const { id, name, title, disabled, sort_order } = row;
  const parameters: Readonly<Record<string, string>> = JSON.parse(row.parameters);
  const constraints: readonly Constraint[] = JSON.parse(row.constraints);
  return { id, name, title, disabled: disabled === 1, sortOrder: sort_order, parameters, constraints };
}

function strategyRow({ id, name, title, disabled, sortOrder, parameters, constraints }: Strategy) {
  return {
    id,
    name,
    title,
    disabled: bit(disabled),
    sortOrder,
    parameters: JSON.stringify(parameters),
    constraints: JSON.stringify(constraints),
  };
}

function contextFieldOf(row: ContextFieldRow): ContextField {
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

function eventOf(row: EventRow): StoredEvent {
  const data: unknown = row.data === null ? null : JSON.parse(row.data);
  const preData: unknown = row.pre_data === null ? null : JSON.parse(row.pre_data);
  return {
    id: row.id,
    type: row.type,
    createdBy: row.created_by,
    createdAt: row.created_at,
    createdByUserId: row.created_by_user_id,
    data,
    preData,
    featureName: row.feature_name,
    project: row.project,
    environment: row.environment,
    groupId: row.group_id,
  };
}
