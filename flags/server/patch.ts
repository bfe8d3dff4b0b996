/** Why a JSON Patch was not applied: a `test` did not hold, or it does not fit the document. */
export class PatchRefused extends Error {
  readonly reason: 'test-failed' | 'invalid';

  constructor(reason: 'test-failed' | 'invalid', message: string) {
    super(message);
    this.name = 'PatchRefused';
    this.reason = reason;
  }
}

/** Operations of one patch, at most. */
export const PATCH_OPERATIONS_MAX = 100;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Applies a JSON Patch (RFC 6902) to a JSON object and returns the new one; the given one stays as it was. All or
 * nothing: PatchRefused names the first operation that does not hold. Parts that `copy` doubles are shared, so the
 * result takes no more memory than document and patch; written out it can be far longer.
 */
export function applyPatch(document: object, patch: unknown): Readonly<Record<string, unknown>> {
  if (!Array.isArray(patch)) throw new PatchRefused('invalid', 'a patch is an array of operations');
  if (patch.length > PATCH_OPERATIONS_MAX) {
    throw new PatchRefused('invalid', `a patch has at most ${PATCH_OPERATIONS_MAX} operations`);
  }
  let result = toJson(document);
  for (const operation of patch) result = applyOne(result, operation);
  if (!isObject(result)) throw new PatchRefused('invalid', 'the patched document is not an object');
  return result;
}

function applyOne(document: Json, operation: unknown): Json {
  if (typeof operation !== 'object' || operation === null) {
    throw new PatchRefused('invalid', 'an operation is an object');
  }
  const { op, path, from, value }: { op?: unknown; path?: unknown; from?: unknown; value?: unknown } =
    operation;
  const keys = keysOf(path);
  if ((op === 'add' || op === 'replace' || op === 'test') && value === undefined) {
    throw new PatchRefused('invalid', `${op} needs a value`);
  }
  switch (op) {
    case 'test':
      if (!equal(lookUp(document, keys), toJson(value))) {
        throw new PatchRefused('test-failed', 'Test operation failed');
      }
      return document;
    case 'replace':
      lookUp(document, keys);
      return write(document, keys, 'replace', toJson(value));
    case 'add':
      return write(document, keys, 'add', toJson(value));
    case 'remove':
      lookUp(document, keys);
      return write(document, keys, 'remove', null);
    case 'copy':
      return write(document, keys, 'add', lookUp(document, keysOf(from)));
    case 'move':
      return move(document, keysOf(from), keys);
    default:
      throw new PatchRefused('invalid', 'an operation is one of add, remove, replace, move, copy and test');
  }
}

function move(document: Json, from: readonly string[], to: readonly string[]): Json {
  const inside = from.length < to.length && from.every((key, index) => key === to[index]);
  if (inside) throw new PatchRefused('invalid', 'a value cannot be moved into itself');
  const value = lookUp(document, from);
  if (from.length === to.length && from.every((key, index) => key === to[index])) return document;
  return write(write(document, from, 'remove', null), to, 'add', value);
}

function keysOf(pointer: unknown): readonly string[] {
  if (typeof pointer !== 'string' || !/^(?:\/|$)/.test(pointer)) {
    throw new PatchRefused('invalid', 'a path is empty or starts with a slash');
  }
  return pointer.split('/').slice(1).map(unescapeToken);
}

/** A copy of `document` in which the place at `keys` is changed. */
function write(document: Json, keys: readonly string[], op: 'add' | 'replace' | 'remove', value: Json): Json {
  const [key, ...rest] = keys;
  if (key === undefined) {
    if (op === 'remove') throw new PatchRefused('invalid', 'the whole document cannot be removed');
    return value;
  }
  if (Array.isArray(document)) return writeItem(document, key, rest, op, value);
  if (!isObject(document) || key === '__proto__') throw noSuchPlace();
  if (rest.length > 0) {
    const inner = Object.hasOwn(document, key) ? document[key] : undefined;
    if (inner === undefined) throw noSuchPlace();
    return { ...document, [key]: write(inner, rest, op, value) };
  }
  if (op !== 'remove') return { ...document, [key]: value };
  return Object.fromEntries(Object.entries(document).filter(([name]) => name !== key));
}

function writeItem(
  items: readonly Json[],
  key: string,
  rest: readonly string[],
  op: 'add' | 'replace' | 'remove',
  value: Json,
): Json {
  const index = key === '-' && op === 'add' && rest.length === 0 ? items.length : indexOf(key);
  if (rest.length > 0) {
    const inner = items[index];
    if (inner === undefined) throw noSuchPlace();
    return items.with(index, write(inner, rest, op, value));
  }
  if (index > items.length) throw noSuchPlace();
  if (op === 'add') return items.toSpliced(index, 0, value);
  return op === 'remove' ? items.toSpliced(index, 1) : items.with(index, value);
}

function lookUp(document: Json, keys: readonly string[]): Json {
  let at: Json = document;
  for (const key of keys) {
    let next: Json | undefined;
    if (Array.isArray(at)) next = at[indexOf(key)];
    else if (isObject(at) && Object.hasOwn(at, key)) next = at[key];
    if (next === undefined) throw noSuchPlace();
    at = next;
  }
  return at;
}

function indexOf(key: string): number {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(key)) throw noSuchPlace();
  return Number(key);
}

function equal(a: Json, b: Json): boolean {
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index] ?? null))
    );
  }
  if (!isObject(a)) return a === b;
  if (!isObject(b) || Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key] ?? null, b[key] ?? null))
  );
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 6901 §4. */
function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null));
}

function noSuchPlace(): PatchRefused {
  return new PatchRefused('invalid', 'a path names no place in the document');
}
