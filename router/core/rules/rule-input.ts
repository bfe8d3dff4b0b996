/** A comparison rule as a person writes it: every action with its parameters, so that an editor can complete it. */

/** What every rule has, whatever it does. */
type Paperwork = {
  /** Where: a pointer below /body, /headers, /status or /exchange; `*` is one segment, `**` any number. */
  readonly path: string;
  /** Who answers for it. */
  readonly owner: string;
  /** Why this difference is meant or harmless. */
  readonly reason: string;
  /** Last day it applies, `2026-12-31`; at most 90 days ahead. */
  readonly expires: string;
  readonly ticket?: string;
  /** Routes of the group, as written there; default: all. */
  readonly routes?: readonly string[];
  /** Only for answers of legacy with these status codes. */
  readonly statuses?: readonly number[];
};

type Scalar = null | boolean | number | string;

type Effect =
  /** The place and everything below it, presence included. */
  | { readonly action: 'ignore' }
  /** Presence and type stay checked. */
  | { readonly action: 'ignore-value' }
  /** The order of an array; `key` names the member by which its elements belong together. */
  | { readonly action: 'unordered'; readonly key?: string }
  /** Numbers that are close, inclusive, in exact decimals. */
  | { readonly action: 'number'; readonly abs?: number; readonly rel?: number }
  /** Stricter than the default: 10.5 and 10.50 differ. */
  | { readonly action: 'number-lexeme' }
  /** The same instant within a tolerance; numbers only with `unit`. */
  | {
      readonly action: 'timestamp';
      readonly toleranceMs: number;
      readonly unit?: 's' | 'ms';
      readonly pattern?: string;
      readonly zone?: string;
    }
  /** Two well-formed UUIDs. */
  | { readonly action: 'uuid'; readonly version?: number }
  /** Both texts match. */
  | { readonly action: 'pattern'; readonly regex: string }
  /** URLs, resolved against that of the request, without some of their parts. */
  | { readonly action: 'url'; readonly ignore?: readonly UrlPart[] }
  | { readonly action: 'null-equals-missing' }
  /** Members that only the service has; never array elements. */
  | { readonly action: 'allow-extra' }
  | { readonly action: 'unicode'; readonly form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD' }
  /** CRLF and CR are LF. */
  | { readonly action: 'newlines' }
  /** Matches are replaced on both sides, then compared. */
  | { readonly action: 'mask'; readonly regex: string }
  /** A text that holds JSON is compared as JSON. */
  | { readonly action: 'embedded-json' }
  /** Header and claims are compared, the signature is not. */
  | { readonly action: 'jwt'; readonly ignoreClaims?: readonly string[] }
  /** Ids differ, but map one to one within the answer. */
  | { readonly action: 'rename'; readonly group: string }
  /** The HTML5 tree; of what is ignored the value may differ, its absence may not. */
  | {
      readonly action: 'html';
      readonly ignore?: readonly { readonly selector: string; readonly attribute?: string }[];
    }
  | { readonly action: 'sse' }
  | { readonly action: 'multipart' }
  /** What a body is read as, whatever its media type says. */
  | { readonly action: 'parse-as'; readonly as: 'json' | 'ndjson' | 'xml' | 'html' | 'text' | 'binary' }
  /** Listed changes that are meant: [legacy, service]. */
  | { readonly action: 'equivalent'; readonly pairs: readonly (readonly [Scalar, Scalar])[] };

type UrlPart = 'scheme' | 'host' | 'port' | 'query-order' | 'fragment' | 'trailing-slash' | `query:${string}`;

export type RuleInput = Paperwork & Effect;
