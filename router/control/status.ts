import { assertNever } from '../core/assert.ts';
import type { FlagName, Override } from '../core/events.ts';
import type { FlagReader, FlagShare, GroupNoise, Ledger, StoredCause } from '../core/ports.ts';
import type { GroupState } from '../core/rollout.ts';
import type { Finding } from '../core/rules/findings.ts';
import type { Group, Stage } from '../core/types.ts';
import type { Comparisons, GroupStatus, NoiseSummary, ShareStatus, SideTraffic } from './api.ts';
import { weighed } from './noise.ts';
import { type ArmCounts, type GroupTraffic, measuredShare, type Traffic } from './traffic.ts';

export interface StatusDeps {
  readonly ledger: Pick<Ledger, 'state'>;
  readonly reader: Pick<FlagReader, 'intent' | 'status'>;
  readonly traffic: Traffic;
  comparisons(group: string): Comparisons;
  findings(group: string): readonly Finding[];
  noise(group: string): GroupNoise | null;
  causes(group: string): readonly StoredCause[];
  trouble(group: string): string | null;
}

/** One group as every client shows it. */
export function groupStatus(group: Group, deps: StatusDeps): GroupStatus {
  const recorded = deps.ledger.state().groups.get(group.name);
  const traffic = deps.traffic.of(group.name);
  const intent = deps.reader.intent(group.name);
  const share: ShareStatus = {
    asked: recorded?.share ?? 0,
    flag: intent.serve,
    effective: effectiveShare(group, intent.serve),
    measured: measuredShare(traffic),
  };
  const comparisons = deps.comparisons(group.name);
  const waiting = waitingFor(group, recorded, traffic, comparisons, share, deps);
  return {
    group: group.name,
    service: group.service.name,
    routes: group.routes.map((route) => route.label),
    stage: group.stage,
    stopped: group.stopped,
    rev: recorded?.rev ?? 0,
    epoch: group.epoch,
    last: recorded === undefined ? null : lastOf(recorded),
    share,
    shadow: { asked: recorded?.shadowShare ?? 0, flag: intent.shadow },
    traffic: {
      since: new Date(traffic.since).toISOString(),
      legacy: side(traffic.legacy),
      service: side(traffic.service),
      withoutUnit: traffic.withoutUnit,
      fallbacks: traffic.fallbacks,
      unsafeByService: traffic.unsafeByService,
    },
    comparisons,
    findings: deps.findings(group.name),
    noise: noiseSummary(deps.noise(group.name), () => deps.causes(group.name)),
    writes: group.routes.flatMap(({ label, writes }) =>
      writes === null ? [] : [{ route: label, ...writes }],
    ),
    waiting,
    next: nextCommand(group, share.asked, comparisons),
    back: backCommand(group, share.asked),
  };
}

const REGRESSIONS_MAX = 20;

function noiseSummary(noise: GroupNoise | null, causes: () => readonly StoredCause[]): NoiseSummary | null {
  if (noise === null) return null;
  const explained = weighed(causes(), noise).reduce(
    (sum, cause) => sum + (cause.explained ? cause.count : 0),
    0,
  );
  const { verdict, triples, reports } = noise;
  const paths = { REGRESSION: 0, UNKNOWN: 0, NOISE: 0, CLEAN: 0 };
  for (const report of reports) paths[report.verdict] += 1;
  const regressions = reports
    .filter((report) => report.verdict === 'REGRESSION')
    .slice(0, REGRESSIONS_MAX)
    .map(({ route, template, kind, feature }) => ({ route, template, kind, feature }));
  return { verdict, triples, paths, explained, regressions };
}

/** What share of units the service really gets: the flag below the ceiling, nothing while stopped. */
export function effectiveShare(group: Pick<Group, 'stage' | 'stopped' | 'ceiling'>, flag: FlagShare): number {
  const { stage, stopped, ceiling } = group;
  switch (stage) {
    case 'legacy':
    case 'shadow':
      return 0;
    case 'canary':
      // A flag in another shape may say `on` for any unit; the ceiling is the most that follows from it.
      if (stopped !== null || flag === 'missing') return 0;
      return flag === 'custom' ? ceiling : Math.min(flag, ceiling);
    case 'live':
      if (stopped !== null) return 0;
      return typeof flag === 'number' ? flag : 100;
    case 'sealed':
    case 'retired':
      return 100;
    default:
      return assertNever(stage);
  }
}

function waitingFor(
  group: Group,
  recorded: GroupState | undefined,
  traffic: GroupTraffic,
  comparisons: Comparisons,
  share: ShareStatus,
  deps: StatusDeps,
): readonly string[] {
  const flags = deps.reader.status();
  const reasons: string[] = [];
  const trouble = deps.trouble(group.name);
  if (group.stopped === 'killed') reasons.push('killed: everything stays on legacy until it is released');
  if (group.stopped === 'tripped')
    reasons.push('tripped: everything stays on legacy, and the ledger could not record it');
  if (trouble !== null) reasons.push(trouble);
  if (flags.data === 'none')
    reasons.push(`no flag was ever read: every unit is on its safe side (${safeSide(group.stage)})`);
  else if (flags.data === 'backup')
    reasons.push('flags come from an earlier run; no share can rise until the flag server answers');
  else if (flags.stale)
    reasons.push(
      `the flag server was last heard ${Math.round((flags.ageMs ?? 0) / 1000)} s ago; its last answer stays in use`,
    );
  for (const flag of ['serve', 'shadow'] as const) {
    const override = recorded?.foreign[flag] ?? null;
    if (override !== null) {
      const allowed = flag === 'serve' ? `; the ledger allows ${share.asked} %` : '';
      reasons.push(`${overrideText(flag, override)}${allowed}; put it back: fig flags restore ${group.name}`);
    }
  }
  if (group.unit.length === 0 && group.stage !== 'legacy')
    reasons.push('the group has no unit: nobody can be moved; add `unit` to its configuration');
  const shadowing = (recorded?.shadowShare ?? 0) > 0 && group.stage !== 'legacy';
  if (shadowing && comparisons.same + comparisons.ignored + comparisons.different === 0)
    reasons.push(nothingCompared(comparisons));
  const refused = comparisons.skipped['dry-run-refused'] ?? 0;
  if (refused > 0)
    reasons.push(
      `the service did not say that it honours dry runs: ${refused} writes were not compared; no more are sent until the next start`,
    );
  if (
    group.stage === 'canary' &&
    share.effective > 0 &&
    traffic.legacy.requests + traffic.service.requests === 0
  ) {
    reasons.push('no request since the last move');
  }
  return reasons;
}

/** Who made what of a flag, as far as that is known. */
function overrideText(flag: FlagName, { seen, what, by, at }: Override): string {
  const who = by ?? 'somebody';
  const when = at === null || at === undefined ? '' : ` at ${at}`;
  const how = what === null || what === undefined ? '' : ` (${what})`;
  return `${who} set the ${flag} flag to ${seen}${how}${when}`;
}

/** Zero is a finding, never a blank: says which reason held the most requests back. */
function nothingCompared(comparisons: Comparisons): string {
  const [top] = Object.entries(comparisons.skipped).sort(([, a], [, b]) => b - a);
  if (top !== undefined)
    return `nothing compared yet: ${top[1]} of ${comparisons.eligible} requests skipped as ${top[0]}`;
  return comparisons.eligible === 0
    ? 'nothing compared yet: no request that could be compared'
    : 'nothing compared yet';
}

function nextCommand(group: Group, asked: number, comparisons: Comparisons): string | null {
  const { name, stage, stopped } = group;
  if (stopped === 'killed') return `fig kill ${name} --release`;
  // A trip that lasts is one the ledger could not record; the same move again records it.
  if (stopped === 'tripped') return `fig rollback ${name}`;
  switch (stage) {
    case 'legacy':
      return `fig shadow ${name} on`;
    case 'shadow':
      return comparisons.different > 0 ? `fig diffs ${name}` : `fig shift ${name} 1%`;
    case 'canary':
      return asked >= 100 ? `fig stage ${name} live` : `fig shift ${name} ${nextShare(asked)}%`;
    case 'live':
    case 'sealed':
    case 'retired':
      return null;
    default:
      return assertNever(stage);
  }
}

const STEPS = [1, 5, 10, 25, 50, 100] as const;

function nextShare(asked: number): number {
  return STEPS.find((step) => step > asked) ?? 100;
}

function backCommand(group: Group, asked: number): string | null {
  if (group.stage === 'live' || (group.stage === 'canary' && asked > 0)) return `fig rollback ${group.name}`;
  return group.stage === 'shadow' ? `fig shadow ${group.name} off` : null;
}

function safeSide(stage: Stage): 'legacy' | 'service' {
  return stage === 'live' || stage === 'sealed' || stage === 'retired' ? 'service' : 'legacy';
}

function lastOf({ last }: GroupState): GroupStatus['last'] {
  return { at: last.at, by: last.by, type: last.type, reason: last.reason };
}

function side({ requests, failures, units }: ArmCounts): SideTraffic {
  return { requests, failures, units };
}
