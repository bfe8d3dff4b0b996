/** All SQL of flag requests: who asked for a change of a flag, and why. */
import type { Database } from 'better-sqlite3';
import type { FlagRequest, FlagRequests } from '../core/ports.ts';

/** Kept at most; over them the oldest go. */
export const FLAG_REQUESTS_MAX = 10_000;

/** Numbered by position, run by `openDatabase`. Only ever appended to. */
export const FLAG_REQUEST_MIGRATIONS: readonly string[] = [
  `CREATE TABLE flag_requests (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, event INTEGER NOT NULL, by_whom TEXT NOT NULL,
     reason TEXT, UNIQUE (server, event)
   ) STRICT;`,
  `ALTER TABLE flag_requests ADD COLUMN at TEXT NOT NULL DEFAULT '';`,
];

/** Flag requests in `fig.db`. */
export function createFlagRequests(db: Database): FlagRequests {
  const insert = db.prepare<[string, number, string, string, string | null]>(
    'INSERT OR REPLACE INTO flag_requests (server, event, at, by_whom, reason) VALUES (?, ?, ?, ?, ?)',
  );
  const trim = db.prepare<[number]>(
    'DELETE FROM flag_requests WHERE seq <= (SELECT max(seq) FROM flag_requests) - ?',
  );
  const select = db.prepare<[string, number, string], FlagRequest>(
    'SELECT server, event, at, by_whom AS "by", reason FROM flag_requests WHERE server = ? AND event = ? AND at = ?',
  );
  const keep = db.transaction(({ server, event, at, by, reason }: FlagRequest) => {
    insert.run(server, event, at, by, reason);
    trim.run(FLAG_REQUESTS_MAX);
  });
  return {
    keep: (request) => keep(request),
    find: (server, { id, at }) => select.get(server, id, at) ?? null,
  };
}
