/** Where and when a rule applies, as far as that can be told without an answer. */
import { canonicalJson } from '../canonical.ts';
import { ACTIONS } from '../compare/actions.ts';
import type { RuleEffect } from '../compare/rule.ts';
import type { CompareRule } from '../types.ts';

/** `2026-12-31` and later: a rule applies up to and including its `expires`. ISO dates of one length sort as text. */
export function isExpired({ expires }: Pick<CompareRule, 'expires'>, today: string): boolean {
  return expires < today;
}

const PAPERWORK = ['owner', 'reason', 'ticket', 'expires'];

/** What the rule does, whoever owns it and however long it lives. */
export function meaningOf(rule: CompareRule): Readonly<Record<string, unknown>> {
  const entries = Object.entries(rule).filter(
    ([name, value]) => value !== undefined && !PAPERWORK.includes(name),
  );
  return Object.fromEntries(entries);
}

/** One text for what a rule does: its hits are counted under it. */
export function ruleText(rule: CompareRule): string {
  return canonicalJson(meaningOf(rule));
}

/** Whether the rule looks at this route. */
export function isForRoute({ routes }: CompareRule, route: string): boolean {
  return routes === undefined || routes.includes(route);
}

/** Codes of legacy for which alone the rule applies; null: for all. */
export function statusesOf({ statuses }: CompareRule): readonly unknown[] | null {
  return Array.isArray(statuses) ? statuses : null;
}

/** Whether everything `inner` applies to is something `outer` applies to as well, paths aside. */
export function isWithin(inner: CompareRule, outer: CompareRule): boolean {
  return isPart(inner.routes ?? null, outer.routes ?? null) && isPart(statusesOf(inner), statusesOf(outer));
}

/** Whether there is an answer that both apply to, paths aside. */
export function sharesScope(a: CompareRule, b: CompareRule): boolean {
  return shares(a.routes ?? null, b.routes ?? null) && shares(statusesOf(a), statusesOf(b));
}

function isPart(inner: readonly unknown[] | null, outer: readonly unknown[] | null): boolean {
  if (outer === null) return true;
  return inner?.every((one) => outer.includes(one)) ?? false;
}

function shares(a: readonly unknown[] | null, b: readonly unknown[] | null): boolean {
  return a === null || b === null || a.some((one) => b.includes(one));
}

/** What the rule does, or null for an action that does not exist. The rule is free of faults. */
export function effectOf(rule: CompareRule): RuleEffect | null {
  let effect = effects.get(rule);
  if (effect === undefined) {
    effect = ACTIONS.get(rule.action)?.build(rule) ?? null;
    effects.set(rule, effect);
  }
  return effect;
}

/** Building one may compile a regular expression; rules are looked at once per place. */
const effects = new WeakMap<CompareRule, RuleEffect | null>();
