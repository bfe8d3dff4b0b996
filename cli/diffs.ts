import type { Command } from 'commander';
import type { Comparisons } from '../router/control/api.ts';
import type { StoredCause } from '../router/core/ports.ts';
import type { Finding } from '../router/core/rules/findings.ts';
import { connect, dataFolder } from './client.ts';
import { addDiffsIgnore } from './diffs-ignore.ts';
import { findingLines } from './rule-text.ts';
import { age, count, print, table } from './ui.ts';

interface DiffsOptions {
  readonly data?: string;
  readonly json?: boolean;
}

interface Diffs {
  readonly group: string;
  readonly comparisons: Comparisons;
  readonly causes: readonly StoredCause[];
  readonly findings: readonly Finding[];
}

interface Cause {
  readonly group: string;
  readonly id: string;
  readonly rows: readonly StoredCause[];
}

export function addDiffs(program: Command): void {
  const diffs = program
    .command('diffs')
    // An option behind `ignore` is that command's.
    .enablePositionalOptions()
    .argument('<group>')
    .argument('[cause]', 'one cause with its redacted examples')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('how the answers of legacy and service differ, grouped by cause')
    .action(async (group: string, cause: string | undefined, options: DiffsOptions) => {
      const client = connect(dataFolder(options.data));
      const path = `/api/v1/groups/${encodeURIComponent(group)}/causes`;
      if (cause === undefined) {
        const reply = await client.get<Diffs>(path);
        print(options.json ? JSON.stringify(reply) : diffsText(reply.data, reply.at));
      } else {
        const reply = await client.get<Cause>(`${path}/${encodeURIComponent(cause)}`);
        print(options.json ? JSON.stringify(reply) : reply.data.rows.map(causeText).join('\n\n'));
      }
    });
  addDiffsIgnore(diffs);
}

function diffsText({ group, comparisons, causes, findings }: Diffs, now: string): string {
  const current = causes.filter((cause) => !cause.stale);
  const stale = causes.length - current.length;
  const rows = current.map((cause) => [
    cause.id,
    cause.severity,
    count(cause.count),
    ageOf(cause, now),
    cause.route,
    entriesText(cause),
  ]);
  const lines =
    rows.length === 0
      ? ['no differences']
      : [table([['CAUSE', 'SEVERITY', 'SEEN', 'LAST', 'ROUTE', 'WHAT'], ...rows])];
  lines.push(
    `${count(comparisons.same + comparisons.ignored + comparisons.different)} compared: ${count(comparisons.same)} same, ${count(comparisons.ignored)} ignored, ${count(comparisons.different)} different`,
  );
  const skipped = Object.entries(comparisons.skipped).sort(([, a], [, b]) => b - a);
  if (skipped.length > 0)
    lines.push(`skipped: ${skipped.map(([reason, n]) => `${count(n)} ${reason}`).join(', ')}`);
  if (stale > 0) lines.push(`${count(stale)} causes of earlier builds or rules are kept but no longer count`);
  lines.push(...findingLines(findings));
  const first = current[0];
  if (first !== undefined) lines.push(`next  fig diffs ${group} ${first.id}`);
  return lines.join('\n');
}

function causeText(cause: StoredCause): string {
  const head = table([
    ['cause', `${cause.id}${cause.stale ? ' (of an earlier build or other rules)' : ''}`],
    [
      'route',
      `${cause.route}, copies to ${cause.shadowed}${cause.build === '' ? '' : `, build ${cause.build}`}`,
    ],
    [
      'seen',
      `${count(cause.count)} times, ${new Date(cause.firstAt).toISOString()} to ${new Date(cause.lastAt).toISOString()}`,
    ],
    ...cause.entries.map((entry) => [
      'differs',
      `${entryText(entry)}  ${entry.severity}${entry.detail === null ? '' : ` (${entry.detail})`}`,
    ]),
  ]);
  const examples = cause.examples.map(
    (example) => `example\n${JSON.stringify(JSON.parse(example), null, 2)}`,
  );
  return [head, ...examples].join('\n');
}

function entriesText(cause: StoredCause): string {
  return cause.entries.map(entryText).join(', ');
}

function entryText({ template, kind, codes }: StoredCause['entries'][number]): string {
  return `${template} ${kind}${codes === null ? '' : ` ${codes}`}`;
}

function ageOf(cause: StoredCause, now: string): string {
  return age(new Date(cause.lastAt).toISOString(), now);
}
