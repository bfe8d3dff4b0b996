import type { Command } from 'commander';
import { percentArgument } from './arguments.ts';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';

export function addShift(program: Command): void {
  const command = program
    .command('shift')
    .argument('<group>')
    .argument('<share>', 'percent of units the service answers, for example 25%', percentArgument(2))
    .description('move a share of the users of a group to its service; from stage shadow this enters canary');
  withMoveOptions(command).action(async (group: string, share: number, options: MoveOptions) => {
    await carryOut(group, { kind: 'shift', share }, options);
  });
}
