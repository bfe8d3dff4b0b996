/** The small ports at which the folders meet; joined in router/main.ts. Each has a complete in-memory twin. */
import type { Detail, Kind, Severity } from './compare/comparison.ts';
import type { ErrorCode } from './errors.ts';
import type { Actor, FlagName, Happening, LedgerEvent } from './events.ts';
import type {
  FlagChange,
  FlagChanged,
  FlagEvent,
  FlagExplained,
  FlagExport,
  FlagListed,
  FlagReply,
  FlagShown,
} from './flags.ts';
import type { Outcome } from './outcome.ts';
import type { LedgerState } from './rollout.ts';
import type {
  Captured,
  FlagIntent,
  Group,
  Observation,
  ShadowJob,
  Side,
  SkipReason,
  Snapshot,
  Subject,
} from './types.ts';

/** Monotonic milliseconds measure, wall time only labels. */
export interface Clock {
  /** Monotonic, ms, fractional. */
  now(): number;
  /** Wall time, ms since 1970. */
  wall(): number;
}

/** The routing state in force. `get` is called once per request. */
export interface Current {
  get(): Snapshot;
}

/** Share of units in percent; `custom` = the flag is not in our shape; `missing` = there is no such flag. */
export type FlagShare = number | 'custom' | 'missing';

export interface FlagStatus {
  /** `none`: never had data; `backup`: data of an earlier run; `fresh`: the server answered in this process. */
  readonly data: 'none' | 'backup' | 'fresh';
  readonly stale: boolean;
  /** Since the server last confirmed the data, ms; null when it never did. */
  readonly ageMs: number | null;
  readonly transport: 'local' | 'push' | 'stream' | 'poll' | 'memory';
  /** Local counter: rises whenever the whole table was swapped. */
  readonly revision: number;
  /** One sentence without addresses or secrets, null when the last contact was good. */
  readonly lastError: string | null;
}

export interface FlagReader {
  /** Both flags of the group for this subject in one tick: synchronous, in memory, never throws. */
  read(group: string, subject: Subject): FlagIntent;
  /** Asked shares as the flags define them. */
  intent(group: string): { readonly serve: FlagShare; readonly shadow: FlagShare };
  status(): FlagStatus;
  /** Called after the whole table was swapped; returns the unsubscriber. */
  onChange(listener: (revision: number) => void): () => void;
  /** Why `read` would give this subject what it gives. Not for the hot path. */
  explain(group: string, subject: Subject): { readonly serve: FlagExplained; readonly shadow: FlagExplained };
}

/**
 * `written`: changed and read back. `unchanged`: it already had that value. `conflict`: it moved since `expect`;
 * re-read and decide again. `foreign`: the flag is not in our shape; nothing was written.
 */
export type WriteResult = 'written' | 'unchanged' | 'conflict' | 'foreign';

/** One flag as the flag server holds it now. */
export interface FlagSight {
  /** The share that readers see: 0 where it is switched off, `missing` where it is archived. */
  readonly share: FlagShare;
  /** The reference of the write of ours that last touched its strategy; null where the title is not ours. */
  readonly ref: string | null;
  /** What is not in our shape, in words without control characters, at most 300; null: nothing. */
  readonly what: string | null;
  /** Its name is taken, but it is hidden from readers. */
  readonly archived: boolean;
}

export type FlagSights = Readonly<Record<FlagName, FlagSight>>;

/** Who edited a flag, and when (RFC 3339), as the flag server says. */
export interface FlagEdit {
  readonly by: string;
  readonly at: string;
}

export interface FlagWriter {
  /**
   * Creates what is missing: the flags `fig.<group>.serve` at `serve` % and `fig.<group>.shadow` at `shadow` %.
   * A flag that exists in our shape is left as it is; any other shape gives `foreign`. `refs` go into the titles.
   */
  ensure(
    group: string,
    groupId: string,
    shares: { readonly serve: number; readonly shadow: number },
    refs?: { readonly serve: string; readonly shadow: string },
  ): Promise<WriteResult>;
  /**
   * Absolute, whole percent 0-100. `expect`: the share it must have now, or null. `ref` (the ledger's seq) goes into
   * the flag's title. A write whose answer was lost may be repeated: `unchanged`.
   */
  setServeShare(group: string, share: number, expect: number | null, ref: string): Promise<WriteResult>;
  setShadowShare(group: string, share: number, expect: number | null, ref: string): Promise<WriteResult>;
  /** What both flags are now; writes nothing. */
  look(group: string, groupId: string): Promise<FlagSights>;
  /** The newest edit of a flag, or with `seen` the newest that gave it this share; null when nobody says. */
  lastEdit(group: string, flag: FlagName, seen: FlagShare | null): Promise<FlagEdit | null>;
  /** Puts one flag into our shape at `share`, whatever a person made of it: only on a person's request. */
  restore(group: string, flag: FlagName, groupId: string, share: number, ref: string): Promise<WriteResult>;
  /** Archives both flags; a second time nothing. */
  retire(group: string): Promise<void>;
}

/** All flags that can be looked at, a group's and anybody's. Never rejects. */
export interface FlagCatalog {
  /** In one environment. `archived`: those too. */
  list(environment: string, archived: boolean): Promise<FlagReply<readonly FlagListed[]>>;
  /** Null: there is no such flag. */
  show(name: string): Promise<FlagReply<FlagShown | null>>;
}

/** The flag server's admin side, for what people do by hand. Never rejects. */
export interface FlagAdmin extends FlagCatalog {
  /** Reads, writes at most once, reads back. */
  change(name: string, environment: string, change: FlagChange): Promise<FlagReply<FlagChanged>>;
  /** Newest first, at most `limit` (1-1000). `name` null: of all flags. */
  events(name: string | null, limit: number): Promise<FlagReply<readonly FlagEvent[]>>;
  /** Everything, by environment. */
  export(): Promise<FlagReply<FlagExport>>;
}

/** Who asked for a change of a flag through fig; the flag server knows only fig's token. */
export interface FlagRequest {
  /** The flag server, and the audit event that the change left there. */
  readonly server: string;
  readonly event: number;
  /** When that event happened: a server whose data was lost or put back counts its events anew. */
  readonly at: string;
  readonly by: string;
  readonly reason: string | null;
}

/** Bounded: the oldest are forgotten. Throws when the disk does not take it. */
export interface FlagRequests {
  keep(request: FlagRequest): void;
  find(server: string, event: Pick<FlagEvent, 'id' | 'at'>): FlagRequest | null;
}

/** What became of one copy. */
export type Replayed =
  /** `oversize`: longer than we read; `answer.body` is its beginning. */
  | { readonly kind: 'answer'; readonly answer: Captured; readonly oversize: boolean }
  /** `connecting`: it was not even reached in time. */
  | { readonly kind: 'timeout'; readonly connecting: boolean }
  | { readonly kind: 'transport'; readonly code: ErrorCode }
  /** A kept connection was closed as we took it: neither side's fault, and not repeated. */
  | { readonly kind: 'connection-reused' }
  | { readonly kind: 'aborted' }
  /** The budget for copies ran out while reading. */
  | { readonly kind: 'memory' };

/** Sends copies and reads their answers: own connections, own limits, each once, whatever the other end does. */
export interface Replayer {
  /** `grow` asks for bytes of the memory budget. `done` is called exactly once, possibly before this returns. */
  replay(job: ShadowJob, grow: (bytes: number) => boolean, done: (replayed: Replayed) => void): void;
  start(): void;
  /** What is running ends as `aborted`; idle connections are closed. */
  stop(): void;
}

export interface ShadowSink {
  /**
   * Asked before anything is copied: why a copy of this group would be refused now, or null. Room that is there
   * now may be gone when the copy is offered. Never waits.
   */
  busy(group: Group): SkipReason | null;
  /** Never waits, never throws. Null: taken. Otherwise why not; the caller counts the reason. */
  offer(job: ShadowJob): SkipReason | null;
}

/** What counted evidence is about; another key starts at zero. */
export interface EvidenceKey {
  readonly group: string;
  /** Route label; empty where the route is not known (skips decided before the copy). */
  readonly route: string;
  /** The side that got the copies: `service`, or `legacy` in reverse. */
  readonly shadowed: Side;
  /** Build id of the service; empty while none was seen. */
  readonly build: string;
  /** Digest of the effective rules, 16 hex digits; empty where no rules were involved. */
  readonly rules: string;
}

export interface ComparisonCount extends EvidenceKey {
  readonly outcome: 'same' | 'ignored' | 'different' | 'skipped';
  /** Set exactly for `skipped`. */
  readonly reason: SkipReason | null;
  readonly count: number;
}

export interface CauseEntry {
  /** Path template, redacted. */
  readonly template: string;
  readonly kind: Kind;
  readonly severity: Severity;
  /** What kind of change it is, as far as that is known; of the pair seen first. */
  readonly detail: Detail | null;
  /** Legacy's and the service's status, `200 401`; else null. */
  readonly codes: string | null;
}

/** Differences of one signature: one cause, however many pairs show it. */
export interface CauseDelta extends EvidenceKey {
  /** 16 hex digits of the signature. */
  readonly id: string;
  readonly severity: Severity;
  /** Worst first. */
  readonly entries: readonly CauseEntry[];
  readonly count: number;
  /** Wall time, ms since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Redacted JSON texts, at most 8 KB each; the store keeps the first 3. */
  readonly examples: readonly string[];
}

export interface ComparisonBatch {
  /** Wall time of the flush, ms since 1970. */
  readonly at: number;
  readonly counts: readonly ComparisonCount[];
  readonly causes: readonly CauseDelta[];
}

/** `stale`: of another build of the service than the one seen last; kept, but no longer evidence. */
export type StoredCount = ComparisonCount & { readonly stale: boolean };
export type StoredCause = CauseDelta & { readonly stale: boolean };

export interface ComparisonStore {
  /** Adds everything in one transaction; throws when nothing could be kept. */
  flush(batch: ComparisonBatch): void;
  counts(group: string): readonly StoredCount[];
  /** Current causes before stale ones, most frequent first. */
  causes(group: string): readonly StoredCause[];
  /** Every stored row of one signature (routes, builds), or empty. */
  cause(group: string, id: string): readonly StoredCause[];
}

/** Counts; never throws, never waits. */
export interface Recorder {
  observed(observation: Observation): void;
  /** A request that was eligible for comparison: `skipped` says why it is not compared, null that it was offered. */
  eligible(group: string, skipped: SkipReason | null): void;
}

/** How many of the running data planes have a snapshot in force. */
export interface Applied {
  readonly running: number;
  readonly confirmed: number;
}

/** One data-plane process, for status. */
export interface WorkerState {
  /** 1, 2, 3 … */
  readonly worker: number;
  /** Null while there is none. */
  readonly pid: number | null;
  readonly state: 'starting' | 'ready' | 'down';
  /** Revision in force there; null while it is not ready. */
  readonly snapshot: number | null;
  /** Requests it and its predecessors have reported. */
  readonly requests: number;
  readonly restarts: number;
}

/** Counts what becomes of copies; never throws, never waits. */
export interface CopyMeter extends Pick<Recorder, 'eligible'> {
  /** The copy went to this side. `answered`: the beginning of an answer at least came back. */
  replayed(group: string, side: Side, outcome: Outcome, answered: boolean, durationMs: number): void;
  /** A copy that was sent is settled; `reason` is set exactly for `skipped`. */
  compared(group: string, outcome: ComparisonCount['outcome'], reason: SkipReason | null): void;
}

/** Several happenings of one group by one actor, appended together or not at all. */
export interface Append {
  readonly group: string;
  /** The group's rev this was decided on; null = whatever it is. */
  readonly expectedRev: number | null;
  readonly actor: Actor;
  readonly happenings: readonly Happening[];
}

export type Appended =
  | { readonly kind: 'appended'; readonly events: readonly LedgerEvent[] }
  | { readonly kind: 'conflict'; readonly rev: number };

export interface Ledger {
  state(): LedgerState;
  /** On disk when it returns; throws when it cannot be. `conflict`: the group moved on; read and decide again. */
  append(what: Append): Appended;
  /** Newest first, at most `limit`. `group` null = all. */
  recent(group: string | null, limit: number): readonly LedgerEvent[];
  /** Walks the whole chain and returns the number of events. Throws when it is broken. */
  verify(): number;
}

export interface Log {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}
