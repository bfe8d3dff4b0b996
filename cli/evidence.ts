import type { Command } from 'commander';
import type {
  EvidenceData,
  EvidenceStanding,
  EvidenceStratum,
  StaleEvidence,
} from '../router/control/api.ts';
import { connect, dataFolder } from './client.ts';
import { age, count, percent, plainLines, print, table } from './ui.ts';

interface EvidenceOptions {
  readonly data?: string;
  readonly json?: boolean;
}

export function addEvidence(program: Command): void {
  program
    .command('evidence')
    .argument('<group>')
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('what comparing has shown so far, what is missing for a verdict, and how long that takes')
    .action(async (group: string, options: EvidenceOptions) => {
      const path = `/api/v1/groups/${encodeURIComponent(group)}/evidence`;
      const reply = await connect(dataFolder(options.data)).get<EvidenceData>(path);
      print(options.json ? JSON.stringify(reply) : plainLines(evidenceText(reply.data, reply.at)));
    });
}

function evidenceText({ group, standings, stale, kept }: EvidenceData, now: string): string {
  const blocks =
    standings.length === 0
      ? [`${group}  NoData: nothing was compared yet\nnext  fig status ${group}`]
      : standings.map((standing) => standingText(group, standing));
  if (stale.length > 0)
    blocks.push(
      [
        'stale: of other builds or rules, counts for nothing',
        ...stale.map((each) => staleText(each, now)),
      ].join('\n'),
    );
  if (kept.evicted > 0)
    blocks.push(
      `${count(kept.evicted)} parts of the traffic had to make room (${count(kept.scopes)} of ${count(kept.scopesMax)} kept)`,
    );
  return blocks.join('\n\n');
}

function standingText(group: string, standing: EvidenceStanding): string {
  const { shadowed, build, legacyBuild, rules, verdict, reasons, waitMs, eligible, compared, different } =
    standing;
  const rows = [
    [group, `${verdict}, copies to ${shadowed}`],
    ['builds', `service ${named(build)}, legacy ${named(legacyBuild)}; rules ${rules}`],
    [
      'compared',
      `${count(compared)} of ${count(eligible)} eligible, ${count(standing.requests)} different requests, ${count(standing.shapes.compared)} of ${count(standing.shapes.observed)} kinds; ${count(different)} differ`,
    ],
    ...reasons.map((reason) => [verdict === 'Inconclusive' ? 'missing' : 'because', reason]),
  ];
  if (verdict === 'Inconclusive') rows.push(['takes', waitText(waitMs)]);
  const shown = standing.strata.map(stratumRow);
  const head = ['ROUTE', 'TRAFFIC', 'REQUESTS', 'DIFFER', 'AT MOST', 'ONE LOOK', 'NEEDED'];
  const more = standing.strataCount - standing.strata.length;
  const lines = [table(rows), table([head, ...shown])];
  if (more > 0) lines.push(`and ${count(more)} smaller ones`);
  return lines.join('\n');
}

function stratumRow({ route, stratum, n, k, upper, fixedUpper, needed }: EvidenceStratum): string[] {
  return [
    route === '' ? '-' : route,
    stratum,
    count(n),
    count(k),
    share(upper),
    share(fixedUpper),
    needed === null ? 'never' : count(needed),
  ];
}

function staleText(
  { shadowed, build, legacyBuild, rules, compared, different, lastAt }: StaleEvidence,
  now: string,
): string {
  const last = age(new Date(lastAt).toISOString(), now);
  return `  copies to ${shadowed}, service ${named(build)}, legacy ${named(legacyBuild)}, rules ${rules}: ${count(compared)} compared, ${count(different)} different, last ${last} ago`;
}

function named(build: string): string {
  return build === '' ? 'unknown' : build;
}

/** A bound as a percentage with three digits. */
function share(rate: number): string {
  const value = rate * 100;
  return value >= 1 ? percent(value) : `${Number(value.toPrecision(3))} %`;
}

function waitText(waitMs: number | null): string {
  if (waitMs === null) return 'nobody can say yet';
  if (waitMs === 0) return 'no time: no further requests are needed';
  const minutes = Math.ceil(waitMs / 60_000);
  if (minutes < 120) return `about ${minutes} min at the present rate`;
  const hours = Math.ceil(minutes / 60);
  return hours < 72
    ? `about ${hours} h at the present rate`
    : `about ${Math.ceil(hours / 24)} days at the present rate`;
}
