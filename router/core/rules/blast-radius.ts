/** What rules would do to what was compared so far, told before they are in force. */

import type { Detail, Kind } from '../compare/comparison.ts';
import type { Mark } from '../events.ts';
import type { CauseEntry } from '../ports.ts';
import type { CompareRule } from '../types.ts';
import { better, mayAdd, type Place, type Silencing, silencing } from './effect.ts';
import { meet, type Path, rulePath, strictlyBelow, templatePath, withBelow } from './path-language.ts';
import { effectOf, isExpired, isForRoute } from './scope.ts';

/** What a person made of a cause. */
/** Differing pairs of one cause on one route, under the rules in force. */
export interface SeenCause {
  readonly id: string;
  readonly route: string;
  readonly entries: readonly CauseEntry[];
  readonly count: number;
  readonly triage: Mark;
}

export interface RuleEvidence {
  readonly causes: readonly SeenCause[];
  /** Pairs compared, by route. */
  readonly compared: ReadonlyMap<string, number>;
  /** Templates of places that answers have, by what was seen; null: nobody kept them. */
  readonly known: readonly { readonly route: string; readonly template: string }[] | null;
}

export interface SilencedPlace {
  readonly route: string;
  readonly template: string;
  readonly kind: Kind;
  readonly detail: Detail | null;
  /** Pairs that show it. */
  readonly count: number;
  /** False: whether it is silenced depends on the values. */
  readonly certain: boolean;
  readonly causes: readonly string[];
  readonly triage: readonly Mark[];
}

export interface BlastRadius {
  /** Pairs compared on the routes of the rules. */
  readonly compared: number;
  /** Of them, pairs that differ now and would not any more; values decide what is between the two numbers. */
  readonly turned: { readonly atLeast: number; readonly atMost: number };
  readonly silenced: readonly SilencedPlace[];
  /** Places the rules match although nothing ever differed there; null: not known. */
  readonly untouched: readonly string[] | null;
  /** Of the known places of these routes, those matched; null: not known. */
  readonly leaves: { readonly covered: number; readonly known: number } | null;
}

/** Causes keep so many places; of one with as many there may be more. */
const ENTRIES_MAX = 32;

/**
 * What `added`, all in force and written after `before`, would do to the pairs of `evidence`. Exact for rules that look at place and kind
 * alone; where values decide, the two bounds of `turned` say so. Differences beyond the first 100 of a pair are not in
 * the evidence. All rules are free of faults.
 */
export function blastRadius(
  added: readonly CompareRule[],
  before: readonly CompareRule[],
  today: string,
  evidence: RuleEvidence,
): BlastRadius {
  const inForce = before.filter((rule) => !isExpired(rule, today));
  const routes = [...evidence.compared].filter(([route]) => added.some((rule) => isForRoute(rule, route)));
  const turned = { atLeast: 0, atMost: 0 };
  const silenced = new Map<string, SilencedPlace>();
  for (const cause of evidence.causes) {
    const each = cause.entries.map((entry) => effectOn(entry, cause.route, added, inForce));
    for (const [index, entry] of cause.entries.entries()) {
      const effect = each[index] ?? 'none';
      if (effect !== 'none') keep(silenced, cause, entry, effect);
    }
    const whole = fate(cause, each, added);
    if (whole !== 'none') turned.atMost += cause.count;
    if (whole === 'all') turned.atLeast += cause.count;
  }
  const places = [...silenced.values()].sort((a, b) => b.count - a.count);
  return {
    compared: routes.reduce((sum, [, count]) => sum + count, 0),
    turned,
    silenced: places,
    ...coverage(added, evidence),
  };
}

function effectOn(
  entry: CauseEntry,
  route: string,
  added: readonly CompareRule[],
  before: readonly CompareRule[],
): Silencing {
  const place = placeOf(entry);
  let effect: Silencing = 'none';
  for (const [index, rule] of added.entries()) {
    effect = better(effect, silencing(rule, route, place, [...before, ...added.slice(0, index)]));
  }
  return effect;
}

/**
 * What is left of differences that were kept under other rules, now that `inForce` are: what these silence for certain
 * is gone.
 */
export function remaining(
  causes: readonly SeenCause[],
  inForce: readonly CompareRule[],
): readonly SeenCause[] {
  return causes.flatMap((cause) => {
    const entries = cause.entries.filter((entry) => effectOn(entry, cause.route, inForce, []) !== 'all');
    return entries.length === 0 ? [] : [{ ...cause, entries }];
  });
}

export function placeOf({ template, kind, codes }: CauseEntry): Place {
  const status = codes === null ? null : Number(codes.split(' ')[0]);
  return { path: templatePath(template), kind, status };
}

/** What becomes of the pairs of a cause: all silenced, perhaps, or still different. */
function fate(cause: SeenCause, each: readonly Silencing[], added: readonly CompareRule[]): Silencing {
  const doubted = each.map((effect, index) => {
    const entry = cause.entries[index];
    return effect === 'none' && entry !== undefined && isRealigned(entry, cause, added) ? 'some' : effect;
  });
  if (doubted.length === 0 || doubted.includes('none')) return 'none';
  const unsure = doubted.includes('some') || hidesMore(cause) || added.some(mayAdd);
  return unsure ? 'some' : 'all';
}

/**
 * Elements are paired by what the rules leave of them: where some are missing, extra or in another order, a rule inside
 * the array pairs them anew, and differences of any element may go.
 */
function isRealigned({ template }: CauseEntry, cause: SeenCause, added: readonly CompareRule[]): boolean {
  const path = templatePath(template);
  return cause.entries.some((other) => {
    const array = shuffledArray(other);
    if (array === null || !(meet(array, path) || meet(strictlyBelow(array), path))) return false;
    return added.some((rule) => {
      if (!isForRoute(rule, cause.route)) return false;
      const at = rulePath(rule.path);
      const reach = effectOf(rule)?.stage === 'ignore' ? withBelow(at) : at;
      return meet(reach, strictlyBelow(array)) || (rule.action === 'unordered' && meet(at, array));
    });
  });
}

function shuffledArray({ template, kind }: CauseEntry): Path | null {
  const path = templatePath(template);
  if (kind === 'order') return path;
  const element = path.at(-1)?.kind === 'one' && (kind === 'missing' || kind === 'extra');
  return element ? path.slice(0, -1) : null;
}

/** One difference that explains all others is kept alone: whatever else there was is not known. */
function hidesMore({ entries }: SeenCause): boolean {
  const [only, second] = entries;
  if (entries.length >= ENTRIES_MAX) return true;
  if (only === undefined || second !== undefined) return false;
  const root = only.template === '/body' && only.kind !== 'value' && only.kind !== 'order';
  return root || only.kind === 'status';
}

function keep(
  silenced: Map<string, SilencedPlace>,
  cause: SeenCause,
  { template, kind, detail }: CauseEntry,
  effect: Silencing,
): void {
  const name = `${cause.route}\n${template}\n${kind}`;
  const before = silenced.get(name);
  silenced.set(name, {
    route: cause.route,
    template,
    kind,
    detail: before?.detail ?? detail,
    count: (before?.count ?? 0) + cause.count,
    certain: (before?.certain ?? true) && effect === 'all',
    causes: [...new Set([...(before?.causes ?? []), cause.id])],
    triage: [...new Set([...(before?.triage ?? []), cause.triage])],
  });
}

/** What the rules match of the places that are known. */
export function coverage(
  added: readonly CompareRule[],
  { known, causes }: RuleEvidence,
): Pick<BlastRadius, 'untouched' | 'leaves'> {
  if (known === null) return { untouched: null, leaves: null };
  const here = known.filter(({ route }) => added.some((rule) => isForRoute(rule, route)));
  const matched = here.filter((one) => added.some((rule) => matches(rule, one)));
  const untouched = matched.filter(({ route, template }) => !hasDrifted(route, template, causes));
  const templates = new Set(untouched.map(({ template }) => template));
  return { untouched: [...templates].sort(), leaves: { covered: matched.length, known: here.length } };
}

function matches(
  rule: CompareRule,
  { route, template }: { readonly route: string; readonly template: string },
): boolean {
  const path = templatePath(template);
  return isForRoute(rule, route) && reachOf(rule).some((reach) => meet(reach, path));
}

/** Every place that the rule has a say in. */
export function reachOf({ action, path }: CompareRule): readonly Path[] {
  const at = rulePath(path);
  if (action === 'allow-extra') return [at, [...at, { kind: 'one' }]];
  return action === 'ignore' || action === 'ignore-value' ? [withBelow(at)] : [at];
}

/** Something differed there, or in what it is part of. */
function hasDrifted(route: string, template: string, causes: readonly SeenCause[]): boolean {
  const path = templatePath(template);
  return causes.some(
    (cause) => cause.route === route && cause.entries.some((entry) => meet(driftOf(entry), path)),
  );
}

/** What is known to differ: the place, and with it all that is in it; of another order only the array itself. */
export function driftOf({ template, kind }: CauseEntry): Path {
  const path = templatePath(template);
  return kind === 'order' ? path : withBelow(path);
}
