/** The words of the product as types (docs/glossary.md). Data only; everything here is immutable. */
import type { ErrorCode } from './errors.ts';

export type Side = 'legacy' | 'service';
export type Role = 'primary' | 'shadow';
export type Stage = 'legacy' | 'shadow' | 'canary' | 'live' | 'sealed' | 'retired';
/** A trip is automatic, a kill is a person's; both send every request of the group to legacy. */
export type Stop = 'tripped' | 'killed';
export type Reason = 'no-route' | 'stage' | 'flag' | 'flag-unknown' | 'killed' | 'tripped';

/**
 * Header lines as received: name, value, name, value … Order, case and duplicates survive. Values are latin1
 * strings, one character per byte. Never an object keyed by field name: a name may be `__proto__`.
 */
export type Fields = readonly string[];

/** What a flag says about one unit. `unknown` = no data, no unit or no such flag; never read it as `off`. */
export type Answer = 'on' | 'off' | 'unknown';
export interface FlagIntent {
  readonly serve: Answer;
  readonly shadow: Answer;
  readonly cause: 'flag' | 'no-unit' | 'no-data' | 'missing';
}

/** Who asks. `unit` is the sticky key (first 32 lower-case hex digits of SHA-256 of the raw id), never a raw id. */
export interface Subject {
  readonly unit: string | null;
  readonly requestId: string;
  readonly properties: Readonly<Record<string, string>>;
}

export interface Decision {
  readonly side: Side;
  readonly shadow: boolean;
  readonly reason: Reason;
}

/** Where a group's sticky id is read from, first match wins. */
export type UnitSource = { readonly header: string } | { readonly cookie: string };

/** Replacements, first match wins; what matches no `from` stays as it is. */
export type Pairs = readonly (readonly [from: string, to: string])[];

/** PEM texts for an `https:` upstream. Verification is always on. */
export interface TargetTls {
  /** Certificate authorities to trust instead of the system's; null = the system's. */
  readonly ca: string | null;
  /** Client certificate and its key, both or neither. */
  readonly cert: string | null;
  readonly key: string | null;
}

/** `http:` or `https:` origin of an upstream, without path. */
export interface Target {
  readonly name: string;
  readonly origin: string;
  /** Host sent to it; null = as received. */
  readonly host: string | null;
  /** Null: plain, or the system's authorities and no client certificate. */
  readonly tls: TargetTls | null;
  /** Location rewriting of this upstream's answers: `[from, to]` origins; `public` = the origin the client used. */
  readonly rewriteLocation: Pairs;
  /** Domain and Path attributes of Set-Cookie; `from` may be `*`, an empty `to` drops the attribute. */
  readonly rewriteCookieDomain: Pairs;
  readonly rewriteCookiePath: Pairs;
  /** Name of the answer header that carries the build id, lower case, or null. */
  readonly buildHeader: string | null;
}

export interface ShadowLimits {
  readonly perSecondMax: number;
  readonly inFlightMax: number;
  readonly bodyBytesMax: number;
  readonly timeoutMs: number;
}

/** How often legacy is asked a second time, so that what differs by itself is known. Safe routes only. */
export interface BaselineLimits {
  /** The first copies of every route. */
  readonly first: number;
  /** Share of those after them, 0-1. */
  readonly rate: number;
  /** Second calls started per second and group; 0 = none. */
  readonly perSecondMax: number;
}

/** Which requests of a group are copied, and what a copy is sent with. */
export interface ShadowPolicy {
  /** Who is in the sample together: all requests of a unit, or each request for itself. */
  readonly sampleBy: 'unit' | 'request';
  /** Share of the sample that is copied, 0-1 in ten-thousandths. */
  readonly thin: number;
  /** What becomes of If-None-Match and If-Modified-Since: they belong to the side that issued them. */
  readonly conditional: 'remove' | 'as-is';
  /** Host of a copy: as the client sent it, or that of the side it goes to. */
  readonly host: 'preserve' | 'target';
  /** Lower-case names of fields a copy goes without. */
  readonly dropHeaders: readonly string[];
  /** Reading of a copied answer stops behind it. */
  readonly answerBytesMax: number;
  /** Until the side of the copy is connected. */
  readonly connectTimeoutMs: number;
  /** A job that waited longer is not sent any more: the data it asks for may have moved on. */
  readonly queueAgeMsMax: number;
  readonly baseline: BaselineLimits;
}

/** Somebody answers for it that requests of a route that change something are sent to the service as well. */
export interface WritePlan {
  /**
   * `dry-run`: the service promises to have no effect; `shadow-database`: copies go to instances with data of their
   * own; `idempotent`: running it twice is harmless.
   */
  readonly mode: 'dry-run' | 'shadow-database' | 'idempotent';
  readonly owner: string;
  readonly reason: string;
  readonly ticket: string | null;
  /** ISO date; after it nothing of the route that changes something is copied. */
  readonly expires: string;
}

/** What a group may set differently from the rest of the front door. */
export interface GroupForwarding {
  /** Longest wait for the head of an answer, ms; null = as everywhere. */
  readonly upstreamHeadMs: number | null;
  /** From the head of the request to the last byte of the answer, ms; null = as everywhere, 0 = no limit. */
  readonly totalMs: number | null;
  /** Largest request body; null = as everywhere, 0 = no limit. */
  readonly requestBodyBytesMax: number | null;
  /** A path whose readings select different groups: refused, or answered by legacy. */
  readonly onDisagree: 'refuse' | 'legacy';
}

/** What is made of a group's comparisons. */
export interface GroupComparing {
  /** Rule paths below which examples may show values; empty = nowhere. */
  readonly showValues: readonly string[];
  /** Evidence counts although nobody knows which builds gave the answers. */
  readonly buildsIgnored: boolean;
  /** Share of requests that may differ, 0-1. */
  readonly budget: number;
}

export interface Group {
  readonly name: string;
  /** Hash seed of the group, fixed in the ledger at creation; a new one would reassign everybody. */
  readonly groupId: string;
  /** Number of ledger events of this group; what `--if-rev` compares. */
  readonly rev: number;
  /** Rises at every rollback. */
  readonly epoch: number;
  readonly stage: Stage;
  /** Share the ledger allows, percent 0-100 in hundredths. */
  readonly ceiling: number;
  readonly stopped: Stop | null;
  readonly service: Target;
  readonly unit: readonly UnitSource[];
  readonly routes: readonly Route[];
  readonly shadowLimits: ShadowLimits;
  readonly shadowPolicy: ShadowPolicy;
  /** Instances with data of their own, for copies of `shadow-database` routes; null = there are none. */
  readonly shadowService: Target | null;
  readonly forwarding: GroupForwarding;
  readonly rules: readonly CompareRule[];
  readonly comparing: GroupComparing;
}

export interface Route {
  /** `GET /api/v1/products/:id`, as written in the configuration; the label of metrics and evidence. */
  readonly label: string;
  /** Upper-case token, or `*` for any. */
  readonly method: string;
  readonly segments: readonly Segment[];
  /** A safe method that nevertheless changes something (`GET /logout`): treated as a write. */
  readonly effects: boolean;
  /** How its writes are copied; null = not at all. */
  readonly writes: WritePlan | null;
  readonly group: string;
}

export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string }
  /** `*` at the end: the rest of the path, at least one segment. */
  | { readonly kind: 'rest' };

/** The immutable routing state; a request holds one from its head to its last byte. */
export interface Snapshot {
  /** Rises with every swap. */
  readonly revision: number;
  readonly legacy: Target;
  readonly groups: ReadonlyMap<string, Group>;
  /** Every route of every group, compiled by `buildTable` (core/match.ts). */
  readonly table: RouteTable;
}

export interface RouteTable {
  /** Next literal segment to its subtree. */
  readonly literals: ReadonlyMap<string, RouteTable>;
  readonly parameter: RouteTable | null;
  /** Routes that end here, by method; `*` = any method. */
  readonly here: ReadonlyMap<string, Route>;
  /** Routes that take the rest of the path from here, by method. */
  readonly rest: ReadonlyMap<string, Route>;
}

/** A request that passed admission: one reading, nothing ambiguous. */
export interface Admitted {
  readonly method: string;
  /** The request target as received; these bytes are what is forwarded. */
  readonly target: string;
  /** Target without query. */
  readonly path: string;
  readonly host: string;
  readonly fields: Fields;
  /** The request asks for a protocol change. */
  readonly upgrade: boolean;
  /** It carries the shadow mark: it is a copy already. */
  readonly marked: boolean;
  readonly hasBody: boolean;
  /** The client waits for a 100 before it sends the body. */
  readonly continues: boolean;
  /** The client wants no other answer on this connection. */
  readonly closes: boolean;
}

/** One whole answer, decoded from transfer coding but not from content coding. */
export interface Captured {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Uint8Array;
  /** The connection ended before the declared end. */
  readonly truncated: boolean;
}

/** Why an eligible request was not compared. Closed set; every skip is counted under one of these. */
export type SkipReason =
  // policy
  | 'killed'
  | 'flag-off'
  | 'flag-unknown'
  | 'no-unit'
  | 'unsafe-method'
  | 'effectful-route'
  | 'marked'
  | 'upgrade'
  | 'dry-run-refused'
  // capacity
  | 'rate'
  | 'queue-full'
  | 'memory'
  | 'in-flight'
  | 'stale'
  | 'overload'
  | 'breaker-open'
  | 'draining'
  // exchange
  | 'too-large'
  | 'stream'
  | 'conditional'
  | 'client-gone'
  | 'fallback'
  | 'legacy-failed'
  | 'legacy-truncated'
  | 'timeout'
  | 'connection-reused'
  // compare
  | 'decoded-too-large'
  | 'compare-budget'
  | 'compare-failed';

/** One finished exchange to be repeated on the other side and compared. Owned by the shadow side once offered. */
export interface ShadowJob {
  readonly group: Group;
  readonly route: Route;
  readonly requestId: string;
  readonly unit: string | null;
  /** The side that answered the client; the other one gets the copy. */
  readonly primary: Side;
  /** Where the copy goes. */
  readonly target: Target;
  /** Where the primary's answer came from; its Location rewriting applies to `answer`. */
  readonly primaryTarget: Target;
  /** Origin the client used, for Location rewriting: `http://host`. */
  readonly publicOrigin: string;
  readonly request: {
    readonly method: string;
    readonly target: string;
    /** Field lines as sent to the primary; what of them a copy carries is the replayer's to choose. */
    readonly fields: Fields;
    readonly body: Uint8Array;
  };
  /** The primary's answer as the client received it. */
  readonly answer: Captured;
  readonly durationMs: number;
}

/** What happened on one side of one request. */
export interface Observation {
  readonly group: string | null;
  /** Route label or null. */
  readonly route: string | null;
  readonly unit: string | null;
  readonly role: Role;
  readonly reason: Reason;
  /** The side the unit was assigned to; a fallback still counts against it. */
  readonly assigned: Side;
  /** The side whose answer the client got; null when nobody answered. */
  readonly served: Side | null;
  /** `OK`, or why the exchange failed. */
  readonly outcome: 'OK' | ErrorCode;
  readonly status: number;
  /** Dispatch to the last byte of the answer, monotonic. */
  readonly durationMs: number;
  /**
   * From handing the request to the assigned side to the last byte received from the side asked last, monotonic:
   * a retry and a fallback are part of it. Null when no side was asked.
   */
  readonly upstreamMs: number | null;
  /** The method can change something (not GET, HEAD, OPTIONS). */
  readonly unsafe: boolean;
}

/** A rule that narrows what counts as a difference. Data only. `router/core/compare/rules.ts` gives the meaning. */
export interface CompareRule {
  readonly path: string;
  readonly action: string;
  readonly owner: string;
  readonly reason: string;
  /** ISO date; after it the rule no longer applies. */
  readonly expires: string;
  readonly routes?: readonly string[];
  readonly [parameter: string]: unknown;
}
