/**
 * Lossless JSON: exact numbers, duplicate members, any depth. Two readers with one result: `JSON.parse` where a
 * guard scan proves that it loses nothing, otherwise an iterative reader of our own (RFC 8259).
 */

export type JsonType =
  | 'null'
  | 'boolean'
  | 'number'
  | 'string'
  | 'array'
  | 'object'
  | 'element'
  | 'unreadable';

/** A number that a double may not hold, as it was written. */
export class JsonNumber {
  readonly lexeme: string;

  constructor(lexeme: string) {
    this.lexeme = lexeme;
  }
}

/** An object read losslessly: `repeated` holds every value of a member that was given more than once. */
export class JsonMap {
  readonly members = new Map<string, Tree>();
  repeated: Map<string, Tree[]> | null = null;

  add(key: string, value: Tree): void {
    const before = this.members.get(key);
    if (before !== undefined) {
      this.repeated ??= new Map();
      const values = this.repeated.get(key);
      if (values === undefined) this.repeated.set(key, [before, value]);
      else values.push(value);
    }
    this.members.set(key, value);
  }
}

/**
 * An element of XML or HTML, without comments and prefixes. A document is one without a name that holds the root. A
 * processing instruction is one whose name starts with `?`, a document type one named `!doctype`.
 */
export class Element {
  readonly name: string;
  readonly uri: string;
  /** `@name`, or `@name {uri}` for an attribute in a namespace, to its value. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Elements and texts; no two texts are neighbours. */
  readonly children: readonly (Element | string)[];

  constructor(
    name: string,
    uri: string,
    attributes: ReadonlyMap<string, string>,
    children: readonly (Element | string)[],
  ) {
    this.name = name;
    this.uri = uri;
    this.attributes = attributes;
    this.children = children;
  }
}

/** Local name of an element, `text()` of a text. */
export function nameOf(child: Tree): string {
  return child instanceof Element ? child.name : 'text()';
}

/** `@name`: a namespace tells attributes apart, but is no part of the path. */
export function attributeSegment(key: string): string {
  return key.split(' ', 1)[0] ?? '';
}

/** A part (a line, a part of a message) that is not what it declares to be. */
export class Unreadable {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** One value of any reader. */
export type Tree =
  | null
  | boolean
  | number
  | string
  | JsonNumber
  | JsonMap
  | Element
  | Unreadable
  | Tree[]
  | PlainObject;
export interface PlainObject {
  readonly [key: string]: Tree;
}

export type JsonReading =
  | { readonly kind: 'value'; readonly value: Tree }
  | { readonly kind: 'malformed' }
  /** More values than `NODES_MAX`. */
  | { readonly kind: 'too-many' };

/** Values (scalars and containers) in one text; more is refused, not read. */
export const NODES_MAX = 1_000_000;
/** Nesting up to which `JSON.parse` is used. */
const PLAIN_DEPTH_MAX = 512;
/** Up to 15 digits without exponent, equality of doubles is equality of decimals. */
const PLAIN_DIGITS_MAX = 15;

/** Reads a pair with the same reader, so that both trees have one shape. `exact` asks for lexemes everywhere. */
export function readJsonPair(
  left: string,
  right: string,
  exact: boolean,
): readonly [JsonReading, JsonReading] {
  if (!exact) {
    const a = readPlainJson(left);
    const b = a === null ? null : readPlainJson(right);
    if (a !== null && b !== null) return [a, b];
  }
  return [readExactJson(left), readExactJson(right)];
}

/** One text by itself; `exact` asks for lexemes. */
export function readJson(text: string, exact: boolean): JsonReading {
  return (exact ? null : readPlainJson(text)) ?? readExactJson(text);
}

/** `JSON.parse` where it is provably lossless; null where it is not, or where the text is malformed or too large. */
export function readPlainJson(text: string): JsonReading | null {
  const members = countPlainMembers(text);
  if (members === -1) return null;
  let value: Tree;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'malformed' };
  }
  return countMembers(value) === members ? { kind: 'value', value } : null;
}

/** Members written in the text, or -1 when `JSON.parse` could lose something. Strings are jumped over. */
function countPlainMembers(text: string): number {
  let members = 0;
  let nodes = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 34) {
      i = closingQuote(text, i);
      if (i === -1) return -1;
    } else if (c === 58) members += 1;
    else if (c === 44) nodes += 1;
    else if (c === 91 || c === 123) {
      depth += 1;
      nodes += 1;
      if (depth > PLAIN_DEPTH_MAX) return -1;
    } else if (c === 93 || c === 125) depth -= 1;
    else if (c >= 48 && c <= 57) {
      i = plainNumberEnd(text, i);
      if (i === -1) return -1;
    }
  }
  return nodes >= NODES_MAX ? -1 : members;
}

/** Index of the last character of a number that starts at `from`, or -1 when it has an exponent or many digits. */
function plainNumberEnd(text: string, from: number): number {
  let digits = 0;
  let i = from;
  for (; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c >= 48 && c <= 57) digits += 1;
    else if (c === 69 || c === 101) return -1;
    else if (c !== 46) break;
  }
  return digits > PLAIN_DIGITS_MAX ? -1 : i - 1;
}

/** Index of the quote that ends the string starting at `from`, or -1. */
function closingQuote(text: string, from: number): number {
  let end = nextQuote(text, from + 1);
  while (end !== -1 && text.charCodeAt(end - 1) === 92) {
    let backslashes = 1;
    while (text.charCodeAt(end - 1 - backslashes) === 92) backslashes += 1;
    if (backslashes % 2 === 0) break;
    end = nextQuote(text, end + 1);
  }
  return end;
}

/** Most strings are short: only a long one is worth a call. */
function nextQuote(text: string, from: number): number {
  const near = Math.min(text.length, from + 24);
  for (let i = from; i < near; i += 1) if (text.charCodeAt(i) === 34) return i;
  return text.indexOf('"', near);
}

function countMembers(root: Tree): number {
  let members = 0;
  const stack: Tree[] = [root];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (const item of value) if (typeof item === 'object' && item !== null) stack.push(item);
    } else if (isPlain(value)) {
      for (const key in value) {
        members += 1;
        const member = value[key];
        if (typeof member === 'object' && member !== null) stack.push(member);
      }
    }
  }
  return members;
}

/** A container that is being filled; `key` is the member whose value comes next. */
type Open = { readonly list: Tree[] } | { readonly map: JsonMap; key: string };

/** Reads any JSON text that `JSON.parse` accepts, iteratively, keeping lexemes and duplicates. */
export function readExactJson(text: string): JsonReading {
  const reader = createReader(text);
  return reader.read();
}

function createReader(text: string) {
  const stack: Open[] = [];
  let at = 0;
  let nodes = 0;

  function read(): JsonReading {
    for (;;) {
      skipBlanks();
      nodes += 1;
      if (nodes > NODES_MAX) return { kind: 'too-many' };
      const value = readStart();
      if (value === undefined) return { kind: 'malformed' };
      if (value === 'opened') continue;
      const end = close(value.value);
      if (end === 'malformed') return { kind: 'malformed' };
      if (end !== 'next') return { kind: 'value', value: end.root };
    }
  }

  /** A scalar or an empty container, `opened` for a container with content, undefined for neither. */
  function readStart(): { readonly value: Tree } | 'opened' | undefined {
    const c = text.charCodeAt(at);
    if (c === 123) return openMap();
    if (c === 91) return openList();
    const scalar = readScalar(c);
    return scalar === undefined ? undefined : { value: scalar };
  }

  function openMap(): { readonly value: Tree } | 'opened' | undefined {
    at += 1;
    skipBlanks();
    const map = new JsonMap();
    if (text.charCodeAt(at) === 125) {
      at += 1;
      return { value: map };
    }
    const key = readKey();
    if (key === undefined) return undefined;
    stack.push({ map, key });
    return 'opened';
  }

  function openList(): { readonly value: Tree } | 'opened' {
    at += 1;
    skipBlanks();
    const list: Tree[] = [];
    if (text.charCodeAt(at) === 93) {
      at += 1;
      return { value: list };
    }
    stack.push({ list });
    return 'opened';
  }

  /** Puts a finished value into its container and closes every container that ends here. */
  function close(finished: Tree): 'malformed' | 'next' | { readonly root: Tree } {
    let value = finished;
    for (;;) {
      skipBlanks();
      const open = stack.at(-1);
      if (open === undefined) return at === text.length ? { root: value } : 'malformed';
      if ('list' in open) open.list.push(value);
      else open.map.add(open.key, value);
      const c = text.charCodeAt(at);
      at += 1;
      if (c === 44) return separator(open) ? 'next' : 'malformed';
      if (c !== ('list' in open ? 93 : 125)) return 'malformed';
      value = 'list' in open ? open.list : open.map;
      stack.pop();
    }
  }

  function separator(open: Open): boolean {
    if ('list' in open) return true;
    skipBlanks();
    const key = readKey();
    if (key === undefined) return false;
    open.key = key;
    return true;
  }

  function readKey(): string | undefined {
    const key = readString();
    skipBlanks();
    if (text.charCodeAt(at) !== 58) return undefined;
    at += 1;
    return key;
  }

  function readScalar(c: number): Tree | undefined {
    if (c === 34) return readString();
    if (c === 45 || (c >= 48 && c <= 57)) return readNumber();
    if (text.startsWith('true', at)) return word(true, 4);
    if (text.startsWith('false', at)) return word(false, 5);
    if (text.startsWith('null', at)) return word(null, 4);
    return undefined;
  }

  function word(value: boolean | null, length: number): boolean | null {
    at += length;
    return value;
  }

  function readString(): string | undefined {
    if (text.charCodeAt(at) !== 34) return undefined;
    const end = closingQuote(text, at);
    if (end === -1) return undefined;
    const raw = text.slice(at, end + 1);
    at = end + 1;
    // The built-in reader checks control characters and escapes; one string is neither deep nor numeric.
    try {
      const value: unknown = JSON.parse(raw);
      return typeof value === 'string' ? value : undefined;
    } catch {
      return undefined;
    }
  }

  function readNumber(): JsonNumber | undefined {
    const start = at;
    if (text.charCodeAt(at) === 45) at += 1;
    const whole = digits();
    const leadingZero = whole > 1 && text.charCodeAt(at - whole) === 48;
    if (whole === 0 || leadingZero) return undefined;
    if (text.charCodeAt(at) === 46) {
      at += 1;
      if (digits() === 0) return undefined;
    }
    const e = text.charCodeAt(at);
    if (e === 69 || e === 101) {
      at += 1;
      const sign = text.charCodeAt(at);
      if (sign === 43 || sign === 45) at += 1;
      if (digits() === 0) return undefined;
    }
    return new JsonNumber(text.slice(start, at));
  }

  function digits(): number {
    const start = at;
    for (let c = text.charCodeAt(at); c >= 48 && c <= 57; c = text.charCodeAt(at)) at += 1;
    return at - start;
  }

  function skipBlanks(): void {
    for (let c = text.charCodeAt(at); c === 32 || c === 10 || c === 13 || c === 9; c = text.charCodeAt(at)) {
      at += 1;
    }
  }

  return { read };
}

/** The JSON type; a lexeme is a number, both kinds of object are objects. */
export function typeOf(value: Tree): JsonType {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      if (value instanceof JsonNumber) return 'number';
      if (value instanceof Element) return 'element';
      if (value instanceof Unreadable) return 'unreadable';
      return Array.isArray(value) ? 'array' : 'object';
  }
}

export function isObject(value: Tree): value is JsonMap | PlainObject {
  return typeOf(value) === 'object';
}

/** An object that `JSON.parse` made. */
export function isPlain(value: object): value is PlainObject {
  return Object.getPrototypeOf(value) === Object.prototype;
}

/** Own members in the order written; undefined members do not exist in JSON. */
export function keysOf(object: JsonMap | PlainObject): readonly string[] {
  return object instanceof JsonMap ? [...object.members.keys()] : Object.keys(object);
}

/** The member's value, or undefined. Never looks at a prototype: `__proto__` is an ordinary key. */
export function memberOf(object: JsonMap | PlainObject, key: string): Tree | undefined {
  if (object instanceof JsonMap) return object.members.get(key);
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Every value of a repeated member, or null when it was given at most once. */
export function repeatedOf(object: JsonMap | PlainObject, key: string): readonly Tree[] | null {
  return object instanceof JsonMap ? (object.repeated?.get(key) ?? null) : null;
}

/** The number as written; for a double, its shortest text, which is the same decimal up to 15 digits. */
export function lexemeOf(value: number | JsonNumber): string {
  return value instanceof JsonNumber ? value.lexeme : String(value);
}
