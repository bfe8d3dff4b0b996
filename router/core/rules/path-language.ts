/** Rule paths and templates as sets of places: whether one holds all of another, or some of it. */
import { parseRulePath, type RuleSegment } from '../compare/trail.ts';
import { remembered } from '../memo.ts';

/** How the places of a rule path stand to those of a template: it matches every one, some, or none of them. */
export type Relation = 'all' | 'some' | 'none';

/** Segments of a path; `*` and `**` stand for places of any name. */
export type Path = readonly RuleSegment[];

/** Looks after which a comparison of two paths is given up; then nothing is claimed about them. */
const STEPS_MAX = 20_000;
/** How a template writes a name that may not be written down: which one it was is not known. */
const HIDDEN = /^#[0-9a-f]{8}$/;
/** Paths whose segments are remembered: every rule is held against every place. */
const PATHS_MAX = 4_096;
const ANY: RuleSegment = { kind: 'any' };
const ONE: RuleSegment = { kind: 'one' };

/** Of a rule without faults. */
export const rulePath: (text: string) => Path = remembered((text) => parseRulePath(text) ?? [], PATHS_MAX);

/** A stored template; names that were hidden in it may have been any. */
export const templatePath: (template: string) => Path = remembered(
  (template) =>
    rulePath(template).map((segment) =>
      segment.kind === 'literal' && HIDDEN.test(segment.text) ? ONE : segment,
    ),
  PATHS_MAX,
);

/** The path and everything below it. */
export function withBelow(path: Path): Path {
  return [...path, ANY];
}

/** Only what is below the path, at whatever depth. */
export function strictlyBelow(path: Path): Path {
  return [...path, ONE, ANY];
}

export function relationOf(rule: Path, places: Path): Relation {
  if (!meet(rule, places)) return 'none';
  return covers([rule], places) ? 'all' : 'some';
}

/** Whether there is a place that both stand for. True as well when it takes too long to tell. */
export function meet(a: Path, b: Path): boolean {
  if (!mayMeet(a, b)) return false;
  const seen = new Set<number>();
  const width = b.length + 1;
  const stack = [0];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (seen.has(at)) continue;
    if (seen.size > STEPS_MAX) return true;
    seen.add(at);
    const [i, j] = [Math.floor(at / width), at % width];
    if (i === a.length && j === b.length) return true;
    const [left, right] = [a[i], b[j]];
    if (left?.kind === 'any') stack.push(at + width);
    if (right?.kind === 'any') stack.push(at + 1);
    if (left === undefined || right === undefined || !agree(left, right)) continue;
    stack.push((left.kind === 'any' ? i : i + 1) * width + (right.kind === 'any' ? j : j + 1));
  }
  return false;
}

/** Nearly all pairs of paths already part at one of their ends. */
function mayMeet(a: Path, b: Path): boolean {
  for (let i = 0; i < a.length && i < b.length; i += 1) {
    const [left, right] = [a[i], b[i]];
    if (left === undefined || right === undefined || left.kind === 'any' || right.kind === 'any') break;
    if (!agree(left, right)) return false;
  }
  const [last, other] = [a.at(-1), b.at(-1)];
  return last === undefined || other === undefined || agree(last, other);
}

function agree(a: RuleSegment, b: RuleSegment): boolean {
  return a.kind !== 'literal' || b.kind !== 'literal' || a.text === b.text;
}

/**
 * Whether every place that `places` stands for is one of some path of `paths`. False as well when it takes too long
 * to tell. A `*` or `**` of `places` is tried with a name that no path writes: what holds for that holds for every name.
 */
export function covers(paths: readonly Path[], places: Path): boolean {
  const start: State = { at: 0, reached: closed(paths, new Set(paths.map((_, n) => n * WIDTH))) };
  const seen = new Set<string>();
  const stack = [start];
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const { at, reached } = state;
    const name = `${at} ${[...reached].sort((a, b) => a - b).join(' ')}`;
    if (seen.has(name)) continue;
    if (seen.size > STEPS_MAX) return false;
    seen.add(name);
    const segment = places[at];
    if (segment === undefined) {
      if (![...reached].some((place) => place % WIDTH === paths[Math.floor(place / WIDTH)]?.length))
        return false;
      continue;
    }
    if (segment.kind === 'any') stack.push({ at: at + 1, reached });
    const text = segment.kind === 'literal' ? segment.text : null;
    stack.push({ at: segment.kind === 'any' ? at : at + 1, reached: stepped(paths, reached, text) });
  }
  return true;
}

interface State {
  readonly at: number;
  /** Path number × `WIDTH` + position in it. */
  readonly reached: ReadonlySet<number>;
}

/** More than any path has segments. */
const WIDTH = 65_536;

function stepped(paths: readonly Path[], reached: ReadonlySet<number>, text: string | null): Set<number> {
  const next = new Set<number>();
  for (const place of reached) {
    const segment = paths[Math.floor(place / WIDTH)]?.[place % WIDTH];
    if (segment === undefined) continue;
    if (segment.kind === 'any') next.add(place);
    else if (segment.kind === 'one' || segment.text === text) next.add(place + 1);
  }
  return closed(paths, next);
}

/** `**` also stands for no segment at all. */
function closed(paths: readonly Path[], reached: Set<number>): Set<number> {
  for (const place of reached)
    if (paths[Math.floor(place / WIDTH)]?.[place % WIDTH]?.kind === 'any') reached.add(place + 1);
  return reached;
}
