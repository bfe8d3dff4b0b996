import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import SqliteDatabase from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { createFlagServer } from '../../../flags/server/app.ts';
import { createIds } from '../../../flags/server/ids.ts';
import { MIGRATIONS, migrate } from '../../../flags/server/migrations.ts';
import { openStore } from '../../../flags/server/store.ts';
import { call, clock, recordingLog, startServer, TOKENS, tempDir } from '../world.ts';
import { storedIn } from './stored.ts';

const FEATURES = '/api/admin/projects/default/features';
const APP = new URL('../../../flags/server/app.ts', import.meta.url).href;

/** A flag server in a process of its own, so that it can be killed. */
async function serverProcess(file: string): Promise<{ url: string; kill(): Promise<void> }> {
  const script = `
    import { createFlagServer } from ${JSON.stringify(APP)};
    const quiet = () => {};
    const server = createFlagServer({
      file: ${JSON.stringify(file)}, tokens: ${JSON.stringify(TOKENS)},
      clock: { now: () => performance.now(), wall: () => Date.now() },
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    console.log((await server.listen({ port: 0 })).url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = () => {
    child.kill('SIGKILL');
    return exited;
  };
  onTestFinished(kill);
  const url = await new Promise<string>((resolve) => {
    createInterface(child.stdout).once('line', resolve);
  });
  return { url, kill };
}

test('kill -9 during writes loses no acknowledged write', async () => {
  const file = join(tempDir(), 'flags.db');
  const acknowledged: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { url, kill } = await serverProcess(file);
    let killed: Promise<void> | null = null;
    for (let i = 0; killed === null; i += 1) {
      const batch = Array.from({ length: 4 }, (_, k) => `flag-${round}-${i}-${k}`);
      const answers = batch.map((name) => call(url, 'POST', FEATURES, { name }).catch(() => null));
      if (i === 5) killed = kill();
      const statuses = (await Promise.all(answers)).map((answer) => answer?.status);
      acknowledged.push(...batch.filter((_name, k) => statuses[k] === 201));
    }
    await killed;
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(60);
  const { url } = await startServer({ file });
  const { body } = await call(url, 'GET', FEATURES);
  const stored = new Set((body as { features: { name: string }[] }).features.map(({ name }) => name));
  expect(acknowledged.filter((name) => !stored.has(name))).toEqual([]);
  const events = await call(url, 'GET', '/api/admin/search/events?type=IS:feature-created&limit=1000');
  expect((events.body as { total: number }).total).toBe(stored.size);
});

test('50 writers at once lose no event, and no event gets the number of another', async () => {
  const { url, server, file } = await startServer();
  const seen: number[] = [];
  onTestFinished(server.onCommit(() => seen.push(server.revision())));
  const before = server.revision();
  const strategy = {
    name: 'flexibleRollout',
    parameters: { rollout: '10', stickiness: 'figUnit', groupId: 'g' },
  };
  const one = async (writer: number) => {
    const flag = `flag-${writer}`;
    const place = `${FEATURES}/${flag}/environments/production`;
    const steps: readonly (readonly [string, string, unknown?])[] = [
      ['POST', FEATURES, { name: flag }],
      ['POST', `${place}/strategies`, strategy],
      ['POST', `${place}/on`],
      ['POST', `/api/admin/features/${flag}/tags`, { type: 'simple', value: 'shared' }],
      ['PATCH', `${FEATURES}/${flag}`, [{ op: 'replace', path: '/stale', value: true }]],
      ['POST', `${place}/off`],
    ];
    for (const [method, path, body] of steps) {
      expect((await call(url, method, path, body)).status).toBeLessThan(300);
    }
  };
  await Promise.all(Array.from({ length: 50 }, (_, writer) => one(writer)));

  const { event = [] } = storedIn(file, tempDir());
  const events = event as readonly { id: number; type: string; feature_name: string | null }[];
  const ids = events.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (let writer = 0; writer < 50; writer += 1) {
    const own = events.filter((row) => row.feature_name === `flag-${writer}`);
    expect(own.map(({ type }) => type)).toEqual([
      'feature-created',
      'feature-strategy-add',
      'feature-environment-enabled',
      'feature-tagged',
      'feature-metadata-updated',
      'feature-stale-on',
      'feature-environment-disabled',
    ]);
  }
  expect(events.filter(({ type }) => type === 'tag-created')).toHaveLength(1);
  // One commit each, in the order of rising revisions; the last one is the newest event.
  expect(seen).toHaveLength(300);
  expect(seen.toSorted((a, b) => a - b)).toEqual(seen);
  expect(new Set([before, ...seen]).size).toBe(301);
  expect(server.revision()).toBe(Math.max(...ids));
});

test('a second server on the same file is refused in one clear sentence, and the first goes on', async () => {
  const { file, url } = await startServer();
  const second = createFlagServer({ file, tokens: TOKENS, clock, log: recordingLog() });
  await expect(second.listen({ port: 0 })).rejects.toThrow(`another flag server has ${file} open`);
  expect((await call(url, 'POST', FEATURES, { name: 'still-here' })).status).toBe(201);
});

test('a server in another process holds the file too', async () => {
  const file = join(tempDir(), 'flags.db');
  await serverProcess(file);
  const second = createFlagServer({ file, tokens: TOKENS, clock, log: recordingLog() });
  await expect(second.listen({ port: 0 })).rejects.toThrow(/another flag server has/);
});

test('a file of a newer program is refused and left alone', async () => {
  const file = join(tempDir(), 'flags.db');
  const newer = new SqliteDatabase(file);
  newer.pragma(`user_version = ${MIGRATIONS.length + 1}`);
  newer.close();
  const server = createFlagServer({ file, tokens: TOKENS, clock, log: recordingLog() });
  await expect(server.listen({ port: 0 })).rejects.toThrow(/use a newer program/);
});

test('a file that is no database is refused', async () => {
  const file = import.meta.filename;
  const copy = join(tempDir(), 'flags.db');
  copyFileSync(file, copy);
  const server = createFlagServer({ file: copy, tokens: TOKENS, clock, log: recordingLog() });
  await expect(server.listen({ port: 0 })).rejects.toThrow(/cannot be used as a flag database/);
});

test('a migration copies the data first and runs in one transaction', () => {
  const dir = tempDir();
  const db = new SqliteDatabase(join(dir, 'flags.db'));
  onTestFinished(() => {
    db.close();
  });
  const copyTo = (version: number) => join(dir, `copy-${version}`);
  migrate(db, copyTo, ['CREATE TABLE a (x)']);
  db.exec('INSERT INTO a VALUES (7)');
  const broken = ['CREATE TABLE a (x)', 'CREATE TABLE b (x); CREATE TABLE a (x)'];
  expect(() => migrate(db, copyTo, broken)).toThrow(/already exists/);
  expect(db.pragma('user_version', { simple: true })).toBe(1);
  expect(db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'b'").get()).toEqual({ n: 0 });
  const copy = new SqliteDatabase(copyTo(1), { readonly: true });
  expect(copy.prepare('SELECT x FROM a').get()).toEqual({ x: 7 });
  copy.close();
});

test('the busy port of a second server leaves its file free', async () => {
  const first = await startServer();
  const file = join(tempDir(), 'flags.db');
  const second = createFlagServer({ file, tokens: TOKENS, clock, log: recordingLog() });
  await expect(second.listen({ port: first.port })).rejects.toThrow(/EADDRINUSE/);
  await startServer({ file });
});

test('a change whose event cannot be stored leaves nothing behind', () => {
  const file = join(tempDir(), 'flags.db');
  const store = openStore({ file, clock, ids: createIds(clock), log: recordingLog() });
  onTestFinished(() => store.close());
  const feature = {
    name: 'f',
    project: 'default',
    type: 'release',
    description: null,
    stale: false,
    impressionData: false,
    createdAt: '2026-01-01T00:00:00.000Z',
    archivedAt: null,
    overlay: null,
  };
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const change = () =>
    store.change({ name: 'test', userId: 1 }, (changes) => {
      changes.insertFeature(feature);
      const { project, name } = feature;
      const draft = { type: 'feature-created', project, environment: null, featureName: name } as const;
      changes.record({ ...draft, data: circular, preData: null });
    });
  expect(change).toThrow();
  expect(store.feature('f')).toBeNull();
  expect(store.revision()).toBe(0);
});

test('a commit listener that throws does not turn a stored change into an error', () => {
  const log = recordingLog();
  const file = join(tempDir(), 'flags.db');
  const store = openStore({ file, clock, ids: createIds(clock), log });
  onTestFinished(() => store.close());
  const seen: number[] = [];
  store.onCommit(() => {
    throw new Error('broken');
  });
  store.onCommit(({ revision }) => seen.push(revision));
  store.change({ name: 'test', userId: 1 }, (changes) =>
    changes.record({
      type: 'feature-created',
      project: 'default',
      environment: null,
      featureName: 'f',
      data: null,
      preData: null,
    }),
  );
  expect(seen).toEqual([1]);
  expect(log.lines.map(({ event }) => event)).toEqual(['flags.commit-listener-failed']);
});

test('events can be neither changed nor deleted, not even with SQL', async () => {
  const file = join(tempDir(), 'flags.db');
  const server = createFlagServer({ file, tokens: TOKENS, clock, log: recordingLog() });
  const { url } = await server.listen({ port: 0 });
  await call(url, 'POST', FEATURES, { name: 'f' });
  await server.close();
  const db = new SqliteDatabase(file);
  expect(() => db.exec('DELETE FROM event')).toThrow(/append-only/);
  expect(() => db.exec("UPDATE event SET type = 'x'")).toThrow(/append-only/);
  db.close();
});

test('a token is stored as a hash, and replaced when the configuration names another', async () => {
  const file = join(tempDir(), 'flags.db');
  const admin = `*:*.${'a'.repeat(32)}`;
  const before = createFlagServer({ file, tokens: { ...TOKENS, admin }, clock, log: recordingLog() });
  await before.listen({ port: 0 });
  await before.close();
  const { url } = await startServer({ file });
  expect((await call(url, 'GET', '/api/admin/context', undefined, admin)).status).toBe(401);
  expect((await call(url, 'GET', '/api/admin/context')).status).toBe(200);
});
