/**
 * Rewrites the origin of a Location. `pairs` are `[from, to]` origins (`http://legacy.internal:3000`), compared
 * exactly and without regard to case; the first that fits wins. `to` may be `public`: then `publicOrigin`, the
 * origin the client used, takes its place. Everything behind the origin stays byte for byte: no URL parser
 * normalises it. A relative reference and a foreign origin are left as they are.
 */
export function rewriteLocation(
  value: string,
  pairs: readonly (readonly [from: string, to: string])[],
  publicOrigin: string,
): string {
  for (const [from, to] of pairs) {
    if (value.slice(0, from.length).toLowerCase() !== from.toLowerCase()) continue;
    const rest = value.slice(from.length);
    // `http://legacy:30` is not the origin of `http://legacy:3000/`, nor of `http://legacy:30.evil.test/`.
    if (rest !== '' && !/^[/?#]/.test(rest)) continue;
    return (to === 'public' ? publicOrigin : to) + rest;
  }
  return value;
}
