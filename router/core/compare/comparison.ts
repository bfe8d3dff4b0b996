/** The words of comparing as types. Always legacy against service: `missing` = only legacy has it. */
import type { Element, JsonType } from '../json.ts';
import type { Captured, SkipReason } from '../types.ts';
import type { Trail } from './trail.ts';

export type Kind =
  | 'status'
  | 'missing'
  | 'extra'
  | 'type'
  | 'value'
  | 'order'
  | 'duplicate-key'
  | 'parse'
  | 'encoding'
  | 'truncated'
  | 'oversize'
  | 'timeout'
  | 'transport';

export type Severity = 'high' | 'medium' | 'low';

/** Explains a difference and may move its severity; never decides whether there is one. */
export type Detail =
  // raised to high
  | 'cookie-security'
  | 'cookie-deletion'
  | 'cache-widened'
  | 'vary-lost'
  | 'cors-widened'
  | 'auth-challenge'
  | 'internal-host'
  // lowered to low
  | 'numeric-close'
  | 'number-lexeme'
  | 'instant-equal'
  | 'case'
  | 'whitespace'
  | 'unicode-form'
  | 'url-host'
  | 'url-query-order'
  | 'nonce'
  // unchanged
  | 'null'
  | 'zone-offset'
  | 'clock-skew'
  | 'uuid'
  | 'id'
  | 'invisible'
  | 'length'
  | 'bom'
  | 'charset'
  | 'unknown-coding'
  | 'close-delimited'
  | 'cookie-attribute'
  | 'url-path'
  | 'many';

/** One side's value at a difference: inside the comparer only, never written down as it is. */
export interface Sample {
  readonly type: JsonType | 'bytes' | 'header' | 'code';
  /** The whole text of a scalar, the status, the error code; null for containers and bytes. */
  readonly text: string | null;
  /** Characters, members, elements or bytes. */
  readonly length: number;
}

export interface Difference {
  readonly trail: Trail;
  readonly kind: Kind;
  readonly detail: Detail | null;
  readonly severity: Severity;
  readonly legacy: Sample | null;
  readonly service: Sample | null;
  /** Index of the rule that silences it, or null. */
  readonly rule: number | null;
}

/** What the service gave: an answer, perhaps longer than we read, or nothing usable. */
export type ServiceReply =
  | { readonly kind: 'answer'; readonly answer: Captured; readonly oversize: boolean }
  /** `code`: an upper-case error code such as ECONNREFUSED, never an address. */
  | { readonly kind: 'failed'; readonly failure: 'timeout' | 'transport'; readonly code: string };

export type Comparison =
  | { readonly outcome: 'skipped'; readonly reason: SkipReason }
  | {
      readonly outcome: 'same' | 'ignored' | 'different';
      /** Not silenced, legacy's document order, at most `DIFFERENCES_MAX`. */
      readonly differences: readonly Difference[];
      /** Exact number of differences that no rule silences. */
      readonly count: number;
      /** Silenced ones, at most `DIFFERENCES_MAX`. */
      readonly ignored: readonly Difference[];
      readonly ignoredCount: number;
      /** Rule index to the number of differences it silenced. */
      readonly silencedBy: ReadonlyMap<number, number>;
    };

/** Result of undoing content codings; `inflate` is handed in because it needs a library. */
export type Inflated =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'unknown-coding' }
  /** Broken data, trailing bytes, or a coding that was claimed and not applied. */
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'too-large' };

/** Undoes `codings` (lower case, as applied) from right to left. Total: never throws. */
export type Inflate = (body: Uint8Array, codings: readonly string[]) => Inflated;

/** A text read as XML or HTML. */
export type MarkupReading =
  | { readonly kind: 'document'; readonly root: Element }
  | { readonly kind: 'malformed' }
  /** Declares entities, which are never expanded: compared as text. */
  | { readonly kind: 'entities' }
  /** More or deeper elements than are read. */
  | { readonly kind: 'too-many' };

/** What of an HTML document is not compared: the value of an attribute, or all of an element but its presence. */
export interface HtmlIgnore {
  readonly selector: string;
  readonly attribute: string | null;
}

/** Readers of markup, handed in because they need libraries. Total, except for a selector that was never checked. */
export interface Markup {
  xml(text: string): MarkupReading;
  html(text: string, ignore: readonly HtmlIgnore[]): MarkupReading;
}

export interface RequestShape {
  readonly method: string;
  /** Absolute URL, the base of `url` rules. */
  readonly url: string;
}

/** Differences kept per pair and list; the counts stay exact. */
export const DIFFERENCES_MAX = 100;
