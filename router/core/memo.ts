/**
 * A pure function that remembers its last answers: between `max` and twice `max` of them. Two generations instead of
 * a list of uses: what is asked for moves into the young one, and when that is full the old one is dropped.
 */
export function remembered<T extends object | string>(
  make: (key: string) => T,
  max: number,
): (key: string) => T {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  return (key) => {
    const known = young.get(key);
    if (known !== undefined) return known;
    const value = old.get(key) ?? make(key);
    if (young.size >= max) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
    return value;
  };
}
