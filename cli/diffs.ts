import { type Command, Option } from 'commander';
import type {
  CauseData,
  CauseSummary,
  DiffsData,
  Example,
  MarkData,
  PurgeData,
  SideShape,
} from '../router/control/api.ts';
import type { Mark } from '../router/core/events.ts';
import { connect, dataFolder } from './client.ts';
import { addDiffsIgnore } from './diffs-ignore.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { findingLines } from './rule-text.ts';
import { age, count, plainLines, print, table } from './ui.ts';

interface DiffsOptions {
  readonly mark?: Mark;
  readonly message?: string;
  readonly data?: string;
  readonly json?: boolean;
}

export function addDiffs(program: Command): void {
  const diffs = program
    .command('diffs')
    // An option behind `ignore` is that command's.
    .enablePositionalOptions()
    .argument('<group>')
    .argument('[cause]', 'one cause: both sides beside each other, how to ask for it, how to silence it')
    .addOption(
      new Option('--mark <mark>', 'what it is; kept in the ledger, changes no verdict').choices([
        'bug',
        'noise',
        'intended',
        'new',
      ]),
    )
    .option('-m, --message <reason>', 'why; needed with --mark')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('how the answers of legacy and service differ, grouped by cause, worst first')
    .action(async (group: string, cause: string | undefined, options: DiffsOptions) => {
      const client = connect(dataFolder(options.data));
      const path = `/api/v1/groups/${encodeURIComponent(group)}/causes`;
      if (cause === undefined) {
        if (options.mark !== undefined)
          throw new CommandFailure('--mark needs a cause', EXIT.usage, `fig diffs ${group}`);
        const reply = await client.get<DiffsData>(path);
        return print(options.json ? JSON.stringify(reply) : plainLines(diffsText(reply.data, reply.at)));
      }
      const one = `${path}/${encodeURIComponent(cause)}`;
      if (options.mark === undefined) {
        const reply = await client.get<CauseData>(one);
        return print(options.json ? JSON.stringify(reply) : plainLines(causeText(reply.data)));
      }
      if (options.message === undefined)
        throw new CommandFailure('--mark needs a reason: -m "why"', EXIT.usage);
      const reply = await client.post<MarkData>(`${one}/mark`, {
        mark: options.mark,
        reason: options.message,
      });
      const { mark, by, at } = reply.data;
      return print(options.json ? JSON.stringify(reply) : `${cause}  marked ${mark} by ${by} at ${at}`);
    });
  diffs
    .command('purge')
    .argument('<group>')
    .option('-m, --message <reason>', 'why; stored in the ledger')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('delete the causes of a group with their examples; counts and evidence stay')
    .action(async (group: string, _: unknown, command: Command) => {
      // An option that both commands have is given to the outer one.
      const options: DiffsOptions = command.optsWithGlobals();
      const reason = options.message === undefined ? {} : { reason: options.message };
      const path = `/api/v1/groups/${encodeURIComponent(group)}/purge`;
      const reply = await connect(dataFolder(options.data)).post<PurgeData>(path, reason);
      const { causes } = reply.data;
      print(
        options.json
          ? JSON.stringify(reply)
          : `${group}  ${count(causes)} ${causes === 1 ? 'cause' : 'causes'} deleted with examples`,
      );
    });
  addDiffsIgnore(diffs);
}

function diffsText({ group, comparisons, evicted, causes, findings }: DiffsData, now: string): string {
  const current = causes.filter((cause) => !cause.stale);
  const stale = causes.length - current.length;
  const rows = current.map((cause) => [
    cause.id,
    cause.mark,
    cause.severity,
    seenText(cause),
    ageOf(cause, now),
    routesText(cause),
    entriesText(cause),
  ]);
  const lines =
    rows.length === 0
      ? ['no differences']
      : [table([['CAUSE', 'MARK', 'SEVERITY', 'SEEN', 'LAST', 'ROUTE', 'WHAT'], ...rows])];
  lines.push(
    `${count(comparisons.same + comparisons.ignored + comparisons.different)} compared: ${count(comparisons.same)} same, ${count(comparisons.ignored)} ignored, ${count(comparisons.different)} different`,
  );
  const skipped = Object.entries(comparisons.skipped).sort(([, a], [, b]) => b - a);
  if (skipped.length > 0)
    lines.push(`skipped: ${skipped.map(([reason, n]) => `${count(n)} ${reason}`).join(', ')}`);
  if (evicted.causes > 0)
    lines.push(`${count(evicted.causes)} causes had to make room; counts with "at least" may be too high`);
  if (stale > 0) lines.push(`${count(stale)} causes of earlier builds or rules are kept but no longer count`);
  lines.push(...findingLines(findings));
  const first = current[0];
  if (first !== undefined) lines.push(`next  fig diffs ${group} ${first.id}`);
  return lines.join('\n');
}

function causeText(cause: CauseData): string {
  const { group, id, curl, marked } = cause;
  const mark = marked === null ? 'new' : `${marked.mark}, ${marked.by} at ${marked.at}: ${marked.reason}`;
  const head = table([
    ['cause', `${id}${cause.stale ? ' (of an earlier build or other rules)' : ''}`],
    ['mark', mark],
    ['seen', `${seenText(cause)} times, ${instant(cause.firstAt)} to ${instant(cause.lastAt)}`],
    ['requests', `about ${count(cause.shapes)} ${cause.shapes === 1 ? 'kind' : 'kinds'}`],
    ...cause.places.map(({ route, shadowed, build, count: seen }) => [
      'at',
      `${route}, copies to ${shadowed}${build === '' ? '' : `, build ${build}`}: ${count(seen)}`,
    ]),
    ...cause.entries.map((entry) => [
      'differs',
      `${entryText(entry)}  ${entry.severity}${entry.detail === null ? '' : ` (${entry.detail})`}`,
    ]),
    ...(curl === null
      ? []
      : [
          ['legacy', curl.legacy],
          ['service', curl.service],
        ]),
    ...cause.rules.map((rule, index) => [
      'rule',
      rule === null ? noRule(cause.entries[index]) : ruleText(rule),
    ]),
  ]);
  const examples = cause.examples.map(exampleText);
  const next = `next  fig diffs ${group} ${id} --mark bug -m "why"`;
  return [head, ...examples, next].join('\n\n');
}

/** Legacy on the left, service on the right. */
function exampleText({ request, count: all, differences }: Example): string {
  const rows = differences.map(({ path, kind, legacy, service }) => [
    path,
    kind,
    sideText(legacy),
    '|',
    sideText(service),
  ]);
  const more = all > differences.length ? [`and ${count(all - differences.length)} more`] : [];
  return [`example  ${request}`, table([['PATH', 'KIND', 'LEGACY', '|', 'SERVICE'], ...rows]), ...more].join(
    '\n',
  );
}

function sideText(side: SideShape | null): string {
  if (side === null) return '-';
  const { type, length, format, digest, code, value } = side;
  if (code !== undefined) return code;
  if (value !== undefined) return `${type} ${JSON.stringify(value)}`;
  const size = type === 'array' || type === 'object' || type === 'string' ? ` ${length}+` : '';
  const like = format === undefined || format === type ? '' : ` ${format}`;
  return `${type}${like}${size}${digest === undefined ? '' : ` #${digest.slice(0, 6)}`}`;
}

function ruleText(rule: object): string {
  return `${JSON.stringify(rule)} and owner, reason, expires`;
}

function noRule(entry: CauseSummary['entries'][number] | undefined): string {
  return `none for ${entry === undefined ? 'this' : entryText(entry)}: find out what it is`;
}

function seenText({ count: seen, error }: CauseSummary): string {
  return error === 0 ? count(seen) : `${count(seen)}, at least ${count(seen - error)}`;
}

function routesText({ places }: CauseSummary): string {
  const routes = [...new Set(places.map(({ route }) => route))];
  return routes.length > 1 ? `${routes[0]} and ${routes.length - 1} more` : (routes[0] ?? '-');
}

function entriesText(cause: CauseSummary): string {
  return cause.entries.map(entryText).join(', ');
}

function entryText({ template, kind, codes }: CauseSummary['entries'][number]): string {
  return `${template} ${kind}${codes === null ? '' : ` ${codes}`}`;
}

function ageOf(cause: CauseSummary, now: string): string {
  return age(instant(cause.lastAt), now);
}

function instant(at: number): string {
  return new Date(at).toISOString();
}
