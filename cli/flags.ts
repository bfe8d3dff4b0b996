import type { Command } from 'commander';
import type { FlagData, FlagRow, FlagsData, GroupFlag } from '../router/control/api.ts';
import type { StrategyShown } from '../router/core/flags.ts';
import { flagArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { addFlagsExport } from './flags-export.ts';
import { addFlagsHistory, eventRow } from './flags-history.ts';
import { addFlagsImport } from './flags-import.ts';
import { addFlagsMoves } from './flags-moves.ts';
import { addFlagsRestore } from './flags-restore.ts';
import { percent, print, say, table } from './ui.ts';

interface ShowOptions {
  readonly data?: string;
  readonly json?: boolean;
}

interface ListOptions extends ShowOptions {
  readonly env?: string;
  readonly archived?: boolean;
}

/** `fig flags …`: every flag of the flag server, a group's or anybody's. */
export function addFlags(program: Command): void {
  const flags = program
    .command('flags')
    .helpCommand(false)
    .description('look at flags and move your own; a group’s flags are moved by fig shift and fig shadow');
  flags
    .command('list')
    .option('--env <name>', 'of this environment (default: the one that decides about traffic)')
    .option('--archived', 'archived flags too')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('every flag: on or off, its share, and whose it is')
    .action(async (options: ListOptions) => {
      const query = new URLSearchParams({
        ...(options.env === undefined ? {} : { environment: options.env }),
        ...(options.archived ? { archived: 'true' } : {}),
      });
      const reply = await connect(dataFolder(options.data)).get<FlagsData>(`/api/v1/flags?${query}`);
      sayWhatIsSeen(reply.data.seen);
      if (options.json) return print(JSON.stringify(reply));
      if (reply.data.flags.length === 0) return say(`fig: there are no flags in ${reply.data.environment}`);
      print(listText(reply.data.flags));
    });
  flags
    .command('show')
    .argument('<name>', 'a flag', flagArgument)
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON, with the definition as the flag server has it')
    .description('everything of one flag, in words')
    .action(async (name: string, options: ShowOptions) => {
      const path = `/api/v1/flags/${encodeURIComponent(name)}`;
      const reply = await connect(dataFolder(options.data)).get<FlagData>(path);
      sayWhatIsSeen(reply.data.seen);
      print(options.json ? JSON.stringify(reply) : flagText(reply.data));
    });
  addFlagsMoves(flags);
  addFlagsHistory(flags);
  addFlagsExport(flags);
  addFlagsImport(flags);
  addFlagsRestore(flags);
}

function sayWhatIsSeen(seen: FlagsData['seen']): void {
  if (seen === 'reader')
    say('fig: no admin token: this is what the data plane reads, one environment, without titles and tags');
}

function listText(flags: readonly FlagRow[]): string {
  const rows = flags.map((flag) => [
    flag.name,
    flag.type ?? '-',
    flag.enabled ? 'on' : 'off',
    shareText(flag.share),
    flag.group === null ? 'yours' : `group ${flag.group.group}, ${flag.group.flag}`,
    notesOf(flag).join('; '),
  ]);
  return table([['NAME', 'TYPE', 'STATE', 'SHARE', 'OWNER', 'MORE'], ...rows]);
}

function shareText(share: FlagRow['share']): string {
  if (share === null) return '-';
  return typeof share === 'number' ? percent(share) : share;
}

function notesOf({ archived, stale, share, strategies, group }: FlagRow): string[] {
  const notes = [];
  if (archived) notes.push('archived');
  if (stale) notes.push('stale');
  if (group !== null) notes.push(groupText(group));
  if (share === null) notes.push('no strategy');
  else if (share === 'custom') notes.push(strategies.join(', or '));
  return notes;
}

/** `asked 25 %, flag 25 %, effective 25 %` */
function groupText({ asked, says, effective, foreign }: GroupFlag): string {
  const flag = typeof says === 'number' ? percent(says) : says;
  const parts = [`asked ${percent(asked)}`, `flag ${flag}`];
  if (effective !== null) parts.push(`effective ${percent(effective)}`);
  if (foreign) parts.push('switched off or reshaped by hand: left alone');
  return parts.join(', ');
}

function flagText({ flag, changes }: FlagData): string {
  const marks = [
    flag.type ?? 'unknown type',
    ...(flag.archived ? ['archived'] : []),
    ...(flag.stale ? ['stale'] : []),
    ...(flag.impressionData ? ['with impression data'] : []),
  ];
  const rows = [[flag.name, marks.join(', ')]];
  if (flag.description !== null && flag.description !== '') rows.push(['about', flag.description]);
  rows.push(['owner', ownerText(flag.group)]);
  for (const { name, enabled, strategies } of flag.environments) {
    const none =
      strategies === null
        ? ', its strategies are not shown while it is archived'
        : strategies.length === 0
          ? ', no strategy'
          : '';
    rows.push([name, `${enabled ? 'on' : 'off'}${none}`]);
    for (const [index, strategy] of (strategies ?? []).entries())
      for (const line of strategyLines(strategy, index + 1)) rows.push(['', line]);
  }
  if (flag.variants.length > 0) rows.push(['variants', flag.variants.join(', ')]);
  if (flag.dependencies.length > 0) rows.push(['parents', flag.dependencies.join(', ')]);
  if (flag.tags !== null && flag.tags.length > 0) rows.push(['tags', flag.tags.join(', ')]);
  for (const [index, event] of (changes ?? []).entries())
    rows.push([index === 0 ? 'changes' : '', eventRow(event).slice(1).filter(Boolean).join('  ')]);
  return table(rows);
}

function ownerText(group: GroupFlag | null): string {
  if (group === null) return 'yours';
  return `group ${group.group}, ${group.flag}: ${groupText(group)}; moved by fig ${group.flag === 'serve' ? 'shift' : 'shadow'} ${group.group}`;
}

function strategyLines(strategy: StrategyShown, number: number): string[] {
  const { name, title, disabled, parameters, constraints, segments, variants } = strategy;
  const values = Object.entries(parameters).map(([key, value]) => `${key} ${value}`);
  const named = title === null || title === '' ? '' : ` "${title}"`;
  return [
    `${number}. ${name}${named}${disabled ? ', disabled' : ''}${values.length === 0 ? '' : `: ${values.join(', ')}`}`,
    ...constraints.map((constraint) => `   constraint ${constraint}`),
    ...segments.map(
      (segment) =>
        `   segment ${segment.id}${segment.name === null ? '' : ` ${segment.name}`}: ${segment.constraints.join(' and ') || 'no constraint known'}`,
    ),
    ...(variants.length === 0 ? [] : [`   variants ${variants.join(', ')}`]),
  ];
}
