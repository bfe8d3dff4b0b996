import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import type { Clock, Log } from '../../router/core/ports.ts';
import type { Ids } from './ids.ts';
import type { Changed } from './journal.ts';
import { migrate } from './migrations.ts';
import type {
  ContextField,
  Dependency,
  EventDraft,
  Feature,
  Overlay,
  Segment,
  SegmentInput,
  Strategy,
  Tag,
  Variant,
} from './semantics.ts';
import { openSql } from './sql.ts';
import { startError } from './store-error.ts';

export type TokenType = 'client' | 'admin';

export interface TokenRow {
  /** SHA-256 of the secret; the secret itself is not kept. */
  readonly hash: Buffer;
  /** The last characters of the secret, so that a person recognises it. */
  readonly tail: string;
  readonly name: string;
  readonly type: TokenType;
  /** `default`, or `*`. */
  readonly project: string;
  readonly environment: string;
  readonly alias: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Given at the start of the server, not made through its API. */
  readonly configured: boolean;
}

/** How often a flag was evaluated by an application in one hour (ISO time of its beginning). */
export interface UsageRow {
  readonly feature: string;
  readonly environment: string;
  readonly appName: string;
  readonly hour: string;
  readonly yes: number;
  readonly no: number;
  readonly variants: Readonly<Record<string, number>>;
}

/** A strategy and where it is. */
export interface PlacedStrategy {
  readonly feature: string;
  readonly environment: string;
  readonly strategy: Strategy;
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
  /** One per request; null on events that do not say which request they belong to. */
  readonly groupId: string | null;
  /** What its flag was tagged with then. */
  readonly tags: readonly Tag[];
}

/** Which events are looked for; null: no matter which. A list names what may be, and is not empty. */
export interface EventQuery {
  readonly ids: readonly number[] | null;
  readonly groupIds: readonly string[] | null;
  readonly features: readonly string[] | null;
  readonly projects: readonly string[] | null;
  readonly types: readonly string[] | null;
  readonly environments: readonly string[] | null;
  /** User ids. */
  readonly creators: readonly number[] | null;
  /** ISO time, inclusive. */
  readonly from: string | null;
  /** ISO time, exclusive. */
  readonly before: string | null;
  /** Occurs in the data or tags of an event, whatever its case. */
  readonly text: string | null;
  readonly limit: number;
  readonly offset: number;
}

/** What one transaction changed for clients. */
export interface Commit extends Changed {
  readonly revision: number;
}

/** Reads of committed data, and inside a change of its own writes. */
export interface Reads {
  feature(name: string): Feature | null;
  /** Without the archived ones, in the order of their creation. */
  features(): Feature[];
  archivedFeatures(): Feature[];
  /** With the archived ones. */
  featureCount(): number;
  enabled(feature: string, environment: string): boolean;
  /** Variants of the whole flag, which can only be imported. */
  variants(feature: string, environment: string): readonly Variant[];
  strategies(feature: string, environment: string): Strategy[];
  strategy(id: string): PlacedStrategy | null;
  segments(): Segment[];
  segment(id: number): Segment | null;
  segmentUses(id: number): PlacedStrategy[];
  dependencies(child: string): Dependency[];
  children(parent: string): string[];
  tags(): Tag[];
  tagsOf(feature: string): Tag[];
  contextFields(): ContextField[];
  /** By name of the field: how many flags that are not archived have a constraint on it; none are left out. */
  contextUses(): ReadonlyMap<string, number>;
  tokens(): TokenRow[];
  /** From the hour `since` (ISO time) on. */
  usage(feature: string, since: string): UsageRow[];
  /** Applications that a flag was counted for. */
  usageApps(feature: string, environment: string): string[];
  /** The newest first. */
  events(query: EventQuery): { readonly events: StoredEvent[]; readonly total: number };
  /** Whether the admin API refuses changes. */
  readOnly(): boolean;
}

export interface Changes extends Reads {
  /** ISO time of this change; the same for everything it writes. */
  readonly now: string;
  readonly actor: Actor;
  newId(): string;
  insertFeature(feature: Feature): void;
  updateFeature(feature: Feature): void;
  /** With everything that hangs on it, except its events. */
  deleteFeature(name: string): void;
  setEnabled(feature: string, environment: string, enabled: boolean): void;
  setVariants(feature: string, environment: string, variants: readonly Variant[]): void;
  insertStrategy(feature: string, environment: string, strategy: Strategy): void;
  updateStrategy(strategy: Strategy): void;
  deleteStrategy(id: string): void;
  /** `id` null: the next one that was never used. */
  insertSegment(
    segment: Omit<SegmentInput, 'id'> & { readonly id: number | null },
    overlay?: Overlay | null,
  ): Segment;
  updateSegment(segment: SegmentInput): void;
  deleteSegment(id: number): void;
  insertDependency(dependency: Dependency): void;
  deleteDependency(child: string, parent: string): void;
  insertTag(tag: Tag): void;
  tagFeature(feature: string, tag: Tag): void;
  untagFeature(feature: string, tag: Tag): void;
  insertContextField(field: ContextField): void;
  setReadOnly(readOnly: boolean): void;
  insertToken(token: TokenRow): void;
  deleteToken(hash: Buffer): void;
  /** Takes out the tokens of an earlier start. */
  deleteConfiguredTokens(): void;
  /** Adds to what is counted for that flag, environment, application and hour. */
  addUsage(usage: UsageRow): void;
  /** Forgets the hours before `hour` (ISO time). */
  dropUsageBefore(hour: string): void;
  record(draft: EventDraft): void;
}

export interface Store extends Reads {
  /** Highest id of the events clients can see; 0 on an empty server. Only rises. */
  revision(): number;
  /** Runs one change with all its events in ONE durable transaction, then calls the commit listeners. */
  change<T>(actor: Actor, run: (changes: Changes) => T): T;
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
    throw startError(file, error);
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
    throw startError(file, error);
  }
}

function createStore(db: Database, clock: Clock, ids: Ids, log: Log): Store {
  const sql = openSql(db, ids);
  const listeners = new Set<(commit: Commit) => void>();
  let revision = sql.revision();

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
    const now = new Date(clock.wall()).toISOString();
    const touched = { features: new Set<string>(), segments: new Set<number>(), revision };
    const changes = sql.changes(actor, now, touched);
    const result = db.transaction(() => run(changes)).immediate();
    if (touched.revision > revision) {
      revision = touched.revision;
      publish({ revision, features: [...touched.features], segments: [...touched.segments] });
    }
    return result;
  }

  return {
    ...sql.reads,
    change,
    revision: () => revision,
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
