/** Known faults, put into copies of answers to see whether comparing would find them. */
import { fieldValue, mediaType } from './compare/headers.ts';
import { BODY, below, HEADERS, STATUS, type Trail } from './compare/trail.ts';
import type { Tree } from './json.ts';
import type { Captured, Fields } from './types.ts';

export type FaultKind =
  | 'status'
  | 'header-lost'
  | 'cookie-attribute-lost'
  | 'truncated'
  | 'field-dropped'
  | 'null'
  | 'off-by-one'
  | 'stale'
  | 'wrong-type'
  | 'reordered'
  | 'text-changed';

export interface Mutant {
  readonly fault: FaultKind;
  /** Where the fault is. */
  readonly trail: Trail;
  readonly answer: Captured;
}

/** What a body says once it is decoded. */
export type Readable =
  | { readonly kind: 'json'; readonly text: string; readonly tree: Tree }
  | { readonly kind: 'text'; readonly text: string };

/** Chooses one of `count` places; the same number for the same question. */
export type Pick = (count: number, what: FaultKind) => number;

/** Places looked at in one body. */
const PLACES_MAX = 2000;
const DEPTH_MAX = 32;
/** Their loss is a fault wherever they stand. */
const HEADERS_LOST =
  /^(?:content-type|cache-control|location|vary|etag|link|www-authenticate|content-language)$/i;
const COOKIE_ATTRIBUTES = /;\s*(httponly|secure|samesite=\w+|path=[^;]*|max-age=\d+)/gi;

/** The answer with its body written anew; nothing else is changed. Compared with the original it must be the same. */
export function rewritten(answer: Captured, body: string): Captured {
  const fields: string[] = [];
  for (let i = 0; i + 1 < answer.fields.length; i += 2) {
    const name = answer.fields[i] ?? '';
    if (/^content-encoding$/i.test(name)) continue;
    // The text is written in UTF-8, whatever it was read from.
    const value = answer.fields[i + 1] ?? '';
    fields.push(
      name,
      /^content-type$/i.test(name) ? value.replace(/charset\s*=\s*"?[^";]*"?/i, 'charset=utf-8') : value,
    );
  }
  return { ...answer, fields, body: new TextEncoder().encode(body) };
}

/** At most one mutant per kind of fault; none of a kind for which the answer has no place. */
export function mutantsOf(answer: Captured, body: Readable | null, pick: Pick): readonly Mutant[] {
  const made: (Mutant | null)[] = [
    { fault: 'status', trail: STATUS, answer: { ...answer, status: answer.status === 500 ? 200 : 500 } },
    headerLost(answer, pick),
    cookieAttributeLost(answer, pick),
    truncated(answer),
  ];
  if (body?.kind === 'json') made.push(...jsonMutants(answer, body, pick));
  if (body?.kind === 'text') made.push(textChanged(answer, body.text, pick));
  return made.filter((mutant) => mutant !== null);
}

function headerLost(answer: Captured, pick: Pick): Mutant | null {
  const at = positions(answer.fields, (name) => HEADERS_LOST.test(name));
  const index = chosen(at, pick, 'header-lost');
  if (index === null) return null;
  const trail = below(HEADERS, (answer.fields[index] ?? '').toLowerCase());
  return { fault: 'header-lost', trail, answer: { ...answer, fields: answer.fields.toSpliced(index, 2) } };
}

function cookieAttributeLost(answer: Captured, pick: Pick): Mutant | null {
  const places = positions(answer.fields, (name) => /^set-cookie$/i.test(name)).flatMap((index) =>
    [...(answer.fields[index + 1] ?? '').matchAll(COOKIE_ATTRIBUTES)].map((found) => ({ index, found })),
  );
  const place = chosen(places, pick, 'cookie-attribute-lost');
  if (place === null) return null;
  const { index, found } = place;
  const line = answer.fields[index + 1] ?? '';
  const without = line.slice(0, found.index) + line.slice(found.index + found[0].length);
  const cookie = line.split('=', 1)[0] ?? '';
  const trail = below(below(HEADERS, 'set-cookie'), cookie.trim());
  return {
    fault: 'cookie-attribute-lost',
    trail,
    answer: { ...answer, fields: answer.fields.toSpliced(index + 1, 1, without) },
  };
}

function truncated(answer: Captured): Mutant | null {
  if (answer.body.length < 2) return null;
  const body = answer.body.subarray(0, answer.body.length >> 1);
  return { fault: 'truncated', trail: BODY, answer: { ...answer, body, truncated: true } };
}

function textChanged(answer: Captured, text: string, pick: Pick): Mutant | null {
  const letters = [...text.matchAll(/[A-Za-z0-9]/g)].slice(0, PLACES_MAX);
  const found = chosen(letters, pick, 'text-changed');
  if (found === null) return null;
  const changed = text.slice(0, found.index) + turned(found[0]) + text.slice(found.index + 1);
  return { fault: 'text-changed', trail: BODY, answer: rewritten(answer, changed) };
}

interface Place {
  /** Keys and indexes from the root. */
  readonly path: readonly (string | number)[];
  readonly value: unknown;
  readonly inObject: boolean;
}

type Change = (parent: Container, key: string | number, value: unknown) => void;
type Container = unknown[] | Record<string, unknown>;

const JSON_FAULTS: readonly {
  readonly fault: FaultKind;
  readonly fits: (place: Place) => boolean;
  readonly change: Change;
}[] = [
  {
    fault: 'field-dropped',
    fits: ({ inObject }) => inObject,
    change(parent, key) {
      if (!Array.isArray(parent)) delete parent[key];
    },
  },
  { fault: 'null', fits: ({ value }) => value !== null, change: put(() => null) },
  {
    fault: 'off-by-one',
    fits: ({ value }) => typeof value === 'number',
    change: put((value) => Number(value) + 1),
  },
  {
    fault: 'stale',
    fits: ({ value }) => typeof value === 'string' && value !== '',
    change: put((value) => String(value).slice(0, -1) + turned(String(value).slice(-1))),
  },
  {
    fault: 'wrong-type',
    fits: ({ value }) => typeof value !== 'object',
    change: put((value) => (typeof value === 'string' ? [value] : String(value))),
  },
  {
    fault: 'reordered',
    fits: ({ value }) =>
      Array.isArray(value) && value.length > 1 && JSON.stringify(value[0]) !== JSON.stringify(value[1]),
    change: put((value) => (Array.isArray(value) ? [value[1], value[0], ...value.slice(2)] : value)),
  },
];

function jsonMutants(
  answer: Captured,
  { text, tree }: Extract<Readable, { kind: 'json' }>,
  pick: Pick,
): readonly (Mutant | null)[] {
  const places = placesIn(tree);
  return JSON_FAULTS.map(({ fault, fits, change }) => {
    const place = chosen(places.filter(fits), pick, fault);
    if (place === null) return null;
    const copy: unknown = JSON.parse(text);
    const { path } = place;
    const parent = path.slice(0, -1).reduce<unknown>((at, key) => memberOf(at, key), copy);
    const key = path.at(-1);
    if (!isContainer(parent) || key === undefined) return null;
    change(parent, key, memberOf(parent, key));
    const trail = path.reduce<Trail>(below, BODY);
    return { fault, trail, answer: rewritten(answer, JSON.stringify(copy)) };
  });
}

/** Every member and element, breadth first. */
function placesIn(root: unknown): readonly Place[] {
  const places: Place[] = [];
  const queue: { readonly value: unknown; readonly path: Place['path'] }[] = [{ value: root, path: [] }];
  for (const { value, path } of queue) {
    if (places.length >= PLACES_MAX) break;
    if (!isContainer(value) || path.length >= DEPTH_MAX) continue;
    const inObject = !Array.isArray(value);
    for (const [key, member] of Object.entries(value)) {
      const here = [...path, inObject ? key : Number(key)];
      places.push({ path: here, value: member, inObject });
      queue.push({ value: member, path: here });
      if (places.length >= PLACES_MAX) break;
    }
  }
  return places;
}

function put(make: (value: unknown) => unknown): Change {
  return (parent, key, value) => {
    // Not by assignment: a member may be called `__proto__`.
    Object.defineProperty(parent, key, {
      value: make(value),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  };
}

function memberOf(container: unknown, key: string | number): unknown {
  return isContainer(container) ? Object.getOwnPropertyDescriptor(container, key)?.value : undefined;
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

/** Another character of the same sort. */
function turned(character: string): string {
  if (/\d/.test(character)) return character === '9' ? '8' : String(Number(character) + 1);
  return character === 'x' ? 'y' : 'x';
}

function positions(fields: Fields, fits: (name: string) => boolean): readonly number[] {
  const found: number[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) if (fits(fields[i] ?? '')) found.push(i);
  return found;
}

function chosen<T>(places: readonly T[], pick: Pick, fault: FaultKind): T | null {
  return places.length === 0 ? null : (places[pick(places.length, fault)] ?? null);
}

/** Whether a body of this type is text that can be written anew. */
export function isTextual(fields: Fields): boolean {
  const type = mediaType(fieldValue(fields, 'content-type') ?? '');
  return type.startsWith('text/') || /[/+](?:json|xml)$/.test(type);
}
