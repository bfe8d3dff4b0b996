/** All SQL of comparisons: counters, causes and self-tests, added up in batches, bounded per group. */
import type { Database } from 'better-sqlite3';
import { distinctCount, distinctMerge } from '../core/noise/sketch.ts';
import type {
  CauseDelta,
  CausePlace,
  ComparisonBatch,
  ComparisonCount,
  ComparisonStore,
  Evicted,
  SelfTestDelta,
  StoredCause,
  StoredCount,
} from '../core/ports.ts';
import { createFrequent } from '../core/space-saving.ts';

/** Rows kept per group; over them the stale and then the least-hit ones go. */
export interface ComparisonLimits {
  readonly causesMax: number;
  readonly countsMax: number;
  readonly examplesMax: number;
  readonly exampleBytesMax: number;
  readonly placesMax: number;
  readonly selfTestsMax: number;
  readonly exampleDaysMax: number;
  readonly causeDaysMax: number;
}

export const COMPARISON_LIMITS: ComparisonLimits = {
  causesMax: 200,
  countsMax: 4000,
  examplesMax: 3,
  exampleBytesMax: 8192,
  placesMax: 32,
  selfTestsMax: 500,
  exampleDaysMax: 14,
  causeDaysMax: 90,
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

/** As above. */
export const CAUSE_MIGRATIONS: readonly string[] = [
  `DROP TABLE comparison_causes;
   ALTER TABLE comparison_evicted ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
   CREATE TABLE cause (
     group_name TEXT NOT NULL, id TEXT NOT NULL, severity TEXT NOT NULL, entries TEXT NOT NULL, count INTEGER NOT NULL,
     error INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, places TEXT NOT NULL,
     shapes BLOB NOT NULL, examples TEXT NOT NULL, smallest TEXT NOT NULL,
     PRIMARY KEY (group_name, id)
   ) STRICT;
   CREATE TABLE self_test (
     group_name TEXT NOT NULL, rules TEXT NOT NULL, fault TEXT NOT NULL, template TEXT NOT NULL,
     tried INTEGER NOT NULL, caught INTEGER NOT NULL, hidden_by TEXT NOT NULL, last_at INTEGER NOT NULL,
     PRIMARY KEY (group_name, rules, fault, template)
   ) STRICT, WITHOUT ROWID;`,
];

interface CountRow {
  readonly route: string;
  readonly shadowed: ComparisonCount['shadowed'];
  readonly build: string;
  readonly rules: string;
  readonly outcome: ComparisonCount['outcome'];
  readonly reason: string;
  readonly count: number;
  readonly stale: 0 | 1;
}

interface CauseRow {
  readonly group_name: string;
  readonly id: string;
  readonly severity: CauseDelta['severity'];
  readonly entries: string;
  readonly count: number;
  readonly error: number;
  readonly first_at: number;
  readonly last_at: number;
  readonly places: string;
  readonly shapes: Uint8Array;
  /** Times and texts. */
  readonly examples: string;
  readonly smallest: string;
}

interface SelfTestRow extends Omit<SelfTestDelta, 'group' | 'hiddenBy'> {
  readonly hidden_by: string;
}

interface Current {
  readonly build: string;
  readonly rules: string;
}

type Example = readonly [at: number, text: string];

/** Rows of another build or other rules than the ones seen last. Rows without a route are plain counters. */
const STALE = `CASE WHEN r.route = '' THEN 0 ELSE coalesce(r.build <> c.build OR r.rules <> c.rules, 0) END`;
const WITH_CURRENT = 'LEFT JOIN comparison_current c ON c.group_name = r.group_name WHERE r.group_name = ?';
const SEVERITIES: readonly CauseDelta['severity'][] = ['high', 'medium', 'low'];
const DAY_MS = 86_400_000;
/** How often it is looked for what has become too old. */
const SWEEP_MS = 3_600_000;

/** `db` has `MIGRATIONS` applied. Statements are prepared here, once. */
export function createComparisonStore(
  db: Database,
  limits: ComparisonLimits = COMPARISON_LIMITS,
): ComparisonStore {
  let sweptAt = 0;
  const setCurrent = db.prepare<[string, string, string, number]>(
    `INSERT INTO comparison_current VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET build = excluded.build, rules = excluded.rules, at = excluded.at`,
  );
  const readCurrent = db.prepare<[string], Current>(
    'SELECT build, rules FROM comparison_current WHERE group_name = ?',
  );
  const addCount = db.prepare<[string, string, string, string, string, string, string, number, number]>(
    `INSERT INTO comparison_counts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at`,
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
  const readEstimates = db.prepare<
    [string],
    { readonly id: string; readonly count: number; readonly error: number }
  >('SELECT id, count, error FROM cause WHERE group_name = ?');
  const readCause = db.prepare<[string, string], CauseRow>(
    'SELECT * FROM cause WHERE group_name = ? AND id = ?',
  );
  const readCauses = db.prepare<[string], CauseRow>('SELECT * FROM cause WHERE group_name = ?');
  const putCause = db.prepare<CauseRow>(
    `INSERT OR REPLACE INTO cause VALUES (@group_name, @id, @severity, @entries, @count, @error, @first_at, @last_at,
       @places, @shapes, @examples, @smallest)`,
  );
  const raiseCauses = db.prepare<[number, number, string]>(
    'UPDATE cause SET count = count + ?, error = error + ? WHERE group_name = ?',
  );
  const deleteCause = db.prepare<[string, string]>('DELETE FROM cause WHERE group_name = ? AND id = ?');
  const deleteCauses = db.prepare<[string]>('DELETE FROM cause WHERE group_name = ?');
  const deleteOld = db.prepare<[number]>('DELETE FROM cause WHERE last_at < ?');
  const readWithExamples = db.prepare<[], CauseRow>(`SELECT * FROM cause WHERE examples <> '[]'`);
  const addEvicted = db.prepare<[string, number, number, number]>(
    `INSERT INTO comparison_evicted VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET causes = causes + excluded.causes, pairs = pairs + excluded.pairs,
       floor = excluded.floor`,
  );
  const readEvicted = db.prepare<[string], Evicted & { readonly floor: number }>(
    'SELECT causes, pairs, floor FROM comparison_evicted WHERE group_name = ?',
  );
  const deleteEvicted = db.prepare<[string]>('DELETE FROM comparison_evicted WHERE group_name = ?');
  const addSelfTest = db.prepare<[string, string, string, string, number, number, string, number]>(
    `INSERT INTO self_test VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET tried = tried + excluded.tried, caught = caught + excluded.caught,
       hidden_by = CASE WHEN excluded.hidden_by = '[]' THEN hidden_by ELSE excluded.hidden_by END,
       last_at = excluded.last_at`,
  );
  const trimSelfTests = db.prepare<[string, string, number]>(
    `DELETE FROM self_test WHERE group_name = ? AND (rules, fault, template) IN (
       SELECT rules, fault, template FROM self_test WHERE group_name = ? ORDER BY last_at DESC LIMIT -1 OFFSET ?)`,
  );
  const readSelfTests = db.prepare<[string, string], SelfTestRow>(
    `SELECT rules, fault, template, tried, caught, hidden_by FROM self_test WHERE group_name = ? AND rules = ?
     ORDER BY fault, template`,
  );
  const deleteStaleCounts = db.prepare<[]>(
    `DELETE FROM comparison_counts WHERE route <> '' AND NOT EXISTS (
       SELECT 1 FROM comparison_current c WHERE c.group_name = comparison_counts.group_name
         AND c.build = comparison_counts.build AND c.rules = comparison_counts.rules)`,
  );
  const countCauses = db.prepare<[], { readonly group: string; readonly causes: number }>(
    'SELECT group_name AS "group", count(*) AS causes FROM cause GROUP BY group_name',
  );
  const leastCauses = db.prepare<[string, number], { readonly id: string; readonly count: number }>(
    'SELECT id, count FROM cause WHERE group_name = ? ORDER BY count, last_at LIMIT ?',
  );
  const deleteSelfTests = db.prepare<[string]>('DELETE FROM self_test WHERE group_name = ?');

  /** Everything of one group in one summary, so that no count is ever too low. */
  function keepCauses(group: string, fresh: readonly CauseDelta[], forgotten: number): void {
    const known = readEvicted.get(group);
    const entries = readEstimates.all(group).map(({ id, ...estimate }) => [id, estimate] as const);
    const frequent = createFrequent(limits.causesMax, { entries, floor: known?.floor ?? 0 });
    const before = new Map(entries);
    frequent.addForgotten(forgotten);
    if (forgotten > 0) raiseCauses.run(forgotten, forgotten, group);
    const gone: string[] = [];
    for (const { id, count, error } of fresh) {
      const { evicted = null } = frequent.add(id, { count, error }) ?? {};
      if (evicted !== null) gone.push(evicted);
    }
    for (const id of gone) deleteCause.run(group, id);
    for (const cause of fresh) {
      const estimate = frequent.get(cause.id);
      if (estimate !== undefined) keepCause(cause, estimate);
    }
    const pairs = gone.reduce(
      (sum, id) => sum + countOf(before.get(id) ?? fresh.find((each) => each.id === id)),
      0,
    );
    if (gone.length > 0 || forgotten > 0) addEvicted.run(group, gone.length, pairs, frequent.floor);
  }

  function keepCause(cause: CauseDelta, { count, error }: Pick<CauseDelta, 'count' | 'error'>): void {
    const { group, id, severity, entries, lastAt } = cause;
    const known = readCause.get(group, id);
    const shapes = Uint8Array.from(known?.shapes ?? cause.shapes);
    distinctMerge(shapes, cause.shapes);
    putCause.run({
      group_name: group,
      id,
      severity,
      entries: JSON.stringify(entries),
      count,
      error,
      first_at: Math.min(known?.first_at ?? cause.firstAt, cause.firstAt),
      last_at: lastAt,
      places: JSON.stringify(mergedPlaces(placesIn(known?.places ?? '[]'), cause.places)),
      shapes,
      examples: JSON.stringify(mergedExamples(known, cause)),
      smallest: JSON.stringify(smallerOf(smallestIn(known?.smallest ?? 'null'), cause.smallest)),
    });
  }

  function mergedPlaces(known: readonly CausePlace[], fresh: readonly CausePlace[]): readonly CausePlace[] {
    const places = new Map(known.map((place) => [placeName(place), place]));
    for (const place of fresh) {
      const before = places.get(placeName(place));
      places.set(placeName(place), { ...place, count: place.count + (before?.count ?? 0) });
    }
    return [...places.values()].sort((a, b) => b.lastAt - a.lastAt).slice(0, limits.placesMax);
  }

  function mergedExamples(known: CauseRow | undefined, { examples, lastAt }: CauseDelta): readonly Example[] {
    const kept = youngExamples(known?.examples ?? '[]', lastAt);
    const fresh = examples
      .filter((text) => Buffer.byteLength(text) <= limits.exampleBytesMax)
      .map((text): Example => [lastAt, text]);
    return [...kept, ...fresh].slice(0, limits.examplesMax);
  }

  function youngExamples(json: string, now: number): readonly Example[] {
    return examplesIn(json).filter(([at]) => now - at <= limits.exampleDaysMax * DAY_MS);
  }

  function sweep(now: number): void {
    if (now - sweptAt < SWEEP_MS) return;
    sweptAt = now;
    deleteOld.run(now - limits.causeDaysMax * DAY_MS);
    for (const row of readWithExamples.all()) {
      const young = youngExamples(row.examples, now);
      if (young.length === examplesIn(row.examples).length) continue;
      putCause.run({
        ...row,
        examples: JSON.stringify(young),
        smallest: young.length === 0 ? 'null' : row.smallest,
      });
    }
  }

  const flush = db.transaction(({ at, counts, causes, forgotten, selfTests }: ComparisonBatch) => {
    for (const { group, route, shadowed, build, rules, outcome, reason, count } of counts) {
      addCount.run(group, route, shadowed, build, rules, outcome, reason ?? '', count, at);
      // Counts come in the order in which they were seen last.
      if (route !== '') setCurrent.run(group, build, rules, at);
    }
    for (const group of new Set([...causes, ...forgotten].map((each) => each.group))) {
      const fresh = causes.filter((cause) => cause.group === group);
      keepCauses(group, fresh, forgotten.find((each) => each.group === group)?.count ?? 0);
    }
    for (const { group, rules, fault, template, tried, caught, hiddenBy } of selfTests)
      addSelfTest.run(group, rules, fault, template, tried, caught, JSON.stringify(hiddenBy), at);
    for (const group of new Set(counts.map((row) => row.group)))
      trimCounts.run(group, group, limits.countsMax);
    for (const group of new Set(selfTests.map((row) => row.group)))
      trimSelfTests.run(group, group, limits.selfTestsMax);
    sweep(at);
  });

  const purge = db.transaction((group: string): number => {
    const { changes } = deleteCauses.run(group);
    deleteEvicted.run(group);
    deleteSelfTests.run(group);
    return changes;
  });

  const shrink = db.transaction(() => {
    deleteStaleCounts.run();
    for (const { group, causes } of countCauses.all()) {
      const over = leastCauses.all(group, Math.ceil(causes / 2));
      for (const { id } of over) deleteCause.run(group, id);
      const most = Math.max(readEvicted.get(group)?.floor ?? 0, ...over.map((each) => each.count));
      const pairs = over.reduce((sum, each) => sum + each.count, 0);
      addEvicted.run(group, over.length, pairs, most);
      trimSelfTests.run(group, group, Math.floor(limits.selfTestsMax / 4));
    }
  });

  return {
    flush: (batch) => flush(batch),
    shrink: () => shrink(),
    counts: (group) => readCounts.all(group).map((row) => storedCount(group, row)),
    causes(group) {
      const current = readCurrent.get(group);
      return readCauses
        .all(group)
        .map((row) => storedCause(row, current))
        .sort(
          (a, b) =>
            Number(a.stale) - Number(b.stale) ||
            SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
            b.count - a.count ||
            (a.id < b.id ? -1 : 1),
        );
    },
    cause(group, id) {
      const row = readCause.get(group, id);
      return row === undefined ? null : storedCause(row, readCurrent.get(group));
    },
    evicted(group) {
      const { causes, pairs } = readEvicted.get(group) ?? { causes: 0, pairs: 0 };
      return { causes, pairs };
    },
    selfTests: (group, rules) =>
      readSelfTests
        .all(group, rules)
        .map(({ hidden_by, ...row }) => ({ group, ...row, hiddenBy: numbersIn(hidden_by) })),
    current: (group) => readCurrent.get(group) ?? null,
    purge(group) {
      // What is deleted is overwritten, here and in the log of the file.
      db.pragma('secure_delete = ON');
      const causes = purge(group);
      db.pragma('wal_checkpoint(TRUNCATE)');
      return causes;
    },
  };
}

function storedCount(group: string, { reason, stale, ...row }: CountRow): StoredCount {
  return { group, ...row, reason: isReason(reason) ? reason : null, stale: stale === 1 };
}

/** Only reasons are written to that column; empty stands for none. */
function isReason(text: string): text is NonNullable<ComparisonCount['reason']> {
  return text !== '';
}

function storedCause(row: CauseRow, current: Current | undefined): StoredCause {
  const entries: CauseDelta['entries'] = JSON.parse(row.entries);
  const places = placesIn(row.places);
  return {
    group: row.group_name,
    id: row.id,
    severity: row.severity,
    entries,
    count: row.count,
    error: row.error,
    firstAt: row.first_at,
    lastAt: row.last_at,
    places,
    shapes: Math.round(distinctCount(Uint8Array.from(row.shapes))),
    examples: examplesIn(row.examples).map(([, text]) => text),
    smallest: smallestIn(row.smallest),
    stale:
      current !== undefined &&
      !places.some(({ build, rules }) => build === current.build && rules === current.rules),
  };
}

function placeName({ route, shadowed, build, rules }: CausePlace): string {
  return `${route}\n${shadowed}\n${build}\n${rules}`;
}

function smallerOf(known: CauseDelta['smallest'], fresh: CauseDelta['smallest']): CauseDelta['smallest'] {
  if (known === null || fresh === null) return known ?? fresh;
  return fresh.bytes < known.bytes ? fresh : known;
}

function countOf(each: Pick<CauseDelta, 'count'> | undefined): number {
  return each?.count ?? 0;
}

// What stands in these columns was written above, as exactly this.

function placesIn(json: string): readonly CausePlace[] {
  return JSON.parse(json);
}

function examplesIn(json: string): readonly Example[] {
  return JSON.parse(json);
}

function smallestIn(json: string): CauseDelta['smallest'] {
  return JSON.parse(json);
}

function numbersIn(json: string): readonly number[] {
  return JSON.parse(json);
}
