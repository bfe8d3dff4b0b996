/** Takes the values out of differences, inside the comparer: shapes and keyed digests leave it, values never do. */
import type { Difference, Sample } from '../core/compare/comparison.ts';
import { type Format, formatClass, lengthBucket } from '../core/compare/format.ts';
import { advance, emptyRuleNode, insertRule, startCursor } from '../core/compare/rule.ts';
import { isVariable, parseRulePath, segmentsOf, type Trail } from '../core/compare/trail.ts';
import type { ShownRequest } from '../core/ports.ts';
import type { Segment } from '../core/types.ts';
import type { Asked } from './asked.ts';
import { masked } from './detectors.ts';
import { createKeyedDigest } from './keyed-digest.ts';

/** Equality of digests shows equality of values; the values cannot be read back without the key. */
interface Shape {
  readonly type: Sample['type'];
  /** Lower bound of the length, a power of two. */
  readonly length: number;
  readonly format?: Format;
  /** 64 bits of HMAC-SHA-256, 16 hex digits. */
  readonly digest?: string;
  /** Status or error code, in clear. */
  readonly code?: string;
  /** Only below a path that may be shown; what the detectors find is masked. */
  readonly value?: string;
}

interface RedactedDifference {
  readonly path: string;
  readonly kind: Difference['kind'];
  readonly detail: Difference['detail'];
  readonly severity: Difference['severity'];
  readonly legacy: Shape | null;
  readonly service: Shape | null;
}

export interface Redactor {
  /** A member, header or cookie name as it may be written: itself when it is a plain name, else its digest. */
  nameOf(key: string): string;
  /** `template`: of the same trail; what varies there has no name. */
  difference(difference: Difference, template: string, shows: Shows): RedactedDifference;
  /** The request without values: a number of up to six digits and what the route itself says are all that is shown. */
  request(method: string, target: string, pattern: readonly Segment[], asked: Asked): ShownRequest;
}

/** Whether the values at a trail may be shown. */
export type Shows = (trail: Trail) => boolean;

/** A plain name; of markup an attribute, a text or the document type. */
const NAME = /^(?:@?[A-Za-z_][A-Za-z0-9_-]{0,63}|text\(\)|!doctype)$/;
const CODE = /^(?:\d{3}|[A-Z][A-Z0-9_]{1,39})$/;
/** Names whose values leave no trace at all, not even a digest. */
const SECRET = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key)$|token|secret|session/i;
/** Whether the values at a place leave no trace at all. */
export function isSecret(trail: Trail): boolean {
  return segmentsOf(trail).some((segment) => SECRET.test(String(segment)));
}

/** A parameter of a path that identifies a thing rather than a person. */
const HARMLESS = /^\d{1,6}$/;
const SEGMENTS_MAX = 32;
const NAMES_MAX = 32;
const VALUE_CHARS_MAX = 200;

/** `key`: secret of this installation, from its data folder. */
export function createRedactor(key: Uint8Array): Redactor {
  const keyed = createKeyedDigest(key);
  const digest = (text: string) => keyed(text).slice(0, 16);
  const hashed = (name: string) => `#${digest(name).slice(0, 8)}`;
  const nameOf = (name: string) => (NAME.test(name) && !isVariable(name) ? name : hashed(name));

  function pathOf(trail: Trail, template: string): string {
    const varies = template.split('/').slice(1);
    const segments = segmentsOf(trail).slice(0, SEGMENTS_MAX);
    return segments
      .map((part, depth) => {
        if (depth === 0 || typeof part === 'number') return `/${part}`;
        return `/${varies[depth] === '*' ? hashed(part) : nameOf(part)}`;
      })
      .join('');
  }

  function shapeOf(sample: Sample | null, secret: boolean, shown: boolean): Shape | null {
    if (sample === null) return null;
    const { type, text } = sample;
    if (type === 'code' && text !== null && CODE.test(text)) return { type, length: 0, code: text };
    if (secret) return { type, length: 0 };
    const shape = { type, length: lengthBucket(sample.length) };
    if (text === null) return shape;
    const known = { ...shape, format: formatClass(text), digest: digest(`${type}:${text}`) };
    return shown ? { ...known, value: masked(text).slice(0, VALUE_CHARS_MAX) } : known;
  }

  return {
    nameOf,
    difference({ trail, kind, detail, severity, legacy, service }, template, shows) {
      const segments = segmentsOf(trail);
      const secret = isSecret(trail);
      // What stands in a list or a document of its own has no name that says what it is.
      const named = segments.slice(1).some((segment) => typeof segment === 'string' && !isVariable(segment));
      const shown = named && !secret && shows(trail);
      const shapes = { legacy: shapeOf(legacy, secret, shown), service: shapeOf(service, secret, shown) };
      return { path: pathOf(trail, template), kind, detail, severity, ...shapes };
    },
    request(method, target, pattern, { fields, hasBody, bytes }) {
      const [path = '', query = ''] = target.split('?', 2);
      const parts = path.split('/').slice(1, SEGMENTS_MAX);
      const shown = parts.map((part, index) => {
        const segment = pattern[index];
        if (part === '' || (segment?.kind === 'literal' && segment.text === part)) return encoded(part);
        if (HARMLESS.test(part)) return part;
        return `{${segment?.kind === 'parameter' ? word(segment.name) : `path${index + 1}`}}`;
      });
      const names = query === '' ? [] : query.split('&', NAMES_MAX).map(parameterOf);
      const shownQuery = names.map((name) => `${nameOf(name)}={${word(nameOf(name))}}`).join('&');
      return {
        method,
        target: `/${shown.join('/')}${shownQuery === '' ? '' : `?${shownQuery}`}`,
        fields,
        hasBody,
        bytes,
      };
    },
  };
}

/** Paths as rules write them; a faulty one shows nothing. */
export function showsBelow(paths: readonly string[]): Shows {
  if (paths.length === 0) return () => false;
  const root = emptyRuleNode(false);
  for (const path of paths) {
    const segments = parseRulePath(path);
    if (segments !== null)
      insertRule(root, segments, { index: 0, action: 'show', effect: { stage: 'ignore' } });
  }
  return (trail) => {
    let cursor = startCursor(root);
    for (const segment of segmentsOf(trail)) cursor = advance(cursor, segment);
    return cursor?.some(({ rules }) => rules.length > 0) ?? false;
  };
}

function parameterOf(pair: string): string {
  const [name = ''] = pair.split('=', 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** A literal of the route that would be taken for a placeholder or end the quotes of a shell. */
function encoded(part: string): string {
  return part.replaceAll(
    /[{}'"$`\\]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The name of a placeholder: what a shell takes for the name of a variable. */
function word(name: string): string {
  return name.replaceAll(/\W/g, '_').replace(/^(?=\d)/, '_');
}
