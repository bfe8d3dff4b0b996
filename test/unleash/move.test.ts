import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { addFlagsImport } from '../../cli/flags-import.ts';
import { parseExportFile, TransferError } from '../../flags/move/export-file.ts';
import type { Login } from '../../flags/move/import-server.ts';
import { importFlags } from '../../flags/move/transfer.ts';
import { exportedFlags } from '../flags/exported.ts';
import { call, clock } from '../flags/world.ts';
import { adminClient, fig, ordersConfig, startFig, twoSides } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/free-port.ts';

const FLAGS = 9;

function prefix(): string {
  return `m-${randomBytes(5).toString('hex')}`;
}

function admin(): Login {
  const { username, password } = inject('unleash');
  return { username, password };
}

/** Imports into the shared server. */
function moved(exported: object, login: Login = admin(), to = inject('unleash').url, pauses = true) {
  const pause = (ms: number) => setTimeout(pauses ? ms : 0);
  const deps = { to, login, project: 'default', fetch, clock, pause };
  return importFlags(deps, parseExportFile(JSON.stringify(exported)));
}

/** What the server has: the names of flags and segments of this prefix, and how many tokens. */
async function there(name: string) {
  const { url, adminToken } = inject('unleash');
  const read = async (path: string) => (await call(url, 'GET', path, undefined, adminToken)).body;
  const { features } = (await read('/api/admin/projects/default/features')) as { features: Named[] };
  const { segments } = (await read('/api/admin/segments')) as { segments: Named[] };
  const { tokens } = (await read('/api/admin/api-tokens')) as { tokens: { tokenName: string }[] };
  const ours = (all: Named[]) => all.map((one) => one.name).filter((one) => one.startsWith(name));
  return {
    flags: ours(features).length,
    segments: ours(segments).length,
    clientTokens: tokens.filter(({ tokenName }) => tokenName.startsWith('fig ')).length,
    personalTokens: await personalTokens(),
  };
}

interface Named {
  readonly name: string;
}

/** Descriptions of the administrator's personal access tokens, read as that administrator. */
async function personalTokens(): Promise<readonly string[]> {
  const { url, username, password } = inject('unleash');
  const login = await fetch(`${url}/auth/simple/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  // The session is stored before the last byte is sent, and not before the first.
  await login.text();
  const cookie = login.headers.getSetCookie().join('; ');
  const answer = await fetch(`${url}/api/admin/user/tokens`, { headers: { cookie } });
  const { pats } = (await answer.json()) as { pats: { description: string }[] };
  return pats.map(({ description }) => description);
}

const TIDY = { clientTokens: 0, personalTokens: [] };

/** The message of the refusal. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof TransferError)) throw new Error(`not refused: ${String(error)}`);
  return error.message;
}

test('an export is imported and answers 10,000 units as before, in both environments', async () => {
  const name = prefix();
  const { environments, leftovers } = await moved(exportedFlags(name, ['development', 'production']));
  const expected = {
    flags: FLAGS,
    replaced: 0,
    evaluations: 10_000 * (FLAGS - 1),
    byDefinition: [`${name}.lots`],
    differences: [],
    differenceCount: 0,
    created: [`${name}-beta`, `${name}-small`],
    assumed: [],
  };
  expect({ environments, leftovers }).toEqual({
    environments: [
      { environment: 'development', ...expected },
      { environment: 'production', ...expected },
    ],
    leftovers: [],
  });
  expect(await there(name)).toEqual({ flags: FLAGS, segments: 2, ...TIDY });
});

test('the same import again replaces what it made and changes no answer', async () => {
  const name = prefix();
  await moved(exportedFlags(name));
  const { environments } = await moved(exportedFlags(name));
  expect(environments).toMatchObject([{ replaced: FLAGS, created: [], differenceCount: 0 }]);
  expect(await there(name)).toEqual({ flags: FLAGS, segments: 2, ...TIDY });
});

test('what the server gives out otherwise than the file says is a difference', async () => {
  const name = prefix();
  const exported = exportedFlags(name);
  // Unleash stores variants by name, so that those of another order answer otherwise.
  for (const strategy of Object.values(exported.environments).flatMap((one) => one.featureStrategies))
    strategy.variants = strategy.variants.toReversed();
  const { environments } = await moved(exported, admin(), inject('unleash').url, false);
  expect(environments[0]?.differences.map(({ flag }) => flag)).toContain(`${name}.ordered`);
});

test.each([
  ['a wrong password', () => ({ username: 'admin', password: 'wrong' }), /refused the login of admin/],
  ['an admin token', () => ({ token: inject('unleash').adminToken }), /takes no admin token.*log in/],
  ['an unknown token', () => ({ token: '*:*.0123456789abcdef' }), /refused the token/],
])('%s imports nothing and leaves nothing behind', async (_what, login, message) => {
  const name = prefix();
  const said = await refusal(moved(exportedFlags(name), login()));
  expect(said).toMatch(message);
  expect(said).toMatch(/nothing was imported$|check user name and password$/);
  expect(await there(name)).toEqual({ flags: 0, segments: 0, ...TIDY });
});

test('a server that is not there is said with its address', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const said = await refusal(moved(exportedFlags(prefix()), admin(), url));
  expect(said).toBe(`${url}/api/ could not be reached (ECONNREFUSED)`);
});

test('of two environments none is imported when the server would refuse one', async () => {
  const name = prefix();
  const { url, adminToken } = inject('unleash');
  const path = '/api/admin/projects/default/features';
  await call(url, 'POST', path, { name: `${name}.serve`, type: 'release' }, adminToken);
  await call(url, 'DELETE', `${path}/${name}.serve`, undefined, adminToken);
  const said = await refusal(moved(exportedFlags(name, ['development', 'production'])));
  expect(said).toContain(`${name}.serve`);
  expect(said).toMatch(/archived.*nothing was imported/);
  expect(await there(name)).toEqual({ flags: 0, segments: 0, ...TIDY });
});

test('an environment that the server does not have is refused', async () => {
  const said = await refusal(moved(exportedFlags(prefix(), ['staging'])));
  expect(said).toContain('no environment staging, only development, production');
});

test('a segment that the server has with other constraints is refused', async () => {
  const name = prefix();
  const { url, adminToken } = inject('unleash');
  await call(url, 'POST', '/api/admin/segments', { name: `${name}-beta`, constraints: [] }, adminToken);
  const said = await refusal(moved(exportedFlags(name)));
  expect(said).toContain(`another segment "${name}-beta"`);
  expect(await there(name)).toEqual({ flags: 0, segments: 1, ...TIDY });
});

/** Runs `flags import` on a file with this content; resolves with what it printed. */
async function imported(content: unknown, more: readonly string[] = [], to = inject('unleash').url) {
  const folder = temporaryFolder();
  const file = join(folder, 'flags.json');
  const password = join(folder, 'password');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  writeFileSync(password, `${inject('unleash').password}\n`);
  const said: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  onTestFinished(() => spy.mockRestore());
  const flags = new Command('flags').exitOverride().configureOutput({ writeErr: () => undefined });
  addFlagsImport(flags);
  const args = ['import', file, '--to', to, '--password-file', password, ...more];
  await flags.parseAsync(args, { from: 'user' });
  return said.join('');
}

test('fig flags import says what was imported and that nothing answers otherwise', async () => {
  const lines = (await imported(exportedFlags(prefix()))).split('\n');
  expect(lines[0]).toBe('production: 9 flags, 80,000 evaluations, 0 differences');
});

test('differences are listed with the unit, and the exit code is 1', async () => {
  const content = exportedFlags(prefix());
  for (const strategy of Object.values(content.environments).flatMap((one) => one.featureStrategies))
    strategy.variants = strategy.variants.toReversed();
  await expect(imported(content)).rejects.toMatchObject({ exit: 1, message: /2 flags answer otherwise/ });
});

test('a login that is refused has exit code 4, and the password is in no message', async () => {
  const failure = imported(exportedFlags(prefix()), ['--user', 'nobody']);
  await expect(failure).rejects.toMatchObject({ exit: 4, message: /refused the login of nobody/ });
  await expect(failure).rejects.not.toThrow(inject('unleash').password);
});

const PROJECT = '/api/admin/projects/default/features';
const USERS = Array.from({ length: 300 }, (_, i) => `user-${i}`);

/** Whom the service answers. */
async function served(traffic: string): Promise<readonly string[]> {
  const answers = await Promise.all(
    USERS.map(async (user) => (await fetch(`${traffic}/orders/1`, { headers: { 'X-User': user } })).text()),
  );
  return USERS.filter((_, user) => answers[user] === 'service');
}

/** Flags of a person beside those of the group: a segment, a constraint, variants, a parent and a tag. */
async function addFlags(url: string, token: string, name: string): Promise<void> {
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await call(url, method, path, body, token);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const constraint = { contextName: 'userId', operator: 'STR_STARTS_WITH', values: ['user-1', 'user-2'] };
  const segment = (await send('POST', '/api/admin/segments', {
    name: `${name}-few`,
    constraints: [constraint],
  })) as { id: number };
  for (const flag of ['parent', 'child']) await send('POST', PROJECT, { name: `${name}.${flag}` });
  const strategies = (flag: string) => `${PROJECT}/${name}.${flag}/environments/production/strategies`;
  const parameters = { rollout: '60', stickiness: 'figUnit', groupId: name };
  await send('POST', strategies('parent'), {
    name: 'flexibleRollout',
    parameters,
    segments: [segment.id],
    variants: ['a', 'b', 'c'].map((variant) => ({
      name: variant,
      weight: 1,
      weightType: 'variable',
      stickiness: 'figUnit',
      payload: { type: 'string', value: variant },
    })),
  });
  await send('POST', strategies('child'), {
    name: 'flexibleRollout',
    parameters,
    constraints: [{ contextName: 'appName', operator: 'NOT_IN', values: ['other'] }],
  });
  for (const flag of ['parent', 'child'])
    await send('POST', `${PROJECT}/${name}.${flag}/environments/production/on`);
  await send('POST', `${PROJECT}/${name}.child/dependencies`, { feature: `${name}.parent` });
  await send('POST', `/api/admin/features/${name}.child/tags`, { type: 'simple', value: name });
}

test('growing out of the embedded server changes one URL, and nobody changes sides', async () => {
  const { url, username, password, adminToken, clientTokens } = inject('unleash');
  const group = `g-${randomBytes(5).toString('hex')}`;
  const { groups, ...config } = ordersConfig(await twoSides());
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  const started = (flags: object) => {
    const file = join(folder, 'fig.config.json');
    writeFileSync(file, JSON.stringify({ ...config, groups: { [group]: groups.orders }, flags }));
    return startFig(['up', '--config', file], {
      env: { CLIENT: clientTokens.production, ADMIN: adminToken },
    });
  };

  const before = await started({ embedded: { listen: '127.0.0.1:0' } });
  const admin = adminClient(before.admin, data);
  await admin.move(group, { kind: 'shadow', sample: 1 });
  await admin.move(group, { kind: 'shift', share: 37 });
  await addFlags(String(before.flags), readFileSync(join(data, 'flags.admin.token'), 'utf8').trim(), group);
  const exported = join(folder, 'flags.json');
  expect(await fig(['flags', 'export', '-o', exported, '--data', data])).toMatchObject({ exit: 0 });
  const servedBefore = await served(before.traffic);
  before.child.kill('SIGTERM');

  const imported = await fig(['flags', 'import', exported, '--to', url, '--user', username], {
    env: { UNLEASH_PASSWORD: password },
  });
  expect(imported).toMatchObject({ exit: 0, stdout: expect.stringMatching(/\b0 differences/) });
  const tags = await call(url, 'GET', `/api/admin/features/${group}.child/tags`, undefined, adminToken);
  expect(tags.body).toMatchObject({ tags: [{ type: 'simple', value: group }] });

  const after = await started({
    unleash: `${url}/api/`,
    tokenEnv: 'CLIENT',
    adminTokenEnv: 'ADMIN',
    refreshMs: 250,
  });
  const moved = adminClient(after.admin, data);
  const status = await moved.until(({ groups: [one] }) => one?.share.flag === 37);
  expect(status.groups[0]?.share).toMatchObject({ asked: 37, effective: 37 });
  expect(servedBefore.length).toBeGreaterThan(50);
  expect(await served(after.traffic)).toEqual(servedBefore);
  await moved.move(group, { kind: 'shift', share: 40 });
  expect((await moved.history()).filter(({ type }) => type === 'override.detected')).toEqual([]);
});
