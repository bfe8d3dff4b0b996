/** Which elements of two arrays belong together. Works on one key per element; equal keys may be equal elements. */

export type Step =
  | { readonly kind: 'pair'; readonly legacy: number; readonly service: number }
  | { readonly kind: 'missing'; readonly legacy: number }
  | { readonly kind: 'extra'; readonly service: number };

export interface Alignment {
  /** In legacy's order; extras stand where the service has them. */
  readonly steps: readonly Step[];
  /** Equal members in another order. */
  readonly reordered: boolean;
}

/** Largest side of the table of the longest common subsequence; beyond it elements are paired by position. */
const LCS_MAX = 512;

/** What lies between two common elements, from and up to an index on either side. */
type Gap = (l0: number, l1: number, s0: number, s1: number) => readonly Step[];

/** Ordered arrays: by position when that fits, else one reordering, else the longest common subsequence. */
export function alignOrdered(legacy: readonly string[], service: readonly string[]): Alignment {
  return align(legacy, service, run, inPlace);
}

/** Like `alignOrdered` for elements that have a name each: only elements of one name are ever paired. */
export function alignNamed(
  legacy: readonly string[],
  service: readonly string[],
  names: { readonly legacy: readonly string[]; readonly service: readonly string[] },
): Alignment {
  if (isReordering(names.legacy, names.service)) return alignBags(names.legacy, names.service);
  const gap: Gap = (l0, l1, s0, s1) => {
    const [a, b] = [names.legacy.slice(l0, l1), names.service.slice(s0, s1)];
    const steps = a.length > LCS_MAX || b.length > LCS_MAX ? placeByPlace(a, b) : bySubsequence(a, b, apart);
    return steps.map((step) => shifted(step, l0, s0));
  };
  return align(legacy, service, gap, gap);
}

/** `far`: what to do with lists too long for a table. */
function align(legacy: readonly string[], service: readonly string[], gap: Gap, far: Gap): Alignment {
  if (legacy.length === service.length) {
    if (legacy.every((key, index) => key === service[index]))
      return { steps: inPlace(0, legacy.length, 0, service.length), reordered: false };
    const bag = alignBags(legacy, service);
    if (bag.steps.every((step) => step.kind === 'pair')) return bag;
  }
  if (legacy.length > LCS_MAX || service.length > LCS_MAX) {
    return { steps: far(0, legacy.length, 0, service.length), reordered: false };
  }
  return { steps: bySubsequence(legacy, service, gap), reordered: false };
}

/** The same names in another order, none of them twice: fields of a record, and not a list. */
function isReordering(legacy: readonly string[], service: readonly string[]): boolean {
  const [a, b] = [new Set(legacy), new Set(service)];
  if (legacy.length !== service.length || a.size !== legacy.length || b.size !== service.length) return false;
  return legacy.every((name) => b.has(name)) && legacy.some((name, index) => name !== service[index]);
}

/** Pairs equal names at equal places. */
function placeByPlace(legacy: readonly string[], service: readonly string[]): Step[] {
  return inPlace(0, legacy.length, 0, service.length).flatMap((step): readonly Step[] =>
    step.kind === 'pair' && legacy[step.legacy] !== service[step.service]
      ? apart(step.legacy, step.legacy + 1, step.service, step.service + 1)
      : [step],
  );
}

/** Nothing belongs together. */
function apart(l0: number, l1: number, s0: number, s1: number): readonly Step[] {
  return [...inPlace(l0, l1, s0, s0), ...inPlace(l1, l1, s0, s1)];
}

export function shifted(step: Step, legacyBy: number, serviceBy: number): Step {
  switch (step.kind) {
    case 'pair':
      return { kind: 'pair', legacy: step.legacy + legacyBy, service: step.service + serviceBy };
    case 'missing':
      return { kind: 'missing', legacy: step.legacy + legacyBy };
    default:
      return { kind: 'extra', service: step.service + serviceBy };
  }
}

/** Multisets: the n-th element of a key belongs to the n-th of the same key. */
export function alignBags(legacy: readonly string[], service: readonly string[]): Alignment {
  const places = new Map<string, number[]>();
  for (const [index, key] of service.entries()) {
    const list = places.get(key);
    if (list === undefined) places.set(key, [index]);
    else list.push(index);
  }
  const taken = new Map<string, number>();
  const steps: Step[] = [];
  let reordered = false;
  let last = -1;
  for (const [index, key] of legacy.entries()) {
    const used = taken.get(key) ?? 0;
    const place = places.get(key)?.[used];
    if (place === undefined) {
      steps.push({ kind: 'missing', legacy: index });
      continue;
    }
    taken.set(key, used + 1);
    reordered ||= place < last;
    last = place;
    steps.push({ kind: 'pair', legacy: index, service: place });
  }
  for (const [key, list] of places) {
    for (const place of list.slice(taken.get(key) ?? 0)) steps.push({ kind: 'extra', service: place });
  }
  return { steps, reordered };
}

/** What lies between two common elements: a run of equal length was edited in place, any other was cut or filled. */
function run(l0: number, l1: number, s0: number, s1: number): readonly Step[] {
  return l1 - l0 === s1 - s0 ? inPlace(l0, l1, s0, s1) : apart(l0, l1, s0, s1);
}

/** Pairs what has a partner at the same distance from the start; the rest is missing or extra. */
function inPlace(l0: number, l1: number, s0: number, s1: number): Step[] {
  const steps: Step[] = [];
  const paired = Math.min(l1 - l0, s1 - s0);
  for (let i = 0; i < paired; i += 1) steps.push({ kind: 'pair', legacy: l0 + i, service: s0 + i });
  for (let l = l0 + paired; l < l1; l += 1) steps.push({ kind: 'missing', legacy: l });
  for (let s = s0 + paired; s < s1; s += 1) steps.push({ kind: 'extra', service: s });
  return steps;
}

function bySubsequence(legacy: readonly string[], service: readonly string[], gap: Gap): Step[] {
  const table = commonLengths(legacy, service);
  const width = service.length + 1;
  const steps: Step[] = [];
  let [l, s, l0, s0] = [0, 0, 0, 0];
  while (l < legacy.length && s < service.length) {
    if (legacy[l] === service[s]) {
      steps.push(...gap(l0, l, s0, s), { kind: 'pair', legacy: l, service: s });
      l += 1;
      s += 1;
      [l0, s0] = [l, s];
    } else if ((table[(l + 1) * width + s] ?? 0) >= (table[l * width + s + 1] ?? 0)) l += 1;
    else s += 1;
  }
  steps.push(...gap(l0, legacy.length, s0, service.length));
  return steps;
}

/** `table[l × width + s]`: length of the longest common subsequence of what follows l and s. */
function commonLengths(legacy: readonly string[], service: readonly string[]): Uint16Array {
  const width = service.length + 1;
  const table = new Uint16Array((legacy.length + 1) * width);
  const [a, b] = [numbered(legacy, service), numbered(service, legacy)];
  for (let l = legacy.length - 1; l >= 0; l -= 1) {
    for (let s = service.length - 1; s >= 0; s -= 1) {
      const below = table[(l + 1) * width + s] ?? 0;
      const right = table[l * width + s + 1] ?? 0;
      const both = (table[(l + 1) * width + s + 1] ?? 0) + 1;
      table[l * width + s] = a[l] === b[s] ? both : Math.max(below, right);
    }
  }
  return table;
}

/** Keys as small integers, the same for both sides whichever comes first. */
function numbered(keys: readonly string[], others: readonly string[]): readonly number[] {
  const ids = new Map<string, number>();
  for (const key of [...keys, ...others].toSorted()) if (!ids.has(key)) ids.set(key, ids.size);
  return keys.map((key) => ids.get(key) ?? -1);
}

/**
 * The largest set of pairs such that every pair satisfies `fits`: augmenting paths (Kuhn 1955), since a tolerance is
 * not transitive and a greedy choice can leave a partner without one. `fits` is asked at most once per pair.
 */
export function matchBipartite(
  legacyCount: number,
  serviceCount: number,
  fits: (legacy: number, service: number) => boolean,
): readonly (number | null)[] {
  const edges = Array.from({ length: legacyCount }, (_, l) =>
    Array.from({ length: serviceCount }, (_unused, s) => s).filter((s) => fits(l, s)),
  );
  const ownerOf = new Array<number | null>(serviceCount).fill(null);
  for (let l = 0; l < legacyCount; l += 1) augment(l, edges, ownerOf);
  const partnerOf = new Array<number | null>(legacyCount).fill(null);
  for (const [s, owner] of ownerOf.entries()) if (owner !== null) partnerOf[owner] = s;
  return partnerOf;
}

/** Breadth first: finds a free partner, shifting owners along the way. */
function augment(start: number, edges: readonly (readonly number[])[], ownerOf: (number | null)[]): void {
  const cameFrom = new Map<number, number>();
  const queue = [start];
  for (let l = queue.shift(); l !== undefined; l = queue.shift()) {
    for (const s of edges[l] ?? []) {
      if (cameFrom.has(s)) continue;
      cameFrom.set(s, l);
      const owner = ownerOf[s] ?? null;
      if (owner === null) {
        shift(s, start, cameFrom, ownerOf);
        return;
      }
      queue.push(owner);
    }
  }
}

function shift(
  free: number,
  start: number,
  cameFrom: ReadonlyMap<number, number>,
  ownerOf: (number | null)[],
): void {
  let place: number | undefined = free;
  while (place !== undefined) {
    const l: number | undefined = cameFrom.get(place);
    if (l === undefined) return;
    const freed = ownerOf.indexOf(l);
    ownerOf[place] = l;
    if (l === start) return;
    place = freed;
  }
}
