import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { FlagExportData } from '../router/control/api.ts';
import { connect, dataFolder } from './client.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { print, say } from './ui.ts';

interface ExportOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly data?: string;
  readonly json?: boolean;
}

/** One file that `fig flags import` and, environment by environment, Unleash's import take. */
interface ExportFile {
  readonly schema: 'fig.flags/1';
  /** RFC 3339 UTC. */
  readonly exportedAt: string;
  readonly source: FlagExportData['source'];
  readonly environments: FlagExportData['environments'];
}

export function addFlagsExport(flags: Command): void {
  flags
    .command('export')
    .option('-o, --output <file>', 'where to; - is stdout', '-')
    .option('--force', 'overwrite a file that is there')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print what was written as JSON')
    .description('every flag of every environment in one file')
    .action(async (options: ExportOptions) => {
      const { output, force = false } = options;
      const file = output === '-' ? null : resolve(output);
      // Asked first: an export leaves an event in the audit log.
      if (file !== null && !force && existsSync(file)) throw isThere(file);
      const reply = await connect(dataFolder(options.data)).post<FlagExportData>('/api/v1/flags-export', {});
      const { source, environments } = reply.data;
      const content: ExportFile = { schema: 'fig.flags/1', exportedAt: reply.at, source, environments };
      const text = JSON.stringify(content, null, 2);
      if (file === null) return print(text);
      write(file, `${text}\n`, force);
      const counts = Object.entries(environments).map(([name, body]) => ({ name, flags: flagCount(body) }));
      if (options.json)
        print(
          JSON.stringify({ schema: 'fig.flags-file/1', at: reply.at, data: { file, environments: counts } }),
        );
      else say(`fig: ${file}: ${counts.map(({ name, flags: n }) => `${name} ${n} flags`).join(', ')}`);
    });
}

function flagCount(body: unknown): number {
  const features = typeof body === 'object' && body !== null && 'features' in body ? body.features : null;
  return Array.isArray(features) ? features.length : 0;
}

/** Whole or not at all, mode 0600. Without `force` a file that appeared meanwhile stays too. */
function write(file: string, text: string, force: boolean): void {
  const temporary = `${file}.${process.pid}.new`;
  try {
    const handle = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (force) renameSync(temporary, file);
    else linkSync(temporary, file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'EEXIST' && existsSync(file)) throw isThere(file);
    throw new CommandFailure(`${file} cannot be written (${code})`, EXIT.failed);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function isThere(file: string): CommandFailure {
  return new CommandFailure(`${file} is there already; --force overwrites it`, EXIT.usage);
}
