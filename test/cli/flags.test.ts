import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { between } from '../flags/between.ts';
import { adminClient, type Ended, fig, ordersConfig, twoSides, up } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { eventually } from '../helpers/world.ts';

const BANNER = 'projects/default/features/banner';
const ROLLOUT = {
  name: 'flexibleRollout',
  title: 'first users',
  parameters: { rollout: '10', stickiness: 'userId', groupId: 'banner' },
  constraints: [{ contextName: 'tenant', operator: 'IN', values: ['acme'] }],
};

/** `fig up` with its embedded flag server, in which there is a flag `banner` that belongs to no group. */
async function server() {
  const running = await up(ordersConfig(await twoSides()));
  const admin = adminClient(running.admin, running.data);
  const token = readFileSync(join(running.data, 'flags.admin.token'), 'utf8').trim();
  const unleash = async (method: string, path: string, body: object = {}) => {
    const headers = { authorization: token, 'content-type': 'application/json' };
    const sent = method === 'GET' ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${running.flags}/api/admin/${path}`, { method, headers, ...sent });
    const text = await answer.text();
    expect(answer.ok, `${method} ${path}: ${text}`).toBe(true);
    return text;
  };
  // The last of what fig itself does at its start.
  await eventually(async () =>
    (await unleash('GET', 'search/events?feature=IS:fig.orders.shadow')).includes(
      'feature-environment-enabled',
    ),
  );
  await unleash('POST', 'projects/default/features', {
    name: 'banner',
    type: 'release',
    description: 'Spring',
  });
  await unleash('POST', `${BANNER}/environments/production/strategies`, ROLLOUT);
  const run = (...args: string[]) => fig(['flags', ...args, '--data', running.data]);
  return { ...running, admin, token, unleash, run };
}

/** `fig up` that reads its flags from this flag server. */
async function onUnleash(url: string, env: NodeJS.ProcessEnv) {
  const config = {
    ...ordersConfig(await twoSides()),
    flags: {
      unleash: `${url}/api/`,
      refreshMs: 250,
      ...(env['ADMIN'] === undefined ? {} : { adminTokenEnv: 'ADMIN' }),
    },
  };
  const running = await up(config, env);
  const run = (...args: string[]) => fig(['flags', ...args, '--data', running.data]);
  return { ...running, admin: adminClient(running.admin, running.data), run };
}

function failed({ exit, stdout }: Ended, code: number): void {
  expect({ exit, stdout }).toEqual({ exit: code, stdout: '' });
}

describe('fig flags list', () => {
  test('says of every flag its state, share and owner', async () => {
    const { run } = await server();
    const { exit, stdout, stderr } = await run('list');
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toMatch(/^NAME +TYPE +STATE +SHARE +OWNER +MORE$/m);
    expect(stdout).toMatch(
      /^fig\.orders\.serve +release +on +0 % +group orders, serve +asked 0 %, flag 0 %, effective 0 %$/m,
    );
    expect(stdout).toMatch(
      /^banner +release +off +custom +yours +flexibleRollout 10 % by userId if tenant IN \[acme\]$/m,
    );
  });

  test('says that a group’s flag was reshaped by hand, and --env looks elsewhere', async () => {
    const { run, unleash } = await server();
    await unleash('POST', 'projects/default/features/fig.orders.shadow/environments/production/off');
    expect((await run('list')).stdout).toMatch(
      /fig\.orders\.shadow .*switched off or reshaped by hand: left alone$/m,
    );
    const { stdout } = await run('list', '--env', 'development', '--json');
    const { schema, data } = JSON.parse(stdout);
    expect({ schema, environment: data.environment }).toEqual({
      schema: 'fig.flags-list/1',
      environment: 'development',
    });
    expect(data.flags).toContainEqual(expect.objectContaining({ name: 'banner', share: null, group: null }));
  });

  test('in an environment that is not there ends with 2 and names those that are', async () => {
    const { run } = await server();
    const ended = await run('list', '--env', 'staging');
    failed(ended, 2);
    expect(ended.stderr).toContain('known: development, production');
  });
});

describe('fig flags show', () => {
  test('says everything in words, and gives the definition as it is with --json', async () => {
    const { run } = await server();
    const { exit, stdout } = await run('show', 'banner');
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^about +Spring$/m);
    expect(stdout).toMatch(/^owner +yours$/m);
    expect(stdout).toMatch(/^development +off, no strategy$/m);
    expect(stdout).toContain(
      '1. flexibleRollout "first users": rollout 10, stickiness userId, groupId banner',
    );
    expect(stdout).toContain('constraint tenant IN [acme]');
    expect(stdout).toMatch(/^changes .*strategy added: flexibleRollout 10 %/m);
    const { data } = JSON.parse((await run('show', 'banner', '--json')).stdout);
    expect(data.flag.definition.environments[1].strategies[0]).toMatchObject(ROLLOUT);
  });

  test('of a flag that is not there ends with 2', async () => {
    const { run } = await server();
    const ended = await run('show', 'nope');
    failed(ended, 2);
    expect(ended.stderr).toBe('fig: there is no flag "nope"\n     see fig flags list\n');
  });

  test.each(['a/b', '..', 'a b'])('of %j, which no flag can be called, ends with 2', async (name) => {
    const ended = await fig(['flags', 'show', name]);
    failed(ended, 2);
    expect(ended.stderr).toContain('expected the name of a flag');
  });

  test('prints no control character that somebody put into a flag', async () => {
    const { run, unleash } = await server();
    const body = { name: 'odd', type: 'release', description: '\u001b]0;owned\u0007' };
    await unleash('POST', 'projects/default/features', body);
    const { stdout } = await run('show', 'odd');
    expect(stdout).toContain('owned');
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  });
});

describe('fig flags set, on, off', () => {
  test('move a flag, say what they did, and are remembered with who and why', async () => {
    const { run } = await server();
    const set = await run('set', 'banner', '25%', '-m', 'spring sale');
    expect(set).toMatchObject({ exit: 0, stderr: '' });
    expect(set.stdout).toContain('production: rollout 10 % -> rollout 25 %, read back');
    expect(set.stdout).toContain('it is off in production: the rollout has no effect yet');
    const on = await run('on', 'banner', '--json');
    expect(JSON.parse(on.stdout)).toMatchObject({
      schema: 'fig.flag-receipt/1',
      data: { flag: 'banner', environment: 'production', status: 'changed', from: 'off', to: 'on' },
    });
    expect((await run('on', 'banner')).stdout).toContain('already so: on');
    expect((await run('off', 'banner', '--env', 'production')).stdout).toContain('on -> off, read back');
    const { stdout } = await run('history', 'banner');
    expect(stdout).toMatch(/ana \(admin\) +banner +production +rollout 10 % -> 25 % +spring sale$/m);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/ana \(admin\) .*switched off$/);
  });

  test.each([
    [['set', 'bare', '5'], 'bare has no strategy in production: add a flexibleRollout'],
    [['on', 'bare'], 'Add a strategy with an explicit rollout first'],
  ])('of a flag that cannot take it end with 5 and say what to do: %j', async (args, why) => {
    const { run, unleash } = await server();
    await unleash('POST', 'projects/default/features', { name: 'bare', type: 'release' });
    const ended = await run(...args);
    failed(ended, 5);
    expect(ended.stderr).toContain(why);
    expect(ended.stderr).toContain('see fig flags show bare');
  });

  test.each([
    [['set', 'fig.orders.serve', '25%'], 'fig shift orders 25%'],
    [['off', 'fig.orders.serve'], 'fig rollback orders'],
    [['on', 'fig.orders.shadow'], 'fig shadow orders on'],
    [['set', 'fig.orders.shadow', '25'], 'fig shadow orders on --sample 25%'],
    [['off', 'fig.orders.shadow', '--json'], 'fig shadow orders off'],
  ])('of a group’s flag end with 5 and name the command that moves its ledger: %j', async (args, next) => {
    const { run, admin } = await server();
    const ended = await run(...args);
    failed(ended, 5);
    expect(ended.stderr).toContain(next);
    const [group] = (await admin.status()).groups;
    expect(group).toMatchObject({ share: { flag: 0 }, shadow: { flag: 0 } });
  });

  test('with --force override a group’s flag, and say that the ledger still holds', async () => {
    const { run, admin } = await server();
    await admin.move('orders', { kind: 'shadow', sample: 100 });
    await admin.move('orders', { kind: 'shift', share: 10 });
    const forced = await run('set', 'fig.orders.serve', '50', '--force', '-m', 'drill');
    expect(forced.exit).toBe(0);
    expect(forced.stdout).toContain("the ledger's share of 10 % still holds, no unit above it moves");
    const { groups } = await admin.until(({ groups: [group] }) => group?.share.flag === 50);
    expect(groups[0]?.share).toMatchObject({ asked: 10, effective: 10 });
    expect((await run('list')).stdout).toMatch(
      /fig\.orders\.serve .*asked 10 %, flag 50 %, effective 10 %$/m,
    );
    expect(await admin.history()).toContainEqual(
      expect.objectContaining({
        type: 'override.detected',
        body: expect.objectContaining({ flag: 'serve', expected: 10, seen: '50' }),
      }),
    );
  });

  test('switch a group’s flag on again that was switched off by hand', async () => {
    const { run, unleash } = await server();
    await unleash('POST', 'projects/default/features/fig.orders.serve/environments/production/off');
    const ended = await run('on', 'fig.orders.serve');
    failed(ended, 5);
    expect(ended.stderr).toContain('see fig flags on fig.orders.serve --force');
    const forced = await run('on', 'fig.orders.serve', '--force');
    expect(forced.stdout).toContain('off -> on, read back');
    expect(forced.stdout).not.toContain('override');
  });

  test('in an environment that is not there, or of no flag, end with 2', async () => {
    const { run } = await server();
    failed(await run('on', 'banner', '--env', 'staging'), 2);
    failed(await run('off', 'nope'), 2);
  });

  test('of an archived flag end with 5', async () => {
    const { run, unleash } = await server();
    await unleash('DELETE', BANNER);
    const ended = await run('on', 'banner');
    failed(ended, 5);
    expect(ended.stderr).toContain('archived: revive it');
  });

  test.each(['101', '2.5%', 'half'])('to %s is no usage and ends with 2', async (percent) => {
    failed(await fig(['flags', 'set', 'banner', percent]), 2);
  });
});

describe('fig flags history', () => {
  test('lists the events of all flags, newest last, as many as are asked for', async () => {
    const { run } = await server();
    const { data } = JSON.parse((await run('history', '--limit', '2', '--json')).stdout);
    expect(data.events).toMatchObject([
      { flag: 'banner', what: 'created, type release' },
      { flag: 'banner', by: 'admin', what: expect.stringContaining('strategy added'), asked: null },
    ]);
  });

  test('of a flag that never was ends with 2', async () => {
    const { run } = await server();
    failed(await run('history', 'nope'), 2);
  });
});

describe('fig flags export', () => {
  const body = { features: [{ name: 'banner' }], featureStrategies: [], featureEnvironments: [] };

  /** A server whose flag server exports this. */
  async function exporting(status = 200, meanwhile: () => void = () => undefined) {
    const { flags, token, data } = await server();
    const through = await between(flags ?? '', (_method, path) => {
      if (path !== 'features-batch/export') return null;
      meanwhile();
      return { status, body };
    });
    const client = readFileSync(join(data, 'flags.client.token'), 'utf8').trim();
    return {
      ...(await onUnleash(through.url, { UNLEASH_TOKEN: client, ADMIN: token })),
      requests: through.requests,
    };
  }

  test('writes one file for its owner only, and leaves nothing else', async () => {
    const { run } = await exporting();
    const folder = temporaryFolder();
    const file = join(folder, 'flags.json');
    const { exit, stdout, stderr } = await run('export', '-o', file);
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' });
    expect(stderr).toContain('production 1 flags, development 1 flags');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      schema: 'fig.flags/1',
      exportedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      source: 'unleash',
      environments: { production: body, development: body },
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['flags.json']);
  });

  test('overwrites only with --force, and asks the flag server for nothing otherwise', async () => {
    const { run, requests } = await exporting();
    const file = join(temporaryFolder(), 'flags.json');
    writeFileSync(file, 'mine');
    const ended = await run('export', '-o', file);
    failed(ended, 2);
    expect(ended.stderr).toContain('--force overwrites it');
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(requests.some((line) => line.includes('export'))).toBe(false);
    const forced = await run('export', '-o', file, '--force', '--json');
    expect(JSON.parse(forced.stdout)).toMatchObject({ schema: 'fig.flags-file/1', data: { file } });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ schema: 'fig.flags/1' });
  });

  test('leaves a file alone that appeared meanwhile', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'flags.json');
    const { run } = await exporting(200, () => writeFileSync(file, 'mine'));
    failed(await run('export', '-o', file), 2);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['flags.json']);
  });

  test('goes to stdout with -, and a folder that is not there ends with 1', async () => {
    const { run } = await exporting();
    expect(JSON.parse((await run('export', '-o', '-')).stdout)).toMatchObject({ schema: 'fig.flags/1' });
    const ended = await run('export', '-o', join(temporaryFolder(), 'none', 'flags.json'));
    failed(ended, 1);
    expect(ended.stderr).toContain('cannot be written (ENOENT)');
  });

  test('of a flag server that cannot ends with 1 and says so', async () => {
    const { run } = await exporting(404);
    const ended = await run('export');
    failed(ended, 1);
    expect(ended.stderr).toContain('this flag server cannot export its flags');
  });
});

describe('without an admin token', () => {
  async function readOnly() {
    const origin = await server();
    const client = readFileSync(join(origin.data, 'flags.client.token'), 'utf8').trim();
    const reading = await onUnleash(origin.flags ?? '', { UNLEASH_TOKEN: client });
    await reading.admin.until(({ flags }) => flags.data === 'fresh');
    return reading;
  }

  test('list and show give what the data plane reads, and say so', async () => {
    const { run } = await readOnly();
    const list = await run('list');
    expect(list.exit).toBe(0);
    expect(list.stdout).toMatch(/^fig\.orders\.serve +release +on +0 % +group orders, serve/m);
    expect(list.stderr).toContain('no admin token: this is what the data plane reads');
    const show = await run('show', 'fig.orders.serve', '--json');
    expect(show.exit).toBe(0);
    expect(JSON.parse(show.stdout).data).toMatchObject({ seen: 'reader', changes: null });
    failed(await run('list', '--env', 'development'), 2);
  });

  test.each([[['set', 'banner', '5']], [['on', 'banner']], [['off', 'banner']], [['history']], [['export']]])(
    'fig flags %j ends with 4 and names the option',
    async (args) => {
      const { run } = await readOnly();
      const ended = await run(...args);
      failed(ended, 4);
      expect(ended.stderr).toContain('no admin token is configured (flags.adminTokenEnv)');
    },
  );
});

describe('fig explain', () => {
  test('says of each flag the bucket of this unit and what it was held against', async () => {
    const { data, admin } = await server();
    await admin.move('orders', { kind: 'shadow', sample: 100 });
    await admin.move('orders', { kind: 'shift', share: 33 });
    const ask = () => fig(['explain', 'GET /orders/1', '-H', 'X-User: user-42', '--data', data]);
    const { exit, stdout } = await ask();
    expect(exit).toBe(0);
    expect(stdout).toContain(
      '        fig.orders.serve off: flexibleRollout: bucket 34 of 100 for orders, rollout 33: off\n' +
        '        fig.orders.shadow on: flexibleRollout: bucket 40 of 100 for orders.shadow, rollout 100: on\n',
    );
    await admin.move('orders', { kind: 'shift', share: 34 });
    expect((await ask()).stdout).toContain(
      'fig.orders.serve on: flexibleRollout: bucket 34 of 100 for orders, rollout 34: on',
    );
  });

  test('says each strategy, the parent and a flag that was switched off', async () => {
    const { data, unleash } = await server();
    const place = 'projects/default/features/fig.orders.serve/environments/production';
    await unleash('POST', `${place}/strategies`, { ...ROLLOUT, constraints: [] });
    await unleash('POST', 'projects/default/features/fig.orders.shadow/environments/production/off');
    const { stdout } = await fig(['explain', 'GET /orders/1', '-H', 'X-User: ana', '--data', data]);
    expect(stdout).toMatch(
      /fig\.orders\.serve \w+: strategy 1 flexibleRollout: bucket \d+ of 100 for orders, rollout 0: off/,
    );
    expect(stdout).toContain('strategy 2 flexibleRollout: sticky field userId is missing: off');
    expect(stdout).toContain('fig.orders.shadow off: it is switched off');
  });

  test('says that no flag was read yet, and what the flag server said', async () => {
    const { data, admin } = await onUnleash('http://127.0.0.1:1', {
      UNLEASH_TOKEN: `default:production.${'c'.repeat(32)}`,
    });
    await admin.until(({ flags }) => flags.lastError !== null);
    const { exit, stdout } = await fig(['explain', 'GET /orders/1', '-H', 'X-User: ana', '--data', data]);
    expect(exit).toBe(0);
    expect(stdout).toContain(
      '(no-data; share missing); no flag was read yet: the flag server refused the connection',
    );
    expect(stdout).toContain('fig.orders.serve unknown: no flag was read yet');
  });
});

describe('with a flag server that', () => {
  const tokens = { UNLEASH_TOKEN: `default:production.${'c'.repeat(32)}`, ADMIN: `*:*.${'a'.repeat(32)}` };

  test('is down, every command ends with 6', async () => {
    const { run } = await onUnleash('http://127.0.0.1:1', tokens);
    for (const args of [['list'], ['show', 'banner'], ['set', 'banner', '5'], ['history'], ['export']]) {
      const ended = await run(...args);
      failed(ended, 6);
      expect(ended.stderr).toBe('fig: the flag server could not be reached\n     see fig status\n');
    }
  });

  test('says what would drive a terminal, a command prints it as one harmless line', async () => {
    const message = '\u001b[31mfailed\u0007\nfig: done \u202eenod';
    const { url } = await between('http://127.0.0.1:1', () => ({ status: 500, body: { message } }));
    const { run } = await onUnleash(url, tokens);
    const listed = await run('list');
    failed(listed, 1);
    expect(listed.stderr).toBe(
      'fig: listing the flags failed: 500  [31mfailed fig: done  enod\n     see fig status\n',
    );
    const restored = await run('restore', 'orders');
    expect(restored.stdout + restored.stderr).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  });

  test('refuses the admin token, a command ends with 4 and says which token', async () => {
    const { flags } = await server();
    const { run } = await onUnleash(flags ?? '', tokens);
    const ended = await run('list');
    failed(ended, 4);
    expect(ended.stderr).toContain('check the token that flags.adminTokenEnv names');
  });

  test('lets somebody else be faster, set ends with 5 and names who', async () => {
    const { flags, token, data } = await server();
    const through = await between(flags ?? '', (method) => (method === 'PATCH' ? { status: 409 } : null));
    const client = readFileSync(join(data, 'flags.client.token'), 'utf8').trim();
    const { run } = await onUnleash(through.url, { UNLEASH_TOKEN: client, ADMIN: token });
    const ended = await run('set', 'banner', '5');
    failed(ended, 5);
    expect(ended.stderr).toMatch(/being changed by somebody else.*by admin at/);
  });
});
