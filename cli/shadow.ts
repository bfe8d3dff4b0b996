import { Argument, type Command } from 'commander';
import { percentArgument } from './arguments.ts';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';

interface ShadowOptions extends MoveOptions {
  readonly sample: number;
}

export function addShadow(program: Command): void {
  const command = program
    .command('shadow')
    .argument('<group>')
    .addArgument(new Argument('<state>', 'on or off').choices(['on', 'off']))
    .option('--sample <share>', 'percent of units whose requests are copied', percentArgument(0), 100)
    .description(
      'copy the safe requests of a group to its service, compare the answers, throw the copies away',
    );
  withMoveOptions(command).action(async (group: string, state: 'on' | 'off', options: ShadowOptions) => {
    await carryOut(group, { kind: 'shadow', sample: state === 'on' ? options.sample : 0 }, options);
  });
}
