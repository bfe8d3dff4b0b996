/** How large a rate may be after k events in n independent trials. Rates 0-1; α is the allowed chance of an error. */
import { betaQuantile, lnBeta, lnBetaI, smallestWhere } from './special.ts';

/**
 * `fixed`: for one look at a number of trials named before. `anytime`: may be read after every trial.
 */
export type Looking = 'fixed' | 'anytime';

/** One-sided exact upper bound of the rate; for one look only. Source: Clopper and Pearson 1934. */
export function clopperPearsonUpper(k: number, n: number, alpha: number): number {
  check(k, n, alpha);
  return k === n ? 1 : betaQuantile(1 - alpha, k + 1, n - k);
}

/**
 * Upper bound of the rate that holds at every n at once: the largest rate against which a mixture martingale is still
 * below 1/α. Half of the mixture bets on the rate 0, half on Jeffreys' prior. Sources: Robbins 1970; Howard et al. 2021,
 * "Time-uniform, nonparametric, nonasymptotic confidence sequences".
 */
export function anytimeUpper(k: number, n: number, alpha: number): number {
  check(k, n, alpha);
  const limit = -Math.log(alpha);
  return k === n ? 1 : smallestWhere(k / n, 1, (rate) => lnMixture(rate, k, n) >= limit);
}

/** Lower bound of the same sequence; 0 when k = 0. */
export function anytimeLower(k: number, n: number, alpha: number): number {
  check(k, n, alpha);
  const limit = -Math.log(alpha);
  return k === 0 ? 0 : smallestWhere(0, k / n, (rate) => lnMixture(rate, k, n) < limit);
}

/** Largest n that `trialsNeeded` gives. */
const TRIALS_MAX = 2 ** 40;

/**
 * The smallest number of trials with k events for which the upper bound is at most `rate` (0 < rate < 1); null when that
 * is more than 2^40.
 */
export function trialsNeeded(k: number, rate: number, alpha: number, looking: Looking): number | null {
  if (!(rate > 0 && rate < 1)) throw new RangeError(`a rate to be shown is above 0 and below 1, not ${rate}`);
  check(k, k, alpha);
  const lnAlpha = Math.log(alpha);
  const enough =
    looking === 'fixed'
      ? (n: number) => lnBetaI(1 - rate, n - k, k + 1) <= lnAlpha
      : (n: number) => k <= rate * n && lnMixture(rate, k, n) >= -lnAlpha;
  let above = k + 1;
  while (!enough(above)) {
    if (above >= TRIALS_MAX) return null;
    above *= 2;
  }
  let below = k;
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (enough(middle)) above = middle;
    else below = middle;
  }
  return above;
}

/** ln of the martingale against the rate: ½ [k = 0] (1−p)^−n + ½ B(½+k, ½+n−k) / (B(½,½) p^k (1−p)^(n−k)). */
function lnMixture(rate: number, k: number, n: number): number {
  const likelihood = times(k, Math.log(rate)) + times(n - k, Math.log1p(-rate));
  const jeffreys = lnBeta(k + 0.5, n - k + 0.5) - Math.log(Math.PI);
  return (k === 0 ? Math.log1p(Math.exp(jeffreys)) : jeffreys) - likelihood - Math.LN2;
}

/** 0 × ln 0 is 0 here: what never happened has no likelihood to lose. */
function times(count: number, log: number): number {
  return count === 0 ? 0 : count * log;
}

function check(k: number, n: number, alpha: number): void {
  if (!(k >= 0 && k <= n)) throw new RangeError(`${k} of ${n} is not a proportion`);
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`α is above 0 and below 1, not ${alpha}`);
}
