/** What a gate may believe: one verdict from everything that was compared, and what is missing for a better one. */
import { anytimeLower, anytimeUpper, trialsNeeded } from '../noise/bounds.ts';

export type GateVerdict = 'NoData' | 'Error' | 'Fail' | 'Pass' | 'Inconclusive';

/** Traffic of one stratum. */
export interface StratumEvidence {
  readonly stratum: string;
  /** Requests that came in, compared or not: what the stratum weighs. */
  readonly requests: number;
  /** Different requests compared. */
  readonly n: number;
  /** Of these, how many have an unexplained difference. */
  readonly k: number;
  /** Different requests per hour that come in lately; null when not known. */
  readonly perHour: number | null;
}

export interface GateEvidence {
  readonly strata: readonly StratumEvidence[];
  /** Requests that could have been compared, without those a person or a policy excluded. */
  readonly eligible: number;
  readonly compared: number;
  /** Faults of the comparer itself. */
  readonly compareFailed: number;
  readonly shapes: { readonly observed: number; readonly compared: number };
  /** Paths whose verdict is REGRESSION, as they are shown. */
  readonly regressions: readonly string[];
  /** Builds of both sides are known, or the group has said that they do not matter. */
  readonly buildsKnown: boolean;
  /** The A/A self-test flagged nothing; null: it has not run. */
  readonly selfTestClean: boolean | null;
  /** False: the store could not be read. */
  readonly readable: boolean;
}

export interface GatePolicy {
  /** Share of requests that may differ, 0-1. */
  readonly budget: number;
  /** Chance of a wrong bound per stratum. */
  readonly alpha: number;
  /** Share of eligible requests, and of shapes, that must have been compared. */
  readonly coverageMin: number;
  readonly compareFailedMax: number;
  /** A stratum with less of the traffic is judged together with the other small ones. */
  readonly stratumMin: number;
}

export const GATE_POLICY: GatePolicy = {
  budget: 0.001,
  alpha: 0.05,
  coverageMin: 0.95,
  compareFailedMax: 0.001,
  stratumMin: 0.01,
};

export interface StratumBounds extends StratumEvidence {
  readonly lower: number;
  readonly upper: number;
  /** Different requests at which the upper bound is within the budget if no more differ; null: never. */
  readonly needed: number | null;
}

export interface Gate {
  readonly verdict: GateVerdict;
  /** Whole sentences: why it fails, or what is missing for a Pass. Empty for a Pass. */
  readonly reasons: readonly string[];
  /** About how long until every stratum has enough; null when that cannot be said, 0 when nothing has to come in. */
  readonly waitMs: number | null;
  readonly strata: readonly StratumBounds[];
}

const HOUR_MS = 3_600_000;
/** Name of the small strata together. */
const REST = 'all other requests';

/** May be asked at any time and as often as one likes: its bounds hold at every look. Total; reads no clock. */
export function judgeGate(evidence: GateEvidence, policy: GatePolicy): Gate {
  if (!evidence.readable)
    return { verdict: 'Error', reasons: ['The store cannot be read.'], waitMs: null, strata: [] };
  const strata = pooled(evidence.strata, policy).map((stratum) => bounded(stratum, policy));
  const gate = (verdict: GateVerdict, reasons: readonly string[], waitMs: number | null = null): Gate => ({
    verdict,
    reasons,
    waitMs,
    strata,
  });
  const failures = failuresOf(evidence, strata, policy);
  if (failures.length > 0) return gate('Fail', failures);
  if (evidence.compareFailed > policy.compareFailedMax * evidence.compared) {
    return gate('Error', [`The comparer itself failed for ${evidence.compareFailed} requests.`]);
  }
  if (strata.every(({ n }) => n === 0)) return gate('NoData', ['No request was compared.']);
  const open = strata.filter(({ upper }) => upper > policy.budget);
  const missing = [
    ...open.map((stratum) => missingIn(stratum, policy)),
    ...missingElsewhere(evidence, policy),
  ];
  if (missing.length === 0) return gate('Pass', [], 0);
  return gate('Inconclusive', missing, longest(open.map(waitMsOf)));
}

/** Every stratum with enough of the traffic, and one for the rest. */
function pooled(strata: readonly StratumEvidence[], { stratumMin }: GatePolicy): readonly StratumEvidence[] {
  const all = strata.reduce((sum, { requests }) => sum + requests, 0);
  const large = strata.filter(({ requests }) => requests >= stratumMin * all);
  const small = strata.filter(({ requests }) => requests < stratumMin * all);
  if (small.length === 0) return large;
  const sum = (of: (stratum: StratumEvidence) => number) =>
    small.reduce((total, stratum) => total + of(stratum), 0);
  const perHour = small.some((stratum) => stratum.perHour === null)
    ? null
    : sum((stratum) => stratum.perHour ?? 0);
  const rest = { requests: sum((s) => s.requests), n: sum((s) => s.n), k: sum((s) => s.k), perHour };
  return [...large, { stratum: REST, ...rest }];
}

function bounded(stratum: StratumEvidence, { alpha, budget }: GatePolicy): StratumBounds {
  const { n, k } = stratum;
  return {
    ...stratum,
    lower: anytimeLower(k, n, alpha),
    upper: anytimeUpper(k, n, alpha),
    needed: trialsNeeded(k, budget, alpha, 'anytime'),
  };
}

function failuresOf(
  { regressions }: GateEvidence,
  strata: readonly StratumBounds[],
  { budget }: GatePolicy,
): readonly string[] {
  return [
    ...regressions.map((path) => `${path} is a regression.`),
    ...strata
      .filter(({ lower }) => lower > budget)
      .map(
        ({ stratum, k, n, lower }) =>
          `${stratum}: ${k} of ${n} requests differ, at least ${percent(lower)}; ${percent(budget)} may.`,
      ),
  ];
}

function missingIn(stratum: StratumBounds, { budget }: GatePolicy): string {
  const { k, n, needed } = stratum;
  const so = k === 0 ? 'none differs' : `${k} ${k === 1 ? 'differs' : 'differ'}`;
  const known = `${stratum.stratum}: ${n} requests compared, ${so}`;
  if (needed === null) return `${known}; no number of requests shows ${percent(budget)}.`;
  const waitMs = waitMsOf(stratum);
  const time = waitMs === null ? 'at an unknown rate' : `about ${duration(waitMs)} at the present rate`;
  if (k > budget * n && n > 0)
    return `${known}, more than ${percent(budget)}; if no more did, ${needed - n} further requests would do, ${time}.`;
  return `${known}; ${needed - n} more are needed for ${percent(budget)}, ${time}.`;
}

function missingElsewhere(evidence: GateEvidence, { coverageMin }: GatePolicy): readonly string[] {
  const { eligible, compared, shapes, buildsKnown, selfTestClean } = evidence;
  const missing: string[] = [];
  if (compared < coverageMin * eligible)
    missing.push(
      `${compared} of ${eligible} eligible requests were compared; ${percent(coverageMin)} are needed.`,
    );
  if (shapes.compared < coverageMin * shapes.observed)
    missing.push(
      `${shapes.compared} of ${shapes.observed} kinds of request were compared; ${percent(coverageMin)} are needed.`,
    );
  if (!buildsKnown) missing.push('It is not known which builds were compared.');
  if (selfTestClean === null) missing.push('The self-test of legacy against itself has not run.');
  if (selfTestClean === false) missing.push('The self-test of legacy against itself finds differences.');
  return missing;
}

function waitMsOf({ needed, n, perHour }: StratumBounds): number | null {
  if (needed === null || perHour === null || perHour <= 0) return null;
  return (Math.max(0, needed - n) / perHour) * HOUR_MS;
}

function longest(waits: readonly (number | null)[]): number | null {
  return waits.reduce<number | null>(
    (most, wait) => (most === null || wait === null ? null : Math.max(most, wait)),
    0,
  );
}

function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(3))} %`;
}

function duration(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.ceil(ms / HOUR_MS);
  return hours < 72 ? `${hours} h` : `${Math.ceil(hours / 24)} days`;
}
