import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { addFlagsImport } from '../../cli/flags-import.ts';
import { parseExportFile, TransferError } from '../../flags/export-file.ts';
import type { Login } from '../../flags/import-server.ts';
import { importFlags } from '../../flags/transfer.ts';
import { exportedFlags } from '../flags/exported.ts';
import { call, clock } from '../flags/world.ts';
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
