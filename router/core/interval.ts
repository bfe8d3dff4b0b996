/** Two-sided 95 % quantile of the standard normal distribution. */
const Z95 = 1.959963984540054;

export interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Wilson's score interval (1927) of a proportion, both ends 0-1, at 95 % or at the normal quantile `z`. Without trials
 * nothing is known: 0 to 1.
 */
export function wilson(successes: number, trials: number, z: number = Z95): Interval {
  if (successes < 0 || successes > trials)
    throw new RangeError(`${successes} of ${trials} is not a proportion`);
  if (trials === 0) return { lower: 0, upper: 1 };
  const p = successes / trials;
  const z2 = z * z;
  const middle = p + z2 / (2 * trials);
  const spread = z * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  const scale = 1 + z2 / trials;
  return { lower: Math.max(0, (middle - spread) / scale), upper: Math.min(1, (middle + spread) / scale) };
}
