/**
 * The rule of Twitter's Diffy, a yardstick: `raw` of `total` pairs differ between primary and candidate, `noise` of them
 * between primary and secondary. Flags when the raw count exceeds the noise by 20 % of their sum and 0.03 % of all.
 */
export function diffyFlags(raw: number, noise: number, total: number): boolean {
  const apart = Math.abs(raw - noise);
  return raw > noise && (apart / (raw + noise)) * 100 > 20 && (apart / total) * 100 > 0.03;
}
