/** What people see of flags: nouns of the flag server, in words where they are only read. */
import type { FlagShare } from './ports.ts';
import type { Answer } from './types.ts';

/** The group whose ledger moves a flag. */
export interface FlagOwner {
  readonly group: string;
  readonly flag: 'serve' | 'shadow';
  /** Not in the shape in which the ledger moves it: it is left alone until somebody repairs it. */
  readonly foreign: boolean;
}

/** One flag in one environment, in short. */
export interface FlagListed {
  readonly name: string;
  readonly type: string | null;
  readonly enabled: boolean;
  /** Percent of units, `custom` when more than one rollout decides; null: there is no strategy. */
  readonly share: Exclude<FlagShare, 'missing'> | null;
  /** Each strategy in a few words. */
  readonly strategies: readonly string[];
  readonly stale: boolean;
  readonly archived: boolean;
  /** Null: nobody's but its makers'. */
  readonly owner: FlagOwner | null;
}

export interface StrategyShown {
  readonly name: string;
  readonly title: string | null;
  readonly disabled: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  /** `tenant IN [acme]` */
  readonly constraints: readonly string[];
  readonly segments: readonly SegmentShown[];
  /** `modern 50 %` */
  readonly variants: readonly string[];
}

interface SegmentShown {
  readonly id: number;
  readonly name: string | null;
  readonly constraints: readonly string[];
}

/** Everything of one flag. */
export interface FlagShown {
  readonly name: string;
  readonly type: string | null;
  readonly description: string | null;
  readonly stale: boolean;
  readonly archived: boolean;
  readonly impressionData: boolean;
  readonly owner: FlagOwner | null;
  readonly environments: readonly {
    readonly name: string;
    readonly enabled: boolean;
    /** Null: the flag server does not show them, the flag is archived. */
    readonly strategies: readonly StrategyShown[] | null;
  }[];
  readonly variants: readonly string[];
  readonly dependencies: readonly string[];
  /** `simple:wave1`; null: not known. */
  readonly tags: readonly string[] | null;
  /** As the flag server gave it. */
  readonly definition: unknown;
}

/** One event of the flag server's audit log. */
export interface FlagEvent {
  readonly id: number;
  /** RFC 3339. */
  readonly at: string;
  /** Whose token or account it was. */
  readonly by: string;
  readonly type: string;
  readonly flag: string | null;
  readonly environment: string | null;
  /** `rollout 10 % -> 25 %` */
  readonly what: string;
}

export type FlagChange =
  | { readonly kind: 'set'; readonly percent: number }
  | { readonly kind: 'on' }
  | { readonly kind: 'off' };

export type FlagChanged =
  /** Written and read back; `event` is the audit event it left, when it is known. */
  | {
      readonly kind: 'changed';
      readonly from: string;
      readonly to: string;
      readonly note: string | null;
      readonly event: Pick<FlagEvent, 'id' | 'at'> | null;
    }
  /** It was so before: nothing was written. */
  | { readonly kind: 'unchanged'; readonly to: string; readonly note: string | null }
  | { readonly kind: 'unknown' }
  /** The flag is in no state for it; nothing was written. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Somebody else changed it meanwhile; nothing was written, or what was written is gone. */
  | { readonly kind: 'conflict'; readonly why: string };

/** One export: a body of the flag server per environment, to be imported as it is. */
export type FlagExport = Readonly<Record<string, unknown>>;

/**
 * `unreachable`: no answer. `denied`: the token. `unsupported`: this server has no such call. `no-environment`: there
 * is none of that name, or it cannot be seen.
 */
export type FlagReply<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | {
      readonly kind: 'failed';
      readonly reason: 'unreachable' | 'denied' | 'unsupported' | 'no-environment' | 'unexpected';
      /** One sentence without address and secret. */
      readonly why: string;
    };

/** Why one strategy gave what it gave. */
export interface StrategyExplained {
  /** 1, 2, 3 … in the order in which they are asked. */
  readonly number: number;
  readonly name: string;
  readonly answer: Answer;
  /** `bucket 34 of 100, rollout 25` */
  readonly why: string;
}

/** What a flag says to one subject, and why. */
export interface FlagExplained {
  readonly name: string;
  /** `unknown`: no data, no flag, or an answer that chance decides at each request. */
  readonly answer: Answer;
  /** What decided before any strategy was asked; null when the strategies decide. */
  readonly why: string | null;
  /** Those that were asked: none after the first that is on. */
  readonly strategies: readonly StrategyExplained[];
}
