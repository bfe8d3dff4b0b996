/** Who is there right now. */
export interface Roster<T> {
  /** Enters somebody; the function given back strikes them off, once. */
  enter(member: T): () => void;
  size(): number;
  members(): readonly T[];
}

/**
 * A roster in slots that are used again. Not a Set: one that is filled and emptied with every request is rebuilt
 * all the time, its outgrown tables keep dead entries alive, and the collector spent a tenth of all time on them.
 */
export function createRoster<T>(): Roster<T> {
  const slots: (T | null)[] = [];
  const free: number[] = [];
  return {
    enter(member) {
      const slot = free.pop() ?? slots.length;
      slots[slot] = member;
      let present = true;
      return () => {
        if (!present) return;
        present = false;
        slots[slot] = null;
        free.push(slot);
      };
    },
    size: () => slots.length - free.length,
    members: () => slots.filter((member) => member !== null),
  };
}
