/** URLs compared part by part, the parts kept as written except where a rule says otherwise. */

const URL_PARTS = ['scheme', 'host', 'port', 'query-order', 'fragment', 'trailing-slash'] as const;

/** Whether `name` may stand in `ignore` of a `url` rule: a part, or `query:<parameter>`. */
export function isUrlPart(name: string): boolean {
  return URL_PARTS.some((part) => part === name) || /^query:.+$/.test(name);
}

/**
 * Whether two references, resolved against `base`, are the same URL apart from the ignored parts. Strings that are
 * no URL are the same only when equal. Source: WHATWG URL.
 */
export function sameUrl(legacy: string, service: string, base: string, ignore: ReadonlySet<string>): boolean {
  const a = URL.parse(legacy, base);
  const b = URL.parse(service, base);
  if (a === null || b === null) return legacy === service;
  return canonicalUrl(a, ignore) === canonicalUrl(b, ignore);
}

function canonicalUrl(url: URL, ignore: ReadonlySet<string>): string {
  const path = ignore.has('trailing-slash') ? url.pathname.replace(/(.)\/$/, '$1') : url.pathname;
  return JSON.stringify([
    ignore.has('scheme') ? '' : url.protocol,
    url.username,
    url.password,
    ignore.has('host') ? '' : url.hostname,
    ignore.has('port') ? '' : url.port,
    path,
    queryOf(url, ignore),
    ignore.has('fragment') ? '' : url.hash,
  ]);
}

/** The raw `name=value` pieces; percent-encoding is not touched, since it may matter to the other end. */
function queryOf(url: URL, ignore: ReadonlySet<string>): readonly string[] {
  const pieces = url.search
    .slice(1)
    .split('&')
    .filter((piece) => piece !== '' && !ignore.has(`query:${nameOf(piece)}`));
  if (!ignore.has('query-order')) return pieces;
  // Stable and by name only: the order of the values of one parameter still counts.
  return pieces.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0));
}

function nameOf(piece: string): string {
  const raw = piece.split('=', 1)[0] ?? '';
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '));
  } catch {
    return raw;
  }
}
