/** Rules that people add while the program runs; the ledger has them. */
import type { CompareRule } from '../types.ts';
import type { RefusalCode } from './refusals.ts';

/** A rule that was accepted although something spoke against it. */
export interface Forced {
  readonly past: readonly RefusalCode[];
  readonly reason: string;
  /** Who forced it, and the second person who agreed. */
  readonly by: string;
  readonly second: string;
}

export interface AddedRule {
  /** `r1`, `r2` … within the group, never given twice. */
  readonly id: string;
  readonly rule: CompareRule;
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly by: string;
  readonly forced: Forced | null;
}

/** Added rules of one group. */
export const ADDED_MAX = 200;
