/** What a count of comparisons is evidence of. Another key starts at zero. */
import { canonicalJson } from '../canonical.ts';
import type { EvidenceKey } from '../ports.ts';
import { isExpired, meaningOf } from '../rules/scope.ts';
import type { CompareRule } from '../types.ts';

/** The full key: what `EvidenceKey` has, and which part of the traffic of which legacy build. */
export interface EvidenceScope extends EvidenceKey {
  readonly stratum: string;
  /** Build id of legacy; empty while none was seen. */
  readonly legacyBuild: string;
}

/** Meaning of the default semantics and of the noise model: raised when an answer may be judged otherwise than before. */
const SEMANTICS = { compare: 1, noise: 1 };
const DAY_MS = 86_400_000;
/** Evidence of another key is shown for so long, then dropped. */
const STALE_DAYS_MAX = 14;

/** Traffic that behaves alike: `2xx application/json GET ?page user`. Never holds a value of a request. */
export function stratumOf(traffic: {
  /** Legacy's. */
  readonly status: number;
  /** Type and subtype of legacy's answer, lower case; empty without a body. */
  readonly mediaType: string;
  /** Coarse: method and parameter names. */
  readonly request: string;
  readonly unitClass: string;
}): string {
  const parts = [
    `${Math.floor(traffic.status / 100)}xx`,
    traffic.mediaType,
    traffic.request,
    traffic.unitClass,
  ];
  return parts.map((part) => (part === '' ? '-' : part)).join(' ');
}

/** One text per key. */
export function scopeText(scope: EvidenceScope): string {
  const { group, route, shadowed, stratum, build, legacyBuild, rules } = scope;
  return canonicalJson([group, route, shadowed, stratum, build, legacyBuild, rules]);
}

/**
 * The text whose SHA-256 names a rule set: the rules in force on `today` (ISO date) in order, without owner, reason,
 * ticket and expiry, and the versions of what they are read by.
 */
export function ruleSetText(rules: readonly CompareRule[], today: string | null): string {
  const effective = rules.filter((rule) => today === null || !isExpired(rule, today));
  return canonicalJson({ ...SEMANTICS, rules: effective.map(meaningOf) });
}

/** What evidence of one key is worth while another key may be in force. Times in ms since 1970. */
export function standingOf(
  scope: EvidenceScope,
  current: Pick<EvidenceScope, 'build' | 'legacyBuild' | 'rules'>,
  lastAt: number,
  now: number,
): 'current' | 'stale' | 'dead' {
  const { build, legacyBuild, rules } = current;
  if (scope.build === build && scope.legacyBuild === legacyBuild && scope.rules === rules) return 'current';
  return now - lastAt > STALE_DAYS_MAX * DAY_MS ? 'dead' : 'stale';
}
