/** All SQL of comparison rules: how often each silenced a difference. The rules themselves are in the ledger. */
import type { Database } from 'better-sqlite3';
import type { ComparisonBatch, ComparisonStore, Leaf, RuleHits, SilencedDelta } from '../core/ports.ts';
import type { Hits } from '../core/rules/findings.ts';

/** Rules remembered per group; over them those go that were of use longest ago. */
export const RULE_HITS_MAX = 1_000;
/** Places per group, over all its rules. */
export const RULE_PLACES_MAX = 2_000;

/** Numbered by position, run by `openDatabase`. Only ever appended to. */
export const RULE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE rule_hits (
     group_name TEXT NOT NULL, rule TEXT NOT NULL, hits INTEGER NOT NULL, since INTEGER NOT NULL, last_at INTEGER,
     PRIMARY KEY (group_name, rule)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE rule_places (
     group_name TEXT NOT NULL, rule TEXT NOT NULL, route TEXT NOT NULL, template TEXT NOT NULL, kind TEXT NOT NULL,
     detail TEXT NOT NULL, codes TEXT NOT NULL, entry TEXT NOT NULL, count INTEGER NOT NULL, last_at INTEGER NOT NULL,
     PRIMARY KEY (group_name, rule, route, template, kind, detail, codes)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE rule_leaves (
     group_name TEXT NOT NULL, route TEXT NOT NULL, template TEXT NOT NULL,
     PRIMARY KEY (group_name, route, template)
   ) STRICT, WITHOUT ROWID;`,
];

/** Known places per group; further ones are not kept. */
export const LEAVES_MAX = 2_000;

interface Row {
  readonly rule: string;
  readonly hits: number;
  readonly since: number;
  readonly last_at: number | null;
}

interface PlaceRow {
  readonly rule: string;
  readonly route: string;
  readonly entry: string;
  readonly count: number;
}

/** Hits in `fig.db`. Statements are prepared here, once. */
export function createRuleHits(db: Database): RuleHits & {
  /** The store, with hits and comparisons of a batch in one transaction. */
  counting(store: Pick<ComparisonStore, 'flush'>): Pick<ComparisonStore, 'flush'>;
} {
  const meet = db.prepare<[string, string, number]>(
    'INSERT INTO rule_hits VALUES (?, ?, 0, ?, NULL) ON CONFLICT DO NOTHING',
  );
  const add = db.prepare<[string, string, number, number, number]>(
    `INSERT INTO rule_hits VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, last_at = excluded.last_at`,
  );
  const trim = db.prepare<[string, string, number]>(
    `DELETE FROM rule_hits WHERE group_name = ? AND rule IN (
       SELECT rule FROM rule_hits WHERE group_name = ? ORDER BY coalesce(last_at, since) DESC LIMIT -1 OFFSET ?)`,
  );
  const addPlace = db.prepare<
    [string, string, string, string, string, string, string, string, number, number]
  >(
    `INSERT INTO rule_places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at`,
  );
  const trimPlaces = db.prepare<[string, string, number]>(
    `DELETE FROM rule_places WHERE group_name = ? AND (rule, route, template, kind, detail, codes) IN (
       SELECT rule, route, template, kind, detail, codes FROM rule_places WHERE group_name = ?
       ORDER BY last_at DESC, count DESC LIMIT -1 OFFSET ?)`,
  );
  const addLeaf = db.prepare<[string, string, string, string, number]>(
    `INSERT OR IGNORE INTO rule_leaves SELECT ?, ?, ?
     WHERE (SELECT count(*) FROM rule_leaves WHERE group_name = ?) < ?`,
  );
  const readLeaves = db.prepare<[string], Leaf>(
    'SELECT group_name AS "group", route, template FROM rule_leaves WHERE group_name = ?',
  );
  const readPlaces = db.prepare<[string], PlaceRow>(
    'SELECT rule, route, entry, count FROM rule_places WHERE group_name = ? ORDER BY count DESC',
  );
  const read = db.prepare<[string], Row>(
    'SELECT rule, hits, since, last_at FROM rule_hits WHERE group_name = ?',
  );

  const keepPlace = (group: string, rule: string, { route, entry, count }: SilencedDelta, at: number) => {
    const { template, kind, detail, codes } = entry;
    const key = [group, rule, route, template, kind, detail ?? '', codes ?? ''] as const;
    addPlace.run(...key, JSON.stringify(entry), count, at);
  };
  const bound = (groups: Iterable<string>) => {
    for (const group of groups) {
      trim.run(group, group, RULE_HITS_MAX);
      trimPlaces.run(group, group, RULE_PLACES_MAX);
    }
  };
  const met = db.transaction((group: string, rules: readonly string[], at: number) => {
    for (const rule of rules) meet.run(group, rule, at);
    bound([group]);
  });
  const flush = db.transaction((store: Pick<ComparisonStore, 'flush'>, batch: ComparisonBatch) => {
    const { hits = [], leaves = [], at } = batch;
    store.flush(batch);
    for (const { group, route, template } of leaves) addLeaf.run(group, route, template, group, LEAVES_MAX);
    for (const { group, rule, count, places } of hits) {
      add.run(group, rule, count, at, at);
      for (const place of places) keepPlace(group, rule, place, at);
    }
    bound(new Set(hits.map(({ group }) => group)));
  });
  return {
    met: (group, rules, at) => met(group, rules, at),
    of(group) {
      const entries = read
        .all(group)
        .map(({ rule, hits, since, last_at: lastAt }): [string, Hits] => [
          rule,
          { count: hits, since, lastAt },
        ]);
      return new Map(entries);
    },
    silenced(group) {
      const silenced = new Map<string, SilencedDelta[]>();
      for (const { rule, route, entry, count } of readPlaces.all(group)) {
        const places = silenced.get(rule) ?? [];
        places.push({ route, entry: JSON.parse(entry), count });
        silenced.set(rule, places);
      }
      return silenced;
    },
    leaves: (group) => readLeaves.all(group),
    counting: (store) => ({ flush: (batch) => flush(store, batch) }),
  };
}
