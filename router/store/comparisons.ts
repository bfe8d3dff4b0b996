/** All SQL of comparisons: counters and causes, added up in batches, bounded per group. */
import type { Database } from 'better-sqlite3';
import type {
  CauseDelta,
  ComparisonBatch,
  ComparisonCount,
  ComparisonStore,
  EvidenceKey,
  StoredCause,
  StoredCount,
} from '../core/ports.ts';

/** Rows kept per group; over them the stale and then the least-hit ones go. */
export interface ComparisonLimits {
  readonly causesMax: number;
  readonly countsMax: number;
  readonly examplesMax: number;
  readonly exampleBytesMax: number;
}

export const COMPARISON_LIMITS: ComparisonLimits = {
  causesMax: 200,
  countsMax: 4000,
  examplesMax: 3,
  exampleBytesMax: 8192,
};

/** Numbered by position, run by `openDatabase`. Only ever appended to. */
export const COMPARISON_MIGRATIONS: readonly string[] = [
  `CREATE TABLE comparison_current (
     group_name TEXT PRIMARY KEY, build TEXT NOT NULL, rules TEXT NOT NULL, at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE comparison_counts (
     group_name TEXT NOT NULL, route TEXT NOT NULL, shadowed TEXT NOT NULL, build TEXT NOT NULL, rules TEXT NOT NULL,
     outcome TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, last_at INTEGER NOT NULL,
     PRIMARY KEY (group_name, route, shadowed, build, rules, outcome, reason)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE comparison_causes (
     group_name TEXT NOT NULL, route TEXT NOT NULL, shadowed TEXT NOT NULL, build TEXT NOT NULL, rules TEXT NOT NULL,
     id TEXT NOT NULL, severity TEXT NOT NULL, entries TEXT NOT NULL, count INTEGER NOT NULL,
     first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, examples TEXT NOT NULL,
     PRIMARY KEY (group_name, route, shadowed, build, rules, id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE comparison_evicted (
     group_name TEXT PRIMARY KEY, causes INTEGER NOT NULL, pairs INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];

interface CountRow {
  readonly route: string;
  readonly shadowed: EvidenceKey['shadowed'];
  readonly build: string;
  readonly rules: string;
  readonly outcome: ComparisonCount['outcome'];
  readonly reason: string;
  readonly count: number;
  readonly stale: 0 | 1;
}

interface CauseRow extends Omit<CountRow, 'outcome' | 'reason'> {
  readonly id: string;
  readonly severity: CauseDelta['severity'];
  readonly entries: string;
  readonly first_at: number;
  readonly last_at: number;
  readonly examples: string;
}

/** What was evicted: causes, and the pairs they stood for (they count as unexplained). */
export interface Evicted {
  readonly causes: number;
  readonly pairs: number;
}

/** Rows of another build or other rules than the ones seen last. Rows without a route are plain counters. */
const STALE = `CASE WHEN r.route = '' THEN 0 ELSE coalesce(r.build <> c.build OR r.rules <> c.rules, 0) END`;
const WITH_CURRENT = 'LEFT JOIN comparison_current c ON c.group_name = r.group_name WHERE r.group_name = ?';

/** `db` has `COMPARISON_MIGRATIONS` applied. Statements are prepared here, once. */
export function createComparisonStore(
  db: Database,
  limits: ComparisonLimits = COMPARISON_LIMITS,
): ComparisonStore & { evicted(group: string): Evicted } {
  const setCurrent = db.prepare<[string, string, string, number]>(
    `INSERT INTO comparison_current VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET build = excluded.build, rules = excluded.rules, at = excluded.at`,
  );
  const addCount = db.prepare<[string, string, string, string, string, string, string, number, number]>(
    `INSERT INTO comparison_counts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at`,
  );
  const readExamples = db.prepare<string[], { readonly examples: string }>(
    `SELECT examples FROM comparison_causes
     WHERE group_name = ? AND route = ? AND shadowed = ? AND build = ? AND rules = ? AND id = ?`,
  );
  const addCause = db.prepare<
    [string, string, string, string, string, string, string, string, number, number, number, string]
  >(
    `INSERT INTO comparison_causes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at,
       first_at = min(first_at, excluded.first_at), examples = excluded.examples`,
  );
  const overflowingCauses = db.prepare<[string, number], EvidenceKey & { id: string; count: number }>(
    `SELECT r.group_name AS "group", r.route, r.shadowed, r.build, r.rules, r.id, r.count
     FROM comparison_causes r ${WITH_CURRENT}
     ORDER BY ${STALE}, r.count DESC, r.last_at DESC LIMIT -1 OFFSET ?`,
  );
  const deleteCause = db.prepare<string[]>(
    `DELETE FROM comparison_causes
     WHERE group_name = ? AND route = ? AND shadowed = ? AND build = ? AND rules = ? AND id = ?`,
  );
  const addEvicted = db.prepare<[string, number, number]>(
    `INSERT INTO comparison_evicted VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET causes = causes + excluded.causes, pairs = pairs + excluded.pairs`,
  );
  const trimCounts = db.prepare<[string, string, number]>(
    `DELETE FROM comparison_counts WHERE group_name = ? AND (route, shadowed, build, rules, outcome, reason) IN (
       SELECT r.route, r.shadowed, r.build, r.rules, r.outcome, r.reason FROM comparison_counts r ${WITH_CURRENT}
       ORDER BY ${STALE}, r.last_at DESC LIMIT -1 OFFSET ?)`,
  );
  const readCounts = db.prepare<[string], CountRow>(
    `SELECT r.route, r.shadowed, r.build, r.rules, r.outcome, r.reason, r.count, ${STALE} AS stale
     FROM comparison_counts r ${WITH_CURRENT} ORDER BY stale, r.route, r.outcome, r.reason`,
  );
  const causeColumns = `r.route, r.shadowed, r.build, r.rules, r.id, r.severity, r.entries, r.count, r.first_at,
     r.last_at, r.examples, ${STALE} AS stale`;
  const readCauses = db.prepare<[string], CauseRow>(
    `SELECT ${causeColumns} FROM comparison_causes r ${WITH_CURRENT} ORDER BY stale, r.count DESC, r.id`,
  );
  const readCause = db.prepare<[string, string], CauseRow>(
    `SELECT ${causeColumns} FROM comparison_causes r ${WITH_CURRENT} AND r.id = ?
     ORDER BY stale, r.count DESC, r.route`,
  );
  const readEvicted = db.prepare<[string], Evicted>(
    'SELECT causes, pairs FROM comparison_evicted WHERE group_name = ?',
  );

  function keepCause(cause: CauseDelta): void {
    const { group, route, shadowed, build, rules, id, severity, entries, count, firstAt, lastAt } = cause;
    const key = [group, route, shadowed, build, rules, id] as const;
    const stored = textsIn(readExamples.get(...key)?.examples ?? '[]');
    const fresh = cause.examples.filter((text) => Buffer.byteLength(text) <= limits.exampleBytesMax);
    const examples = JSON.stringify([...stored, ...fresh].slice(0, limits.examplesMax));
    addCause.run(...key, severity, JSON.stringify(entries), count, firstAt, lastAt, examples);
  }

  function evict(group: string): void {
    const over = overflowingCauses.all(group, limits.causesMax);
    for (const row of over) deleteCause.run(group, row.route, row.shadowed, row.build, row.rules, row.id);
    if (over.length > 0)
      addEvicted.run(
        group,
        over.length,
        over.reduce((sum, row) => sum + row.count, 0),
      );
    trimCounts.run(group, group, limits.countsMax);
  }

  const flush = db.transaction(({ at, counts, causes }: ComparisonBatch) => {
    for (const { group, route, shadowed, build, rules, outcome, reason, count } of counts) {
      addCount.run(group, route, shadowed, build, rules, outcome, reason ?? '', count, at);
      // Counts come in the order in which they were seen last.
      if (route !== '') setCurrent.run(group, build, rules, at);
    }
    for (const cause of causes) keepCause(cause);
    for (const group of new Set([...counts, ...causes].map((row) => row.group))) evict(group);
  });

  return {
    flush: (batch) => flush(batch),
    counts: (group) => readCounts.all(group).map((row) => countOf(group, row)),
    causes: (group) => readCauses.all(group).map((row) => causeOf(group, row)),
    cause: (group, id) => readCause.all(group, id).map((row) => causeOf(group, row)),
    evicted: (group) => readEvicted.get(group) ?? { causes: 0, pairs: 0 },
  };
}

function countOf(group: string, { reason, stale, ...row }: CountRow): StoredCount {
  return { group, ...row, reason: isReason(reason) ? reason : null, stale: stale === 1 };
}

/** Only reasons are written to that column; empty stands for none. */
function isReason(text: string): text is NonNullable<ComparisonCount['reason']> {
  return text !== '';
}

function causeOf(group: string, row: CauseRow): StoredCause {
  const { first_at: firstAt, last_at: lastAt, entries, examples, stale, ...rest } = row;
  const parsed: CauseDelta['entries'] = JSON.parse(entries);
  return {
    group,
    ...rest,
    entries: parsed,
    firstAt,
    lastAt,
    examples: textsIn(examples),
    stale: stale === 1,
  };
}

function textsIn(json: string): readonly string[] {
  const texts: unknown = JSON.parse(json);
  return Array.isArray(texts) ? texts.filter((text) => typeof text === 'string') : [];
}
