import { type Command, InvalidArgumentError } from 'commander';
import type { Comparisons, Envelope, GroupStatus, NoiseSummary, StatusData } from '../router/control/api.ts';
import { type Client, connect, dataFolder } from './client.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { findingLines } from './rule-text.ts';
import { age, bar, count, duration, percent, print, table } from './ui.ts';

interface StatusOptions {
  readonly watch?: boolean;
  readonly every: number;
  readonly data?: string;
  readonly json?: boolean;
}

export function addStatus(program: Command): void {
  program
    .command('status')
    .argument('[group]', 'only this group, in full')
    .option('--watch', 'keep printing; a terminal is redrawn, anything else gets a line per change')
    .option('--every <ms>', 'how often --watch asks', everyArgument, 1_000)
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON; with --watch one object per line')
    .description('where every group stands, what it waits for, and the next command')
    .action(async (group: string | undefined, options: StatusOptions) => {
      const client = connect(dataFolder(options.data));
      if (options.watch) await watch(client, group, options);
      else show(await status(client, group), group, options);
    });
}

async function status(client: Client, group: string | undefined): Promise<Envelope<StatusData>> {
  const reply = await client.get<StatusData>('/api/v1/status');
  if (group === undefined) return reply;
  const groups = reply.data.groups.filter((candidate) => candidate.group === group);
  if (groups.length === 0) {
    const known = reply.data.groups.map((candidate) => candidate.group).join(', ');
    throw new CommandFailure(
      `there is no group "${group}"; known: ${known || 'none'}`,
      EXIT.usage,
      'fig status',
    );
  }
  return { ...reply, data: { ...reply.data, groups } };
}

/** Until the reader or the server goes away. Prints nothing while nothing changes. */
async function watch(client: Client, group: string | undefined, options: StatusOptions): Promise<never> {
  let last = '';
  for (;;) {
    const reply = await status(client, group);
    const state = stateOf(reply.data);
    if (state !== last) {
      const text = options.json ? JSON.stringify(reply) : render(reply, group);
      if (process.stdout.isTTY && !options.json) process.stdout.write(`\u001b[H\u001b[J${clipped(text)}\n`);
      else print(text);
      last = state;
    }
    await new Promise((resolve) => setTimeout(resolve, options.every));
  }
}

/** What makes a look worth printing: everything but the ages. */
function stateOf({ flags, ...data }: StatusData): string {
  return JSON.stringify({ ...data, flags: { ...flags, ageMs: null } });
}

function show(reply: Envelope<StatusData>, group: string | undefined, options: StatusOptions): void {
  print(options.json ? JSON.stringify(reply) : render(reply, group));
}

function render(reply: Envelope<StatusData>, group: string | undefined): string {
  const { data, at } = reply;
  const head = `${flagLine(data)}\n${workersLine(data)}`;
  if (data.groups.length === 0)
    return `${head}no groups: every request goes to legacy (${count(data.ungrouped)} so far)`;
  if (group !== undefined) return head + data.groups.map((g) => full(g, at)).join('\n\n');
  const rows = data.groups.map((g) => [
    g.group,
    stageText(g),
    bar(g.share.effective),
    shareText(g),
    comparedText(g.comparisons),
    g.waiting[0] ?? g.next ?? '',
  ]);
  const overview = table([['GROUP', 'STAGE', 'SHARE', '', 'COMPARED', 'WAITING OR NEXT'], ...rows]);
  return `${head}${overview}${findingsText(data.groups)}`;
}

/** Beside the numbers that the rules have made; empty where there is nothing to say. */
function findingsText(groups: readonly GroupStatus[]): string {
  const found = groups.filter(({ findings }) => findings.length > 0);
  const lines = found.map(({ group, findings }) => {
    const more = findings.length > 1 ? ` (and ${count(findings.length - 1)} more: fig status ${group})` : '';
    return `\nrules of ${group}: ${findingLines(findings)[0]}${more}`;
  });
  return lines.join('');
}

function flagLine({ flags, snapshot, traffic }: StatusData): string {
  const state =
    flags.data === 'none'
      ? 'never read'
      : flags.data === 'backup'
        ? 'from an earlier run'
        : flags.stale
          ? 'stale'
          : 'fresh';
  const error = flags.lastError === null ? '' : `; ${flags.lastError}`;
  return `traffic ${traffic}   snapshot ${snapshot}   flags ${flags.source}, ${state}${error}`;
}

/** Empty where the server answers requests itself. */
function workersLine({ workers, snapshot }: StatusData): string {
  if (workers.length === 0) return '';
  const each = workers.map((w) => {
    const behind = w.state === 'ready' && (w.snapshot ?? 0) < snapshot ? `, at snapshot ${w.snapshot}` : '';
    const restarts = w.restarts === 0 ? '' : `, restarted ${w.restarts}x`;
    return `${w.worker} ${w.state}${behind}${restarts}, ${count(w.requests)} requests`;
  });
  return `workers ${each.join('; ')}\n`;
}

function full(g: GroupStatus, now: string): string {
  const { share, traffic, comparisons } = g;
  const last =
    g.last === null
      ? ''
      : `${g.last.by} · ${age(g.last.at, now)} ago${g.last.reason === null ? '' : ` · "${g.last.reason}"`}`;
  const rows = [
    [
      g.group,
      `${stageText(g)}, ${g.routes.length} ${g.routes.length === 1 ? 'route' : 'routes'} -> ${g.service}   rev ${g.rev} · ${last}`,
    ],
    [
      'share',
      `${bar(share.effective)}  asked ${percent(share.asked)}  effective ${percent(share.effective)}  ${measuredText(g)}`,
    ],
    [
      'requests',
      `legacy ${count(traffic.legacy.requests)} (${count(traffic.legacy.failures)} failed)   service ${count(traffic.service.requests)} (${count(traffic.service.failures)} failed, ${count(traffic.fallbacks)} answered by legacy)`,
    ],
  ];
  if (traffic.withoutUnit > 0)
    rows.push([
      'no unit',
      `${count(traffic.withoutUnit)} requests carried no id and stayed on their safe side`,
    ]);
  if (traffic.unsafeByService > 0)
    rows.push([
      'data',
      `${count(traffic.unsafeByService)} writes answered by the service; it may hold the only copy`,
    ]);
  rows.push([
    'compared',
    `${comparedText(comparisons)}, ${count(comparisons.causes)} ${comparisons.causes === 1 ? 'cause' : 'causes'}; shadow asked ${percent(g.shadow.asked)}`,
  ]);
  if (g.noise !== null) rows.push(['noise', noiseText(g.noise)]);
  const skipped = skippedText(comparisons);
  if (skipped !== '') rows.push(['skipped', skipped]);
  for (const line of findingLines(g.findings)) rows.push(['rules', line]);
  rows.push(['waiting', g.waiting.length === 0 ? 'nothing' : g.waiting.join('; ')]);
  rows.push(['next', g.next ?? '-'], ['back', g.back ?? '-']);
  return table(rows);
}

function noiseText({ verdict, triples, paths, explained, regressions }: NoiseSummary): string {
  const [first] = regressions;
  const worst = first === undefined ? '' : `; ${first.route} ${first.template} ${first.kind}`;
  return `${verdict} after ${count(triples)} requests that legacy was asked twice: ${paths.REGRESSION} paths worse than legacy itself, ${paths.UNKNOWN} not known yet, ${paths.NOISE} noise (explains ${count(explained)} pairs), ${paths.CLEAN} clean${worst}`;
}

function measuredText({ share, traffic }: GroupStatus): string {
  if (share.measured === null) return 'measured: no unit seen yet';
  const { percent: measured, lower, upper, units } = share.measured;
  const requests = traffic.legacy.requests + traffic.service.requests;
  return `measured ${percent(measured)} [${lower.toFixed(1)}, ${upper.toFixed(1)}] over ${count(units)} units; ${percent((100 * traffic.service.requests) / Math.max(1, requests))} of requests`;
}

function stageText(g: GroupStatus): string {
  return g.stopped === null ? g.stage : `${g.stage}, ${g.stopped}`;
}

function shareText({ share }: GroupStatus): string {
  const measured = share.measured === null ? 'no unit seen' : `measured ${percent(share.measured.percent)}`;
  return `asked ${percent(share.asked)}, ${measured}`;
}

function comparedText({ same, ignored, different }: Comparisons): string {
  const compared = same + ignored + different;
  return compared === 0 ? 'nothing' : `${count(different)} of ${count(compared)} different`;
}

function skippedText({ skipped }: Comparisons): string {
  return Object.entries(skipped)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => `${count(n)} ${reason}`)
    .join(', ');
}

function clipped(text: string): string {
  const rows = process.stdout.rows - 1;
  return text.split('\n').slice(0, rows).join('\n');
}

function everyArgument(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 250 || value > 60_000)
    throw new InvalidArgumentError(`expected ${duration(250)} to 60000 ms`);
  return value;
}
