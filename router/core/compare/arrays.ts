/** Plans which elements of two arrays are compared with each other; the walk descends into the pairs. */
import { Element, isObject, memberOf, type Tree } from '../json.ts';
import {
  type Alignment,
  alignBags,
  alignNamed,
  alignOrdered,
  matchBipartite,
  type Step,
  shifted,
} from './align.ts';
import { canonicalOf, type Spend, sameTree } from './canonical.ts';
import { advance, type Cursor } from './rule.ts';

/** Whether two elements, by index, have no difference left under the rules. */
export type Fits = (legacy: number, service: number) => boolean;

/** Most elements of one group that are matched pair by pair. */
const MATCH_MAX = 1000;

/** Ordered arrays. `strict`: equal ends are not cut off, because a rule may refuse equal elements. */
export function planOrdered(
  legacy: readonly Tree[],
  service: readonly Tree[],
  cursor: Cursor,
  spend: Spend,
  strict: boolean,
): Alignment {
  const below = advance(cursor, '*');
  const keyOf = (item: Tree) => canonicalOf(item, below, spend);
  return plan(legacy, service, { keyOf, nameOf: null }, spend, strict);
}

interface Identity {
  /** Equal for elements that may be equal under the rules. */
  readonly keyOf: (item: Tree) => string;
  /** Only elements of one name are paired; null: elements have no names. */
  readonly nameOf: ((item: Tree) => string) | null;
}

/** What `planOrdered` does, for elements that are told apart by `identity`. */
export function plan(
  legacy: readonly Tree[],
  service: readonly Tree[],
  { keyOf, nameOf }: Identity,
  spend: Spend,
  strict: boolean,
): Alignment {
  const head = strict ? 0 : commonHead(legacy, service, spend);
  const tail = strict ? 0 : commonTail(legacy, service, head, spend);
  const left = legacy.slice(head, legacy.length - tail);
  const right = service.slice(head, service.length - tail);
  const [[l], [s]] = [left, right];
  if (left.length === 1 && right.length === 1 && l !== undefined && s !== undefined) {
    const together = nameOf === null || nameOf(l) === nameOf(s);
    if (together) return { steps: [{ kind: 'pair', legacy: head, service: head }], reordered: false };
  }
  spend(Math.min(left.length, 512) * Math.min(right.length, 512));
  const keys = [left.map(keyOf), right.map(keyOf)] as const;
  const { steps, reordered } =
    nameOf === null
      ? alignOrdered(...keys)
      : alignNamed(...keys, { legacy: left.map(nameOf), service: right.map(nameOf) });
  return { steps: steps.map((step) => shifted(step, head, head)), reordered };
}

/** The last pair that is left is descended anyway; testing it first would cost once more per level of nesting. */
function isLonePair(legacy: readonly Tree[], service: readonly Tree[], cut: number): boolean {
  return legacy.length - cut === 1 && service.length - cut === 1;
}

function commonHead(legacy: readonly Tree[], service: readonly Tree[], spend: Spend): number {
  const max = Math.min(legacy.length, service.length);
  let head = 0;
  while (head < max && !isLonePair(legacy, service, head) && sameAt(legacy, head, service, head, spend)) {
    head += 1;
  }
  return head;
}

function commonTail(legacy: readonly Tree[], service: readonly Tree[], head: number, spend: Spend): number {
  const max = Math.min(legacy.length, service.length) - head;
  const [l, s] = [legacy.length - 1, service.length - 1];
  let tail = 0;
  while (tail < max && !isLonePair(legacy, service, head + tail)) {
    if (!sameAt(legacy, l - tail, service, s - tail, spend)) break;
    tail += 1;
  }
  return tail;
}

function sameAt(
  legacy: readonly Tree[],
  l: number,
  service: readonly Tree[],
  s: number,
  spend: Spend,
): boolean {
  const [left, right] = [legacy[l], service[s]];
  return left !== undefined && right !== undefined && sameTree(left, right, spend);
}

/**
 * Unordered arrays as multisets. With `key`, elements with the same value of that member belong together; inside a
 * group of several, and without a key, elements are matched by what the rules below the array allow.
 */
export function planUnordered(
  legacy: readonly Tree[],
  service: readonly Tree[],
  key: string | null,
  cursor: Cursor,
  spend: Spend,
  fits: Fits,
): Alignment {
  const below = advance(cursor, '*');
  const keyed = (item: Tree) => (key === null ? canonicalOf(item, below, spend) : keyValue(item, key, spend));
  const groups = groupByKey(legacy.map(keyed), service.map(keyed));
  const steps: Step[] = [];
  for (const { left, right } of groups.values()) {
    if (key !== null && left.length === 1 && right.length === 1) steps.push(...pairUp(left, right));
    else if (below === null) steps.push(...matchExactly(legacy, service, left, right, spend));
    else steps.push(...matchUnderRules(left, right, spend, fits));
  }
  return inOrder(steps);
}

interface Group {
  readonly left: number[];
  readonly right: number[];
}

function groupByKey(left: readonly string[], right: readonly string[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  const groupOf = (key: string) => {
    const group = groups.get(key) ?? { left: [], right: [] };
    groups.set(key, group);
    return group;
  };
  for (const [index, key] of left.entries()) groupOf(key).left.push(index);
  for (const [index, key] of right.entries()) groupOf(key).right.push(index);
  return groups;
}

/** Elements without the member form one group of their own. */
function keyValue(item: Tree, key: string, spend: Spend): string {
  const value =
    item instanceof Element ? fieldOf(item, key) : isObject(item) ? memberOf(item, key) : undefined;
  return value === undefined ? '' : canonicalOf(value, null, spend);
}

/** `@attribute`, or the first child of that name. */
function fieldOf(element: Element, key: string): Tree | undefined {
  if (key.startsWith('@')) return element.attributes.get(key);
  return element.children.find((child) => child instanceof Element && child.name === key);
}

function pairUp(left: readonly number[], right: readonly number[]): Step[] {
  return left.flatMap((legacy, n) => {
    const service = right[n];
    return service === undefined ? [] : [{ kind: 'pair', legacy, service } as const];
  });
}

function matchExactly(
  legacy: readonly Tree[],
  service: readonly Tree[],
  left: readonly number[],
  right: readonly number[],
  spend: Spend,
): Step[] {
  const texts = (items: readonly Tree[], places: readonly number[]) =>
    places.map((place) => canonicalOf(items[place] ?? null, null, spend));
  const { steps } = alignBags(texts(legacy, left), texts(service, right));
  return steps.map((step) => placed(step, left, right));
}

function matchUnderRules(
  left: readonly number[],
  right: readonly number[],
  spend: Spend,
  fits: Fits,
): Step[] {
  if (left.length > MATCH_MAX || right.length > MATCH_MAX) spend(Number.POSITIVE_INFINITY);
  const partners = matchBipartite(left.length, right.length, (l, s) => fits(left[l] ?? -1, right[s] ?? -1));
  const steps: Step[] = [];
  const taken = new Set<number>();
  for (const [l, s] of partners.entries()) {
    if (s === null) steps.push({ kind: 'missing', legacy: l });
    else {
      taken.add(s);
      steps.push({ kind: 'pair', legacy: l, service: s });
    }
  }
  for (const s of right.keys()) if (!taken.has(s)) steps.push({ kind: 'extra', service: s });
  return steps.map((step) => placed(step, left, right));
}

/** From places in a group to places in the arrays. */
export function placed(step: Step, left: readonly number[], right: readonly number[]): Step {
  switch (step.kind) {
    case 'pair':
      return { kind: 'pair', legacy: left[step.legacy] ?? -1, service: right[step.service] ?? -1 };
    case 'missing':
      return { kind: 'missing', legacy: left[step.legacy] ?? -1 };
    default:
      return { kind: 'extra', service: right[step.service] ?? -1 };
  }
}

/** Steps as one walk takes them. */
export function inOrder(steps: readonly Step[]): Alignment {
  const sorted = steps.toSorted((a, b) => rank(a) - rank(b));
  return { steps: sorted, reordered: isReordered(sorted) };
}

/** Legacy's order first, then what only the service has. */
function rank(step: Step): number {
  return step.kind === 'extra' ? step.service + 2 ** 32 : step.legacy;
}

function isReordered(steps: readonly Step[]): boolean {
  let last = -1;
  for (const step of steps) {
    if (step.kind !== 'pair') continue;
    if (step.service < last) return true;
    last = step.service;
  }
  return false;
}
