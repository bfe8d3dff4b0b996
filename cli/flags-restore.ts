import type { Command } from 'commander';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';

/** Below `fig flags`. */
export function addFlagsRestore(flags: Command): void {
  const command = flags
    .command('restore')
    .argument('<group>')
    .description('put both flags of a group back as the ledger has them, whatever somebody made of them');
  withMoveOptions(command).action(async (group: string, options: MoveOptions) => {
    await carryOut(group, { kind: 'restore-flags' }, options);
  });
}
