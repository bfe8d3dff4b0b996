/** What somebody should know of rules in force, beside every verdict they touch. */
import { dayOf } from '../compare/rules.ts';
import type { SilencedDelta } from '../ports.ts';
import type { CompareRule } from '../types.ts';
import type { RuleEvidence, SeenCause } from './blast-radius.ts';
import { describe } from './check.ts';
import { collisions } from './order.ts';
import { PAIRS_MIN, pairsOf, type RefusalCode, refusals } from './refusals.ts';
import { isExpired } from './scope.ts';
import type { Forced } from './stored.ts';

export type FindingCode =
  | 'EXPIRED'
  | 'EXPIRES_SOON'
  | 'OVERLAP'
  | 'UNREACHABLE'
  | 'NO_HITS'
  | 'ROUTE_GONE'
  | 'FORCED'
  | 'UNCHECKED'
  | RefusalCode;

export interface Finding {
  readonly code: FindingCode;
  /** Name of the rule; null: of the group's rules as a whole. */
  readonly rule: string | null;
  readonly text: string;
}

/** How often a rule silenced a difference, since it was first in force. */
export interface Hits {
  readonly count: number;
  /** Wall time, ms since 1970. */
  readonly since: number;
  readonly lastAt: number | null;
}

/** A rule of a group with all that is known of it. */
export interface KnownRule {
  /** `r3`, or `rules[2]` for one of the configuration. */
  readonly name: string;
  readonly rule: CompareRule;
  readonly source: 'config' | 'added';
  readonly forced: Forced | null;
  readonly hits: Hits;
  /** What it silenced lately. */
  readonly silenced: readonly SilencedDelta[];
}

const SOON_DAYS = 14;
const IDLE_DAYS = 30;
const DAY_MS = 86_400_000;

interface RuleSurroundings {
  /** Labels of the group's routes. */
  readonly routes: readonly string[];
  /** Wall time, ms since 1970, and its ISO date. */
  readonly now: number;
  readonly today: string;
  readonly evidence: RuleEvidence;
}

/** Of all rules of a group, in their order. */
export function findings(
  rules: readonly KnownRule[],
  { now, today, routes, evidence }: RuleSurroundings,
): readonly Finding[] {
  const inForce = rules.filter(({ rule }) => !isExpired(rule, today));
  return [
    ...rules.flatMap((known) => expiryOf(known, today)),
    ...overlapsOf(rules, today),
    ...inForce.flatMap((known) => [...routesOf(known, routes), ...idleOf(known, now), ...forcedOf(known)]),
    ...checksOf(inForce, evidence),
  ];
}

function expiryOf({ name, rule }: KnownRule, today: string): Finding[] {
  const { expires, owner } = rule;
  const [end, now] = [dayOf(expires), dayOf(today)];
  if (end === null || now === null) return [];
  if (end < now) {
    const text = `${describe(rule)} expired on ${expires} and does not apply any more; ${owner} renews or removes it`;
    return [{ code: 'EXPIRED', rule: name, text }];
  }
  if (end - now > SOON_DAYS) return [];
  const text = `${describe(rule)} expires on ${expires}, ${daysText(end - now)}; ${owner} answers for it`;
  return [{ code: 'EXPIRES_SOON', rule: name, text }];
}

function overlapsOf(rules: readonly KnownRule[], today: string): Finding[] {
  const all = rules.map(({ rule }) => rule);
  return collisions(all, today).map(({ of, by, kind }) => {
    const [one, other] = [rules[of], rules[by]];
    const first = `${other?.name} (${describe(other?.rule)})`;
    const where = kind === 'never' ? 'wherever it could apply' : 'where both match';
    const code = kind === 'never' ? 'UNREACHABLE' : 'OVERLAP';
    return {
      code,
      rule: one?.name ?? null,
      text: `${describe(one?.rule)}: ${where}, only ${first} does`,
    };
  });
}

function routesOf({ name, rule }: KnownRule, routes: readonly string[]): Finding[] {
  const gone = (rule.routes ?? []).filter((route) => !routes.includes(route));
  const text = `${describe(rule)} is for ${gone.join(', ')}, which the group does not have any more`;
  return gone.length === 0 ? [] : [{ code: 'ROUTE_GONE', rule: name, text }];
}

function idleOf({ name, rule, hits }: KnownRule, now: number): Finding[] {
  if (now - (hits.lastAt ?? hits.since) < IDLE_DAYS * DAY_MS) return [];
  const text = `${describe(rule)} has silenced nothing for ${IDLE_DAYS} days; remove it, or what it hides goes unseen`;
  return [{ code: 'NO_HITS', rule: name, text }];
}

function forcedOf({ name, rule, forced }: KnownRule): Finding[] {
  if (forced === null) return [];
  const { past, by, second, reason } = forced;
  const text = `${describe(rule)} was forced past ${past.join(', ')} by ${by} and ${second}: "${reason}"`;
  return [{ code: 'FORCED', rule: name, text }];
}

/** What the command line would have refused; an added rule has passed that, or was forced. */
function checksOf(inForce: readonly KnownRule[], evidence: RuleEvidence): Finding[] {
  const config = inForce.filter(({ source }) => source === 'config');
  const unchecked = config.filter(({ rule }) => pairsOf(rule, evidence) < PAIRS_MIN);
  const found = config
    .filter((known) => !unchecked.includes(known))
    .flatMap(({ name, rule, hits, silenced }): Finding[] =>
      refusals(rule, { ...evidence, causes: [...evidence.causes, ...causesIn(silenced)] })
        .filter(({ code }) => code !== 'NEVER_DRIFTED' || hits.count === 0)
        .map(({ code, text }) => ({ code, rule: name, text: `${describe(rule)}: ${text}` })),
    );
  const seen = [...evidence.compared.values()].some((count) => count > 0);
  if (unchecked.length === 0 || !seen) return found;
  const text = `${unchecked.length} of the rules are not checked yet: under ${PAIRS_MIN} pairs were compared where they apply`;
  return [...found, { code: 'UNCHECKED', rule: null, text }];
}

/** What a rule in force silences is in no cause any more, but in what it silenced. */
function causesIn(silenced: readonly SilencedDelta[]): readonly SeenCause[] {
  return silenced.map(({ route, entry, count }) => ({
    id: '',
    route,
    entries: [entry],
    count,
    triage: 'new',
  }));
}

/** One line. */
export function findingText({ code, rule, text }: Finding): string {
  return rule === null ? `${code}: ${text}` : `${code} ${rule}: ${text}`;
}

function daysText(days: number): string {
  if (days === 0) return 'today';
  return days === 1 ? 'tomorrow' : `in ${days} days`;
}
