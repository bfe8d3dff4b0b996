/** A repeatable source of numbers, so that one seed gives one shop on every machine. */
export interface Random {
  /** 0 <= x < 1, 32 bits of it. */
  unit(): number;
  /** An integer, 0 <= x < below. */
  below(below: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** A new array with the same items in another order. */
  shuffle<T>(items: readonly T[]): T[];
}

/** A counter with a 32-bit mixing step (the finaliser of MurmurHash3); seed: any integer, its low 32 bits count. */
export function createRandom(seed: number): Random {
  let counter = seed >>> 0;

  function unit(): number {
    counter = (counter + 0x9e3779b9) >>> 0;
    let mixed = counter;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 0x1_0000_0000;
  }

  function below(limit: number): number {
    return Math.floor(unit() * limit);
  }

  function shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, key: unit() }))
      .sort((left, right) => left.key - right.key)
      .map(({ item }) => item);
  }

  return { unit, below, shuffle, pick: (items) => items[below(items.length)] ?? items[0] };
}
