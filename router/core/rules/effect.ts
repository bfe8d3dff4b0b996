/** What a rule does to differences of which only place and kind are known: their values are not kept. */
import { assertNever } from '../assert.ts';
import type { Kind } from '../compare/comparison.ts';
import type { CompareRule } from '../types.ts';
import {
  meet,
  type Path,
  type Relation,
  relationOf,
  rulePath,
  strictlyBelow,
  withBelow,
} from './path-language.ts';
import { effectOf, isForRoute, sharesScope, statusesOf } from './scope.ts';

/** A kind of difference at the places of a template. */
export interface Place {
  readonly path: Path;
  readonly kind: Kind;
  /** Legacy's status, where it is known. */
  readonly status: number | null;
}

/** The rule silences every such difference, it depends on what is not known here, or none. */
export type Silencing = Relation;

/** No rule excuses half an answer, or none. */
const NEVER: readonly Kind[] = ['timeout', 'transport', 'truncated', 'oversize'];

/**
 * What a rule in force does to such differences of a route. Of several rules that decide about a value the one written
 * first is the only one: `before` holds all that are in force and written before it. All are free of faults.
 */
export function silencing(
  rule: CompareRule,
  route: string,
  place: Place,
  before: readonly CompareRule[] = [],
): Silencing {
  const at = rulePath(rule.path);
  if (!isForRoute(rule, route) || NEVER.includes(place.kind)) return 'none';
  const statuses = statusesOf(rule);
  if (statuses !== null && place.status !== null && !statuses.includes(place.status)) return 'none';
  const effect = inScope(rule, at, place, (path) => deciding(rule, at, path, before, route));
  return statuses !== null && place.status === null ? atMostSome(effect) : effect;
}

function inScope(rule: CompareRule, at: Path, place: Place, decides: (path: Path) => Relation): Silencing {
  const { path, kind } = place;
  const effect = effectOf(rule);
  if (effect === null) return 'none';
  switch (effect.stage) {
    case 'ignore':
      return relationOf(withBelow(at), path);
    case 'allow-extra':
      return kind === 'extra' ? allowed(at, path) : 'none';
    case 'null-equals-missing':
      return kind === 'missing' || kind === 'extra' ? atMostSome(relationOf(at, path)) : 'none';
    case 'unordered':
      if (kind === 'order' && meet(at, path)) return relationOf(at, path);
      return meet(strictlyBelow(at), path) ? 'some' : 'none';
    case 'normalise':
      return kind === 'value' ? atMostSome(relationOf(at, path)) : 'none';
    case 'read-body':
    case 'read-string':
      return meet(withBelow(at), path) ? 'some' : 'none';
    case 'verdict':
      return decided(rule, effect.reach, place, decides);
    default:
      return assertNever(effect);
  }
}

function decided(
  rule: CompareRule,
  reach: 'scalar' | 'subtree' | 'strict',
  { path, kind }: Place,
  decides: (path: Path) => Relation,
): Silencing {
  const valued = kind === 'value' || kind === 'status' || kind === 'order';
  if (reach === 'subtree') {
    // Of a container in a body the type is still compared, and nothing in it.
    const containers = isInBody(path) ? path.slice(1).map((_, depth) => path.slice(0, depth + 1)) : [];
    return [...containers, ...(valued ? [path] : [])].map(decides).reduce(better, 'none');
  }
  if (rule.action === 'number-lexeme' || kind === 'order') return 'none';
  const excused = valued || (kind === 'type' && rule.action === 'equivalent');
  return excused ? atMostSome(decides(path)) : 'none';
}

/** At how many places of the path the rule is the one that decides. */
function deciding(
  rule: CompareRule,
  at: Path,
  path: Path,
  before: readonly CompareRule[],
  route: string,
): Relation {
  const own = relationOf(at, path);
  if (own === 'none') return own;
  const taken = before
    .filter((other) => effectOf(other)?.stage === 'verdict' && isForRoute(other, route))
    .filter((other) => sharesScope(other, rule))
    .map((other) => {
      const relation = relationOf(rulePath(other.path), path);
      return statusesOf(other) === null ? relation : atMostSome(relation);
    })
    .reduce(better, 'none');
  if (taken === 'all') return 'none';
  return taken === 'some' ? atMostSome(own) : own;
}

function isInBody([first]: Path): boolean {
  return first?.kind === 'literal' && first.text === 'body';
}

/** An extra member at the rule's path or right below it; that it is no array element is known only of a name. */
function allowed(at: Path, path: Path): Silencing {
  const relation = better(relationOf(at, path), relationOf(at, path.slice(0, -1)));
  return path.at(-1)?.kind === 'literal' ? relation : atMostSome(relation);
}

/** Whether the rule can make differences as well, so that nothing is certain any more. */
export function mayAdd(rule: CompareRule): boolean {
  const effect = effectOf(rule);
  if (effect?.stage === 'verdict') return effect.reach === 'strict';
  return effect?.stage === 'read-body' || effect?.stage === 'read-string';
}

/** Whether it is for silencing: stricter rules, and how a body is read, are not. */
export function isSilencing(rule: CompareRule): boolean {
  return rule.action !== 'number-lexeme' && effectOf(rule)?.stage !== 'read-body';
}

export function better(a: Silencing, b: Silencing): Silencing {
  if (a === 'all' || b === 'all') return 'all';
  return a === 'some' || b === 'some' ? 'some' : 'none';
}

function atMostSome(relation: Silencing): Silencing {
  return relation === 'none' ? 'none' : 'some';
}
