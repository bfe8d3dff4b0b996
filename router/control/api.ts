/** The wire types of the admin API: all that the command line and the console may see. */
import type { Kind } from '../core/compare/comparison.ts';
import type { Suggestion } from '../core/compare/suggest.ts';
import type { Actor, Mark } from '../core/events.ts';
import type { GateVerdict } from '../core/evidence/gate.ts';
import type {
  FlagChange,
  FlagEvent,
  FlagExplained,
  FlagExport,
  FlagListed,
  FlagOwner,
  FlagShown,
} from '../core/flags.ts';
import type { PathVerdict } from '../core/noise/path-verdict.ts';
import type {
  Applied,
  Evicted,
  FlagShare,
  FlagStatus,
  GroupNoise,
  StoredCause,
  WorkerState,
} from '../core/ports.ts';
import type { Marked } from '../core/rollout.ts';
import type { BlastRadius } from '../core/rules/blast-radius.ts';
import type { Finding } from '../core/rules/findings.ts';
import type { Refusal } from '../core/rules/refusals.ts';
import type { Forced } from '../core/rules/stored.ts';
import type { CompareRule, Side, SkipReason, Stage, Stop, WritePlan } from '../core/types.ts';

export interface Envelope<T> {
  /** `fig.status/1` */
  readonly schema: string;
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly data: T;
}

export interface StatusData {
  readonly snapshot: number;
  readonly traffic: string;
  /** Requests outside every group, since start. */
  readonly ungrouped: number;
  readonly flags: FlagStatus & { readonly source: 'embedded' | 'unleash'; readonly writable: boolean };
  readonly ledger: { readonly events: number };
  /** The data-plane processes; empty when the data plane is the process that answers here. */
  readonly workers: readonly WorkerState[];
  /** The last time the configuration was read again; null: not since the start. */
  readonly reload: ReloadState | null;
  readonly groups: readonly GroupStatus[];
}

export interface ReloadState {
  /** RFC 3339 UTC. */
  readonly at: string;
  /** False: it was refused, and what was in force stayed. */
  readonly ok: boolean;
}

/** What a reload changed. */
export interface Reloaded {
  readonly snapshot: number;
  /** As in a receipt. */
  readonly planes: Applied;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface GroupStatus {
  readonly group: string;
  readonly service: string;
  readonly routes: readonly string[];
  readonly stage: Stage;
  readonly stopped: Stop | null;
  readonly rev: number;
  readonly epoch: number;
  readonly last: {
    readonly at: string;
    readonly by: string;
    readonly type: string;
    readonly reason: string | null;
  } | null;
  readonly share: ShareStatus;
  readonly shadow: { readonly asked: number; readonly flag: FlagShare };
  readonly traffic: {
    readonly since: string;
    readonly legacy: SideTraffic;
    readonly service: SideTraffic;
    readonly withoutUnit: number;
    readonly fallbacks: number;
    readonly unsafeByService: number;
  };
  readonly comparisons: Comparisons;
  /** What somebody should know of the rules that these comparisons were made by. */
  readonly findings: readonly Finding[];
  /** Null: nothing was asked of legacy twice, or nothing of it is written down yet. */
  readonly noise: NoiseSummary | null;
  /** Requests that change something and are copied all the same. */
  readonly writes: readonly RouteWrites[];
  /** Why nothing moves, in sentences; empty when nothing is waited for. */
  readonly waiting: readonly string[];
  /** The command that moves the group on, and the one that takes it back. */
  readonly next: string | null;
  readonly back: string | null;
}

/** What asking legacy twice has shown, for the build and the rules seen last. */
export interface NoiseSummary {
  /** The worst of all paths. */
  readonly verdict: PathVerdict;
  /** Requests asked three times: of legacy twice, of the service once. */
  readonly triples: number;
  /** Differing paths by verdict. */
  readonly paths: Readonly<Record<PathVerdict, number>>;
  /** Differing pairs that are noise in every place: legacy differs from itself as much. */
  readonly explained: number;
  /** At most 20. */
  readonly regressions: readonly {
    readonly route: string;
    readonly template: string;
    readonly kind: Kind;
    /** The question about values that shows it; null: how often it differs does. */
    readonly feature: string | null;
  }[];
}

export interface RouteWrites extends WritePlan {
  readonly route: string;
}

export interface SideTraffic {
  readonly requests: number;
  readonly failures: number;
  readonly units: number;
}

/** All in percent of units. */
export interface ShareStatus {
  /** What the ledger holds. */
  readonly asked: number;
  /** What the flag says. */
  readonly flag: FlagShare;
  /** What follows from stage, stop, ceiling and flag. */
  readonly effective: number;
  /** What was counted since the group last moved; null while no unit was seen. */
  readonly measured: {
    readonly percent: number;
    readonly lower: number;
    readonly upper: number;
    readonly units: number;
  } | null;
}

/** A comparison rule of a group. */
export interface RuleRow {
  /** `r3`, or `rules[2]` for one of the configuration. */
  readonly name: string;
  readonly source: 'config' | 'added';
  readonly rule: CompareRule;
  /** Who added it and when (RFC 3339); null for one of the configuration. */
  readonly added: { readonly by: string; readonly at: string } | null;
  readonly forced: Forced | null;
  /** Differences it silenced, and when the last one (RFC 3339). */
  readonly hits: number;
  readonly lastHitAt: string | null;
  /** It applies today. */
  readonly inForce: boolean;
}

export interface RulesData {
  readonly group: string;
  readonly rules: readonly RuleRow[];
  readonly findings: readonly Finding[];
}

export interface Force {
  readonly reason: string;
  /** The second person: neither who asks nor an owner. */
  readonly second: string;
}

/** Rules as in the configuration, or those that would silence a cause. */
export type AddRulesBody = { readonly preview?: boolean | undefined; readonly force?: Force | undefined } & (
  | { readonly rules: readonly Readonly<Record<string, unknown>>[] }
  | { readonly cause: CauseRule }
);

export interface CauseRule {
  readonly id: string;
  /** Instead of the narrowest one that is known for each difference. */
  readonly action?: string | undefined;
  readonly owner: string;
  readonly reason: string;
  readonly expires: string;
  readonly ticket?: string | undefined;
}

export interface RuleRefusal extends Refusal {
  /** Position in what was asked for. */
  readonly rule: number;
}

/** What became of rules that were asked for. */
export interface AddedRulesData {
  readonly group: string;
  /** False: a preview, nothing was changed. */
  readonly saved: boolean;
  readonly rules: readonly { readonly name: string | null; readonly rule: CompareRule }[];
  readonly preview: BlastRadius;
  /** What speaks against them; of saved ones, what was forced past. */
  readonly refusals: readonly RuleRefusal[];
  /** Of a saved rule: the snapshot that has it, and the data planes that have the snapshot in force. */
  readonly inForce: { readonly snapshot: number; readonly planes: Applied } | null;
}

export interface RemovedRuleData {
  readonly group: string;
  readonly name: string;
  readonly inForce: { readonly snapshot: number; readonly planes: Applied };
}

export interface Comparisons {
  readonly eligible: number;
  readonly same: number;
  readonly ignored: number;
  readonly different: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  readonly causes: number;
}

/** A cause without what only somebody who looks at it gets. */
export interface CauseSummary extends Omit<StoredCause, 'examples' | 'smallest'> {
  /** At every place of it, and in this very way, legacy differs from itself as much. */
  readonly explained: boolean;
  readonly mark: Mark;
  /** Who said so, when and why; null while it is `new`. */
  readonly marked: Marked | null;
}

export interface DiffsData {
  readonly group: string;
  readonly comparisons: Comparisons;
  /** Causes that had to make room, and the pairs they stood for. */
  readonly evicted: Evicted;
  /** Current before stale, worst first, most frequent first. */
  readonly causes: readonly CauseSummary[];
  /** What somebody should know of the rules these comparisons were made by. */
  readonly findings: readonly Finding[];
  /** Null: nothing was asked of legacy twice. */
  readonly noise: GroupNoise | null;
}

/** One side of a difference: what it is like, and its value only where that may be shown. */
export interface SideShape {
  readonly type: string;
  readonly length: number;
  readonly format?: string;
  readonly digest?: string;
  readonly code?: string;
  readonly value?: string;
}

export interface Example {
  /** `GET /api/products/{id}?page={page}` */
  readonly request: string;
  /** All differences of the pair; those listed may be fewer. */
  readonly count: number;
  readonly differences: readonly {
    readonly path: string;
    readonly kind: string;
    readonly detail: string | null;
    readonly severity: string;
    readonly legacy: SideShape | null;
    readonly service: SideShape | null;
  }[];
}

export interface CauseData extends CauseSummary {
  readonly examples: readonly Example[];
  /** The smallest request that shows it, for both sides; null once its examples have expired. */
  readonly curl: { readonly legacy: string; readonly service: string } | null;
  /** Per entry: the rule that would silence it; null where none should. */
  readonly rules: readonly (Suggestion | null)[];
}

export interface MarkData extends Marked {
  readonly group: string;
  readonly cause: string;
}

export interface PurgeData {
  readonly group: string;
  /** Causes that were deleted, with their examples. */
  readonly causes: number;
}

/** What one part of a group's traffic has shown. */
export interface EvidenceStratum {
  readonly route: string;
  readonly stratum: string;
  /** Compared or skipped for other reasons than policy. */
  readonly requests: number;
  readonly compared: number;
  readonly different: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Different requests compared, and how many of them have an unexplained difference. */
  readonly n: number;
  readonly k: number;
  readonly shapes: { readonly observed: number; readonly compared: number };
  /** Clopper-Pearson, for one look only. */
  readonly fixedUpper: number;
  /** May be read at any time. */
  readonly lower: number;
  readonly upper: number;
  /** Different requests at which `upper` is within the budget if no more differ; null: never. */
  readonly needed: number | null;
  readonly perHour: number | null;
}

/** Everything that counts now in one direction: for one build of each side and one set of rules. */
export interface EvidenceStanding {
  readonly shadowed: Side;
  /** Empty while none was seen. */
  readonly build: string;
  readonly legacyBuild: string;
  readonly rules: string;
  /** Share of requests that may differ. */
  readonly budget: number;
  readonly verdict: GateVerdict;
  /** Whole sentences: why, or what is missing. */
  readonly reasons: readonly string[];
  /** About how long that takes; null: cannot be said. */
  readonly waitMs: number | null;
  readonly eligible: number;
  readonly compared: number;
  readonly different: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Different requests. */
  readonly requests: number;
  readonly shapes: { readonly observed: number; readonly compared: number };
  /** The largest; `strataCount` is how many there are. */
  readonly strata: readonly EvidenceStratum[];
  readonly strataCount: number;
}

/** Of other builds or rules: shown for 14 days, counted for nothing. */
export interface StaleEvidence {
  readonly shadowed: Side;
  readonly build: string;
  readonly legacyBuild: string;
  readonly rules: string;
  readonly compared: number;
  readonly different: number;
  /** Wall time, ms since 1970. */
  readonly lastAt: number;
}

export interface EvidenceData {
  readonly group: string;
  /** Copies to the service, and in reverse; empty while nothing was compared. */
  readonly standings: readonly EvidenceStanding[];
  readonly stale: readonly StaleEvidence[];
  readonly kept: {
    readonly scopes: number;
    readonly scopesMax: number;
    /** Of all groups. */
    readonly bytes: number;
    readonly bytesMax: number;
    /** Scopes that had to make room. */
    readonly evicted: number;
  };
}

/** Known faults put into answers as they pass, and the share that comparing finds under the rules in force. */
export interface SelfTestData {
  readonly group: string;
  /** Digest of the rules; empty while nothing was compared. */
  readonly rules: string;
  readonly tried: number;
  readonly caught: number;
  readonly faults: readonly { readonly fault: string; readonly tried: number; readonly caught: number }[];
  readonly escaped: readonly {
    readonly fault: string;
    readonly path: string;
    readonly tried: number;
    readonly caught: number;
    /** The rules that hide it, as `path action`; empty: the default semantics do. */
    readonly hiddenBy: readonly string[];
  }[];
  /** Legacy against itself: true when nothing was flagged; null: it was not asked twice yet. */
  readonly legacyAgainstItself: boolean | null;
}

export type Move =
  | { readonly kind: 'shadow'; readonly sample: number; readonly reason?: string | undefined }
  | { readonly kind: 'shift'; readonly share: number; readonly reason?: string | undefined }
  | { readonly kind: 'stage'; readonly to: Stage; readonly reason?: string | undefined }
  | { readonly kind: 'rollback'; readonly reason?: string | undefined }
  | { readonly kind: 'kill'; readonly reason?: string | undefined }
  | { readonly kind: 'release'; readonly reason?: string | undefined }
  | { readonly kind: 'restore-flags'; readonly reason?: string | undefined };

/** What a move did, with times in ms after it was accepted. */
export interface Receipt {
  readonly group: string;
  readonly kind: Move['kind'];
  /** `already-there`: nothing had to change. */
  readonly status: 'moved' | 'already-there';
  readonly actor: Actor;
  readonly reason: string | null;
  readonly acceptedAt: string;
  readonly from: Position;
  readonly to: Position;
  readonly snapshot: number;
  /** Until the new routing state was in force in the data plane. */
  readonly appliedMs: number;
  /** The data planes that run, and how many of them have said so; one that has not may still route as before. */
  readonly planes: Applied;
  /** Until the ledger had it; null when it could not be written (then it is in force, but only until a restart). */
  readonly recordedMs: number | null;
  /** The service's requests: the last one that began after the decision (null: none), and those still running. */
  readonly service: { readonly lastStartedMs: number | null; readonly inFlight: number };
  readonly flag: FlagReceipt;
  /** Writes only the service has answered since it started; it may hold the only copy. */
  readonly unsafeByService: number;
}

export interface Position {
  readonly stage: Stage;
  readonly share: number;
  readonly shadow: number;
  readonly stopped: Stop | null;
  readonly rev: number;
}

/**
 * `none`: no flag had to change. `verified`: written, read back, and seen by the reader of the control plane, which
 * tells the workers in the same tick.
 */
export type FlagReceipt =
  | { readonly state: 'none' }
  | { readonly state: 'verified'; readonly verifiedMs: number }
  | { readonly state: 'pending'; readonly why: string };

export interface ExplainRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface Explanation {
  readonly refused: { readonly code: string; readonly status: number; readonly text: string } | null;
  readonly route: { readonly label: string; readonly group: string } | null;
  readonly unit: { readonly key: string; readonly source: string; readonly position: number } | null;
  readonly unitSources: readonly string[];
  readonly flag: {
    readonly serve: string;
    readonly shadow: string;
    readonly cause: string;
    readonly share: FlagShare;
    /** What each of the two flags says to this unit, and why. */
    readonly why: { readonly serve: FlagExplained; readonly shadow: FlagExplained };
    readonly status: FlagStatus;
  } | null;
  readonly ledger: {
    readonly stage: Stage;
    readonly ceiling: number;
    readonly rev: number;
    readonly stopped: Stop | null;
  } | null;
  readonly answer: { readonly side: 'legacy' | 'service'; readonly target: string; readonly reason: string };
  /** `copied`, `not compared`, or the reason of the skip. */
  readonly shadow: string;
}

/** What the ledger has to do with a group's flag. All in percent of units. */
export interface GroupFlag extends FlagOwner {
  /** What the ledger holds. */
  readonly asked: number;
  /** What the flag says to the data plane. */
  readonly says: FlagShare;
  /** What follows for traffic; null: it is the shadow flag, which moves none. */
  readonly effective: number | null;
}

export interface FlagRow extends Omit<FlagListed, 'owner'> {
  /** Null: yours, nothing but you moves it. */
  readonly group: GroupFlag | null;
}

export interface FlagsData {
  readonly environment: string;
  /** `reader`: there is no admin token; only what the data plane reads can be seen. */
  readonly seen: 'admin' | 'reader';
  readonly flags: readonly FlagRow[];
}

export interface FlagData {
  readonly seen: 'admin' | 'reader';
  readonly flag: Omit<FlagShown, 'owner'> & { readonly group: GroupFlag | null };
  /** Newest first; null: they cannot be asked for. */
  readonly changes: readonly FlagEvent[] | null;
}

export type FlagChangeBody = FlagChange & {
  /** Default: the environment that decides about traffic. */
  readonly environment?: string | undefined;
  /** Also when the flag is a group's. */
  readonly force?: boolean | undefined;
  readonly reason?: string | undefined;
};

export interface FlagReceiptData {
  readonly flag: string;
  readonly environment: string;
  readonly status: 'changed' | 'already-there';
  /** `rollout 10 %`, `on`; null: it was so before. */
  readonly from: string | null;
  readonly to: string;
  /** What else is worth knowing, in sentences. */
  readonly notes: readonly string[];
}

export interface FlagHistoryEvent extends FlagEvent {
  /** Who asked fig for it, and why; null: it did not go through `fig flags`. */
  readonly asked: { readonly by: string; readonly reason: string | null } | null;
}

export interface FlagExportData {
  readonly source: 'embedded' | 'unleash';
  readonly environments: FlagExport;
}

/** RFC 9457, with every fault and the command that helps. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  readonly next?: string;
}
