/** Collects the differences of one pair: counts are exact, lists are bounded. */
import type { Tree } from '../json.ts';
import { Element, isObject, keysOf, lexemeOf, typeOf, Unreadable } from '../json.ts';
import { isNumber } from './canonical.ts';
import {
  type Detail,
  DIFFERENCES_MAX,
  type Difference,
  type Kind,
  type Sample,
  type Severity,
} from './comparison.ts';
import type { Rule } from './rule.ts';
import type { Trail } from './trail.ts';

export interface Found {
  readonly trail: Trail;
  readonly kind: Kind;
  readonly detail: Detail | null;
  readonly legacy: Sample | null;
  readonly service: Sample | null;
}

export interface Sink {
  /** `rule`: the one that silences it, or null. */
  add(found: Found, rule: Pick<Rule, 'index'> | null): void;
  readonly differences: readonly Difference[];
  readonly ignored: readonly Difference[];
  readonly silencedBy: ReadonlyMap<number, number>;
  count(): number;
  ignoredCount(): number;
}

/** `internalHosts`: `host:port` of our instances; one of them in a service's value only is a leak. */
export function createSink(internalHosts: readonly string[]): Sink {
  const differences: Difference[] = [];
  const ignored: Difference[] = [];
  const silencedBy = new Map<number, number>();
  let count = 0;
  let ignoredCount = 0;
  return {
    add(found, rule) {
      const list = rule === null ? differences : ignored;
      if (rule === null) count += 1;
      else {
        ignoredCount += 1;
        silencedBy.set(rule.index, (silencedBy.get(rule.index) ?? 0) + 1);
      }
      if (list.length >= DIFFERENCES_MAX) {
        const last = list.pop();
        if (last !== undefined) list.push({ ...last, detail: last.detail ?? 'many' });
        return;
      }
      const detail = leaks(found, internalHosts) ? 'internal-host' : found.detail;
      list.push({ ...found, detail, severity: severityOf(found.kind, detail), rule: rule?.index ?? null });
    },
    differences,
    ignored,
    silencedBy,
    count: () => count,
    ignoredCount: () => ignoredCount,
  };
}

const SEVERITY: Readonly<Record<Kind, Severity>> = {
  status: 'high',
  missing: 'high',
  extra: 'low',
  type: 'high',
  value: 'medium',
  order: 'medium',
  'duplicate-key': 'medium',
  parse: 'high',
  encoding: 'high',
  truncated: 'high',
  oversize: 'high',
  timeout: 'high',
  transport: 'high',
};

/** Details that make any difference a grave one. */
export const RAISED: ReadonlySet<Detail> = new Set<Detail>([
  'cookie-security',
  'cookie-deletion',
  'cache-widened',
  'vary-lost',
  'cors-widened',
  'auth-challenge',
  'internal-host',
]);

const LOWERED: ReadonlySet<Detail> = new Set<Detail>([
  'numeric-close',
  'number-lexeme',
  'instant-equal',
  'case',
  'whitespace',
  'unicode-form',
  'url-host',
  'url-query-order',
  'nonce',
]);

/** What the kind weighs, moved by the detail. */
function severityOf(kind: Kind, detail: Detail | null): Severity {
  if (detail !== null && RAISED.has(detail)) return 'high';
  if (detail !== null && LOWERED.has(detail)) return 'low';
  return SEVERITY[kind];
}

function leaks({ legacy, service }: Found, internalHosts: readonly string[]): boolean {
  const text = service?.text ?? null;
  return text !== null && internalHosts.some((host) => text.includes(host) && !legacy?.text?.includes(host));
}

export function sampleOf(value: Tree): Sample {
  const type = typeOf(value);
  if (isNumber(value)) return textSample(type, lexemeOf(value));
  if (Array.isArray(value)) return { type, text: null, length: value.length };
  if (value instanceof Element) return { type, text: null, length: value.children.length };
  if (value instanceof Unreadable) return textSample(type, value.text);
  if (isObject(value)) return { type, text: null, length: keysOf(value).length };
  return textSample(type, String(value));
}

export function textSample(type: Sample['type'], text: string): Sample {
  return { type, text, length: text.length };
}
