/** What is wrong with a configuration, in words that help to put it right. */
import { z } from 'zod';
import { schema } from './schema.ts';

/** One thing that is wrong with a configuration. */
export interface Fault {
  /** `groups.orders.routes[0]`; empty for the whole file. */
  readonly path: string;
  /** What was expected and found. */
  readonly text: string;
  readonly hint: string | null;
}

/** The configuration cannot be used; lists every fault at once. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[];

  constructor(file: string, faults: readonly Fault[]) {
    super(`${file}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Of a union the branch that came furthest speaks; strict objects name each unknown key with the closest known one. */
export function toFaults(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[] = []): Fault[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: pathText([...path, key]),
      text: 'unknown key',
      hint: closest(key, knownKeys(path)),
    }));
  }
  if (issue.code === 'invalid_union') {
    const deepest = issue.errors.filter(
      (branch) => !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
    );
    if (deepest[0] !== undefined) return deepest[0].flatMap((inner) => toFaults(inner, path));
  }
  return [{ path: pathText(path), text: lowerFirst(issue.message), hint: null }];
}

/** `did you mean "…"?` for the known word that is near enough, or null. */
export function closest(word: string, known: readonly string[]): string | null {
  const near = known
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near !== undefined && near.distance <= Math.max(2, word.length / 3)
    ? `did you mean "${near.name}"?`
    : null;
}

/** The keys that the objects at this place of the schema have. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const there = path.reduce<readonly z.core.$ZodType[]>(
    (types, key) => types.flatMap((type) => inside(type, key)),
    opened(schema),
  );
  return there.flatMap((type) => (type instanceof z.ZodObject ? Object.keys(type.shape) : []));
}

function inside(type: z.core.$ZodType, key: PropertyKey): readonly z.core.$ZodType[] {
  if (type instanceof z.ZodObject) {
    const member: z.core.$ZodType | undefined = type.shape[String(key)];
    return member === undefined ? [] : opened(member);
  }
  if (type instanceof z.ZodRecord) return opened(type.valueType);
  return type instanceof z.ZodArray ? opened(type.element) : [];
}

/** Without what only says that it may be missing; of a union every branch. */
function opened(type: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (type instanceof z.ZodUnion) return type.options.flatMap(opened);
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodPrefault)
    return opened(type.unwrap());
  return [type];
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`))
    .join('');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Levenshtein distance of two short words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
