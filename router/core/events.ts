import type { Forced } from './rules/stored.ts';
import type { CompareRule, Stage } from './types.ts';

/** Who did it. `engine` = the program itself, `dataplane` = a stop that was visible before it was recorded. */
export interface Actor {
  readonly kind: 'operator' | 'engine' | 'dataplane';
  readonly id: string;
}

/**
 * What can happen to a group. Shares are percent, 0-100 in hundredths. An intent is written before the flag is
 * touched; `…verified` names the intent (`of` = its seq) whose value was read back.
 */
export type Happening =
  | { readonly type: 'group.created'; readonly body: { readonly groupId: string } }
  | {
      readonly type: 'stage.changed';
      readonly body: { readonly from: Stage; readonly to: Stage; readonly reason: string | null };
    }
  | {
      readonly type: 'share.intended';
      readonly body: { readonly from: number; readonly to: number; readonly reason: string | null };
    }
  | { readonly type: 'share.verified'; readonly body: { readonly of: number; readonly readBack: number } }
  | {
      readonly type: 'shadow.intended';
      readonly body: { readonly from: number; readonly to: number; readonly reason: string | null };
    }
  | { readonly type: 'shadow.verified'; readonly body: { readonly of: number; readonly readBack: number } }
  | { readonly type: 'kill.set'; readonly body: { readonly reason: string | null } }
  | { readonly type: 'kill.cleared'; readonly body: { readonly reason: string | null } }
  | {
      readonly type: 'rollback.decided';
      readonly body: {
        readonly from: number;
        readonly stage: 'canary' | 'live';
        readonly epoch: number;
        readonly reason: string | null;
      };
    }
  /** A comparison rule is in force from here; `reason`: why, of a forced one why all the same. */
  | {
      readonly type: 'rule.added';
      readonly body: {
        readonly id: string;
        readonly rule: CompareRule;
        readonly forced: Forced | null;
        readonly reason: string | null;
      };
    }
  | { readonly type: 'rule.removed'; readonly body: { readonly id: string; readonly reason: string | null } }
  /** A person asked for both flags to be put back into our shape, whatever they are now. */
  | { readonly type: 'restore.intended'; readonly body: { readonly reason: string | null } }
  | {
      readonly type: 'override.detected';
      readonly body: Override & { readonly flag: FlagName; readonly expected: number };
    }
  /** Whoever moved the flag put it back; what was detected before holds no more. */
  | {
      readonly type: 'override.cleared';
      readonly body: { readonly flag: FlagName; readonly readBack: number };
    }
  /** What a person says a cause of differences is. */
  | {
      readonly type: 'cause.marked';
      readonly body: { readonly cause: string; readonly mark: Mark; readonly reason: string };
    }
  /** Causes and their examples were deleted. */
  | {
      readonly type: 'comparisons.purged';
      readonly body: { readonly causes: number; readonly reason: string | null };
    };

/** `new`: nobody has looked at it, or somebody took their word back. A mark explains; only a rule silences. */
export type Mark = 'new' | 'bug' | 'noise' | 'intended';

/** The two flags of a group. */
export const FLAG_NAMES = ['serve', 'shadow'] as const;
export type FlagName = (typeof FLAG_NAMES)[number];

/** What somebody else made of a flag. */
export interface Override {
  /** The share it asks for now, as readers see it: `40`, `custom`, `missing`. */
  readonly seen: string;
  /** What is not as we write it, in words; null or absent where only the readers' table was seen. */
  readonly what?: string | null;
  /** Who edited it and when (RFC 3339), as the flag server says; null or absent where it was not asked. */
  readonly by?: string | null;
  readonly at?: string | null;
}

/** One entry of the ledger: append-only, chained by hash. */
export type LedgerEvent = Happening & {
  /** 1, 2, 3 … over the whole ledger. */
  readonly seq: number;
  /** 1, 2, 3 … within the group; what `--if-rev` compares. */
  readonly rev: number;
  readonly group: string;
  /** RFC 3339 UTC with milliseconds; a label, nothing is computed from it. */
  readonly at: string;
  readonly actor: Actor;
  /** Fencing token of the writer; never lower than one already in the ledger. */
  readonly token: number;
  /** Idempotency key, unique in the ledger. */
  readonly key: string;
  /** Hash of the event before, 64 zeros for the first. */
  readonly prev: string;
  /** SHA-256 over the canonical form (RFC 8785) of everything else, lower-case hex. */
  readonly hash: string;
};

export const GENESIS = '0'.repeat(64);
