import type { Database } from 'better-sqlite3';
import { FlagStoreError } from './store-error.ts';

/**
 * Numbered by position, forward only, one transaction each. A released migration is never edited: the next change
 * is a new entry. Events are the audit log: nobody may change or delete one, not even by hand.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE feature (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT,
    stale INTEGER NOT NULL,
    impression_data INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    archived_at TEXT
  ) STRICT;
  CREATE TABLE feature_environment (
    feature TEXT NOT NULL REFERENCES feature (name),
    environment TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    PRIMARY KEY (feature, environment)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE strategy (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    feature TEXT NOT NULL REFERENCES feature (name),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT,
    disabled INTEGER NOT NULL,
    sort_order INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    constraints TEXT NOT NULL
  ) STRICT;
  CREATE INDEX strategy_of ON strategy (feature, environment);
  CREATE TABLE context_field (
    name TEXT PRIMARY KEY,
    description TEXT,
    stickiness INTEGER NOT NULL,
    sort_order INTEGER NOT NULL,
    legal_values TEXT NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE api_token (
    hash BLOB PRIMARY KEY,
    tail TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL CHECK (type IN ('client', 'admin')),
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at TEXT NOT NULL,
    type TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_by_user_id INTEGER NOT NULL,
    project TEXT,
    environment TEXT,
    feature_name TEXT,
    data TEXT,
    pre_data TEXT,
    group_id TEXT,
    client_visible INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX event_visible ON event (id, feature_name) WHERE client_visible = 1;
  CREATE INDEX event_feature ON event (feature_name, id);
  CREATE TRIGGER event_no_update BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
  CREATE TRIGGER event_no_delete BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
  `,
  `
  ALTER TABLE feature ADD COLUMN overlay TEXT;
  ALTER TABLE feature_environment ADD COLUMN variants TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE strategy ADD COLUMN variants TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE strategy ADD COLUMN segments TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE strategy ADD COLUMN overlay TEXT;
  ALTER TABLE event ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
  CREATE TABLE segment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    project TEXT,
    constraints TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    overlay TEXT
  ) STRICT;
  CREATE TABLE dependency (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    child TEXT NOT NULL REFERENCES feature (name),
    parent TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    variants TEXT NOT NULL,
    overlay TEXT,
    UNIQUE (child, parent)
  ) STRICT;
  CREATE INDEX dependency_parent ON dependency (parent);
  CREATE TABLE tag (
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (type, value)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE feature_tag (
    feature TEXT NOT NULL REFERENCES feature (name),
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (feature, type, value),
    FOREIGN KEY (type, value) REFERENCES tag (type, value)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE usage (
    feature TEXT NOT NULL REFERENCES feature (name),
    environment TEXT NOT NULL,
    app_name TEXT NOT NULL,
    hour TEXT NOT NULL,
    yes INTEGER NOT NULL,
    no INTEGER NOT NULL,
    variants TEXT NOT NULL,
    PRIMARY KEY (feature, environment, app_name, hour)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX usage_hour ON usage (hour);
  CREATE TABLE token (
    hash BLOB PRIMARY KEY,
    tail TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('client', 'admin')),
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    alias TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    configured INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO token
    SELECT hash, tail, name, type, project, environment, NULL, created_at, NULL, 1 FROM api_token;
  DROP TABLE api_token;
  `,
  `
  CREATE INDEX event_type ON event (type, id);
  CREATE INDEX event_project ON event (project, id);
  CREATE INDEX event_environment ON event (environment, id);
  CREATE INDEX event_creator ON event (created_by_user_id, id);
  CREATE INDEX event_group ON event (group_id, id);
  CREATE INDEX event_time ON event (created_at, id);
  CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/**
 * Brings an open database to the newest version. `copyTo` receives a whole copy first when there is data to lose.
 * Throws when the file was written by a newer program: it may hold what this one would not keep.
 */
export function migrate(db: Database, copyTo: (version: number) => string, migrations = MIGRATIONS): void {
  const from = Number(db.pragma('user_version', { simple: true }));
  if (from > migrations.length) {
    throw new FlagStoreError(
      `the flag database has version ${from}, this program knows ${migrations.length}: use a newer program`,
    );
  }
  if (from > 0 && from < migrations.length) db.prepare('VACUUM INTO ?').run(copyTo(from));
  for (const [index, sql] of migrations.entries()) {
    if (index < from) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${index + 1}`);
    })();
  }
}
