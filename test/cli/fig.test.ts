import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fig, ordersConfig, twoSides, up } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';

async function server() {
  const running = await up(ordersConfig(await twoSides()));
  const run = (...args: string[]) => fig([...args, '--data', running.data]);
  const json = async (...args: string[]) => {
    const ended = await run(...args, '--json');
    return { ...ended, said: JSON.parse(ended.stdout) };
  };
  return { ...running, run, json };
}

describe('without a server', () => {
  test('a bad configuration ends with 2, every fault on stderr and nothing on stdout', async () => {
    const folder = temporaryFolder();
    const config = { legacy: 'http://127.0.0.1:1/path', grups: {}, admin: 'nowhere' };
    writeFileSync(join(folder, 'fig.config.json'), JSON.stringify(config));
    const { exit, stdout, stderr } = await fig(['up'], { cwd: folder });
    expect(exit).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('3 faults');
    expect(stderr).toContain('  grups  unknown key; did you mean "groups"?');
    expect(stderr).toMatch(/^ {2}legacy {2}expected/m);
    expect(stderr).toMatch(/^ {2}admin {2}expected HOST:PORT/m);
  });

  test('a configuration that is not there ends with 2', async () => {
    const { exit, stderr } = await fig(['up', '--config', 'none.json'], { cwd: temporaryFolder() });
    expect(exit).toBe(2);
    expect(stderr).toContain('there is no such file');
  });

  test('a data folder where nothing ever ran ends with 6 and says how to start', async () => {
    const { exit, stdout, stderr } = await fig(['status', '--data', temporaryFolder()]);
    expect({ exit, stdout }).toEqual({ exit: 6, stdout: '' });
    expect(stderr).toContain('see fig up');
  });

  test('a server that is gone ends with 6', async () => {
    const folder = temporaryFolder();
    const env = { FIG_ADMIN: 'http://127.0.0.1:1', FIG_TOKEN: 'any' };
    const { exit, stderr } = await fig(['status', '--data', folder], { env });
    expect(exit).toBe(6);
    expect(stderr).toContain('no server answers');
  });

  test('a kill without a server is written for the next one and ends with 6', async () => {
    const folder = temporaryFolder();
    const { exit, stderr } = await fig(['kill', 'orders', '--data', folder]);
    expect(exit).toBe(6);
    expect(stderr).toContain('the kill file is written');
    expect(statSync(join(folder, 'fig.kill')).mode & 0o777).toBe(0o600);
  });

  test('a command that is mistyped is answered with the one that was meant', async () => {
    const { exit, stderr } = await fig(['statsu']);
    expect(exit).toBe(2);
    expect(stderr).toMatch(/Did you mean status\?/);
  });

  test.each([
    ['shift', 'orders', '101%'],
    ['shift', 'orders', '1.234%'],
    ['shadow', 'orders', 'maybe'],
    ['stage', 'orders', 'sealed'],
    ['history', '--limit', '0'],
    ['explain', 'orders'],
    ['status', '--nonsense'],
  ])('fig %s %s %s is no usage and ends with 2', async (...args) => {
    const { exit, stdout } = await fig(args.filter((word) => word !== undefined));
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  });

  test('help ends with 0 on stdout', async () => {
    const { exit, stdout, stderr } = await fig(['--help']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain('Exit codes');
  });

  test('an old Node is told in one sentence what to do', async () => {
    const old =
      "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.1'}})";
    const { exit, stdout, stderr } = await fig(['status'], { node: ['--import', old] });
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toMatch(/^fig: needs Node 24 or newer, found 20\.11\.1; [^\n]+\n$/);
  });
});

describe('with a server', () => {
  test.each(['evidence', 'selftest', 'diffs'])('%s says one thing per line', async (command) => {
    const { run } = await server();
    await run('shadow', 'orders', 'on');
    const { exit, stdout } = await run(command, 'orders');
    expect(exit).toBe(0);
    expect(stdout.trimEnd().split('\n').length).toBeGreaterThan(1);
    expect(stdout).not.toContain('\u{fffd}');
  });

  test('status --json is one JSON object on stdout and nothing on stderr', async () => {
    const { run } = await server();
    const { exit, stdout, stderr } = await run('status', '--json');
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'fig.status/1',
      data: { groups: [{ group: 'orders', stage: 'legacy' }] },
    });
  });

  test('a whole migration: every command ends with 0 and its JSON parses', async () => {
    const { json, run, traffic } = await server();
    expect((await json('shadow', 'orders', 'on')).said.data.to).toMatchObject({
      stage: 'shadow',
      shadow: 100,
    });
    expect((await json('shift', 'orders', '25%', '-m', 'go')).said.data).toMatchObject({
      reason: 'go',
      to: { stage: 'canary', share: 25 },
      flag: { state: 'verified' },
    });
    await fetch(`${traffic}/orders/1`, { headers: { 'X-User': 'u1' } }).then((answer) => answer.text());
    expect((await json('explain', 'GET /orders/1', '-H', 'X-User: u1')).said.data.route.group).toBe('orders');
    expect((await json('diffs', 'orders')).said).toMatchObject({ schema: 'fig.diffs/1' });
    expect((await json('rollback', 'orders')).said.data.to).toMatchObject({ share: 0, stopped: null });
    expect((await json('kill', 'orders')).said.data).toEqual({ groups: ['orders'] });
    expect((await json('kill', 'orders', '--release')).said.data.to).toMatchObject({ stopped: null });
    const history = await json('history', 'orders');
    expect(history.said.data.events.map((event: { type: string }) => event.type)).toEqual(
      expect.arrayContaining(['rollback.decided', 'kill.set', 'kill.cleared']),
    );
    const text = await run('history');
    expect(text.exit).toBe(0);
    expect(text.stdout).toContain('operator:ana');
  });

  test('copies of writes are never turned on in silence', async () => {
    const config = ordersConfig(await twoSides());
    const writes = { mode: 'dry-run', owner: 'team-orders', reason: 'a quote', expires: '2026-03-01' };
    const routes = ['GET /orders/:id', { match: 'POST /orders/:id', writes }];
    const { data } = await up({ ...config, groups: { orders: { ...config.groups.orders, routes } } });
    const { exit, stderr } = await fig(['shadow', 'orders', 'on', '--data', data]);
    expect(exit).toBe(0);
    expect(stderr).toContain(
      'POST /orders/:id is copied as well (dry-run): a quote; team-orders, until 2026-03-01',
    );
  });

  test('every command also says it in words', async () => {
    const { run } = await server();
    expect(await run('shadow', 'orders', 'on')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('stage legacy -> shadow'),
    });
    expect(await run('explain', '/orders/1')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('LEGACY'),
    });
    expect(await run('status', 'orders')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('shadow'),
    });
    expect(await run('diffs', 'orders')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('no differences'),
    });
    expect(await run('kill', 'orders')).toMatchObject({ exit: 0, stdout: expect.stringContaining('killed') });
  });

  test('a cause is found, looked at, marked and deleted, in words and in JSON', {
    timeout: 60_000,
  }, async () => {
    const { json, run, traffic } = await server();
    await run('shadow', 'orders', 'on');
    let causes: readonly { readonly id: string }[] = [];
    // A busy machine takes no copies: then it is asked again.
    for (let n = 1; causes.length === 0; n += 1) {
      await fetch(`${traffic}/orders/${n}`, { headers: { 'X-User': 'u1' } }).then((answer) => answer.text());
      ({ causes } = (await json('diffs', 'orders')).said.data);
    }
    const [{ id = '' } = {}] = causes;
    expect((await run('diffs', 'orders')).stdout).toMatch(new RegExp(`${id}  new +medium`));
    const shown = await run('diffs', 'orders', id);
    expect(shown.stdout).toContain('PATH   KIND   LEGACY');
    expect(shown.stdout).toMatch(/curl -sS -i -H .* "?'?http:\/\/127\.0\.0\.1:\d+\/orders\/\d/);
    expect((await json('diffs', 'orders', id)).said).toMatchObject({ schema: 'fig.diff/1', data: { id } });
    expect(await run('diffs', 'orders', id, '--mark', 'bug')).toMatchObject({ exit: 2, stdout: '' });
    expect(await run('diffs', 'orders', '--mark', 'bug', '-m', 'x')).toMatchObject({ exit: 2, stdout: '' });
    const marked = await run('diffs', 'orders', id, '--mark', 'bug', '-m', 'says who it is');
    expect(marked).toMatchObject({ exit: 0, stdout: expect.stringContaining('marked bug by ana') });
    expect((await run('diffs', 'orders')).stdout).toMatch(new RegExp(`${id}  bug +medium`));
    expect((await run('history')).stdout).toContain(`cause ${id} marked bug`);
    expect((await run('evidence', 'orders')).stdout).toMatch(/because +GET .orders.:id, .* requests differ/);
    expect((await json('evidence', 'orders')).said).toMatchObject({
      schema: 'fig.evidence/1',
      data: { standings: [{ verdict: 'Fail', build: '', rules: expect.any(String) }] },
    });
    expect((await run('selftest', 'orders')).stdout).toContain('no fault was tried yet');
    expect((await json('selftest', 'orders')).said).toMatchObject({ schema: 'fig.selftest/1' });
    expect(await json('diffs', 'purge', 'orders', '-m', 'done')).toMatchObject({
      said: { schema: 'fig.purge/1', data: { causes: 1 } },
    });
    expect((await run('diffs', 'orders')).stdout).toContain('no differences');
  });

  test('an unknown group ends with 2, whatever is asked of it', async () => {
    const { run } = await server();
    for (const args of [
      ['status', 'ordres'],
      ['shift', 'ordres', '1%'],
      ['diffs', 'ordres'],
      ['diffs', 'purge', 'ordres'],
      ['evidence', 'ordres'],
      ['selftest', 'ordres'],
      ['rollback', 'ordres'],
    ]) {
      const { exit, stdout, stderr } = await run(...args);
      expect({ args, exit, stdout }).toEqual({ args, exit: 2, stdout: '' });
      expect(stderr).toContain('orders');
    }
  });

  test('an illegal move ends with 5 and names the command that helps', async () => {
    const { run } = await server();
    const { exit, stderr } = await run('shift', 'orders', '25%');
    expect(exit).toBe(5);
    expect(stderr).toContain('see fig shadow orders on');
  });

  test('a stale --if-rev ends with 5 and moves nothing', async () => {
    const { run, json } = await server();
    await run('shadow', 'orders', 'on');
    const { exit, stderr } = await run('shift', 'orders', '25%', '--if-rev', '1');
    expect(exit).toBe(5);
    expect(stderr).toContain('moved on');
    expect((await json('status', 'orders')).said.data.groups[0].stage).toBe('shadow');
  });

  test('a refusal with --json is a problem on stderr', async () => {
    const { run } = await server();
    const { stdout, stderr } = await run('shift', 'orders', '25%', '--json');
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toMatchObject({ status: 409, code: 'MOVE_ILLEGAL' });
  });

  test('a wrong token ends with 4', async () => {
    const { data } = await server();
    const { exit, stderr } = await fig(['status', '--data', data], { env: { FIG_TOKEN: 'fig_a_wrong' } });
    expect(exit).toBe(4);
    expect(stderr).toContain('the token is wrong');
  });

  test('secrets and addresses in the data folder are for its owner only', async () => {
    const { data } = await server();
    for (const file of ['admin.token', 'admin.json', 'flags.admin.token', 'digest.key', 'fig.db'])
      expect([file, statSync(join(data, file)).mode & 0o777]).toEqual([file, 0o600]);
    expect(statSync(data).mode & 0o777).toBe(0o700);
  });
});
