/** Takes the values out of differences, inside the comparer: shapes and keyed digests leave it, values never do. */
import { createHmac } from 'node:crypto';
import type { Difference, Sample } from '../core/compare/comparison.ts';
import { type Format, formatClass, lengthBucket } from '../core/compare/format.ts';
import { isVariable, segmentsOf, type Trail } from '../core/compare/trail.ts';
import type { Segment } from '../core/types.ts';

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
  difference(difference: Difference): RedactedDifference;
  /** `GET /api/products/17?page&q`: path parameters only when harmless, query names only. */
  request(method: string, target: string, pattern: readonly Segment[]): string;
}

/** A plain name; of markup an attribute, a text or the document type. */
const NAME = /^(?:@?[A-Za-z_][A-Za-z0-9_-]{0,63}|text\(\)|!doctype)$/;
const CODE = /^(?:\d{3}|[A-Z][A-Z0-9_]{1,39})$/;
/** Names whose values leave no trace at all, not even a digest. */
const SECRET = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key)$|token|secret|session/i;
/** Whether the values at a place leave no trace at all. */
export function isSecret(trail: Trail): boolean {
  return segmentsOf(trail).some((segment) => SECRET.test(String(segment)));
}

/** Parameters of a path that identify a thing rather than a person: short numbers and plain slugs. */
const HARMLESS = /^(?:\d{1,9}|[A-Za-z]{1,20}(?:[-_][A-Za-z]{1,20}){0,5}(?:[-_]\d{1,6})?)$/;
const SEGMENTS_MAX = 32;
const NAMES_MAX = 32;

/** `key`: secret of this installation, from its data folder. */
export function createRedactor(key: Uint8Array): Redactor {
  const digest = (text: string) => createHmac('sha256', key).update(text).digest('hex').slice(0, 16);
  const nameOf = (name: string) =>
    NAME.test(name) && !isVariable(name) ? name : `#${digest(name).slice(0, 8)}`;

  function pathOf(trail: Trail): string {
    const segments = segmentsOf(trail).slice(0, SEGMENTS_MAX);
    return segments
      .map((part, depth) => `/${depth === 0 || typeof part === 'number' ? part : nameOf(part)}`)
      .join('');
  }

  function shapeOf(sample: Sample | null, secret: boolean): Shape | null {
    if (sample === null) return null;
    const { type, text } = sample;
    if (type === 'code' && text !== null && CODE.test(text)) return { type, length: 0, code: text };
    if (secret) return { type, length: 0 };
    const shape = { type, length: lengthBucket(sample.length) };
    return text === null ? shape : { ...shape, format: formatClass(text), digest: digest(`${type}:${text}`) };
  }

  return {
    nameOf,
    difference({ trail, kind, detail, severity, legacy, service }) {
      const secret = isSecret(trail);
      const shapes = { legacy: shapeOf(legacy, secret), service: shapeOf(service, secret) };
      return { path: pathOf(trail), kind, detail, severity, ...shapes };
    },
    request(method, target, pattern) {
      const [path = '', query = ''] = target.split('?', 2);
      const parts = path.split('/').slice(1, SEGMENTS_MAX);
      const shown = parts.map((part, index) => {
        const literal = pattern[index];
        const known = literal?.kind === 'literal' && literal.text === part;
        return part === '' || known || HARMLESS.test(part) ? part : `~${digest(part).slice(0, 8)}`;
      });
      const names =
        query === '' ? [] : query.split('&', NAMES_MAX).map((pair) => nameOf(pair.split('=', 1)[0] ?? ''));
      return `${method} /${shown.join('/')}${names.length === 0 ? '' : `?${names.join('&')}`}`;
    },
  };
}
