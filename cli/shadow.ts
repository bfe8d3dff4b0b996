import { Argument, type Command } from 'commander';
import type { StatusData } from '../router/control/api.ts';
import { percentArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { carryOut, type MoveOptions, withMoveOptions } from './receipt.ts';
import { say } from './ui.ts';

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
    if (state === 'on') for (const line of await writesOf(group, options)) say(line);
    await carryOut(group, { kind: 'shadow', sample: state === 'on' ? options.sample : 0 }, options);
  });
}

/** Copies of requests that change something are never turned on in silence. */
async function writesOf(group: string, options: ShadowOptions): Promise<readonly string[]> {
  const { data } = await connect(dataFolder(options.data)).get<StatusData>('/api/v1/status');
  const writes = data.groups.find((each) => each.group === group)?.writes ?? [];
  return writes.map(
    ({ route, mode, owner, reason, ticket, expires }) =>
      `fig: ${route} is copied as well (${mode}): ${reason}; ${owner}${ticket === null ? '' : `, ${ticket}`}, until ${expires}`,
  );
}
