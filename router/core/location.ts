/** Location rewriting: an upstream's own origin never reaches a client. */
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
