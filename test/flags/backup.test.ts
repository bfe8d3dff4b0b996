import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BACKUP_BYTES_MAX, createBackup } from '../../flags/backup.ts';
import { FEATURES, freePort, json, scripted } from './scripted.ts';
import { clock, fresh, recordingLog, startReader, subject, TOKENS, tempDir, until } from './world.ts';

const UNIT = '6d894aa3ee802549d7f340e7c1cf0d1c';

/** A folder with the backup of a reader that saw `fig.orders.serve` at 100 %, and the address it came from. */
async function backedUp() {
  const backupDir = tempDir();
  const server = await scripted((_request, response) => json(response, 200, FEATURES));
  const { reader } = startReader({ source: sourceAt(server.url), backupDir });
  await fresh(reader);
  await until(() => readdirSync(backupDir).some((name) => name.endsWith('.json')));
  await reader.stop();
  await server.close();
  const [name = ''] = readdirSync(backupDir);
  return { backupDir, url: server.url, file: join(backupDir, name) };
}

function sourceAt(url: string) {
  return { kind: 'poll', url, token: TOKENS.client, refreshMs: 250, timeoutMs: 1000 } as const;
}

test('with a backup a start without the server has the last flags within 50 ms', async () => {
  const { backupDir, url, file } = await backedUp();
  expect(readFileSync(file, 'utf8')).not.toContain(TOKENS.client);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const startMs = performance.now();
  const { reader } = startReader({ source: sourceAt(url), backupDir });
  await until(() => reader.status().data === 'backup');
  expect(performance.now() - startMs).toBeLessThan(50);
  expect(reader.read('orders', subject(UNIT)).serve).toBe('on');
  expect(reader.status().ageMs).toBeNull();
});

test('a torn backup is no backup', async () => {
  const { backupDir, url, file } = await backedUp();
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
  const { reader } = startReader({ source: sourceAt(url), backupDir });
  await until(() => reader.counts().backupFailures === 1);
  expect(reader.status().data).toBe('none');
});

test('the backup of another server is no backup', async () => {
  const { backupDir, url } = await backedUp();
  const backupOf = (server: string) => {
    const log = recordingLog();
    return createBackup({
      dir: backupDir,
      url: `${server}/api/`,
      environment: 'production',
      appName: 'strangler-fig',
      clock,
      log,
    });
  };
  expect(await backupOf(url).get('any')).toBeDefined();
  expect(await backupOf('http://127.0.0.1:1').get('any')).toBeUndefined();
});

test('a backup that was renamed to another server is no backup', async () => {
  const { backupDir, file } = await backedUp();
  const other = `http://127.0.0.1:${await freePort()}`;
  const key = createHash('sha256')
    .update(`${other}/api/\nproduction\nstrangler-fig`)
    .digest('hex')
    .slice(0, 16);
  writeFileSync(join(backupDir, `flags-${key}.json`), readFileSync(file));
  const { reader } = startReader({ source: sourceAt(other), backupDir });
  await until(() => reader.counts().backupFailures === 1);
  expect(reader.status().data).toBe('none');
});

test('a folder that cannot be written costs a warning and no connections', async () => {
  const backupDir = join(tempDir(), 'file', 'backup');
  writeFileSync(join(backupDir, '..'), 'a file where a folder should be');
  const server = await scripted((_request, response) => json(response, 200, FEATURES, { etag: '"1"' }));
  const source = { kind: 'poll', url: server.url, token: TOKENS.client, refreshMs: 500 } as const;
  const { reader, log } = startReader({ source, backupDir });
  await fresh(reader);
  await delay(1200);
  expect(server.count('features')).toBeLessThanOrEqual(3);
  expect(reader.counts().backupFailures).toBeGreaterThan(1);
  expect(log.lines.filter(({ event }) => event === 'flags.backup-failed')).toHaveLength(1);
});

test('of many writes at once the newest is on disk, and no temporary file is left', async () => {
  const dir = tempDir();
  const log = recordingLog();
  const url = 'http://127.0.0.1:1/api/';
  const backup = createBackup({ dir, url, environment: 'production', appName: 'fig', clock, log });
  const states = Array.from({ length: 20 }, (_, version) => ({
    version,
    features: [{ name: `f${version}`, enabled: true, strategies: [] }],
  }));
  await Promise.all(states.map((state) => backup.set('key', state)));
  expect(await backup.get('key')).toEqual(states.at(-1));
  expect(readdirSync(dir)).toHaveLength(1);
  expect(backup.failures()).toBe(0);
});

test('a backup above the limit is not read', async () => {
  const { backupDir, url, file } = await backedUp();
  truncateSync(file, BACKUP_BYTES_MAX + 1);
  const { reader } = startReader({ source: sourceAt(url), backupDir });
  await until(() => reader.counts().backupFailures === 1);
  expect(reader.status().data).toBe('none');
});

test('after closing nothing is written any more', async () => {
  const dir = tempDir();
  const log = recordingLog();
  const backup = createBackup({
    dir,
    url: 'http://127.0.0.1:1/api/',
    environment: 'production',
    appName: 'fig',
    clock,
    log,
  });
  const data = (revision: number) => ({
    version: 2,
    features: [{ name: `f${revision}`, enabled: true, strategies: [] }],
  });
  const first = backup.set('k', data(1));
  await backup.close();
  await first;
  await backup.set('k', data(2));
  expect(JSON.stringify(await backup.get('k'))).toContain('f1');
});
