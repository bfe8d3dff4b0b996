/** Children of two elements: which belong together, and where they are said to be. */
import { type Element, nameOf, type Tree } from '../json.ts';
import type { Alignment, Step } from './align.ts';
import { type Fits, inOrder, placed, plan, planUnordered } from './arrays.ts';
import { canonicalOf, type Spend } from './canonical.ts';
import { advance, type Cursor, merged } from './rule.ts';
import { below, type Trail } from './trail.ts';

export type Child = Element | string;

/** Whether there is nothing but text, at most one. */
export function isOnlyText(element: Element): boolean {
  return element.children.every((child) => typeof child === 'string');
}

/** Children in order; only those of one name are paired. */
export function planChildren(
  legacy: Element,
  service: Element,
  cursor: Cursor,
  spend: Spend,
  strict: boolean,
): Alignment {
  const keyOf = (child: Tree) => {
    const at = advance(cursor, nameOf(child));
    return `${nameOf(child)} ${canonicalOf(child, merged(at, advance(at, '*')), spend)}`;
  };
  return plan(legacy.children, service.children, { keyOf, nameOf }, spend, strict);
}

/** Children as a multiset; those of one name are matched with each other. */
export function planUnorderedChildren(
  legacy: Element,
  service: Element,
  key: string | null,
  cursor: Cursor,
  spend: Spend,
  fits: Fits,
): Alignment {
  const names = new Set([...legacy.children, ...service.children].map(nameOf));
  const steps = [...names].flatMap((name): readonly Step[] => {
    const [left, right] = [placesOf(legacy, name), placesOf(service, name)];
    const [[l], [s]] = [left, right];
    if (left.length === 1 && right.length === 1 && l !== undefined && s !== undefined) {
      return [{ kind: 'pair', legacy: l, service: s }];
    }
    const within = advance(cursor, name);
    const [a, b] = [childrenAt(legacy, left), childrenAt(service, right)];
    const group = planUnordered(a, b, key, within, spend, (x, y) => fits(left[x] ?? -1, right[y] ?? -1));
    return group.steps.map((step) => placed(step, left, right));
  });
  return inOrder(steps);
}

function placesOf({ children }: Element, name: string): readonly number[] {
  return [...children.keys()].filter((index) => nameOf(children[index] ?? '') === name);
}

function childrenAt({ children }: Element, places: readonly number[]): readonly Child[] {
  return places.map((place) => children[place] ?? '');
}

export interface Place {
  readonly trail: Trail;
  readonly cursor: Cursor;
}

/** Where a child is: its name, and its index among those of its name when either side has several. */
export function createPlaces(
  legacy: readonly Child[],
  service: readonly Child[],
  parent: Place,
): (step: Step) => Place {
  const [left, right] = [indexed(legacy), indexed(service)];
  return (step) => {
    const [side, index] = step.kind === 'extra' ? [right, step.service] : [left, step.legacy];
    const { name, nth } = side.at[index] ?? { name: '', nth: 0 };
    const repeats = Math.max(left.counts.get(name) ?? 0, right.counts.get(name) ?? 0) > 1;
    const named = { trail: below(parent.trail, name), cursor: advance(parent.cursor, name) };
    return repeats ? { trail: below(named.trail, nth), cursor: advance(named.cursor, nth) } : named;
  };
}

function indexed(children: readonly Child[]) {
  const counts = new Map<string, number>();
  const at = children.map((child) => {
    const name = nameOf(child);
    const nth = counts.get(name) ?? 0;
    counts.set(name, nth + 1);
    return { name, nth };
  });
  return { counts, at };
}
