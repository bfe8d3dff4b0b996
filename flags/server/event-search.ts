import type { EventQuery } from './store.ts';

/** A free text is looked for in this many of the newest events that the other filters leave: it has no index. */
export const TEXT_EVENTS_MAX = 50_000;

/** The newest of all events. */
export const EVERY_EVENT: EventQuery = {
  ids: null,
  groupIds: null,
  features: null,
  projects: null,
  types: null,
  environments: null,
  creators: null,
  from: null,
  before: null,
  text: null,
  limit: 50,
  offset: 0,
};

/** The two statements of a search, and what is bound to both; the page binds limit and offset after that. */
export interface EventSearch {
  readonly page: string;
  readonly count: string;
  readonly values: readonly (string | number)[];
}

interface Filter {
  readonly column: string;
  readonly values: readonly (string | number)[];
}

/**
 * The statements for a query. SQLite knows no figures of this table and would take any index whose column is
 * compared: the filter that leaves the fewest events keeps its index, the others lose theirs by the unary plus.
 */
export function eventSearch(query: EventQuery): EventSearch {
  const filters = filtersOf(query);
  const terms = filters.map(
    ({ column, values }, index) => `${index === 0 ? '' : '+'}${column} ${oneOf(values.length)}`,
  );
  const values = filters.flatMap((filter) => filter.values);
  const byTime = filters.length === 0;
  for (const [at, comparison] of [
    [query.from, '>='],
    [query.before, '<'],
  ] as const) {
    if (at === null) continue;
    terms.push(`${byTime ? '' : '+'}created_at ${comparison} ?`);
    values.push(at);
  }
  const order = byTime && terms.length > 0 ? 'created_at DESC, id DESC' : 'id DESC';
  const plain = `FROM event${terms.length === 0 ? '' : ` WHERE ${terms.join(' AND ')}`}`;
  if (query.text === null) {
    return {
      page: `SELECT * ${plain} ORDER BY ${order} LIMIT ? OFFSET ?`,
      count: `SELECT count(*) AS count ${plain}`,
      values,
    };
  }
  const newest = `SELECT * ${plain} ORDER BY ${order} LIMIT ${TEXT_EVENTS_MAX}`;
  const found = `FROM (${newest}) WHERE ${['data', 'pre_data', 'tags'].map((column) => `${column} LIKE ? ESCAPE '\\'`).join(' OR ')}`;
  const like = `%${query.text.replace(/[\\%_]/g, '\\$&')}%`;
  return {
    page: `SELECT * ${found} ORDER BY ${order} LIMIT ? OFFSET ?`,
    count: `SELECT count(*) AS count ${found}`,
    values: [...values, like, like, like],
  };
}

/** The filters that are given, the one that leaves the fewest events first. */
function filtersOf(query: EventQuery): readonly Filter[] {
  const all: readonly (readonly [string, readonly (string | number)[] | null])[] = [
    ['id', query.ids],
    ['group_id', query.groupIds],
    ['feature_name', query.features],
    ['type', query.types],
    ['environment', query.environments],
    ['created_by_user_id', query.creators],
    ['project', query.projects],
  ];
  return all.flatMap(([column, values]) => (values === null ? [] : [{ column, values }]));
}

function oneOf(count: number): string {
  return count === 1 ? '= ?' : `IN (${Array.from({ length: count }, () => '?').join(', ')})`;
}
