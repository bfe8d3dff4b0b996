import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addFlagsImport } from '../../cli/flags-import.ts';
import { exportedFlags } from '../flags/exported.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/free-port.ts';

async function imported(content: string, more: readonly string[] = []): Promise<void> {
  const file = join(temporaryFolder(), 'flags.json');
  writeFileSync(file, content);
  const flags = new Command('flags').exitOverride().configureOutput({ writeErr: () => undefined });
  addFlagsImport(flags);
  flags.commands[0]?.exitOverride().configureOutput({ writeErr: () => undefined });
  const to = ['--to', `http://127.0.0.1:${await freePort()}`];
  await flags.parseAsync(['import', file, ...to, ...more], { from: 'user' });
}

const EXPORTED = JSON.stringify(exportedFlags('x'));
const NO_PASSWORD = ['--password-env', 'FIG_TEST_NO_SUCH_VARIABLE'];

test.each([
  ['a torn file', EXPORTED.slice(0, 1000), [], 2, /flags\.json: the file is not JSON/],
  ['another file', '{"schema":"other"}', [], 2, /flags\.json: the file is no flag export/],
  [
    'an environment that is not in the file',
    EXPORTED,
    ['--environment', 'staging'],
    2,
    /no environment staging/,
  ],
  ['a file without end', EXPORTED, ['/dev/zero'], 2, /^\/dev\/zero has more than 67,108,864 bytes$/],
  ['no password', EXPORTED, NO_PASSWORD, 2, /FIG_TEST_NO_SUCH_VARIABLE is not set; or use --password-file/],
  ['no password file', EXPORTED, ['--password-file', '/nowhere/at/all'], 2, /cannot be read \(ENOENT\)/],
  [
    'a server that is not there',
    EXPORTED,
    ['--token-env', 'PATH'],
    6,
    /could not be reached \(ECONNREFUSED\)/,
  ],
])('%s ends with its exit code and one sentence', async (_what, content, more, exit, message) => {
  await expect(imported(content, more)).rejects.toMatchObject({
    exit,
    message: expect.stringMatching(message),
  });
});

test('an environment that two files have is a usage error: either could be meant', async () => {
  const other = join(temporaryFolder(), 'other.json');
  writeFileSync(other, EXPORTED);
  await expect(imported(EXPORTED, [other])).rejects.toMatchObject({
    exit: 2,
    message: expect.stringContaining('production is in more than one of the files'),
  });
});

test.each(['unleash.example', 'ftp://unleash.example', 'https://ana:secret@unleash.example'])(
  'the address %s is a usage error',
  async (to) => {
    await expect(imported(EXPORTED, ['--to', to])).rejects.toMatchObject({
      code: 'commander.invalidArgument',
    });
  },
);
