import type { SkipReason } from './types.ts';

/** Memory that all copies of a process share. */
export interface Budget {
  /** Takes bytes if they are free. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  usedBytes(): number;
  /** Copies that were given up because the memory was full. */
  refusals(): number;
}

/** A budget of `bytesMax` bytes. */
export function createBudget(bytesMax: number): Budget {
  let used = 0;
  let refused = 0;
  return {
    take(bytes) {
      if (used + bytes > bytesMax) {
        refused += 1;
        return false;
      }
      used += bytes;
      return true;
    },
    give(bytes) {
      used -= bytes;
    },
    usedBytes: () => used,
    refusals: () => refused,
  };
}

const NONE = new Uint8Array(0);

/**
 * A bounded copy of a body that passes by. It can only give up: it has no way to pause, delay or fail whoever
 * calls it.
 */
export interface Tap {
  /** Copies the bytes; the caller keeps its own. */
  write(bytes: Uint8Array): void;
  /** Frees the copy; later writes are ignored. The first reason stays. */
  giveUp(reason: SkipReason): void;
  /** Why the copy was given up, or null. */
  skipped(): SkipReason | null;
  /** Hands the copy over, frees the budget and closes the tap. */
  release(): Uint8Array;
}

/** A copy of at most `bytesMax` bytes out of the shared budget. */
export function createTap(bytesMax: number, budget: Budget): Tap {
  let room: Uint8Array = NONE;
  let held = 0;
  let closed = false;
  let reason: SkipReason | null = null;

  function free(): void {
    budget.give(held);
    room = NONE;
    held = 0;
    closed = true;
  }

  function giveUp(why: SkipReason): void {
    if (closed) return;
    reason = why;
    free();
  }

  return {
    write(bytes) {
      if (closed || bytes.length === 0) return;
      if (held + bytes.length > bytesMax) giveUp('too-large');
      else if (!budget.take(bytes.length)) giveUp('memory');
      else {
        // One buffer and no list of pieces: of a body that comes byte by byte the list would be most.
        if (held + bytes.length > room.length) room = enlarged(room, held, bytes.length);
        room.set(bytes, held);
        held += bytes.length;
      }
    },
    giveUp,
    skipped: () => reason,
    release() {
      const whole = held === room.length ? room : room.slice(0, held);
      if (!closed) free();
      return whole;
    },
  };
}

/** Just what the first piece needs, as most bodies are one; then at least twice as much as before. */
function enlarged(room: Uint8Array, held: number, more: number): Uint8Array {
  const larger = new Uint8Array(Math.max(held + more, 2 * held));
  larger.set(room.subarray(0, held));
  return larger;
}
