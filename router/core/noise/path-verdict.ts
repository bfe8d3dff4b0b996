/** What the counts of one path say: a regression, clean, noise, or not yet known. */
import type { Interval } from '../interval.ts';
import { anytimeUpper } from './bounds.ts';
import { lnPairedE, newcombe, type PairedCounts } from './paired.ts';
import { normalQuantile } from './special.ts';
import type { Feature } from './values.ts';

export type PathVerdict = 'REGRESSION' | 'CLEAN' | 'NOISE' | 'UNKNOWN';

export interface NoisePolicy {
  /** Chance that anything at all is flagged in a group without a regression. */
  readonly alpha: number;
  /** Paths a group may track; each has its share of `alpha` from the start, so that late paths do not weaken early ones. */
  readonly pathsMax: number;
  /** A regression must make at least this much more of the answers differ, 0-1. */
  readonly effectMin: number;
  /** Share of answers that may differ at a path that never drifts in legacy, 0-1; shown at chance `budgetAlpha` of error. */
  readonly budget: number;
  readonly budgetAlpha: number;
  /** Noise may hide at most this much of a regression, 0-1. */
  readonly noiseBudget: number;
}

export const NOISE_POLICY: NoisePolicy = {
  alpha: 0.01,
  pathsMax: 2000,
  effectMin: 0.001,
  budget: 0.001,
  budgetAlpha: 0.05,
  noiseBudget: 0.05,
};

/** Numbers of pairs at which the effect is looked at: 500, 1,000, 2,000 … */
const FIRST_LOOK = 500;

/** The last number of pairs, n at most, at which the effect is looked at; null before the first. */
export function lookBefore(n: number): number | null {
  return n < FIRST_LOOK ? null : FIRST_LOOK * 2 ** (lookIndex(n) - 1);
}

/** 1 for the first look. */
function lookIndex(n: number): number {
  return 1 + Math.floor(Math.log2(n / FIRST_LOOK));
}

/** ln of the e-value from which on a path is flagged. */
export function flagThreshold({ alpha, pathsMax }: NoisePolicy): number {
  return Math.log(pathsMax / alpha);
}

/** The effect at the last look: δ of Newcombe's interval, its error shared among all looks. Null before the first. */
function effectOf(look: PairedCounts | null, { alpha }: NoisePolicy): Interval | null {
  if (look === null) return null;
  const j = lookIndex(look.n);
  return newcombe(look, normalQuantile(1 - alpha / (j * (j + 1))));
}

/** Evidence of the values of a path, one e-value for all questions together. */
export interface ValueEvidence {
  readonly lnE: number;
  readonly feature: Feature;
}

export interface Judged {
  readonly verdict: PathVerdict;
  /** ln of the e-value of the counts. */
  readonly lnE: number;
  readonly effect: Interval | null;
  /** The question about values that flags the path; null when none does. */
  readonly feature: Feature | null;
}

/**
 * Judges one (route, template, kind) by what was counted so far, what was counted at the last look, and its values (null
 * where none are kept). Before the first look the e-value decides alone: fewer than 500 pairs pass the threshold only
 * with an excess of 4 % of them.
 */
export function judgePath(
  counts: PairedCounts,
  look: PairedCounts | null,
  values: ValueEvidence | null,
  policy: NoisePolicy,
): Judged {
  const { n, both, b, c } = counts;
  const lnE = lnPairedE(b, c);
  const effect = effectOf(look, policy);
  const threshold = flagThreshold(policy);
  const drifts = both + c > 0;
  const feature = drifts && values !== null && values.lnE >= threshold ? values.feature : null;
  const verdict = (is: PathVerdict): Judged => ({ verdict: is, lnE, effect, feature });
  const flagged = lnE >= threshold;
  if (feature !== null || (flagged && (effect === null || effect.lower > policy.effectMin)))
    return verdict('REGRESSION');
  if (n < FIRST_LOOK || effect === null) return verdict('UNKNOWN');
  if (!drifts) return verdict(anytimeUpper(b, n, policy.budgetAlpha) <= policy.budget ? 'CLEAN' : 'UNKNOWN');
  // A regression that began after the last look is not excused until the next one.
  const began = flagged && (b - c) / n > policy.effectMin;
  return verdict(effect.upper < policy.noiseBudget && !began ? 'NOISE' : 'UNKNOWN');
}

/** Only noise explains a difference, and only one of its own kind. */
export function explains(verdict: PathVerdict): boolean {
  return verdict === 'NOISE';
}

/** The verdict of a group: the worst of its paths; CLEAN without any. */
export function worstOf(verdicts: readonly PathVerdict[]): PathVerdict {
  return WORST_FIRST.find((verdict) => verdicts.includes(verdict)) ?? 'CLEAN';
}

const WORST_FIRST: readonly PathVerdict[] = ['REGRESSION', 'UNKNOWN', 'NOISE', 'CLEAN'];
