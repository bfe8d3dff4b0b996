/**
 * A bounded set of unit keys that still estimates how many there are: keeps the keys whose leading 32 bits are
 * below a threshold, and halves the threshold when full (adaptive sampling, Flajolet 1990). Two samples with
 * one threshold hold the same units, whichever arm saw them.
 */
export interface UnitSample {
  /** `key`: lower-case hex of a cryptographic hash, at least 8 digits. */
  add(key: string): void;
  /** Estimated distinct keys; exact until the bound was first reached. */
  readonly distinct: number;
  readonly kept: number;
}

export function createUnitSample(keysMax: number): UnitSample {
  if (!Number.isInteger(keysMax) || keysMax < 1)
    throw new RangeError(`keysMax must be a whole number above 0, is ${keysMax}`);
  const keys = new Set<string>();
  let threshold = 2 ** 32;
  return {
    add(key) {
      if (Number.parseInt(key.slice(0, 8), 16) >= threshold) return;
      keys.add(key);
      while (keys.size > keysMax) {
        threshold /= 2;
        for (const kept of keys) if (Number.parseInt(kept.slice(0, 8), 16) >= threshold) keys.delete(kept);
      }
    },
    get distinct() {
      return Math.round((keys.size * 2 ** 32) / threshold);
    },
    get kept() {
      return keys.size;
    },
  };
}
