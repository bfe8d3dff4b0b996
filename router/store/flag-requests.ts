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
];

/** Flag requests in `fig.db`. */
export function createFlagRequests(db: Database): FlagRequests {
  const insert = db.prepare<[string, number, string, string | null]>(
    'INSERT OR REPLACE INTO flag_requests (server, event, by_whom, reason) VALUES (?, ?, ?, ?)',
  );
  const trim = db.prepare<[number]>(
    'DELETE FROM flag_requests WHERE seq <= (SELECT max(seq) FROM flag_requests) - ?',
  );
  const select = db.prepare<[string, number], FlagRequest>(
    'SELECT server, event, by_whom AS "by", reason FROM flag_requests WHERE server = ? AND event = ?',
  );
  const keep = db.transaction(({ server, event, by, reason }: FlagRequest) => {
    insert.run(server, event, by, reason);
    trim.run(FLAG_REQUESTS_MAX);
  });
  return { keep: (request) => keep(request), find: (server, event) => select.get(server, event) ?? null };
}
