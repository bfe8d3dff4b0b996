import type { Command } from 'commander';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';

export function addRollback(program: Command): void {
  const command = program
    .command('rollback')
    .argument('<group>')
    .description('put every user of a group back on legacy, recorded; legal in every stage before sealed');
  withMoveOptions(command).action(async (group: string, options: MoveOptions) => {
    await carryOut(group, { kind: 'rollback' }, options);
  });
}
