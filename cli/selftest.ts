import type { Command } from 'commander';
import type { SelfTestData } from '../router/control/api.ts';
import { connect, dataFolder } from './client.ts';
import { count, percent, plainLines, print, table } from './ui.ts';

interface SelfTestOptions {
  readonly data?: string;
  readonly json?: boolean;
}

export function addSelfTest(program: Command): void {
  program
    .command('selftest')
    .argument('<group>')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description(
      'the share of known faults, put into answers as they pass, that comparing finds under the rules in force',
    )
    .action(async (group: string, options: SelfTestOptions) => {
      const path = `/api/v1/groups/${encodeURIComponent(group)}/selftest`;
      const reply = await connect(dataFolder(options.data)).get<SelfTestData>(path);
      print(options.json ? JSON.stringify(reply) : plainLines(selfTestText(reply.data)));
    });
}

function selfTestText({
  group,
  rules,
  tried,
  caught,
  faults,
  escaped,
  legacyAgainstItself,
}: SelfTestData): string {
  const itself = `legacy against itself: ${itselfText(legacyAgainstItself)}`;
  if (tried === 0)
    return `${group}  no fault was tried yet: answers that are the same must pass first (fig shadow ${group} on)\n${itself}`;
  const found = table([
    ['FAULT', 'TRIED', 'FOUND', ''],
    ...faults.map((each) => [
      each.fault,
      count(each.tried),
      count(each.caught),
      share(each.caught, each.tried),
    ]),
  ]);
  const lines = [`${group}  ${share(caught, tried)} of ${count(tried)} faults found, rules ${rules}`, found];
  if (escaped.length > 0)
    lines.push(
      table([
        ['ESCAPED', 'PATH', 'TIMES', 'HIDDEN BY'],
        ...escaped.map((each) => [
          each.fault,
          each.path,
          `${count(each.tried - each.caught)} of ${count(each.tried)}`,
          each.hiddenBy.length === 0 ? 'what is never compared' : each.hiddenBy.join(', '),
        ]),
      ]),
    );
  return [...lines, itself].join('\n');
}

function share(part: number, whole: number): string {
  return percent((100 * part) / whole);
}

function itselfText(clean: boolean | null): string {
  if (clean === null) return 'not asked twice yet';
  return clean ? 'no difference that is none' : 'differs; a rule is missing';
}
