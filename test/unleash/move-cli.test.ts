import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { addFlagsImport } from '../../cli/flags-import.ts';
import { exportedFlags } from '../flags/exported.ts';
import { temporaryFolder } from '../helpers/folder.ts';

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

const exported = () => exportedFlags(`c-${randomBytes(5).toString('hex')}`);

test('fig flags import says what was imported and that nothing answers otherwise', async () => {
  const lines = (await imported(exported())).split('\n');
  expect(lines[0]).toBe('production: 9 flags, 80,000 evaluations, 0 differences');
});

test('differences are listed with the unit, and the exit code is 1', async () => {
  const content = exported();
  for (const strategy of Object.values(content.environments).flatMap((one) => one.featureStrategies))
    strategy.variants = strategy.variants.toReversed();
  await expect(imported(content)).rejects.toMatchObject({ exit: 1, message: /2 flags answer otherwise/ });
});

test('a login that is refused has exit code 4, and the password is in no message', async () => {
  const failure = imported(exported(), ['--user', 'nobody']);
  await expect(failure).rejects.toMatchObject({ exit: 4, message: /refused the login of nobody/ });
  await expect(failure).rejects.not.toThrow(inject('unleash').password);
});
