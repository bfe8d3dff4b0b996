import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFlagServer } from '../../../flags/server/app.ts';
import { settleVariants } from '../../../flags/server/parse/variant.ts';
import { Problem } from '../../../flags/server/problem.ts';
import { call, clock, recordingLog, startServer, TOKENS, tempDir } from '../world.ts';
import { type Asked, CALLS, FEATURES, FIRST, PARAMETERS, place, STEP } from './calls.ts';
import { storedIn, writtenAt } from './stored.ts';

const ADMIN = '/api/admin';

type Row = Readonly<Record<string, unknown>>;
type Rows = Readonly<Record<string, readonly Row[]>>;

function of(rows: readonly Row[] | undefined, pick: number): Row {
  return rows?.[pick % Math.max(1, rows.length)] ?? {};
}

function list(text: unknown): readonly Row[] {
  return JSON.parse(String(text));
}

/** Everything but the audit log. */
function state({ event: _event, sqlite_sequence: _sequence, ...rest }: Rows): Rows {
  return rest;
}

function requireInvariants({
  feature = [],
  feature_environment = [],
  strategy = [],
  dependency = [],
  segment = [],
}: Rows) {
  const live = new Set(feature.filter((one) => one['archived_at'] === null).map((one) => one['name']));
  const segments = new Set(segment.map((one) => one['id']));
  for (const one of feature_environment) {
    const active = strategy.filter(
      (other) =>
        other['feature'] === one['feature'] &&
        other['environment'] === one['environment'] &&
        other['disabled'] === 0,
    );
    if (one['enabled'] === 1) expect(active.length).toBeGreaterThan(0);
  }
  for (const { variants, segments: ids } of strategy) {
    const weights = list(variants).map((variant) => Number(variant['weight']));
    if (weights.length > 0) expect(weights.reduce((a, b) => a + b)).toBe(1000);
    for (const id of list(ids)) expect(segments).toContain(id);
  }
  const parents = new Set(dependency.map((one) => one['parent']));
  for (const { child, parent } of dependency) {
    expect(live).toContain(parent);
    expect(parents).not.toContain(child);
  }
}

test('no sequence of calls breaks a rule of the store, and each change has its events', {
  timeout: 120_000,
}, async () => {
  const reached = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 15, maxLength: 30 }), async (steps) => {
      const dir = tempDir();
      const file = join(dir, 'flags.db');
      const server = createFlagServer({ file, tokens: TOKENS, clock, log: recordingLog() });
      const { url } = await server.listen({ port: 0 });
      try {
        let before = storedIn(file, dir) as Rows;
        for (const step of [...FIRST, ...steps]) {
          const has = {
            strategy: of(before['strategy'], step.pick)['id'] ?? 'none',
            segment: of(before['segment'], step.pick)['id'] ?? 1,
          };
          const { method, path, body }: Asked = CALLS[step.kind](step, has);
          const revision = server.revision();
          const written = writtenAt(file);
          const answer = await call(url, method, path, body);
          const after = writtenAt(file) === written ? before : (storedIn(file, dir) as Rows);
          const events = (after['event'] ?? []).slice(before['event']?.length);
          const about = `${method} ${path} ${answer.status}`;

          expect(answer.status, about).toBeLessThan(500);
          if (answer.status >= 300) expect(events, about).toEqual([]);
          else reached.add(step.kind);
          // No event without a change, and no change without one.
          if (events.length === 0) expect(state(after), about).toEqual(state(before));
          else expect(state(after), about).not.toEqual(state(before));
          const visible = events.filter((event) => event['client_visible'] === 1).map(({ id }) => Number(id));
          expect(server.revision(), about).toBe(Math.max(revision, ...visible));
          expect(new Set(events.map((event) => event['group_id'] ?? 'one')).size, about).toBeLessThan(3);
          requireInvariants(after);
          before = after;
        }
        await requireServed(url, before);
      } finally {
        await server.close();
      }
    }),
    { seed: 20261124, numRuns: 50 },
  );
  expect([...reached].sort()).toEqual(Object.keys(CALLS).sort());
});

/** What clients are given is what is stored, and names nothing that they are not given. */
async function requireServed(url: string, { feature = [] }: Rows): Promise<void> {
  const headers = { authorization: TOKENS.client, 'unleash-client-spec': '5.2.0' };
  const response = await fetch(`${url}/api/client/features`, { headers });
  const { features, segments } = (await response.json()) as {
    features: { name: string; strategies: { segments?: number[] }[]; dependencies?: { feature: string }[] }[];
    segments: { id: number }[];
  };
  const live = feature.filter((one) => one['archived_at'] === null).map((one) => one['name']);
  expect(features.map(({ name }) => name).sort()).toEqual(live.toSorted());
  const ids = segments.map(({ id }) => id);
  for (const { strategies, dependencies = [] } of features) {
    for (const strategy of strategies) for (const id of strategy.segments ?? []) expect(ids).toContain(id);
    for (const dependency of dependencies) expect(live).toContain(dependency.feature);
  }
}

test.each([
  'feature-created',
  'feature-strategy-add',
  'feature-environment-enabled',
  'feature-strategy-update',
  'feature-environment-disabled',
  'feature-tagged',
  'feature-stale-on',
  'segment-updated',
])('a change whose %s event cannot be stored leaves nothing behind', async (type) => {
  const file = join(tempDir(), 'flags.db');
  const log = recordingLog();
  const first = createFlagServer({ file, tokens: TOKENS, clock, log });
  const { url: seeding } = await first.listen({ port: 0 });
  const strategies = `${place('a')}/strategies`;
  const strategy = { name: 'flexibleRollout', parameters: PARAMETERS };
  await call(seeding, 'POST', FEATURES, { name: 'a' });
  await call(seeding, 'POST', FEATURES, { name: 'b' });
  const { body } = await call(seeding, 'POST', strategies, strategy);
  const { id } = body as { id: string };
  await call(seeding, 'POST', `${place('b')}/strategies`, strategy);
  await call(seeding, 'POST', `${place('a')}/on`);
  await call(seeding, 'POST', `${ADMIN}/segments`, { name: 's', constraints: [] });
  await first.close();
  const db = new SqliteDatabase(file);
  db.exec(
    `CREATE TRIGGER full_disk BEFORE INSERT ON event WHEN NEW.type = '${type}'
     BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
  );
  db.close();

  const { url, server } = await startServer({ file });
  const dir = tempDir();
  const before = storedIn(file, dir);
  const revision = server.revision();
  const disable = [{ op: 'replace', path: '/disabled', value: true }];
  const asked: Readonly<Record<string, readonly [string, string, unknown?]>> = {
    'feature-created': ['POST', FEATURES, { name: 'c' }],
    'feature-strategy-add': ['POST', `${FEATURES}/a/clone`, { name: 'c' }],
    'feature-environment-enabled': ['POST', `${place('b')}/on`],
    'feature-strategy-update': ['PATCH', `${strategies}/${id}`, disable],
    'feature-environment-disabled': ['PATCH', `${strategies}/${id}`, disable],
    'feature-tagged': ['POST', `${ADMIN}/features/a/tags`, { type: 'simple', value: 'new' }],
    'feature-stale-on': ['PATCH', `${FEATURES}/a`, [{ op: 'replace', path: '/stale', value: true }]],
    'segment-updated': ['PUT', `${ADMIN}/segments/1`, { name: 't', constraints: [] }],
  };
  const [method, path, sent] = asked[type] ?? ['GET', '/nowhere'];
  expect((await call(url, method, path, sent)).status).toBe(500);
  expect(storedIn(file, dir)).toEqual(before);
  expect(server.revision()).toBe(revision);
});

test('the weights of variants sum up to 1000, whatever is sent', () => {
  const variant = fc.record({
    name: fc.stringMatching(/^[a-z]{1,6}$/),
    weight: fc.nat(1000),
    weightType: fc.constantFrom('fix' as const, 'variable' as const),
    stickiness: fc.constant('default'),
  });
  fc.assert(
    fc.property(fc.uniqueArray(variant, { selector: ({ name }) => name, minLength: 1 }), (variants) => {
      try {
        const settled = settleVariants(variants);
        expect(settled.reduce((sum, { weight }) => sum + weight, 0)).toBe(1000);
        const fixed = variants.filter(({ weightType }) => weightType === 'fix');
        expect(settled).toEqual(expect.arrayContaining(fixed));
        const shared = settled
          .filter(({ weightType }) => weightType === 'variable')
          .map(({ weight }) => weight);
        expect(Math.max(...shared) - Math.min(...shared)).toBeLessThan(2);
      } catch (error) {
        expect(error).toBeInstanceOf(Problem);
      }
    }),
    { seed: 20261124, numRuns: 500 },
  );
});
