import { isIdentical } from '../core/compare/compare.ts';
import type { Captured } from '../core/types.ts';

/** Whether nothing has to be parsed: `isIdentical` of the comparer, asked before a pair is handed to it. */
export function areIdentical(legacy: Captured, service: Captured): boolean {
  return isIdentical(legacy, service, sameBytes);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
