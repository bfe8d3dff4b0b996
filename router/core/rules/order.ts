/** Rules of one list that get in each other's way. */
import type { RuleEffect } from '../compare/rule.ts';
import type { CompareRule } from '../types.ts';
import { covers, meet, type Path, rulePath, withBelow } from './path-language.ts';
import { effectOf, isExpired, isWithin, sharesScope } from './scope.ts';

/** Positions in the list: what `of` would do, `by` does before it. */
export interface Collision {
  readonly of: number;
  readonly by: number;
  /** `never`: `of` can never apply. `partly`: where both match, only `by` applies. */
  readonly kind: 'never' | 'partly';
}

interface Placed {
  readonly index: number;
  readonly rule: CompareRule;
  readonly path: Path;
  readonly stage: RuleEffect['stage'];
}

/**
 * Rules that others keep from applying, one entry per rule and the worst for it. `rules` is free of faults. Rules that
 * have expired get in nobody's way. `ignore` comes before everything at its path and below; of every other stage but
 * normalising the rule that is written first is the only one.
 */
export function collisions(rules: readonly CompareRule[], today: string): readonly Collision[] {
  const placed = rules.flatMap((rule, index) => placedAs(rule, index, today));
  return placed.flatMap((one) => {
    const found = placed.flatMap((other): Collision[] => {
      const kind = hindrance(one, other);
      return kind === null ? [] : [{ of: one.index, by: other.index, kind }];
    });
    return found.find(({ kind }) => kind === 'never') ?? found[0] ?? [];
  });
}

function placedAs(rule: CompareRule, index: number, today: string): Placed[] {
  const effect = effectOf(rule);
  return effect === null || isExpired(rule, today)
    ? []
    : [{ index, rule, path: rulePath(rule.path), stage: effect.stage }];
}

/** How much of `one` the other rule takes away. */
function hindrance(one: Placed, other: Placed): Collision['kind'] | null {
  if (one === other || !isBefore(other, one) || !sharesScope(one.rule, other.rule)) return null;
  const reach = other.stage === 'ignore' ? withBelow(other.path) : other.path;
  if (!meet(reach, one.path)) return null;
  // Once the other expires this one applies again.
  const lasts = other.rule.expires >= one.rule.expires;
  return lasts && isWithin(one.rule, other.rule) && covers([reach], one.path) ? 'never' : 'partly';
}

function isBefore(other: Placed, one: Placed): boolean {
  if (other.stage === 'ignore') {
    // What a body is read as is settled before anything in it is looked at.
    if (one.stage === 'read-body') return false;
    return one.stage !== 'ignore' || other.index < one.index;
  }
  return other.stage === one.stage && one.stage !== 'normalise' && other.index < one.index;
}
