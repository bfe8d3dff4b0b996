import type { Command } from 'commander';
import type { LedgerEvent } from '../router/core/events.ts';
import { countArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { print, say, table } from './ui.ts';

interface HistoryOptions {
  readonly limit: number;
  readonly data?: string;
  readonly json?: boolean;
}

export function addHistory(program: Command): void {
  program
    .command('history')
    .argument('[group]', 'only this group')
    .option('--limit <count>', 'how many events, newest last', countArgument, 50)
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('what happened: who moved what, when and why')
    .action(async (group: string | undefined, options: HistoryOptions) => {
      const query = new URLSearchParams({
        limit: String(options.limit),
        ...(group === undefined ? {} : { group }),
      });
      const reply = await connect(dataFolder(options.data)).get<{ events: readonly LedgerEvent[] }>(
        `/api/v1/ledger?${query}`,
      );
      if (options.json) return print(JSON.stringify(reply));
      const events = reply.data.events.toReversed();
      if (events.length === 0) return say('fig: nothing has happened yet');
      print(table([['SEQ', 'AT', 'GROUP', 'REV', 'WHAT', 'BY', 'WHY'], ...events.map(row)]));
    });
}

function row(event: LedgerEvent): string[] {
  const reason = 'reason' in event.body ? (event.body.reason ?? '') : '';
  return [
    String(event.seq),
    event.at,
    event.group,
    String(event.rev),
    what(event),
    `${event.actor.kind}:${event.actor.id}`,
    reason,
  ];
}

function what(event: LedgerEvent): string {
  switch (event.type) {
    case 'stage.changed':
      return `stage ${event.body.from} -> ${event.body.to}`;
    case 'share.intended':
      return `share ${event.body.from} % -> ${event.body.to} %`;
    case 'shadow.intended':
      return `shadow ${event.body.from} % -> ${event.body.to} %`;
    case 'rollback.decided':
      return `rollback ${event.body.from} % -> 0 % (epoch ${event.body.epoch})`;
    case 'share.verified':
      return `serve flag read back at ${event.body.readBack} %`;
    case 'shadow.verified':
      return `shadow flag read back at ${event.body.readBack} %`;
    case 'override.detected':
      return overridden(event.body);
    case 'override.cleared':
      return `the ${event.body.flag} flag was put back to ${event.body.readBack} %`;
    case 'restore.intended':
      return 'flags to be put back as the ledger has them';
    case 'rule.added':
      return ruleAdded(event.body);
    case 'rule.removed':
      return `rule ${event.body.id} removed`;
    case 'group.created':
      return `created, hash seed "${event.body.groupId}"`;
    case 'cause.marked':
      return `cause ${event.body.cause} marked ${event.body.mark}`;
    case 'comparisons.purged':
      return `${event.body.causes} causes with their examples deleted`;
    case 'kill.set':
      return 'killed';
    case 'kill.cleared':
      return 'released';
  }
}

function ruleAdded({ id, rule, forced }: Extract<LedgerEvent, { type: 'rule.added' }>['body']): string {
  const past = forced === null ? '' : `, forced past ${forced.past.join(', ')} with ${forced.second}`;
  return `rule ${id} added: ${rule.action} ${rule.path} until ${rule.expires}, owner ${rule.owner}${past}`;
}

function overridden(body: Extract<LedgerEvent, { type: 'override.detected' }>['body']): string {
  const { flag, seen, expected, what = null, by = null, at = null } = body;
  const how = what === null ? '' : ` (${what})`;
  const when = at === null ? '' : ` at ${at}`;
  return `${by ?? 'somebody'} set the ${flag} flag to ${seen}${how}${when}, expected ${expected}`;
}
