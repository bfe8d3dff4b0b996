/** What makes two requests the same question with other values. */
import { formatClass } from '../compare/format.ts';
import { isObject, keysOf, memberOf, type Tree, typeOf } from '../json.ts';

export interface ShapedRequest {
  readonly method: string;
  /** Names and values of the query, decoded, in order. */
  readonly query: readonly (readonly [string, string])[];
  /** A body that was read as JSON, else null. */
  readonly body: Tree | null;
  /** Value of `Accept`; empty without. */
  readonly accept: string;
  readonly unitClass: string;
}

const PARAMETERS_MAX = 64;
const ENTRIES_MAX = 64;
const DEPTH_MAX = 8;
const NODES_MAX = 10_000;

/**
 * One text for all requests with the same parameter names, classes of their values, body shape, `Accept` and unit class.
 * Bounded; holds names but no value. Digest it before it is kept: a name may be a secret, too.
 */
export function shapeText({ method, query, body, accept, unitClass }: ShapedRequest): string {
  const parameters = query
    .slice(0, PARAMETERS_MAX)
    .map(([name, value]) => `${name}=${formatClass(value)}`)
    .sort();
  return JSON.stringify([method, parameters, body === null ? [] : bodyShape(body), accept, unitClass]);
}

/** Every member with its type, elements of an array as one; the first 64 in order of their names. */
function bodyShape(root: Tree): readonly string[] {
  const entries = new Set<string>();
  const stack: { readonly value: Tree; readonly path: string; readonly depth: number }[] = [
    { value: root, path: '', depth: 0 },
  ];
  let nodes = 0;
  for (let top = stack.pop(); top !== undefined && nodes < NODES_MAX; top = stack.pop()) {
    const { value, path, depth } = top;
    nodes += 1;
    entries.add(`${path} ${typeOf(value)}`);
    if (depth >= DEPTH_MAX) continue;
    if (Array.isArray(value)) {
      for (const item of value.slice(0, NODES_MAX))
        stack.push({ value: item, path: `${path}/*`, depth: depth + 1 });
    } else if (isObject(value)) {
      for (const key of keysOf(value).slice(0, NODES_MAX)) {
        const member = memberOf(value, key);
        if (member !== undefined) stack.push({ value: member, path: `${path}/${key}`, depth: depth + 1 });
      }
    }
  }
  return [...entries].sort().slice(0, ENTRIES_MAX);
}
