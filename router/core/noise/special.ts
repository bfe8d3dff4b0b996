/** Special functions in natural logs, so that tails far below the smallest double stay usable. */

/** ln √(2π). */
const LN_SQRT_2PI = 0.9189385332046728;
/** From here on Stirling's series is exact to the last digits of a double. */
const STIRLING_MIN = 10;
/** Bernoulli's coefficients B₂ₖ / (2k(2k−1)) of Stirling's series. */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360_360, 1 / 156] as const;

/** ln Γ(x) for x > 0; RangeError otherwise. Absolute error about 1e-15, relative 1e-15 where the value is large. */
export function lnGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`lnGamma needs a number above 0, got ${x}`);
  let shift = 1;
  let y = x;
  for (; y < STIRLING_MIN; y += 1) shift *= y;
  return (y - 0.5) * Math.log(y) - y + LN_SQRT_2PI + stirling(y) - Math.log(shift);
}

/**
 * ln B(a, b) for a, b > 0; RangeError otherwise. No difference of large numbers is taken. Source: Didonato and Morris,
 * "Algorithm 708" (1992), as in R's `lbeta`.
 */
export function lnBeta(a: number, b: number): number {
  const small = Math.min(a, b);
  const large = Math.max(a, b);
  if (large < STIRLING_MIN) return lnGamma(small) + lnGamma(large) - lnGamma(small + large);
  const sum = small + large;
  const rest = (large - 0.5) * Math.log1p(-small / sum);
  if (small < STIRLING_MIN) {
    const tail = stirling(large) - stirling(sum);
    return lnGamma(small) + tail + small - small * Math.log(sum) + rest;
  }
  const tail = stirling(small) + stirling(large) - stirling(sum);
  const lead = LN_SQRT_2PI - 0.5 * Math.log(large) + (small - 0.5) * Math.log(small / sum);
  return lead + tail + rest + 0.5 * Math.log1p(-small / sum);
}

function stirling(x: number): number {
  const step = 1 / (x * x);
  return STIRLING.reduceRight((sum, coefficient) => sum * step + coefficient, 0) / x;
}

/**
 * ln I_x(a, b), the regularised incomplete beta function, for a, b > 0 and 0 ≤ x ≤ 1; −Infinity at x = 0. RangeError
 * for other arguments. Takes about √(a + b) steps. Source: Lentz' continued fraction, DLMF 8.17.22.
 */
export function lnBetaI(x: number, a: number, b: number): number {
  if (!(x >= 0 && x <= 1)) throw new RangeError(`lnBetaI needs 0 ≤ x ≤ 1, got ${x}`);
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === 1) return 0;
  // The fraction converges fast below the mean; above it the complement is the small side.
  if (x <= (a + 1) / (a + b + 2)) return lnLowerTail(x, 1 - x, a, b);
  return Math.log1p(-Math.exp(Math.min(0, lnLowerTail(1 - x, x, b, a))));
}

function lnLowerTail(x: number, complement: number, a: number, b: number): number {
  const front = a * Math.log(x) + b * Math.log(complement) - Math.log(a) - lnBeta(a, b);
  return front + Math.log(continuedFraction(x, a, b));
}

/** Relative change below which the fraction has converged. */
const CONVERGED = 1e-15;
/** Stands for a denominator of 0 (modified Lentz). */
const TINY = 1e-300;

function continuedFraction(x: number, a: number, b: number): number {
  const stepsMax = 200 + 20 * Math.sqrt(a + b);
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < stepsMax; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < CONVERGED) break;
  }
  return value;
}

function nonZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x;
}

/** x with I_x(a, b) = `probability`, the quantile of the beta distribution. RangeError outside 0 to 1. */
export function betaQuantile(probability: number, a: number, b: number): number {
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`a probability is 0 to 1, not ${probability}`);
  const wanted = Math.log(probability);
  return smallestWhere(0, 1, (x) => lnBetaI(x, a, b) >= wanted);
}

/**
 * The smallest double in [from, to] for which `holds`, when it holds from some point on; `to` when it never does. At
 * most some 1,100 halvings; about 60 for values that are not tiny.
 */
export function smallestWhere(from: number, to: number, holds: (x: number) => boolean): number {
  let [below, above] = [from, to];
  if (holds(below)) return below;
  for (let middle = half(below, above); middle > below && middle < above; middle = half(below, above)) {
    if (holds(middle)) above = middle;
    else below = middle;
  }
  return above;
}

function half(a: number, b: number): number {
  return a + (b - a) / 2;
}

/**
 * z with Φ(z) = `probability`, the quantile of the standard normal distribution, to about 7 digits. RangeError outside 0 < p
 * < 1. Source: Wichura, "Algorithm AS 241" (1988), PPND7.
 */
export function normalQuantile(probability: number): number {
  if (!(probability > 0 && probability < 1))
    throw new RangeError(`a quantile needs 0 < p < 1, got ${probability}`);
  const q = probability - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return q * ratio(r, MIDDLE);
  }
  const r = Math.sqrt(-Math.log(q < 0 ? probability : 1 - probability));
  const z = r <= 5 ? ratio(r - 1.6, SHOULDER) : ratio(r - 5, TAIL);
  return q < 0 ? -z : z;
}

interface Rational {
  readonly above: readonly number[];
  readonly below: readonly number[];
}

const MIDDLE: Rational = {
  above: [3.3871327179, 50.434271938, 159.29113202, 59.10937472],
  below: [1, 17.895169469, 78.757757664, 67.1875636],
};
const SHOULDER: Rational = {
  above: [1.4234372777, 2.75681539, 1.3067284816, 0.17023821103],
  below: [1, 0.7370016425, 0.12021132975],
};
const TAIL: Rational = {
  above: [6.657905115, 3.081226386, 0.42868294337, 0.017337203997],
  below: [1, 0.24197894225, 0.012258202635],
};

function ratio(x: number, { above, below }: Rational): number {
  return polynomial(x, above) / polynomial(x, below);
}

function polynomial(x: number, coefficients: readonly number[]): number {
  return coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
}
