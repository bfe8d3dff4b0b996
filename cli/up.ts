import type { Command } from 'commander';
import { ConfigError, findConfig, loadConfig } from '../router/config.ts';
import { type Running, startUp } from '../router/main.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { plain, print, say } from './ui.ts';
import { version } from './version.ts';

interface UpOptions {
  readonly config?: string;
  readonly data?: string;
}

export function addUp(program: Command): void {
  program
    .command('up')
    .option(
      '--config <file>',
      'configuration (default: FIG_CONFIG, else fig.config.{ts,mts,js,mjs,json} here or in a parent)',
    )
    .option('--data <folder>', 'data folder (default: from the configuration, .fig beside it)')
    .description('run everything in the configuration: traffic, admin API, embedded flag server')
    .action(async (options: UpOptions) => {
      await serve(async () => {
        const file = options.config ?? process.env['FIG_CONFIG'] ?? findConfig(process.cwd());
        if (file === null)
          throw new CommandFailure(
            'there is no fig.config.ts here or in a parent',
            EXIT.usage,
            'fig proxy --legacy URL needs none',
          );
        const load = async () => {
          const settings = await loadConfig(file, process.env, new Date().toISOString().slice(0, 10));
          return options.data === undefined ? settings : { ...settings, data: options.data };
        };
        return startUp(await load(), { load, version: version() });
      });
    });
}

/** Starts, says where, and stays until SIGTERM or Ctrl-C; a second one ends at once. SIGHUP reloads. */
export async function serve(start: () => Promise<Running>): Promise<void> {
  let running: Running | null = null;
  let asked: number | null = null;
  const end = (exit: number) => {
    running?.stop().then(
      () => process.exit(exit),
      (error: unknown) => {
        say(`fig: the end was not clean: ${String(error)}`);
        process.exit(EXIT.failed);
      },
    );
  };
  const stop = (exit: number) => {
    if (asked !== null) process.exit(exit);
    asked = exit;
    end(exit);
  };
  // From the first moment on: half a start has processes to end as well.
  process.on('SIGTERM', () => stop(EXIT.ok));
  process.on('SIGHUP', () => void running?.reload());
  process.on('SIGINT', () => stop(EXIT.interrupted));
  running = await start().catch((error: unknown) => {
    throw startFailure(error);
  });
  const { traffic, admin, flags } = running;
  // Whoever watched may leave: a lost console or a full disk behind it must not end the traffic.
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => undefined);
  print(JSON.stringify({ ready: true, traffic, admin, flags }));
  say(
    `fig: traffic ${traffic}${admin === null ? '' : `, admin API ${admin}`}${flags === null ? '' : `, embedded flag server ${flags}`}`,
  );
  for (const warning of running.warnings) say(`fig: warning: ${plain(warning)}`);
  if (asked !== null) end(asked);
}

function startFailure(error: unknown): unknown {
  if (error instanceof ConfigError) {
    const lines = error.faults.map(
      ({ path, text, hint }) =>
        `  ${path === '' ? '(file)' : path}  ${text}${hint === null ? '' : `; ${hint}`}`,
    );
    return new CommandFailure([error.message, ...lines].join('\n'), EXIT.usage);
  }
  if (error instanceof CommandFailure || !(error instanceof Error)) return error;
  const named = ['LedgerError', 'StoreError', 'FlagStoreError', 'DataFolderError'].includes(error.name);
  if (named) return new CommandFailure(error.message, EXIT.failed);
  // Errors of the system name the call and the address; a stack would say nothing more.
  if ('code' in error && 'syscall' in error) {
    const hint = error.code === 'EADDRINUSE' ? '; another process has that port' : '';
    return new CommandFailure(`${error.message}${hint}`, EXIT.failed);
  }
  return error;
}
