/** The last answers to questions, between `max` and twice `max` of them. */
export interface Memo<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/**
 * Two generations instead of a list of uses: what is asked for moves into the young one, and when that is full the old
 * one is dropped.
 */
export function createMemo<T extends object | string>(max: number): Memo<T> {
  let young = new Map<string, T>();
  let old = new Map<string, T>();

  function set(key: string, value: T): void {
    if (young.size >= max) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      const known = young.get(key);
      if (known !== undefined) return known;
      const value = old.get(key);
      if (value !== undefined) set(key, value);
      return value;
    },
    set,
  };
}

/** A pure function that remembers its last answers. */
export function remembered<T extends object | string>(
  make: (key: string) => T,
  max: number,
): (key: string) => T {
  const memo = createMemo<T>(max);
  return (key) => {
    const known = memo.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    memo.set(key, value);
    return value;
  };
}
