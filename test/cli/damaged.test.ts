import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { fig } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { startWorld, webServer } from '../helpers/world.ts';

test('a flag database that is none ends with 1, in a sentence', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.fig'));
  writeFileSync(join(folder, '.fig/flags.db'), 'not a database'.repeat(500));
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: 'http://127.0.0.1:1' }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  const sentence =
    /^fig: .*flags\.db cannot be used as a flag database \(\w+\); put a copy of it back, or move it away: an empty one is made\n$/;
  expect([exit, stderr]).toEqual([1, expect.stringMatching(sentence)]);
});

test('a flag database that is damaged further in ends with 1, in the same sentence', async () => {
  const folder = temporaryFolder();
  const upstream = await webServer((_req, res) => res.end());
  const world = await startWorld({ legacy: upstream.origin, service: upstream.origin }, {}, folder);
  await world.running.stop();
  const file = join(folder, '.fig/flags.db');
  const bytes = readFileSync(file);
  // Its header and its list of tables stay.
  writeFileSync(file, bytes.fill(0xa5, 3 * 4096, bytes.length - 4096));
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: upstream.origin }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([
    1,
    expect.stringMatching(/^fig: .*as a flag database \(\w+\); put a copy/),
  ]);
});

test('a flag database of a newer program ends with 1, in a sentence', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.fig'));
  const db = new Database(join(folder, '.fig/flags.db'));
  db.pragma('user_version = 1000');
  db.close();
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: 'http://127.0.0.1:1' }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([
    1,
    expect.stringMatching(/^fig: .* version 1000, .*: use a newer program\n$/),
  ]);
});

test.each(['flags.admin.token', 'flags.client.token'])(
  'a %s of another kind ends with 1 and says how to get a new one',
  async (name) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, '.fig'));
    writeFileSync(join(folder, '.fig', name), 'long enough, and no token of flags');
    writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: 'http://127.0.0.1:1' }));
    const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
    expect([exit, stderr]).toEqual([1, expect.stringMatching(/token holds no secret; delete it/)]);
  },
);

test('a server that ends in the middle of a move leaves it open whether it was done', async () => {
  const { origin } = await webServer((request) => void request.socket.destroy());
  const env = { FIG_ADMIN: origin, FIG_TOKEN: 'token' };
  const { exit, stderr } = await fig(['flags', 'off', 'banner'], { env });
  expect([exit, stderr]).toEqual([6, expect.stringContaining('whether this was done is not known')]);
});

test('an edited ledger ends with 1 and names the event', async () => {
  const folder = temporaryFolder();
  const upstream = await webServer((_req, res) => res.end());
  const world = await startWorld({ legacy: upstream.origin, service: upstream.origin }, {}, folder);
  await world.move({ kind: 'shadow', sample: 10 });
  await world.running.stop();
  const db = new Database(join(folder, '.fig/fig.db'));
  db.exec(`DROP TRIGGER event_is_never_changed;
    UPDATE event SET body = replace(body, 'shadow', 'live') WHERE type = 'stage.changed'`);
  db.close();
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: upstream.origin }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([1, expect.stringMatching(/ledger event 2 was edited/)]);
});

test('an admin token that is empty ends with 1: it would let everybody in', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.fig'));
  writeFileSync(join(folder, '.fig/admin.token'), '');
  const any = '127.0.0.1:0';
  const config = {
    listen: any,
    admin: any,
    flags: { embedded: { listen: any } },
    legacy: 'http://127.0.0.1:1',
  };
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify(config));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([
    1,
    expect.stringMatching(/^fig: .*admin\.token holds no secret; delete it/),
  ]);
});

test.each<[string, object, Readonly<Record<string, string>>, number, RegExp]>([
  [
    'an address nobody has',
    { listen: 'nosuch.invalid:0' },
    {},
    1,
    /^fig: getaddrinfo \w+ nosuch\.invalid\n$/,
  ],
  [
    'a data folder that is a file',
    { data: '/dev/null' },
    {},
    1,
    /^fig: the data folder \/dev\/null cannot be used/,
  ],
  ['a log level that is none', {}, { FIG_LOG_LEVEL: 'loud' }, 2, /FIG_LOG_LEVEL {2}"loud" is no level/],
])('%s is said without a stack', async (_, change, env, expected, sentence) => {
  const folder = temporaryFolder();
  const any = '127.0.0.1:0';
  const config = {
    listen: any,
    admin: any,
    flags: { embedded: { listen: any } },
    legacy: 'http://127.0.0.1:1',
    ...change,
  };
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify(config));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')], { env });
  expect([exit, stderr]).toEqual([expected, expect.stringMatching(sentence)]);
});

test('an admin file that is damaged, and a server that is none of ours, end with 6', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'admin.json'), '{');
  writeFileSync(join(folder, 'admin.token'), 'a-token-of-some-length');
  expect(await fig(['status', '--data', folder])).toMatchObject({
    exit: 6,
    stderr: expect.stringContaining('is damaged'),
  });
  const other = await webServer((_req, res) => res.end('{"hello":1}'));
  writeFileSync(join(folder, 'admin.json'), JSON.stringify({ url: other.origin }));
  expect(await fig(['history', '--data', folder])).toMatchObject({
    exit: 6,
    stderr: expect.stringContaining('no server of ours'),
  });
});

test('a limit of the proxy that is out of range ends with 2', async () => {
  const { exit, stderr } = await fig([
    'proxy',
    '--legacy',
    'http://127.0.0.1:1',
    '--upstream-head-ms',
    '3000000000',
  ]);
  expect([exit, stderr]).toEqual([2, expect.stringContaining('timeouts.upstreamHeadMs')]);
});
