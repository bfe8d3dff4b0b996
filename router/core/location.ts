/** Location rewriting: an upstream's own origin never reaches a client. */
import type { Fields } from './types.ts';

/**
 * Replaces the origin of an absolute reference when it is exactly one of the `from` origins; `to` = `public` stands
 * for the origin the client used. Everything after the origin keeps its bytes: no URL parser touches it. First pair
 * that matches wins; a value that matches none comes back as it is.
 */
export function rewriteLocation(
  value: string,
  pairs: readonly (readonly [from: string, to: string])[],
  publicOrigin: string,
): string {
  for (const [from, to] of pairs) {
    const rest = afterOrigin(value, from);
    if (rest !== null) return (to === 'public' ? publicOrigin : to) + rest;
  }
  return value;
}

/** What follows the origin, or null. Scheme and host are case-insensitive (RFC 3986 §6.2.2.1). */
function afterOrigin(value: string, origin: string): string | null {
  if (value.slice(0, origin.length).toLowerCase() !== origin.toLowerCase()) return null;
  const rest = value.slice(origin.length);
  return rest === '' || /^[/?#]/.test(rest) ? rest : null;
}

/** The fields of an answer with Location and Content-Location rewritten, on 201 and every 3xx (RFC 9110 §10.2.2). */
export function rewriteLocationFields(
  fields: Fields,
  status: number,
  pairs: readonly (readonly [from: string, to: string])[],
  publicOrigin: string,
): Fields {
  if (pairs.length === 0 || (status !== 201 && Math.floor(status / 100) !== 3)) return fields;
  return fields.map((text, index) => {
    const name = index % 2 === 1 ? fields[index - 1]?.toLowerCase() : undefined;
    if (name !== 'location' && name !== 'content-location') return text;
    return rewriteLocation(text, pairs, publicOrigin);
  });
}
