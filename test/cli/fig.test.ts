import { spawn } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import type { StatusData } from '../../router/control/api.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { eventually, startWorld, webServer } from '../helpers/world.ts';

const FIG = join(import.meta.dirname, '../../cli/fig.js');

interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function fig(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  node: readonly string[] = [],
): Promise<Ran> {
  const child = spawn(process.execPath, [...node, FIG, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve) => child.once('close', (exit) => resolve({ exit, stdout, stderr })));
}

async function server() {
  const upstream = await webServer((_req, res) => res.end('{}'));
  const world = await startWorld({ legacy: upstream.origin, service: upstream.origin });
  const data = join(world.folder, '.fig');
  return { world, run: (...args: string[]) => fig([...args, '--data', data]), data };
}

test('a migration by hand: every command exits 0 and says what it did', async () => {
  const { run, world } = await server();
  const story: readonly (readonly [readonly string[], RegExp])[] = [
    [['status'], /catalog\s+legacy/],
    [['shadow', 'catalog', 'on', '--sample', '50%'], /stage legacy -> shadow, shadow 0 % -> 50 %/],
    [['shift', 'catalog', '25%', '-m', 'first users'], /stage shadow -> canary, share 0 % -> 25 %/],
    [['shift', 'catalog', '25%'], /already so/],
    [
      ['explain', 'GET /api/x', '--cookie', 'sid=ana', '-H', 'Accept: */*'],
      /ledger {2}stage canary, ceiling 25 %/,
    ],
    [['diffs', 'catalog'], /no differences/],
    [['kill', 'catalog'], /killed, confirmed after/],
    [['kill', 'catalog', '--release'], /released/],
    [['rollback', 'catalog', '-m', 'prices'], /share 25 % -> 0 %/],
    [['stage', 'catalog', 'shadow'], /stage canary -> shadow/],
    [['shadow', 'catalog', 'off'], /stage shadow -> legacy/],
    [['history', 'catalog'], /rollback 25 % -> 0 % \(epoch 1\).*prices/],
  ];
  for (const [args, expected] of story) {
    const { exit, stdout, stderr } = await run(...args);
    expect(stdout, `${args.join(' ')}: ${stderr}`).toMatch(expected);
    expect(exit, args.join(' ')).toBe(0);
  }
  expect((await world.group()).stage).toBe('legacy');
});

test('--json prints one object on stdout and nothing else', async () => {
  const { run } = await server();
  for (const args of [
    ['status'],
    ['status', 'catalog'],
    ['shadow', 'catalog', 'on'],
    ['shift', 'catalog', '5%'],
    ['explain', '/api/x'],
    ['diffs', 'catalog'],
    ['history'],
    ['kill', '*'],
    ['kill', 'catalog', '--release'],
    ['rollback', 'catalog'],
  ]) {
    const { stdout } = await run(...args, '--json');
    expect(JSON.parse(stdout), args.join(' ')).toMatchObject({
      schema: expect.stringMatching(/^fig\.\w+\/1$/),
      data: expect.anything(),
    });
  }
});

test.each<[string, readonly string[], number, RegExp]>([
  ['an unknown group', ['status', 'nope'], 2, /no group "nope"; known: catalog/],
  ['a misspelt command', ['statsu'], 2, /Did you mean status/],
  ['a share that is none', ['shift', 'catalog', 'lots'], 2, /expected a percentage/],
  ['a share above 100', ['shift', 'catalog', '101%'], 2, /expected a percentage/],
  ['a sample of hundredths', ['shadow', 'catalog', 'on', '--sample', '0.5%'], 2, /whole percentage/],
  [
    'a move that is illegal now',
    ['shift', 'catalog', '10%'],
    5,
    /no stage is skipped on the way up\n {5}see fig shadow catalog on/,
  ],
  ['a rev that moved on', ['shadow', 'catalog', 'on', '--if-rev', '0'], 5, /catalog moved on: found rev 1/],
  ['a request that is none', ['explain', 'orders'], 2, /expected 'METHOD \/path'/],
  ['a stage that cannot be entered', ['stage', 'catalog', 'sealed'], 2, /Allowed choices/],
])('%s: exit code, a sentence on stderr, nothing on stdout', async (_, args, exit, expected) => {
  const { run } = await server();
  expect(await run(...args)).toMatchObject({ exit, stdout: '', stderr: expect.stringMatching(expected) });
});

test('status --watch prints a line per change, not per look', async () => {
  const { world } = await server();
  const { body } = await world.admin('GET', '/api/v1/status');
  const looks = { count: 0 };
  const admin = await webServer((_req, res) => {
    looks.count += 1;
    const { flags, snapshot, ...data } = body.data as StatusData;
    const changed = {
      ...data,
      snapshot: looks.count < 4 ? snapshot : snapshot + 1,
      flags: { ...flags, ageMs: looks.count },
    };
    res.end(
      JSON.stringify({ schema: 'fig.status/1', at: new Date(looks.count).toISOString(), data: changed }),
    );
  });
  const env = { ...process.env, FIG_ADMIN: admin.origin, FIG_TOKEN: 'any' };
  const child = spawn(process.execPath, [FIG, 'status', '--watch', '--every', '250', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill());
  const snapshots: number[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    snapshots.push(JSON.parse(line).data.snapshot),
  );
  await eventually(() => looks.count >= 6);
  expect(snapshots).toEqual([1, 2]);
});

test('a wrong token is exit 4', async () => {
  const { data } = await server();
  expect(await fig(['status', '--data', data], { FIG_TOKEN: 'wrong' })).toMatchObject({
    exit: 4,
    stderr: expect.stringContaining('the token is wrong'),
  });
});

test('no server is exit 6, with the command that starts one', async () => {
  expect(await fig(['status', '--data', temporaryFolder()])).toMatchObject({
    exit: 6,
    stderr: expect.stringContaining('fig up'),
  });
});

test('a kill without a server writes the file and says that nobody confirmed', async () => {
  const folder = temporaryFolder();
  expect(await fig(['kill', 'orders', '--data', folder])).toMatchObject({
    exit: 6,
    stderr: expect.stringContaining('the kill file is written'),
  });
  expect(statSync(join(folder, 'fig.kill')).mode & 0o777).toBe(0o600);
});

test('a bad configuration is exit 2 with every fault and hint, and nothing on stdout', async () => {
  const file = join(temporaryFolder(), 'fig.config.json');
  writeFileSync(
    file,
    JSON.stringify({
      legacy: 'http://127.0.0.1:1',
      lissten: 'x',
      groups: { a: { service: 'b', routes: ['GET /'] } },
    }),
  );
  const { exit, stdout, stderr } = await fig(['up', '--config', file]);
  expect([exit, stdout]).toEqual([2, '']);
  expect(stderr).toContain('2 faults');
  expect(stderr).toContain('lissten  unknown key; did you mean "listen"?');
  expect(stderr).toContain('groups.a.service  no such service "b", known: none');
});

test('a port that was named and is taken is exit 1', async () => {
  const { world } = await server();
  const { exit, stderr } = await fig([
    'proxy',
    '--legacy',
    'http://127.0.0.1:1',
    '--listen',
    new URL(world.running.traffic).host,
  ]);
  expect([exit, stderr]).toEqual([1, expect.stringContaining('another process has that port')]);
});

test('a flag database that is none is exit 1, in a sentence', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.fig'));
  writeFileSync(join(folder, '.fig/flags.db'), 'not a database'.repeat(500));
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: 'http://127.0.0.1:1' }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([
    1,
    expect.stringMatching(/^fig: .*flags\.db cannot be used as a flag database \(\w+\)\n$/),
  ]);
});

test('an edited ledger is exit 1 and names the event', async () => {
  const folder = temporaryFolder();
  const upstream = await webServer((_req, res) => res.end());
  const world = await startWorld({ legacy: upstream.origin, service: upstream.origin }, {}, folder);
  await world.move({ kind: 'shadow', sample: 10 });
  await world.running.stop();
  const { default: Database } = await import('better-sqlite3');
  const db = new Database(join(folder, '.fig/fig.db'));
  db.exec(
    `DROP TRIGGER event_is_never_changed; UPDATE event SET body = replace(body, 'shadow', 'live') WHERE type = 'stage.changed'`,
  );
  db.close();
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ legacy: upstream.origin }));
  const { exit, stderr } = await fig(['up', '--config', join(folder, 'fig.config.json')]);
  expect([exit, stderr]).toEqual([1, expect.stringMatching(/ledger event 2 was edited/)]);
});

test('an old Node is told in one sentence what to do', async () => {
  const old = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.20.2'})`;
  expect(await fig(['status'], {}, ['--import', old])).toEqual({
    exit: 1,
    stdout: '',
    stderr:
      'fig: needs Node 24 or newer, found 20.20.2; run it as "npx fig" where strangler-fig is installed, which finds the Node it brings\n',
  });
});

test('--version prints the version and starts nothing', async () => {
  expect(await fig(['--version'])).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});
