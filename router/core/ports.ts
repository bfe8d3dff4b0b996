/** The small ports at which the folders meet; joined in router/main.ts. Each has a complete in-memory twin. */
import type { Detail, Kind, Severity } from './compare/comparison.ts';
import type { ErrorCode } from './errors.ts';
import type { Actor, FlagName, Happening, LedgerEvent } from './events.ts';
import type { EvidenceContent, EvidenceSignature } from './evidence/evidence.ts';
import type { EvidenceScope } from './evidence/key.ts';
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
import type { FaultKind } from './mutants.ts';
import type { PathReport } from './noise/model.ts';
import type { PathVerdict } from './noise/path-verdict.ts';
import type { Outcome } from './outcome.ts';
import type { LedgerState } from './rollout.ts';
import type { Hits } from './rules/findings.ts';
import type {
  Captured,
  Fields,
  FlagIntent,
  Group,
  Observation,
  Route,
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
  /** `oversize`: longer than we read; `answer.body` is its beginning. `dryRun`: it says `Fig-Dry-Run: honoured`. */
  | {
      readonly kind: 'answer';
      readonly answer: Captured;
      readonly oversize: boolean;
      readonly dryRun: boolean;
    }
  /** `connecting`: it was not even reached in time. */
  | { readonly kind: 'timeout'; readonly connecting: boolean }
  | { readonly kind: 'transport'; readonly code: ErrorCode }
  /** A kept connection was closed as we took it: neither side's fault, and not repeated. */
  | { readonly kind: 'connection-reused' }
  | { readonly kind: 'aborted' }
  /** The budget for copies ran out while reading. */
  | { readonly kind: 'memory' };

/** A job as it is sent. `marks`: fields sent in place of the client's own of these names. */
export interface Replay extends ShadowJob {
  readonly marks?: Fields;
}

/** Sends copies and reads their answers: own connections, own limits, each once, whatever the other end does. */
export interface Replayer {
  /** `grow` asks for bytes of the memory budget. `done` is called exactly once, possibly before this returns. */
  replay(job: Replay, grow: (bytes: number) => boolean, done: (replayed: Replayed) => void): void;
  start(): void;
  /** What is running ends as `aborted`; idle connections are closed. */
  stop(): void;
}

/** What became of second calls, of one process. */
export interface BaselineCounts {
  readonly started: number;
  /** All three answers were compared. */
  readonly judged: number;
  /** The second call or the copy gave nothing to compare. */
  readonly lost: number;
  /** Wanted, but there was no time or room. */
  readonly shed: number;
}

export interface ShadowSink {
  /**
   * Asked before anything is copied: why a copy of this group would be refused now, or null. Room that is there
   * now may be gone when the copy is offered. Never waits.
   */
  busy(group: Group, route: Route, method: string): SkipReason | null;
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

/** The request that shows a cause, without what may not be known of it. */
export interface ShownRequest {
  readonly method: string;
  /** Target in which `{name}` stands for what is not shown: values of the query, parameters of the path. */
  readonly target: string;
  /** Request fields that matter for the answer; null where the value is not shown. */
  readonly fields: readonly (readonly [name: string, value: string | null])[];
  readonly hasBody: boolean;
  /** Of head and body; the smallest request that shows a cause is the one to begin with. */
  readonly bytes: number;
}

/** Where a cause was seen, and how often, as long as there is room for it. */
export interface CausePlace extends Omit<EvidenceKey, 'group'> {
  readonly count: number;
  /** Wall time, ms since 1970. */
  readonly lastAt: number;
}

/** Differences of one signature: one cause, however many pairs show it, on however many routes. */
export interface CauseDelta {
  readonly group: string;
  /** 16 hex digits of the signature. */
  readonly id: string;
  readonly severity: Severity;
  /** Worst first. */
  readonly entries: readonly CauseEntry[];
  /** Never too low; too high by at most `error`. */
  readonly count: number;
  readonly error: number;
  /** Wall time, ms since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly places: readonly CausePlace[];
  /** HyperLogLog registers of the shapes of its requests. */
  readonly shapes: readonly number[];
  /** Redacted JSON texts, at most 8 KB each; the store keeps the first 3. */
  readonly examples: readonly string[];
  readonly smallest: ShownRequest | null;
}

/** What came in for one scope of evidence. */
export interface EvidenceDelta {
  readonly scope: EvidenceScope;
  readonly same: number;
  readonly ignored: number;
  readonly different: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Digests of the shapes of requests that were not compared. */
  readonly observed: readonly number[];
  /** Compared ones, each (request, signature) once: position in `signatures`, or -1 where nothing differs. */
  readonly pairs: readonly (readonly [request: number, shape: number, signature: number])[];
  readonly signatures: readonly EvidenceSignature[];
  /** Differing pairs that found no place here; they count as unexplained. */
  readonly lost: number;
  /** Wall time, ms since 1970. */
  readonly lastAt: number;
}

/** A place that answers of legacy have. */
export interface Leaf {
  readonly group: string;
  readonly route: string;
  /** Path template, redacted. */
  readonly template: string;
}

/** A rule that silenced differences. */
export interface RuleHitsDelta {
  readonly group: string;
  /** What the rule does, as `ruleText` says it. */
  readonly rule: string;
  readonly count: number;
  readonly places: readonly SilencedDelta[];
}

/** Pairs of a route in which a rule silenced this. */
export interface SilencedDelta {
  readonly route: string;
  readonly entry: CauseEntry;
  readonly count: number;
}

/** How often rules silenced a difference; bounded. */
export interface RuleHits {
  /** These rules (as `ruleText`) are in force; the first time counts. Throws when the disk does not take it. */
  met(group: string, rules: readonly string[], at: number): void;
  of(group: string): ReadonlyMap<string, Hits>;
  /** What each rule silenced lately. */
  silenced(group: string): ReadonlyMap<string, readonly SilencedDelta[]>;
  /** Places that answers have, as far as they were seen. */
  leaves(group: string): readonly Leaf[];
}

/** What a noise model is about: another build of the service or other rules begin anew. */
export interface NoiseKey {
  readonly group: string;
  /** Build id of the service; empty while none was seen. */
  readonly build: string;
  /** Digest of the effective rules. */
  readonly rules: string;
}

/** One noise model as it is written down: values are in it only as keyed digests. */
export interface NoiseRow extends NoiseKey {
  /** Packed content (router/shadow/noise-book.ts); empty when it was too large to be kept. */
  readonly content: Uint8Array;
  readonly reports: readonly PathReport[];
  /** Requests asked three times. */
  readonly triples: number;
  /** Paths that are flagged with legacy's second answer in the service's place: there should be none. */
  readonly flaggedItself: number;
}

/** Everything known about the noise of a group, for the build and the rules seen last. */
export interface GroupNoise extends Omit<NoiseRow, 'content'> {
  /** The worst of its paths. */
  readonly verdict: PathVerdict;
  /** Wall time, ms since 1970. */
  readonly at: number;
}

/** Bounded per group. Throws when the disk does not take it. */
export interface NoiseStore {
  /** `plane`: number of the data plane, 1, 2, 3 …; each keeps models of its own. */
  keep(plane: number, at: number, rows: readonly NoiseRow[]): void;
  /** What a data plane begins with. */
  rows(plane: number): readonly NoiseRow[];
  /** For the build and the rules seen last, of every data plane; `at`: when the newest was kept. */
  newest(group: string): { readonly at: number; readonly rows: readonly NoiseRow[] };
}

export interface ComparisonBatch {
  /** Wall time of the flush, ms since 1970. */
  readonly at: number;
  readonly counts: readonly ComparisonCount[];
  readonly causes: readonly CauseDelta[];
  /** Absent: nothing was silenced. */
  readonly hits?: readonly RuleHitsDelta[];
  /** Absent: no answer had a place that was not seen before. */
  readonly leaves?: readonly Leaf[];
  /** Noise models that have changed, as a whole. */
  readonly noise?: { readonly plane: number; readonly rows: readonly NoiseRow[] };
  /** Per group: how often a cause that is not in this batch may have been seen at most. */
  readonly forgotten: readonly { readonly group: string; readonly count: number }[];
  readonly evidence: readonly EvidenceDelta[];
  readonly selfTests: readonly SelfTestDelta[];
}

/** One kind of fault put into answers at one place, and what the comparison made of it. */
export interface SelfTestDelta {
  readonly group: string;
  /** Digest of the rules in force. */
  readonly rules: string;
  readonly fault: FaultKind;
  /** Path template, redacted. */
  readonly template: string;
  readonly tried: number;
  readonly caught: number;
  /** Positions of the rules that silenced it, most often the first. */
  readonly hiddenBy: readonly number[];
}

/** `stale`: of another build of the service than the one seen last; kept, but no longer evidence. */
export type StoredCount = ComparisonCount & { readonly stale: boolean };

export interface StoredCause extends Omit<CauseDelta, 'shapes'> {
  /** About how many kinds of request show it. */
  readonly shapes: number;
  /** Not seen with the build and the rules that were seen last. */
  readonly stale: boolean;
}

/** What had to make room: causes, and the pairs they stood for. */
export interface Evicted {
  readonly causes: number;
  readonly pairs: number;
}

export interface ComparisonStore {
  /** Adds everything but evidence in one transaction; throws when nothing could be kept. */
  flush(batch: ComparisonBatch): void;
  counts(group: string): readonly StoredCount[];
  /** Current causes before stale ones, worst and most frequent first. */
  causes(group: string): readonly StoredCause[];
  cause(group: string, id: string): StoredCause | null;
  evicted(group: string): Evicted;
  selfTests(group: string, rules: string): readonly SelfTestDelta[];
  /** Build and rules that were seen last; null before anything was compared. */
  current(group: string): { readonly build: string; readonly rules: string } | null;
  /** Takes causes with their examples out of the file, and self-tests; gives the number of causes. */
  purge(group: string): number;
  /** The file is full: the least-hit half of the causes and everything stale goes, counted. */
  shrink(): void;
}

/** Kept evidence of one scope. */
export interface StoredEvidence {
  readonly scope: EvidenceScope;
  readonly totals: EvidenceTotals;
  readonly content: EvidenceContent;
}

export interface EvidenceTotals {
  readonly same: number;
  readonly ignored: number;
  readonly different: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Differing pairs without a place. */
  readonly lost: number;
  /** Wall time, ms since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Evidence of a group that had to make room. */
export interface EvictedEvidence {
  readonly group: string;
  /** All scopes that ever did. */
  readonly scopes: number;
  /** Those of the builds and rules `of` stands for: how many of their pairs differed. */
  readonly of: string;
  readonly different: number;
}

export interface EvidenceStore {
  load(): { readonly kept: readonly StoredEvidence[]; readonly evicted: readonly EvictedEvidence[] };
  /** In one transaction; throws when the disk does not take it. */
  write(
    changed: readonly StoredEvidence[],
    gone: readonly EvidenceScope[],
    evicted: readonly EvictedEvidence[],
  ): void;
}

/** What learning from legacy's own two answers says; nothing is excused where nothing was learned. */
export interface NoiseVerdicts {
  /** Whether a difference of a route is noise. */
  explained(group: string, route: string): (template: string, kind: Kind) => boolean;
  /** Paths whose verdict is REGRESSION, as they are shown. */
  regressions(group: string): readonly string[];
  /** Legacy against itself was judged: true when nothing was flagged; null: not yet. */
  selfTestClean(group: string): boolean | null;
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
