import type { Command } from 'commander';
import type { FlagHistoryEvent } from '../router/control/api.ts';
import type { FlagEvent } from '../router/core/flags.ts';
import { countArgument, flagArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { print, say, table } from './ui.ts';

interface HistoryOptions {
  readonly limit: number;
  readonly data?: string;
  readonly json?: boolean;
}

export function addFlagsHistory(flags: Command): void {
  flags
    .command('history')
    .argument('[name]', 'only this flag', flagArgument)
    .option('--limit <count>', 'how many events, newest last', countArgument, 50)
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('what happened to flags: the audit log of the flag server, with who asked fig and why')
    .action(async (name: string | undefined, options: HistoryOptions) => {
      const query = new URLSearchParams({
        limit: String(options.limit),
        ...(name === undefined ? {} : { flag: name }),
      });
      const client = connect(dataFolder(options.data));
      const reply = await client.get<{ events: readonly FlagHistoryEvent[] }>(
        `/api/v1/flags-history?${query}`,
      );
      const events = reply.data.events.toReversed();
      if (options.json) return print(JSON.stringify({ ...reply, data: { events } }));
      if (events.length === 0) return say('fig: nothing has happened to flags yet');
      print(table([['ID', 'AT', 'WHO', 'FLAG', 'ENV', 'WHAT', 'WHY'], ...events.map(eventRow)]));
    });
}

/** An event as cells, its id first. The flag server knows whose token it was; who asked fig for it stands beside. */
export function eventRow(event: FlagEvent & Partial<Pick<FlagHistoryEvent, 'asked'>>): string[] {
  const { id, at, by, flag, environment, what, asked = null } = event;
  const who = asked === null ? by : `${asked.by} (${by})`;
  return [String(id), at, who, flag ?? '-', environment ?? '-', what, asked?.reason ?? ''];
}
