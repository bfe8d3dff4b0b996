import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { EVERY_EVENT, eventSearch, TEXT_EVENTS_MAX } from '../../../flags/server/event-search.ts';
import { migrate } from '../../../flags/server/migrations.ts';
import type { EventQuery } from '../../../flags/server/store.ts';
import { manualClock } from '../../helpers/clock.ts';
import { call, startServer, tempDir } from '../world.ts';

const FEATURES = '/api/admin/projects/default/features';
const DAY_MS = 24 * 60 * 60 * 1000;

interface Found {
  readonly total: number;
  readonly events: { readonly id: number; readonly type: string; readonly featureName: string | null }[];
}

/** Two flags, of which the second is archived a day later. */
async function world() {
  const clock = manualClock(Date.UTC(2026, 0, 1, 12));
  const started = await startServer({ clock });
  const { url } = started;
  await call(url, 'POST', FEATURES, { name: 'orders', description: '100% of_it' });
  await call(url, 'POST', `${FEATURES}/orders/environments/production/strategies`, { name: 'default' });
  clock.advance(DAY_MS);
  await call(url, 'POST', FEATURES, { name: 'baskets' });
  await call(url, 'DELETE', `${FEATURES}/baskets`);
  const search = async (query: string) =>
    (await call(url, 'GET', `/api/admin/search/events?${query}`)).body as Found;
  return { ...started, search };
}

test.each<[string, readonly string[]]>([
  ['', ['feature-archived', 'feature-created', 'feature-strategy-add', 'feature-created']],
  ['feature=IS:orders', ['feature-strategy-add', 'feature-created']],
  ['feature=IS_ANY_OF:orders,baskets&type=IS:feature-archived', ['feature-archived']],
  ['type=IS_ANY_OF:feature-archived, feature-strategy-add', ['feature-archived', 'feature-strategy-add']],
  ['environment=IS:production', ['feature-strategy-add']],
  ['project=IS:default&feature=IS:orders&type=IS:feature-created', ['feature-created']],
  ['project=IS:other', []],
  ['createdBy=IS:-42&feature=IS:baskets', ['feature-archived', 'feature-created']],
  ['createdBy=IS:7', []],
  ['from=IS:2026-01-02', ['feature-archived', 'feature-created']],
  ['to=IS:2026-01-01', ['feature-strategy-add', 'feature-created']],
  ['from=IS:2026-01-01&to=IS:2026-01-02&feature=IS:baskets', ['feature-archived', 'feature-created']],
  ['from=IS:2026-01-03', []],
  ['query=BASKETS', ['feature-created']],
  ['query=100%25', ['feature-created']],
  ['query=0%25%25', []],
  ['query=of_it', ['feature-created']],
  ['query=ofXit', []],
  ['query=default&environment=IS:production', ['feature-strategy-add']],
  ['id=IS:2', ['feature-strategy-add']],
  ['limit=1', ['feature-archived']],
  ['limit=2&offset=1', ['feature-created', 'feature-strategy-add']],
  ['offset=1000000000000', []],
])('the search ?%s finds what it names, newest first', async (query, types) => {
  const { search } = await world();
  const { events, total } = await search(query);
  expect(events.map(({ type }) => type)).toEqual(types);
  if (!/limit|offset/.test(query)) expect(total).toBe(types.length);
});

test('the events of one request are found by their group', async () => {
  const { url, search } = await world();
  await call(url, 'POST', `${FEATURES}/orders/clone`, { name: 'copy' });
  const { events } = await search('feature=IS:copy&limit=1');
  const [{ groupId } = { groupId: '' }] = events as unknown as { groupId: string }[];
  const group = await search(`groupId=IS:${groupId}`);
  expect(group.events.map(({ type }) => type)).toEqual(['feature-strategy-add', 'feature-created']);
});

test.each([
  'feature=orders',
  'feature=IS:',
  'feature=IS_NOT:orders',
  'feature=IS:a&feature=IS:b',
  `feature=IS_ANY_OF:${Array.from({ length: 101 }, String).join(',')}`,
  'createdBy=IS:admin',
  'id=IS:1.5',
  'from=2026-01-01',
  'from=IS:2026-02-30',
  'to=IS:tomorrow',
  'limit=0',
  'limit=1001',
  'limit=-1',
  'limit=1e2',
  'offset=x',
  `query=${'x'.repeat(201)}`,
])('the search ?%s is a 400', async (query) => {
  const { url } = await world();
  expect(await call(url, 'GET', `/api/admin/search/events?${query}`)).toMatchObject({
    status: 400,
    body: { name: 'BadDataError', details: [{ message: expect.any(String) }] },
  });
});

test('whatever is asked for cannot reach beyond its place in the statement', async () => {
  const { search } = await world();
  const injected = encodeURIComponent(`orders' OR '1'='1`);
  for (const name of ['feature', 'type', 'project', 'environment', 'groupId']) {
    expect((await search(`${name}=IS:${injected}`)).events).toEqual([]);
  }
  expect((await search(`query=${injected}`)).events).toEqual([]);
});

test('the newest events come in brief, of all flags, a project, and one flag', async () => {
  const { url } = await world();
  const get = async (path: string) => (await call(url, 'GET', `/api/admin/events${path}`)).body;
  expect(await get('')).toMatchObject({ version: 1, totalEvents: 4, events: [{ id: 4 }, {}, {}, {}] });
  expect(await get('?project=other')).toEqual({ version: 1, events: [], totalEvents: 0 });
  expect(await get('/orders')).toMatchObject({ version: 1, toggleName: 'orders', totalEvents: 2 });
  expect(await get('/nope')).toEqual({ version: 1, toggleName: 'nope', events: [], totalEvents: 0 });
});

test.each<[string, Partial<EventQuery>, RegExp]>([
  ['a page of all', {}, /^SCAN event$/],
  ['one flag', { features: ['a'] }, /^SEARCH event USING INDEX event_feature \(feature_name=\?\)$/],
  [
    'one flag and all else',
    { features: ['a'], types: ['t'], projects: ['p'], environments: ['e'], creators: [1], from: 'x' },
    /^SEARCH event USING INDEX event_feature \(feature_name=\?\)$/,
  ],
  ['a type', { types: ['t'], projects: ['p'] }, /^SEARCH event USING INDEX event_type \(type=\?\)$/],
  [
    'an environment',
    { environments: ['e'], projects: ['p'] },
    /^SEARCH event USING INDEX event_environment \(environment=\?\)$/,
  ],
  ['a creator', { creators: [1] }, /^SEARCH event USING INDEX event_creator \(created_by_user_id=\?\)$/],
  ['a project', { projects: ['p'] }, /^SEARCH event USING INDEX event_project \(project=\?\)$/],
  ['a request', { groupIds: ['g'] }, /^SEARCH event USING INDEX event_group \(group_id=\?\)$/],
  [
    'some days',
    { from: 'x', before: 'y' },
    /^SEARCH event USING INDEX event_time \(created_at>\? AND created_at<\?\)$/,
  ],
  ['an id', { ids: [1] }, /^SEARCH event USING INTEGER PRIMARY KEY \(rowid=\?\)$/],
])('a search for %s reads its events in their order and sorts nothing', (_name, query, plan) => {
  const { page, count, values } = eventSearch({ ...EVERY_EVENT, ...query });
  const db = new SqliteDatabase(join(tempDir(), 'flags.db'));
  onTestFinished(() => {
    db.close();
  });
  migrate(db, () => join(tempDir(), 'copy'));
  const steps = (sql: string, bound: readonly unknown[]) =>
    db
      .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...bound)
      .map(({ detail }) => detail);
  const [step = '', ...more] = steps(page, [...values, 50, 0]);
  expect(step).toMatch(plan);
  expect(more).toEqual([]);
  expect(steps(count, values).join()).toMatch(/USING|^SCAN event USING COVERING INDEX/);
});

test('a text is looked for in the newest events only, read in their order', () => {
  const { page } = eventSearch({ ...EVERY_EVENT, text: 'x', features: ['a'] });
  expect(page).toContain(`LIMIT ${TEXT_EVENTS_MAX})`);
});
