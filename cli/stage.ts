import { Argument, type Command } from 'commander';
import type { Stage } from '../router/core/types.ts';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';

export function addStage(program: Command): void {
  const command = program
    .command('stage')
    .argument('<group>')
    .addArgument(
      new Argument('<stage>', 'one step up or down').choices(['legacy', 'shadow', 'canary', 'live']),
    )
    .description('move a group one stage up or down');
  withMoveOptions(command).action(async (group: string, to: Stage, options: MoveOptions) => {
    await carryOut(group, { kind: 'stage', to }, options);
  });
}
