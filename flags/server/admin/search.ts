import { featuresOf } from '../change/feature.ts';
import { ENVIRONMENTS, type Feature, featureOut, PROJECT } from '../semantics.ts';
import type { Store } from '../store.ts';
import { list, string, wrong } from '../validate.ts';
import { environmentOut } from './environments.ts';
import { type Admin, parameter } from './routes.ts';
import { tagOut } from './tags.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 100;
/** Whoever makes a flag comes with an admin token: Unleash's user id of those. */
const CREATOR = '-42';

type Query = Readonly<Record<string, unknown>>;
type Holds = (feature: Feature) => boolean;

/** The search that a UI lists flags with: filters, order and pages. */
export function addSearch({ at, store }: Admin): void {
  at.get('/search/features', (request, response) => {
    const { query } = request;
    const states = statesOf(query);
    const filters = filtersOf(store, query);
    const archived = pattern(query, 'archived', /^IS:(true|false)$/) === 'IS:true';
    const all = archived ? store.archivedFeatures() : featuresOf(store, PROJECT);
    const found = sorted(
      store,
      all.filter((feature) => filters.every((holds) => holds(feature))),
      query,
    );
    const { offset, limit } = pageOf(query);
    const page = found.slice(offset, offset + limit);
    response.json({ features: page.map((feature) => searched(store, feature, states)), total: found.length });
  });
}

// The patterns are those that Unleash names in its refusals.
const ONE_OF = /^(IS|IS_NOT|IS_ANY_OF|IS_NONE_OF):(.*?)(,([a-zA-Z0-9_]+))*$/;
const TAG =
  /^(INCLUDE|DO_NOT_INCLUDE|INCLUDE_ALL_OF|INCLUDE_ANY_OF|EXCLUDE_IF_ANY_OF|EXCLUDE_ALL):([^:,]+:.+?)(,\s*[^:,]+:.+?)*$/;
const SEGMENT =
  /^(INCLUDE|DO_NOT_INCLUDE|INCLUDE_ALL_OF|INCLUDE_ANY_OF|EXCLUDE_IF_ANY_OF|EXCLUDE_ALL):(.*?)(,([a-zA-Z0-9_]+))*$/;
const SINCE = /^(IS_BEFORE|IS_ON_OR_AFTER):\d{4}-\d{2}-\d{2}$/;

/** Every filter that the query names. 400 for one that is not written as Unleash wants it. */
function filtersOf(store: Store, query: Query): readonly Holds[] {
  const filters: Holds[] = [];
  const single = (name: string, keyOf: (feature: Feature) => string) => {
    const text = pattern(query, name, ONE_OF);
    if (text === null) return;
    const { operator, values } = operatorOf(text);
    const wanted = operator === 'IS' || operator === 'IS_ANY_OF';
    filters.push((feature) => values.includes(keyOf(feature)) === wanted);
  };
  const several = (name: string, expected: RegExp, keysOf: (feature: Feature) => readonly string[]) => {
    const text = pattern(query, name, expected);
    if (text === null) return;
    const { operator, values } = operatorOf(text);
    filters.push((feature) => includes(operator, values, keysOf(feature)));
  };
  single('project', ({ project }) => project);
  single('type', ({ type }) => type);
  single('state', ({ stale }) => (stale ? 'stale' : 'active'));
  single('createdBy', () => CREATOR);
  several('tag', TAG, ({ name }) => store.tagsOf(name).map(({ type, value }) => `${type}:${value}`));
  several('segment', SEGMENT, ({ name }) => segmentNames(store, name));
  const since = pattern(query, 'createdAt', SINCE);
  if (since !== null) {
    const { operator, values } = operatorOf(since);
    const [day = ''] = values;
    filters.push(({ createdAt }) => createdAt >= day === (operator === 'IS_ON_OR_AFTER'));
  }
  const words = (parameter(query, 'query') ?? '').split(',').map((word) => word.trim().toLowerCase());
  const wanted = words.filter((word) => word !== '');
  if (wanted.length > 0) filters.push((feature) => wanted.some((word) => mentions(store, feature, word)));
  const states = statesOf(query);
  if (states !== null) {
    filters.push(({ name }) => ENVIRONMENTS.some((one) => isIn(store, name, one.name, states)));
  }
  return filters;
}

function operatorOf(text: string): { readonly operator: string; readonly values: readonly string[] } {
  const colon = text.indexOf(':');
  const values = text.slice(colon + 1).split(',');
  return { operator: text.slice(0, colon), values: values.map((value) => value.trim()) };
}

function includes(operator: string, wanted: readonly string[], own: readonly string[]): boolean {
  switch (operator) {
    case 'INCLUDE':
    case 'INCLUDE_ANY_OF':
      return wanted.some((one) => own.includes(one));
    case 'INCLUDE_ALL_OF':
      return wanted.every((one) => own.includes(one));
    case 'EXCLUDE_ALL':
      return !wanted.every((one) => own.includes(one));
    default:
      return !wanted.some((one) => own.includes(one));
  }
}

function mentions(store: Store, { name, description }: Feature, word: string): boolean {
  const tags = store.tagsOf(name).map(({ type, value }) => `${type}:${value}`);
  return [name, description ?? '', ...tags].some((text) => text.toLowerCase().includes(word));
}

type States = readonly (readonly [environment: string, state: string])[];

/**
 * `status[]=production:enabled`, each; what is written otherwise is passed over, as in Unleash. Null: all. 400 for
 * no list.
 */
function statesOf(query: Query): States | null {
  const { 'status[]': several, status = several } = query;
  if (status === undefined) return null;
  const texts = status === several && typeof several === 'string' ? [several] : status;
  const states = list(string)(texts, '/query/status').flatMap((text) => {
    const [environment = '', state = '', ...rest] = text.split(':');
    return rest.length === 0 && /^(?:enabled|disabled)$/.test(state) ? [[environment, state] as const] : [];
  });
  return states.length === 0 ? null : states;
}

function isIn(store: Store, feature: string, environment: string, states: States): boolean {
  const state = store.enabled(feature, environment) ? 'enabled' : 'disabled';
  return states.some((wanted) => wanted[0] === environment && wanted[1] === state);
}

function sorted(store: Store, features: readonly Feature[], query: Query): readonly Feature[] {
  const [by = '', environment = ''] = (parameter(query, 'sortBy') ?? '').split(':');
  const sign = parameter(query, 'sortOrder') === 'desc' ? -1 : 1;
  const keyOf = (feature: Feature): string => {
    if (by === 'name' || by === 'type' || by === 'project') return feature[by];
    if (by === 'stale') return String(feature.stale);
    if (by === 'environment') return String(store.enabled(feature.name, environment));
    return feature.createdAt;
  };
  return features
    .map((feature) => ({ feature, key: keyOf(feature) }))
    .sort(
      (a, b) =>
        sign * order(a.key, b.key) ||
        order(a.feature.createdAt, b.feature.createdAt) ||
        order(a.feature.name, b.feature.name),
    )
    .map(({ feature }) => feature);
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** As in Unleash: what is not usable is the default. */
function pageOf(query: Query): { readonly offset: number; readonly limit: number } {
  const limit = Number(parameter(query, 'limit') ?? LIMIT_DEFAULT);
  const offset = Number(parameter(query, 'offset') ?? 0);
  return {
    limit: Number.isInteger(limit) && limit > 0 && limit <= LIMIT_MAX ? limit : LIMIT_DEFAULT,
    offset: Number.isSafeInteger(offset) && offset > 0 ? offset : 0,
  };
}

/** The parameter, or null when it is absent. 400 unless it is written like `expected`. */
function pattern(query: Query, name: string, expected: RegExp): string | null {
  const value = parameter(query, name);
  if (value === null || expected.test(value)) return value;
  throw wrong(`/query/${name}`, `must match pattern "${expected.source}"`, value);
}

function segmentNames(store: Store, feature: string): readonly string[] {
  const ids = ENVIRONMENTS.flatMap(({ name }) => store.strategies(feature, name)).flatMap(
    ({ segments }) => segments,
  );
  return [...new Set(ids)].flatMap((id) => store.segment(id)?.name ?? []);
}

/** A flag as the search shows it: who asks for states gets the environments that are in one of them. */
function searched(store: Store, feature: Feature, states: States | null) {
  const { archived: _archived, archivedAt = null, ...rest } = featureOut(feature);
  const { name } = feature;
  const tags = store.tagsOf(name);
  const shown = ENVIRONMENTS.filter((one) => states === null || isIn(store, name, one.name, states));
  const environments = shown.map((environment) => ({
    ...environmentOut(store, name, environment),
    yes: 0,
    no: 0,
    changeRequestIds: [],
  }));
  return {
    ...rest,
    archivedAt,
    favorite: false,
    dependencyType: dependencyType(store, name),
    environments,
    segments: segmentNames(store, name),
    ...(tags.length === 0 ? {} : { tags: tags.map(tagOut) }),
  };
}

function dependencyType(store: Store, name: string): 'parent' | 'child' | null {
  if (store.children(name).length > 0) return 'parent';
  return store.dependencies(name).length > 0 ? 'child' : null;
}
