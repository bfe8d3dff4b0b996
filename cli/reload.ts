import type { Command } from 'commander';
import type { Reloaded } from '../router/control/api.ts';
import { connect, dataFolder } from './client.ts';
import { workersText } from './receipt.ts';
import { print } from './ui.ts';

interface ReloadOptions {
  readonly data?: string;
  readonly json?: boolean;
}

export function addReload(program: Command): void {
  program
    .command('reload')
    .option('--data <folder>', 'data folder of the server (default: .fig here or in a parent)')
    .option('--json', 'print JSON')
    .description(
      'let the server read its configuration and TLS files again: all of it, or with a fault nothing',
    )
    .action(async (options: ReloadOptions) => {
      const reply = await connect(dataFolder(options.data)).post<Reloaded>('/api/v1/reload', {});
      print(options.json ? JSON.stringify(reply) : reloadedText(reply.data));
    });
}

function reloadedText({ snapshot, planes, added, removed }: Reloaded): string {
  const changes = [
    ...added.map((group) => `group ${group} added`),
    ...removed.map((group) => `group ${group} removed`),
  ];
  return `reloaded  snapshot ${snapshot} in force${workersText(planes)}${changes.length === 0 ? '' : `; ${changes.join(', ')}`}`;
}
