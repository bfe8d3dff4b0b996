/** What a sample has kept, to be merged into another one. */
export interface UnitKeys {
  readonly keys: readonly string[];
  /** Keys whose leading 32 bits are not below it were dropped. */
  readonly threshold: number;
}

/**
 * A bounded set of unit keys that still estimates how many there are: keeps the keys whose leading 32 bits are
 * below a threshold, and halves the threshold when full (adaptive sampling, Flajolet 1990). Two samples with
 * one threshold hold the same units, whichever arm saw them.
 */
export interface UnitSample {
  /** `key`: lower-case hex of a cryptographic hash, at least 8 digits. */
  add(key: string): void;
  /** As if everything the other sample was given had been added here. */
  merge(other: UnitKeys): void;
  content(): UnitKeys;
  /** Estimated distinct keys; exact until the bound was first reached. */
  readonly distinct: number;
  readonly kept: number;
}

/** No 32 bits are as much. */
const EVERY_KEY = 2 ** 32;

export function createUnitSample(keysMax: number): UnitSample {
  if (!Number.isInteger(keysMax) || keysMax < 1)
    throw new RangeError(`keysMax must be a whole number above 0, is ${keysMax}`);
  const keys = new Set<string>();
  let threshold = EVERY_KEY;

  function lower(to: number): void {
    threshold = to;
    for (const kept of keys) if (Number.parseInt(kept.slice(0, 8), 16) >= threshold) keys.delete(kept);
  }

  function add(key: string): void {
    if (threshold < EVERY_KEY && Number.parseInt(key.slice(0, 8), 16) >= threshold) return;
    keys.add(key);
    while (keys.size > keysMax) lower(threshold / 2);
  }

  return {
    add,
    merge(other) {
      if (other.threshold < threshold) lower(other.threshold);
      for (const key of other.keys) add(key);
    },
    content: () => ({ keys: [...keys], threshold }),
    get distinct() {
      return Math.round((keys.size * EVERY_KEY) / threshold);
    },
    get kept() {
      return keys.size;
    },
  };
}
