/** Whether a list of rules can be in force for a group. */
import { checkRules, type RuleFault } from '../compare/rules.ts';
import type { CompareRule } from '../types.ts';
import { collisions } from './order.ts';

/**
 * Every fault of a list of rules: of each rule by itself, routes that the group does not have, and rules that others keep
 * from ever applying. `today` is an ISO date.
 */
export function checkRuleList(
  rules: readonly unknown[],
  group: {
    readonly routes: readonly string[];
    readonly today: string;
    /** Sound rules that are written before these. */
    readonly before?: readonly CompareRule[];
  },
): readonly RuleFault[] {
  const faults = [...checkRules(rules, group.today)];
  if (faults.length > 0) return faults;
  const sound = rules.filter(isRule);
  return [...routeFaults(sound, group.routes), ...orderFaults(sound, group.before ?? [], group.today)];
}

/** What is without faults is one; says so to the types. */
export function isRule(rule: unknown): rule is CompareRule {
  return typeof rule === 'object' && rule !== null && 'path' in rule && 'action' in rule && 'owner' in rule;
}

function routeFaults(rules: readonly CompareRule[], known: readonly string[]): RuleFault[] {
  return rules.flatMap(({ routes = [] }, index) =>
    routes.flatMap((route, at) => {
      if (known.includes(route)) return [];
      const text = `no such route "${route}", known: ${known.map((label) => `"${label}"`).join(', ')}`;
      return [{ path: `rules[${index}].routes[${at}]`, text }];
    }),
  );
}

function orderFaults(
  rules: readonly CompareRule[],
  before: readonly CompareRule[],
  today: string,
): RuleFault[] {
  const all = [...before, ...rules];
  return collisions(all, today).flatMap(({ of, by, kind }) => {
    if (kind !== 'never' || of < before.length) return [];
    const text = `never applies: ${describe(all[by])} comes first wherever it could`;
    return [{ path: `rules[${of - before.length}]`, text }];
  });
}

/** `ignore-value /body/rid` */
export function describe(rule: Pick<CompareRule, 'action' | 'path'> | undefined): string {
  return rule === undefined ? '' : `${rule.action} ${rule.path}`;
}
