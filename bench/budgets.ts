import type { Metric, Row } from './bench.ts';
import type { SetName } from './options.ts';
import { medianOf } from './report.ts';

/** A ratio, or a number, that must hold within one run on one machine. */
interface Budget {
  readonly set: SetName;
  readonly scenario: RegExp;
  readonly metric: Metric;
  readonly contestant: string;
  /** Divided by the same metric of this one; null: the number itself. */
  readonly of: string | null;
  readonly bound: { readonly max: number } | { readonly min: number };
  /** Cores the machine must have for the number to mean anything; with fewer it is only reported. */
  readonly coresMin: number;
}

/** A budget against one scenario of a run. */
export interface Verdict {
  readonly text: string;
  /** Null: one of the two did not take part. */
  readonly value: number | null;
  readonly verdict: 'held' | 'missed' | 'not measured' | 'only reported';
}

const GET_1_KIB = /GET 1024$/;
const CLOSED_1_KIB = /GET 1024, closed loop$/;
const ANY = /./;
const UPDATE = /^one of 1,000 flags changes$/;
const EVALUATION = /^both flags of one request$/;

const BUDGETS: readonly Budget[] = [
  budget('front', GET_1_KIB, 'cpuUs', 'fig-flags', 'nginx', { max: 2 }),
  budget('front', GET_1_KIB, 'cpuUs', 'fig-flags', 'http-proxy', { max: 1 / 3 }),
  budget('shadow', CLOSED_1_KIB, 'cpuUs', 'fig-shadow', 'nginx-mirror', { max: 1 }),
  // A copy that was not made costs nothing: without these the line above says nothing.
  budget('shadow', CLOSED_1_KIB, 'comparedPercent', 'fig-shadow', null, { min: 99 }),
  budget('shadow', CLOSED_1_KIB, 'copiedPercent', 'nginx-mirror', null, { min: 99 }),
  ...['hung', 'refusing', 'resetting'].map((fault) =>
    budget('shadow-faults', ANY, 'p99Us', fault, 'none', { max: 1.05 }),
  ),
  { ...budget('workers', GET_1_KIB, 'requestsPerSecond', 'fig-2', 'fig-1', { min: 1.7 }), coresMin: 4 },
  budget('bodies', ANY, 'mibPerSecond', 'fig', 'nginx', { min: 0.7 }),
  budget('bodies', ANY, 'rssGrowthMib', 'fig', null, { max: 16 }),
  budget('idle', ANY, 'idleKib', 'fig', null, { max: 10 }),
  budget('churn', GET_1_KIB, 'cpuUs', 'fig', 'nginx', { max: 2.5 }),
  budget('churn', ANY, 'socketsLeft', 'fig', null, { max: 0 }),
  ...['in the same process', 'told to one worker', 'in that worker', 'by polling'].map((way) =>
    budget('flags', UPDATE, 'updateMs', way, null, { max: 20 }),
  ),
  ...['canonical, unit seen before', 'canonical, new unit'].map((kind) =>
    budget('flags', EVALUATION, 'evaluationUs', kind, null, { max: 2.5 }),
  ),
  budget('flags', EVALUATION, 'evaluationUs', 'two constraints', null, { max: 5 }),
  budget('compare', ANY, 'pairsPerSecond', 'equal, 2 KiB', null, { min: 200_000 }),
  budget('compare', ANY, 'pairsPerSecond', 'JSON, 2 KiB', null, { min: 20_000 }),
  budget('compare', ANY, 'pairMs', 'JSON, 1 MiB', null, { max: 60 }),
];

/** Every budget of the sets that ran, against every scenario it speaks of; medians count. */
export function judge(rows: readonly Row[], cores: number): readonly Verdict[] {
  const ran = new Set(rows.map(({ set }) => set));
  return BUDGETS.filter(({ set }) => ran.has(set)).flatMap((one) => {
    const scenarios = new Set(
      rows
        .filter(({ set, scenario }) => set === one.set && one.scenario.test(scenario))
        .map((row) => row.scenario),
    );
    return [...scenarios].map((scenario) => verdictOf(one, scenario, rows, cores));
  });
}

function verdictOf(one: Budget, scenario: string, rows: readonly Row[], cores: number): Verdict {
  const { set, metric, contestant, of, bound, coresMin } = one;
  const median = (name: string): number | null => medianOf(rows, { set, scenario, contestant: name, metric });
  const ours = median(contestant);
  const theirs = of === null ? 1 : median(of);
  const value = ours === null || theirs === null || theirs === 0 ? null : ours / theirs;
  const wanted = 'max' in bound ? `at most ${shown(bound.max)}` : `at least ${shown(bound.min)}`;
  const text = `${set}, ${scenario}: ${metric} of ${contestant}${of === null ? '' : ` / ${of}`} ${wanted}`;
  if (value === null) return { text, value, verdict: cores < coresMin ? 'only reported' : 'not measured' };
  if (cores < coresMin) return { text, value, verdict: 'only reported' };
  const holds = 'max' in bound ? value <= bound.max : value >= bound.min;
  return { text, value, verdict: holds ? 'held' : 'missed' };
}

function budget(
  set: SetName,
  scenario: RegExp,
  metric: Metric,
  contestant: string,
  of: string | null,
  bound: Budget['bound'],
): Budget {
  return { set, scenario, metric, contestant, of, bound, coresMin: 1 };
}

function shown(number: number): string {
  return Number.isInteger(number) ? String(number) : number.toFixed(2);
}
