import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { parseExportFile, TransferError, type TransferFault } from '../flags/move/export-file.ts';
import type { Login } from '../flags/move/import-server.ts';
import { type ImportedEnvironment, type ImportResult, importFlags } from '../flags/move/transfer.ts';
import { isLoopback, parseFlagUrl } from '../flags/url.ts';
import { CommandFailure, EXIT, type ExitCode } from './exit.ts';
import { count, print, say, table } from './ui.ts';

const FILE_BYTES_MAX = 64 * 1024 * 1024;
const SECRET_BYTES_MAX = 4_096;

interface ImportOptions {
  readonly to: URL;
  readonly environment?: readonly string[];
  readonly project: string;
  readonly user: string;
  readonly passwordEnv: string;
  readonly passwordFile?: string;
  readonly tokenEnv?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

export function addFlagsImport(flags: Command): void {
  flags
    .command('import')
    .argument('<file...>', 'what fig flags export wrote')
    .requiredOption('--to <url>', 'the flag server, for example https://unleash.example', urlArgument)
    .option('--environment <name>', 'only this environment; repeatable', appended)
    .option('--project <name>', 'project of the flags', 'default')
    .option('--user <name>', 'administrator who logs in', 'admin')
    .option('--password-env <name>', 'variable with the password', 'UNLEASH_PASSWORD')
    .option('--password-file <file>', 'file with the password, instead')
    .option('--token-env <name>', 'variable with a personal access token; nobody logs in')
    .option('--token-file <file>', 'file with the token, instead')
    .option('--json', 'print JSON')
    .description('move exported flags into a flag server, and compare what it answers for 10,000 units')
    .action(async (files: readonly string[], options: ImportOptions) => {
      const { to, project } = options;
      const environments = files
        .flatMap((file) => named(file, () => parseExportFile(textOf(file, FILE_BYTES_MAX))))
        .filter(({ environment }) => options.environment?.includes(environment) ?? true);
      const names = environments.map(({ environment }) => environment);
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      if (twice !== undefined)
        throw new CommandFailure(
          `${twice} is in more than one of the files: which of them counts?`,
          EXIT.usage,
        );
      if (environments.length === 0)
        throw new CommandFailure(`no environment ${options.environment?.join(', ')} in the file`, EXIT.usage);
      const login = loginOf(options, process.env);
      if (to.protocol === 'http:' && !isLoopback(to))
        say(`fig: ${to.origin} is not encrypted: the credentials can be read on the way`);
      const clock = { now: () => performance.now(), wall: () => Date.now() };
      const deps = { to: to.href, login, project, fetch, clock, pause: (ms: number) => setTimeout(ms) };
      const result = await importFlags(deps, environments).catch((error: unknown) => {
        throw failureOf(error);
      });
      print(
        options.json ? JSON.stringify({ schema: 'fig.flags-import/1', data: result }) : resultText(result),
      );
      for (const leftover of result.leftovers) say(`fig: ${leftover}`);
      const differences = result.environments.reduce((sum, one) => sum + one.differenceCount, 0);
      if (differences > 0)
        throw new CommandFailure(
          `${count(differences)} flags answer otherwise than before: keep the old URL until that is mended`,
          EXIT.failed,
          'docs/unleash.md',
        );
    });
}

const EXITS: Readonly<Record<TransferFault, ExitCode>> = {
  file: EXIT.usage,
  unreachable: EXIT.unreachable,
  denied: EXIT.denied,
  refused: EXIT.failed,
};

function failureOf(error: unknown): unknown {
  return error instanceof TransferError ? new CommandFailure(error.message, EXITS[error.fault]) : error;
}

/** Runs `work`; a fault of the file is said with its name. */
function named<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TransferError) throw new CommandFailure(`${file}: ${error.message}`, EXIT.usage);
    throw error;
  }
}

/** Secrets come from the environment or a file: arguments are seen by everybody on the machine. */
function loginOf(options: ImportOptions, env: NodeJS.ProcessEnv): Login {
  const { user, passwordEnv, passwordFile, tokenEnv, tokenFile } = options;
  if (tokenFile !== undefined) return { token: secretIn(tokenFile) };
  if (tokenEnv !== undefined) return { token: variable(tokenEnv, env, '--token-file') };
  if (passwordFile !== undefined) return { username: user, password: secretIn(passwordFile) };
  return { username: user, password: variable(passwordEnv, env, '--password-file') };
}

function variable(name: string, env: NodeJS.ProcessEnv, instead: string): string {
  const value = env[name];
  if (value === undefined || value === '')
    throw new CommandFailure(`the environment variable ${name} is not set; or use ${instead}`, EXIT.usage);
  return value;
}

function secretIn(file: string): string {
  const secret = textOf(file, SECRET_BYTES_MAX).replace(/\r?\n$/, '');
  if (secret === '') throw new CommandFailure(`${file} is empty`, EXIT.usage);
  return secret;
}

/** A pipe or a device has no size to look at beforehand. */
function textOf(file: string, bytesMax: number): string {
  try {
    const handle = openSync(file, 'r');
    try {
      const bytes = Buffer.alloc(bytesMax + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < bytes.length; length += read)
        read = readSync(handle, bytes, { offset: length });
      if (length > bytesMax)
        throw new CommandFailure(`${file} has more than ${count(bytesMax)} bytes`, EXIT.usage);
      return bytes.toString('utf8', 0, length);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CommandFailure(`${file} cannot be read (${error.code})`, EXIT.usage);
  }
}

function resultText({ environments }: ImportResult): string {
  return environments.flatMap(environmentLines).join('\n');
}

function environmentLines(one: ImportedEnvironment): string[] {
  const { environment, flags, replaced, evaluations, differenceCount, differences } = one;
  const lines = [
    `${environment}: ${count(flags)} flags, ${count(evaluations)} evaluations, ${count(differenceCount)} differences`,
  ];
  if (replaced > 0) lines.push(`  ${count(replaced)} were there and are replaced`);
  if (one.created.length > 0) lines.push(`  segments created: ${one.created.join(', ')}`);
  if (one.assumed.length > 0)
    lines.push(`  segments taken as they are on the server: ${one.assumed.join(', ')}`);
  if (one.byDefinition.length > 0)
    lines.push(`  answer at random, so compared by definition: ${one.byDefinition.join(', ')}`);
  if (differences.length > 0) {
    const rows = differences.map(({ flag, source, target, context }) => [
      flag,
      source,
      target,
      context ?? '-',
    ]);
    lines.push(table([['FLAG', 'FILE', 'SERVER', 'FOR'], ...rows]));
  }
  return lines;
}

function urlArgument(text: string): URL {
  const url = parseFlagUrl(text);
  if (!(url instanceof URL)) throw new InvalidArgumentError(url.text);
  return url;
}

function appended(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
