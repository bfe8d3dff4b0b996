/** Equality and canonical text of JSON trees: iterative, so that depth costs memory and never the stack. */
import { canonicalNumber } from '../decimal.ts';
import {
  attributeSegment,
  Element,
  isObject,
  isPlain,
  type JsonMap,
  JsonNumber,
  keysOf,
  lexemeOf,
  memberOf,
  nameOf,
  type PlainObject,
  repeatedOf,
  type Tree,
  typeOf,
  Unreadable,
} from '../json.ts';
import { advance, type Cursor, merged, ruleAt, rulesAt } from './rule.ts';

/** Counts work; gives up with an exception of its own when the pair costs more than it may. */
export type Spend = (steps: number) => void;

/** Nesting up to which trees are compared by recursion; deeper ones, and lossless ones, by a stack of their own. */
const RECURSION_MAX = 600;

/** Whether two trees of `JSON.parse` are equal; null when it takes the slower look. */
function samePlain(a: Tree, b: Tree, depth: number, spend: Spend): boolean | null {
  spend(1);
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return isNumber(a) && isNumber(b) && typeof a !== typeof b ? null : false;
  }
  if (depth > RECURSION_MAX) return null;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i += 1) {
      const same = samePlain(a[i] ?? null, b[i] ?? null, depth + 1, spend);
      if (same !== true) return same;
    }
    return true;
  }
  if (!isPlain(a) || !isPlain(b)) return Array.isArray(b) ? false : null;
  let more = 0;
  for (const key in a) {
    const [left, right] = [a[key], Object.hasOwn(b, key) ? b[key] : undefined];
    if (left === undefined || right === undefined) return false;
    const same = samePlain(left, right, depth + 1, spend);
    if (same !== true) return same;
    more += 1;
  }
  for (const _key in b) more -= 1;
  return more === 0;
}

/** Equal by default semantics: exact numbers, key order free, repeated members value by value. */
export function sameTree(left: Tree, right: Tree, spend: Spend): boolean {
  const same = samePlain(left, right, 0, spend);
  if (same !== null) return same;
  const stack: Tree[] = [left, right];
  while (stack.length > 0) {
    spend(1);
    const b = stack.pop();
    const a = stack.pop();
    if (a === undefined || b === undefined) return false;
    if (a === b) continue;
    if (!sameNode(a, b, stack)) return false;
  }
  return true;
}

/** Compares two nodes, leaving pairs of children on the stack. */
function sameNode(a: Tree, b: Tree, stack: Tree[]): boolean {
  if (isNumber(a) && isNumber(b)) return sameNumber(a, b);
  if (Array.isArray(a) && Array.isArray(b)) return pushPairs(a, b, stack);
  if (a instanceof Element && b instanceof Element) return sameElement(a, b, stack);
  if (a instanceof Unreadable && b instanceof Unreadable) return a.text === b.text;
  if (!isObject(a) || !isObject(b)) return false;
  const keys = keysOf(a);
  if (keys.length !== keysOf(b).length) return false;
  for (const key of keys) {
    const left = memberOf(a, key);
    const right = memberOf(b, key);
    if (left === undefined || right === undefined) return false;
    const [all, others] = [repeatedOf(a, key) ?? [left], repeatedOf(b, key) ?? [right]];
    if (!pushPairs(all, others, stack)) return false;
  }
  return true;
}

function sameElement(a: Element, b: Element, stack: Tree[]): boolean {
  if (a.name !== b.name || a.uri !== b.uri || a.attributes.size !== b.attributes.size) return false;
  for (const [key, value] of a.attributes) if (b.attributes.get(key) !== value) return false;
  return pushPairs(a.children, b.children, stack);
}

function pushPairs(a: readonly Tree[], b: readonly Tree[], stack: Tree[]): boolean {
  if (a.length !== b.length) return false;
  for (const [index, item] of a.entries()) {
    const other = b[index];
    if (other !== undefined) stack.push(item, other);
  }
  return true;
}

export function isNumber(value: Tree): value is number | JsonNumber {
  return typeof value === 'number' || value instanceof JsonNumber;
}

export function sameNumber(a: number | JsonNumber, b: number | JsonNumber): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a === b;
  const [left, right] = [lexemeOf(a), lexemeOf(b)];
  return left === right || canonicalNumber(left) === canonicalNumber(right);
}

interface Pending {
  readonly value: Tree;
  readonly cursor: Cursor;
}

/**
 * One text per value by default semantics. With a cursor, what rules may excuse is left out, so that two values
 * that could be equal under the rules always have the same text (never the reverse: equal texts must be compared).
 */
export function canonicalOf(root: Tree, cursor: Cursor, spend: Spend): string {
  const out: string[] = [];
  const stack: (string | Pending)[] = [{ value: root, cursor }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    spend(1);
    if (typeof top === 'string') out.push(top);
    else out.push(expand(top, stack));
  }
  return out.join('');
}

function expand({ value, cursor }: Pending, stack: (string | Pending)[]): string {
  const excused = cursor === null ? null : excusedText(value, cursor);
  if (excused !== null) return excused;
  if (Array.isArray(value)) {
    stack.push(']');
    for (const item of value.toReversed()) stack.push(',', { value: item, cursor: advanceAny(cursor) });
    return '[';
  }
  if (isObject(value)) {
    stack.push('}');
    for (const key of keysOf(value).toSorted().reverse()) pushMember(value, key, cursor, stack);
    return '{';
  }
  if (value instanceof Element) return expandElement(value, cursor, stack);
  if (value instanceof Unreadable) return `!${JSON.stringify(value.text)}`;
  return isNumber(value) ? canonicalNumber(lexemeOf(value)) : JSON.stringify(value);
}

function expandElement(element: Element, cursor: Cursor, stack: (string | Pending)[]): string {
  stack.push('</>');
  for (const child of element.children.toReversed())
    stack.push({ value: child, cursor: below(cursor, nameOf(child)) });
  stack.push('>');
  for (const [key, value] of [...element.attributes].sort(([a], [b]) => (a < b ? 1 : -1))) {
    const at = advance(cursor, attributeSegment(key));
    if (!isOptional(value, at)) stack.push(` ${key}=`, { value, cursor: at });
  }
  return `<${element.name} ${JSON.stringify(element.uri)}`;
}

/** A child may have an index or not, as its siblings decide. */
function below(cursor: Cursor, name: string): Cursor {
  const at = advance(cursor, name);
  return merged(at, advance(at, '*'));
}

/** Elements move between positions, so only rules for every position can be looked at. */
function advanceAny(cursor: Cursor): Cursor {
  return advance(cursor, '*');
}

function pushMember(
  object: JsonMap | PlainObject,
  key: string,
  cursor: Cursor,
  stack: (string | Pending)[],
): void {
  const below = advance(cursor, key);
  const value = memberOf(object, key);
  if (value === undefined || isOptional(value, below)) return;
  for (const each of (repeatedOf(object, key) ?? [value]).toReversed()) {
    stack.push(',', { value: each, cursor: below });
  }
  stack.push(`${JSON.stringify(key)}:`);
}

/** A member or attribute that rules allow to be absent on one side. */
function isOptional(value: Tree, cursor: Cursor): boolean {
  if (cursor === null) return false;
  if (ruleAt(cursor, 'ignore') !== null || ruleAt(cursor, 'allow-extra') !== null) return true;
  return value === null && ruleAt(cursor, 'null-equals-missing') !== null;
}

/** A placeholder for a value that rules may excuse, or null when none can. */
function excusedText(value: Tree, cursor: Cursor): string | null {
  if (ruleAt(cursor, 'ignore') !== null) return '~';
  const type = typeOf(value);
  if ((type === 'object' || type === 'element') && ruleAt(cursor, 'allow-extra') !== null) return `~${type}`;
  if (value instanceof Element && ruleAt(cursor, 'unordered') !== null) return `~${value.name}`;
  if (Array.isArray(value) && ruleAt(cursor, 'unordered') !== null) return `~array${value.length}`;
  if (
    type === 'string' &&
    (rulesAt(cursor, 'normalise').length > 0 || ruleAt(cursor, 'read-string') !== null)
  ) {
    return '~string';
  }
  const verdict = ruleAt(cursor, 'verdict');
  if (verdict === null) return null;
  return verdict.action === 'equivalent' ? '~' : `~${type}`;
}
