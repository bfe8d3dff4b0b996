/**
 * The most frequent things in bounded memory. Source: Metwally, Agrawal, El Abbadi 2005, "Efficient computation of
 * frequent and top-k elements in data streams"; merging: Agarwal et al. 2012, "Mergeable summaries".
 */

export interface Estimate {
  /** Never less than what was counted. */
  readonly count: number;
  /** By how much `count` may be too high at most. */
  readonly error: number;
}

export interface Frequent {
  /** One more thing of this kind, or several. Null: it had a place; else the key that made room, if one had to. */
  add(key: string, more: Estimate): { readonly evicted: string | null } | null;
  /**
   * Everything that another summary may have counted and forgotten: each key here may have been among it, and each that
   * is not here as well.
   */
  addForgotten(count: number): void;
  get(key: string): Estimate | undefined;
  /** The most that a key without a place can have been counted. */
  readonly floor: number;
  entries(): IterableIterator<[string, Estimate]>;
  readonly size: number;
}

/**
 * Keeps `max` keys. A new key takes the place of the least frequent one and inherits what it may have had before, so
 * that no count is ever too low; whatever is more frequent than total ÷ max has a place.
 */
export function createFrequent(
  max: number,
  content: {
    readonly entries: Iterable<readonly [string, Estimate]>;
    readonly floor: number;
  } = { entries: [], floor: 0 },
): Frequent {
  const kept = new Map<string, Estimate>(content.entries);
  let { floor } = content;

  function makeRoom(): string | null {
    if (kept.size < max) return null;
    let least: string | null = null;
    let count = Number.POSITIVE_INFINITY;
    for (const [key, each] of kept) {
      if (each.count >= count) continue;
      least = key;
      ({ count } = each);
    }
    if (least === null) return null;
    kept.delete(least);
    floor = Math.max(floor, count);
    return least;
  }

  return {
    add(key, { count, error }) {
      const known = kept.get(key);
      if (known !== undefined) {
        kept.set(key, { count: known.count + count, error: known.error + error });
        return null;
      }
      const evicted = makeRoom();
      kept.set(key, { count: floor + count, error: floor + error });
      return { evicted };
    },
    addForgotten(count) {
      if (count === 0) return;
      for (const [key, each] of kept) kept.set(key, { count: each.count + count, error: each.error + count });
      floor += count;
    },
    get: (key) => kept.get(key),
    get floor() {
      return floor;
    },
    entries: () => kept.entries(),
    get size() {
      return kept.size;
    },
  };
}
