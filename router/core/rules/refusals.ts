/** Why a rule is not accepted: it hides what nobody has looked at, or what must not be hidden. */
import type { Kind } from '../compare/comparison.ts';
import { RAISED } from '../compare/sink.ts';
import type { CauseEntry } from '../ports.ts';
import type { CompareRule } from '../types.ts';
import { coverage, driftOf, placeOf, type RuleEvidence, reachOf, type SeenCause } from './blast-radius.ts';
import { isSilencing, silencing } from './effect.ts';
import { covers, type Path, rulePath } from './path-language.ts';
import { isForRoute } from './scope.ts';

export type RefusalCode =
  | 'UNOWNED'
  | 'ROOT'
  | 'TOO_FEW'
  | 'NEVER_DRIFTED'
  | 'OVER_BROAD'
  | 'STRUCTURAL'
  | 'SECURITY'
  | 'TRIAGED_BUG';

export interface Refusal {
  readonly code: RefusalCode;
  /** A sentence: what is wrong, and what to do instead. */
  readonly text: string;
}

/** Below so many compared pairs nothing is known of what a rule would hide. */
export const PAIRS_MIN = 50;
const SHOWN_MAX = 3;

/** Everything that speaks against one rule, worst first; empty when it may be accepted. The rule is free of faults. */
export function refusals(rule: CompareRule, evidence: RuleEvidence): readonly Refusal[] {
  const unowned = [...unownedRefusal(rule)];
  if (!isSilencing(rule)) return unowned;
  const touched = touchedBy(rule, evidence.causes);
  return [
    ...unowned,
    ...rootRefusal(rule),
    ...fewRefusal(rule, evidence),
    ...driftRefusals(rule, touched, evidence),
    ...structuralRefusal(rule, touched),
    ...securityRefusal(touched),
    ...bugRefusal(touched),
  ];
}

/** One differing place that the rule would silence, or might. */
interface Touched {
  readonly cause: SeenCause;
  readonly entry: CauseEntry;
}

function touchedBy(rule: CompareRule, causes: readonly SeenCause[]): readonly Touched[] {
  return causes.flatMap((cause) =>
    cause.entries
      .filter((entry) => silencing(rule, cause.route, placeOf(entry)) !== 'none')
      .map((entry) => ({ cause, entry })),
  );
}

/** Nobody answers for the rule. It cannot be forced: somebody must be named all the same. */
export function unownedRefusal({ owner, reason }: Readonly<Record<string, unknown>>): readonly Refusal[] {
  const named = [owner, reason].every((text) => typeof text === 'string' && text.trim() !== '');
  if (named) return [];
  return [{ code: 'UNOWNED', text: 'nobody answers for it: name an owner and a reason' }];
}

const ROOTS: readonly Path[] = ['/exchange', '/status', '/body', '/headers', '/headers/*'].map(rulePath);

function rootRefusal({ action, path }: CompareRule): Refusal[] {
  const at = rulePath(path);
  const whole =
    (action === 'ignore' || action === 'ignore-value') && ROOTS.some((root) => covers([at], root));
  const text = `${action} at ${path} hides a whole part of every answer; name the members that may differ`;
  return whole ? [{ code: 'ROOT', text }] : [];
}

/** Pairs compared where the rule applies. */
export function pairsOf(rule: CompareRule, { compared }: RuleEvidence): number {
  let pairs = 0;
  for (const [route, count] of compared) if (isForRoute(rule, route)) pairs += count;
  return pairs;
}

function fewRefusal(rule: CompareRule, evidence: RuleEvidence): Refusal[] {
  const pairs = pairsOf(rule, evidence);
  const text = `only ${pairs} pairs were compared where it applies; ${PAIRS_MIN} are needed to see what it would hide`;
  return pairs < PAIRS_MIN ? [{ code: 'TOO_FEW', text }] : [];
}

function driftRefusals(rule: CompareRule, touched: readonly Touched[], evidence: RuleEvidence): Refusal[] {
  if (touched.length === 0) {
    const text = `nothing that was compared differs at ${rule.path} in a way ${rule.action} could silence`;
    return [{ code: 'NEVER_DRIFTED', text }];
  }
  const drifted = touched.map(({ entry }) => entry.template);
  const { untouched, leaves } = coverage([rule], evidence);
  if (untouched !== null && untouched.length > 0) {
    const text = `it also covers ${shown(untouched)}, which never differed; write it for ${shown(drifted)}`;
    return [{ code: 'OVER_BROAD', text }];
  }
  // What answers have there is known, and all of it differed.
  if ((leaves?.covered ?? 0) > 0 || !isSweeping(rule)) return [];
  const drifts = touched.map(({ entry }) => driftOf(entry));
  if (reachOf(rule).some((reach) => covers(drifts, reach))) return [];
  const text = `it also covers places that never differed; only ${shown(drifted)} did: write it for that`;
  return [{ code: 'OVER_BROAD', text }];
}

/** Silences whatever is there; other actions still compare what they cover. */
function isSweeping({ action }: CompareRule): boolean {
  return action === 'ignore' || action === 'ignore-value' || action === 'allow-extra';
}

function structuralRefusal({ action, path }: CompareRule, touched: readonly Touched[]): Refusal[] {
  if (action !== 'ignore' && action !== 'ignore-value') return [];
  const hidden = touched.filter(({ entry: { kind } }) => kind === 'missing' || kind === 'type');
  if (hidden.length > 0) {
    const places = hidden.map(({ entry }) => `${entry.template} ${entry.kind}`);
    const text = `it hides a change of structure (${shown(places)}); values may be ignored, structure must be kept`;
    return [{ code: 'STRUCTURAL', text }];
  }
  const instead = action === 'ignore' ? enough(touched.map(({ entry }) => entry)) : null;
  if (instead === null) return [];
  const text = `ignore at ${path} also hides that it is missing; for what differs ${instead} would do`;
  return [{ code: 'STRUCTURAL', text }];
}

/** The narrower actions that silence all of it together, or null when only `ignore` does. */
function enough(entries: readonly CauseEntry[]): string | null {
  const narrower = new Set(entries.map(({ kind }) => NARROWER[kind] ?? null));
  return narrower.has(null) || narrower.size === 0 ? null : [...narrower].join(' and ');
}

const NARROWER: Readonly<Partial<Record<Kind, string>>> = {
  value: 'ignore-value or a typed action',
  order: 'unordered',
  extra: 'allow-extra',
};

function securityRefusal(touched: readonly Touched[]): Refusal[] {
  const grave = touched.filter(({ entry: { detail } }) => detail !== null && RAISED.has(detail));
  const places = grave.map(({ entry }) => `${entry.template} (${entry.detail})`);
  const text = `it hides what protects users: ${shown(places)}`;
  return grave.length > 0 ? [{ code: 'SECURITY', text }] : [];
}

function bugRefusal(touched: readonly Touched[]): Refusal[] {
  const bugs = touched.filter(({ cause }) => cause.triage === 'bug').map(({ cause }) => cause.id);
  const text = `it hides ${shown(bugs)}, which somebody has called a bug`;
  return bugs.length > 0 ? [{ code: 'TRIAGED_BUG', text }] : [];
}

function shown(all: readonly string[]): string {
  const each = [...new Set(all)];
  const more = each.length - SHOWN_MAX;
  return `${each.slice(0, SHOWN_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
