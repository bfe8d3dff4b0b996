import { createGrowing } from './growing.ts';
import type { SkipReason } from './types.ts';

/** Memory that all copies of a process share. */
export interface Budget {
  /** Takes bytes if they are free. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  usedBytes(): number;
  /** Copies that were given up because the memory was full. */
  refusals(): number;
  /** Another size, for what is taken from now on. */
  resize(bytesMax: number): void;
  /** A copy that keeps nothing else alive for long. */
  copy(bytes: Uint8Array): Uint8Array;
}

/** A budget of `bytesMax` bytes. `copy`: how the runtime copies small pieces best. */
export function createBudget(
  bytesMax: number,
  copy: Budget['copy'] = (bytes) => new Uint8Array(bytes),
): Budget {
  let max = bytesMax;
  let used = 0;
  let refused = 0;
  return {
    take(bytes) {
      if (used + bytes > max) {
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
    resize(bytesMax) {
      max = bytesMax;
    },
    copy,
  };
}

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
  let body = createGrowing(budget.copy);
  let closed = false;
  let reason: SkipReason | null = null;

  function free(): void {
    budget.give(body.length);
    body = createGrowing(budget.copy);
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
      if (body.length + bytes.length > bytesMax) giveUp('too-large');
      else if (!budget.take(bytes.length)) giveUp('memory');
      else body.append(bytes);
    },
    giveUp,
    skipped: () => reason,
    release() {
      const whole = body.whole();
      if (!closed) free();
      return whole;
    },
  };
}
