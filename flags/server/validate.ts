/** Reading values from outside: each function returns what it was asked for or throws a 400 in Unleash's words. */
import { badData, type Detail, type Problem } from './problem.ts';

/** An object from outside; its values are still unknown. */
export type Body = Readonly<Record<string, unknown>>;

/** Takes a value and where it was found (`/body/name`). */
export type Parse<T> = (value: unknown, path: string) => T;

const TEXT_CHARS_MAX = 1000;
const NAME_CHARS_MAX = 100;
/** Nothing that is understood is deeper; what recurses over a body must not meet an endless one. */
const DEPTH_MAX = 32;
/** Characters of a refused value that are repeated in the answer. */
const SHOWN_CHARS_MAX = 200;
const SHOWN_PARTS_MAX = 200;

/** The body of a request as an object; an absent one is empty. 400 for an array or a scalar. */
export function bodyOf(body: unknown): Body {
  return body === undefined ? {} : object(body, '/body');
}

/** 400 when `appName` is missing; all that register and metrics insist on. */
export function requireAppName(body: Body): void {
  if (need(body, '/body', 'appName', string) === '') throw wrong('/body/appName', 'must be given', '');
}

/**
 * 400 for a body that could not be stored as it came: text with NUL or half a surrogate pair, or nesting beyond
 * what anything needs. Does not recurse.
 */
export function requireStorable(body: unknown): void {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEPTH_MAX)
      throw badData([{ message: `The body is nested deeper than ${DEPTH_MAX} levels.` }]);
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string') requireText(value);
      else if (typeof value === 'object' && value !== null) {
        if (!Array.isArray(value)) Object.keys(value).forEach(requireText);
        for (const inner of Object.values(value)) next.push(inner);
      }
    }
    level = next;
  }
}

function requireText(text: string): void {
  if (!text.isWellFormed() || text.includes('\0')) {
    throw badData([{ message: 'The body holds text that is not valid Unicode, or a NUL character.' }]);
  }
}

/** A property that must be there. */
export function need<T>(body: Body, path: string, name: string, parse: Parse<T>): T {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined) throw badData([required(`${path}/${name}`)]);
  return parse(value, `${path}/${name}`);
}

/** A property that may be absent. */
export function may<T, U>(body: Body, path: string, name: string, otherwise: U, parse: Parse<T>): T | U {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  return value === undefined ? otherwise : parse(value, `${path}/${name}`);
}

export function object(value: unknown, path: string): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(path, 'must be object', value);
  }
  return Object.fromEntries(Object.entries(value));
}

export function string(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'must be string', value);
  return value;
}

/** A short text for people. */
export function text(value: unknown, path: string): string {
  const all = string(value, path);
  if (all.length > TEXT_CHARS_MAX) {
    throw wrong(path, `must NOT have more than ${TEXT_CHARS_MAX} characters`, value);
  }
  return all;
}

export function boolean(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw wrong(path, 'must be boolean', value);
  return value;
}

export function integer(min: number, max: number): Parse<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong(path, 'must be integer', value);
    if (value < min) throw wrong(path, `must be >= ${min}`, value);
    if (value > max) throw wrong(path, `must be <= ${max}`, value);
    return value;
  };
}

/** An integer where Unleash's schema says number, so that the refusals have its words. */
export function wholeNumber(min: number, max: number): Parse<number> {
  return (value, path) => {
    if (typeof value !== 'number') throw wrong(path, 'must be number', value);
    return integer(min, max)(value, path);
  };
}

export function list<T>(each: Parse<T>): Parse<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'must be array', value);
    return value.map((item: unknown, index) => each(item, `${path}/${index}`));
  };
}

export function nullable<T>(parse: Parse<T>): Parse<T | null> {
  return (value, path) => (value === null ? null : parse(value, path));
}

export function oneOf<const T extends string>(allowed: readonly T[]): Parse<T> {
  return (value, path) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const names = allowed.map((one) => `"${one}"`).join(', ');
    const sent = typeof value === 'string' ? value.slice(0, SHOWN_CHARS_MAX) : shown(value);
    throw badData([
      {
        message: `The \`${name}\` property must be equal to one of the allowed values: ${names}. You provided "${sent}", which is not valid. Please use one of the allowed values instead..`,
        path: name,
      },
    ]);
  };
}

/** 400 unless every key of `body` is one of `known`. */
export function requireKnownKeys(body: Body, path: string, known: readonly string[]): void {
  const extra = Object.keys(body).find((name) => !known.includes(name));
  if (extra === undefined) return;
  const at = path === '' ? extra : `${path}/${extra}`;
  const where = path === '' ? 'root' : `\`${path}\``;
  throw badData([
    {
      path: at,
      message: `The ${where} object of the request body does not allow additional properties. Your request included the \`${at}\` property.`,
    },
  ]);
}

/** A name that a URL keeps as it is, of 1 to 100 characters; `label` is what the answer calls it. */
export function requireName(name: string, label = 'name'): string {
  const fault = nameFault(name);
  if (fault === null) return name;
  const sent = name === '' ? '.' : `. You provided ${shown(name)}.`;
  throw badData([{ message: `"${label}" ${fault}${sent}` }]);
}

function nameFault(name: string): string | null {
  if (name === '') return 'is not allowed to be empty';
  // Two names that a URL would resolve away could never be reached again.
  if (!name.isWellFormed() || encodeURIComponent(name) !== name || name === '.' || name === '..') {
    return 'must be URL friendly';
  }
  return name.length > NAME_CHARS_MAX
    ? `length must be less than or equal to ${NAME_CHARS_MAX} characters long`
    : null;
}

/** 400: the value at `path` is not what it must be. */
export function wrong(path: string, what: string, value: unknown): Problem {
  return badData([{ message: `The \`${path}\` property ${what}. You sent ${shown(value)}.`, path }]);
}

/** A value as JSON, cut where it becomes long: an answer must not be larger than its question. */
export function shown(value: unknown): string {
  let parts = 0;
  try {
    const json = JSON.stringify(value, (_key, inner: unknown) => {
      parts += 1;
      if (parts > SHOWN_PARTS_MAX) throw new RangeError('too many parts');
      return inner;
    });
    return json.length > SHOWN_CHARS_MAX ? `${json.slice(0, SHOWN_CHARS_MAX)}…` : json;
  } catch (error) {
    if (error instanceof RangeError) return 'a large value';
    throw error;
  }
}

function required(path: string): Detail {
  return { path, message: `The \`${path}\` property is required. It was not present on the data you sent.` };
}
