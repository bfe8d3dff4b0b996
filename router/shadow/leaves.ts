/** Places that legacy's JSON answers have, learned from a sample: a rule may then be told what it covers. */
import { formatOf } from '../core/compare/body.ts';
import type { Inflate } from '../core/compare/comparison.ts';
import { fieldValue } from '../core/compare/headers.ts';
import { BODY, below, type Trail } from '../core/compare/trail.ts';
import type { Captured } from '../core/types.ts';

export interface Leaves {
  /**
   * Templates of scalars and empty containers that were not given before, mostly none. Looks at the first answers of a
   * route, then at one of many. Total: what is no JSON has none.
   */
  learn(place: string, legacy: Captured, templateOf: (trail: Trail) => string): readonly string[];
}

const FIRST = 100;
const THEN_EVERY = 512;
const BYTES_MAX = 262_144;
const NODES_MAX = 5_000;
const DEPTH_MAX = 32;
/** Templates remembered; over them all are forgotten, and given once more. */
const KNOWN_MAX = 20_000;
const PLACES_MAX = 1_024;

export function createLeaves(inflate: Inflate): Leaves {
  const looks = new Map<string, number>();
  const known = new Set<string>();

  function isDue(place: string): boolean {
    const before = looks.get(place) ?? 0;
    if (looks.size >= PLACES_MAX && before === 0) looks.clear();
    looks.set(place, before + 1);
    return before < FIRST || before % THEN_EVERY === 0;
  }

  return {
    learn(place, legacy, templateOf) {
      if (!isDue(place)) return [];
      const fresh: string[] = [];
      for (const trail of leavesOf(parsed(legacy, inflate))) {
        const template = templateOf(trail);
        const name = `${place}\n${template}`;
        if (known.has(name)) continue;
        if (known.size >= KNOWN_MAX) known.clear();
        known.add(name);
        fresh.push(template);
      }
      return fresh;
    },
  };
}

/** Undefined where the answer is no JSON text that is small enough. */
function parsed({ fields, body, truncated }: Captured, inflate: Inflate): unknown {
  if (truncated || formatOf(fieldValue(fields, 'content-type')) !== 'json') return undefined;
  const codings = (fieldValue(fields, 'content-encoding') ?? '').toLowerCase().split(',');
  const plain = inflate(
    body,
    codings.filter((coding) => coding !== '' && coding !== 'identity'),
  );
  if (plain.kind !== 'bytes' || plain.bytes.length > BYTES_MAX) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(plain.bytes));
  } catch {
    return undefined;
  }
}

function leavesOf(root: unknown): readonly Trail[] {
  const leaves: Trail[] = [];
  const stack: { readonly value: unknown; readonly trail: Trail; readonly depth: number }[] = [];
  if (root !== undefined) stack.push({ value: root, trail: BODY, depth: 1 });
  for (let nodes = 0; nodes < NODES_MAX; nodes += 1) {
    const at = stack.pop();
    if (at === undefined) break;
    const inside = membersOf(at.value);
    if (inside.length === 0) leaves.push(at.trail);
    if (at.depth >= DEPTH_MAX) continue;
    for (const [segment, value] of inside.slice(0, NODES_MAX - nodes))
      stack.push({ value, trail: below(at.trail, segment), depth: at.depth + 1 });
  }
  return leaves;
}

function membersOf(value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return value.map((element, index) => [index, element]);
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
