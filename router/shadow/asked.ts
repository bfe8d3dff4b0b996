/** What of a request a person needs to ask it again. */
import type { ShownRequest } from '../core/ports.ts';
import type { Fields, ShadowJob } from '../core/types.ts';

export type Asked = Pick<ShownRequest, 'fields' | 'hasBody' | 'bytes'>;

/** Fields that select the answer; a copy carries more, but these are asked for by hand. */
const NAMES: ReadonlySet<string> = new Set([
  'accept',
  'accept-language',
  'authorization',
  'content-type',
  'cookie',
  'x-api-key',
]);
/** Shown as they are; any other value is left out. */
const COMMON_VALUES =
  /^(?:\*\/\*|text\/(?:html|plain|css|csv|event-stream)|image\/\*|application\/(?:json|xml|x-ndjson|x-www-form-urlencoded))$/;

export function askedOf({ group, request }: Pick<ShadowJob, 'group' | 'request'>): Asked {
  const units = group.unit.flatMap((source) => ('header' in source ? [source.header] : []));
  const fields: (readonly [string, string | null])[] = [];
  const seen = new Set<string>();
  for (let i = 0; i + 1 < request.fields.length; i += 2) {
    const name = (request.fields[i] ?? '').toLowerCase();
    if (seen.has(name) || !(NAMES.has(name) || units.includes(name))) continue;
    seen.add(name);
    const value = request.fields[i + 1] ?? '';
    const plain = (name === 'accept' || name === 'content-type') && COMMON_VALUES.test(value);
    fields.push([name, plain ? value : null]);
  }
  const hasBody = request.body.length > 0;
  return { fields, hasBody, bytes: bytesOf(request.target, request.fields) + request.body.length };
}

function bytesOf(target: string, fields: Fields): number {
  return fields.reduce((sum, text) => sum + text.length, target.length);
}
