/** All SQL of noise models: one packed model per data plane, group, build and rules. */
import type { Database } from 'better-sqlite3';
import type { NoiseRow, NoiseStore } from '../core/ports.ts';

/** Numbered by position, run by `openDatabase`. Only ever appended to. */
export const NOISE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE noise_models (
     group_name TEXT NOT NULL, plane INTEGER NOT NULL, build TEXT NOT NULL, rules TEXT NOT NULL,
     content BLOB NOT NULL, reports TEXT NOT NULL, triples INTEGER NOT NULL, at INTEGER NOT NULL,
     flagged_itself INTEGER NOT NULL,
     PRIMARY KEY (group_name, plane, build, rules)
   ) STRICT, WITHOUT ROWID;`,
];

/** Builds and rules kept per group and data plane; the oldest go. */
const KEPT_MAX = 3;

interface Row {
  readonly group: string;
  readonly build: string;
  readonly rules: string;
  readonly content: Uint8Array;
  readonly reports: string;
  readonly triples: number;
  readonly at: number;
  readonly flaggedItself: number;
}

const COLUMNS =
  'group_name AS "group", build, rules, content, reports, triples, at, flagged_itself AS flaggedItself';

/** `db` has `NOISE_MIGRATIONS` applied. */
export function createNoiseStore(db: Database): NoiseStore {
  const put = db.prepare<[string, number, string, string, Uint8Array, string, number, number, number]>(
    `INSERT INTO noise_models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET content = excluded.content, reports = excluded.reports,
       triples = excluded.triples, at = excluded.at, flagged_itself = excluded.flagged_itself`,
  );
  const trim = db.prepare<[string, number, string, number, number]>(
    `DELETE FROM noise_models WHERE group_name = ? AND plane = ? AND (build, rules) IN (
       SELECT build, rules FROM noise_models WHERE group_name = ? AND plane = ?
       ORDER BY at DESC LIMIT -1 OFFSET ?)`,
  );
  const ofPlane = db.prepare<[number], Row>(
    `SELECT ${COLUMNS} FROM noise_models WHERE plane = ? ORDER BY at`,
  );
  const newest = db.prepare<[string], Row>(
    `SELECT ${COLUMNS} FROM noise_models n WHERE group_name = ?
       AND (build, rules) = (SELECT build, rules FROM noise_models m WHERE m.group_name = n.group_name
                             ORDER BY at DESC, plane LIMIT 1) ORDER BY plane`,
  );
  const keep = db.transaction((plane: number, at: number, rows: readonly NoiseRow[]) => {
    for (const { group, build, rules, content, reports, triples, flaggedItself } of rows) {
      put.run(group, plane, build, rules, content, JSON.stringify(reports), triples, at, flaggedItself);
      trim.run(group, plane, group, plane, KEPT_MAX);
    }
  });
  return {
    keep: (plane, at, rows) => keep(plane, at, rows),
    rows: (plane) => ofPlane.all(plane).map(rowOf),
    newest(group) {
      const rows = newest.all(group);
      return { at: Math.max(0, ...rows.map(({ at }) => at)), rows: rows.map(rowOf) };
    },
  };
}

function rowOf({ at: _, reports, ...row }: Row): NoiseRow {
  const read: NoiseRow['reports'] = JSON.parse(reports);
  return { ...row, reports: read };
}
