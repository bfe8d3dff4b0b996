/**
 * Two answers asked the same yes/no question, many times. `b` counts pairs where only the service's answer says yes,
 * `c` those where only legacy's second answer does. Where the two are exchangeable every such pair is a fair coin.
 */
import { type Interval, wilson } from '../interval.ts';
import { lnBeta, lnBetaI } from './special.ts';

/** One-sided exact P(X ≥ b) for X ~ Bin(b + c, ½), McNemar's test. For one look at a number of pairs fixed before. */
export function pairedP(b: number, c: number): number {
  return b === 0 ? 1 : Math.exp(lnBetaI(0.5, b, c + 1));
}

/**
 * ln of the e-value against exchangeability, may be read after every pair: it exceeds ln(1/α) with probability α at
 * most, however often one looks (Ville). The alternative is a yes-share of the service θ, uniform on (½, 1).
 * Source: mixture martingale, Robbins 1970.
 */
export function lnPairedE(b: number, c: number): number {
  return (b + c + 1) * Math.LN2 + lnBeta(b + 1, c + 1) + lnBetaI(0.5, c + 1, b + 1);
}

/** ln of the mean of e-values given as logs, which is an e-value again; −Infinity for an empty list. */
export function lnMean(logs: readonly number[]): number {
  const most = Math.max(...logs);
  if (most === Number.NEGATIVE_INFINITY) return most;
  const sum = logs.reduce((total, log) => total + Math.exp(log - most), 0);
  return most + Math.log(sum / logs.length);
}

/** Pairs by the two answers to the question. */
export interface PairedCounts {
  readonly n: number;
  readonly both: number;
  readonly b: number;
  readonly c: number;
}

/**
 * The interval of δ = (b − c) / n, how much more often the service says yes, −1 to 1, at the normal quantile `z`.
 * Without pairs: −1 to 1. RangeError when the counts exceed n. For a number of pairs fixed before looking. Source:
 * Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
 */
export function newcombe({ n, both, b, c }: PairedCounts, z: number): Interval {
  const neither = n - both - b - c;
  if (neither < 0) throw new RangeError(`${both} + ${b} + ${c} pairs are more than ${n}`);
  if (n === 0) return { lower: -1, upper: 1 };
  const [service, legacy] = [wilson(both + b, n, z), wilson(both + c, n, z)];
  const [p, q] = [(both + b) / n, (both + c) / n];
  const correlation = phi(both, b, c, neither);
  const delta = (b - c) / n;
  return {
    lower: delta - joined(p - service.lower, legacy.upper - q, correlation),
    upper: delta + joined(service.upper - p, q - legacy.lower, correlation),
  };
}

function joined(one: number, other: number, correlation: number): number {
  return Math.sqrt(Math.max(0, one * one - 2 * correlation * one * other + other * other));
}

/** Correlation of the two answers; a positive one is corrected for continuity, so that it is not overrated. */
function phi(both: number, b: number, c: number, neither: number): number {
  const product = (both + b) * (c + neither) * (both + c) * (b + neither);
  if (product === 0) return 0;
  const cross = both * neither - b * c;
  const corrected = cross > 0 ? Math.max(cross - (both + b + c + neither) / 2, 0) : cross;
  return corrected / Math.sqrt(product);
}
