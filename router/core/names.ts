/** Field names that some rule is about. What a rule needs to know of a name is looked up once per line, without allocation. */

/** What a field is to a proxy. */
export interface KnownName {
  /** Lower case; of a twin with `_` throughout. */
  readonly name: string;
  /** Belongs to one connection and is never forwarded. Source: RFC 9110 §7.6.1. */
  readonly hopByHop: boolean;
  /** Says where a request came from; believed only of our own proxies. */
  readonly forwarding: boolean;
  /** `Connection: Cookie` must not take a field away that routing, framing or security rests on. */
  readonly nominable: boolean;
  /** `_` in place of `-`: CGI and WSGI back ends take the two names for one. */
  readonly twin: boolean;
}

const HOP_BY_HOP = [
  ...['Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade'],
  ...['HTTP2-Settings', 'Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Authentication-Info'],
];
const FORWARDING = [
  ...['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port'],
  ...['X-Forwarded-Prefix', 'X-Real-IP'],
];
const NEVER_NOMINATED = [
  ...['Host', 'Content-Length', 'Transfer-Encoding', 'Authorization', 'Cookie', 'Set-Cookie'],
  ...['Content-Type', 'Cache-Control'],
];
const OTHERS = [
  ...['Expect', 'Via', 'Max-Forwards', 'X-Request-ID', 'Location', 'Content-Location', 'Alt-Svc', 'Date'],
  ...['Content-Encoding', 'Content-Range', 'Server-Timing', 'Age', 'Expires', 'Vary', 'Range'],
  ...['WWW-Authenticate'],
];

interface Entry {
  readonly known: KnownName;
  /** The usual spelling: most senders use it or lower case, and then nothing is folded. */
  readonly usual: string;
  /** Lower-case code of the first character. */
  readonly first: number;
  readonly twin: KnownName;
}

const BY_LENGTH: readonly (readonly Entry[])[] = byLength();

const FIG: KnownName = {
  name: 'fig-*',
  hopByHop: false,
  forwarding: false,
  nominable: true,
  twin: false,
};

/** The name of every `Fig-*` field, which only this proxy may set. */
export const FIG_FIELD = FIG.name;

/** What is known of a field name in any case, or null when no rule is about it. */
export function knownName(name: string): KnownName | null {
  const entries = BY_LENGTH[name.length];
  // `| 0x20` folds letters; the few other characters it moves begin no known name.
  const first = name.charCodeAt(0) | 0x20;
  if (first === 0x66 && /^fig[-_]/i.test(name)) return FIG;
  if (entries === undefined) return null;
  for (const entry of entries) {
    if (entry.first !== first) continue;
    if (name === entry.usual || name === entry.known.name) return entry.known;
    const lower = name.toLowerCase();
    if (lower === entry.known.name) return entry.known;
    if (lower.includes('_') && lower.replaceAll('-', '_') === entry.twin.name) return entry.twin;
  }
  return null;
}

function byLength(): Entry[][] {
  const table: Entry[][] = [];
  for (const usual of new Set([...HOP_BY_HOP, ...FORWARDING, ...NEVER_NOMINATED, ...OTHERS])) {
    const name = usual.toLowerCase();
    const known: KnownName = {
      name,
      hopByHop: HOP_BY_HOP.includes(usual),
      forwarding: FORWARDING.includes(usual),
      nominable: !NEVER_NOMINATED.includes(usual),
      twin: false,
    };
    const twin: KnownName = {
      name: name.replaceAll('-', '_'),
      hopByHop: false,
      forwarding: known.forwarding,
      nominable: true,
      twin: true,
    };
    const entries = table[name.length] ?? [];
    entries.push({ known, usual, first: name.charCodeAt(0), twin });
    table[name.length] = entries;
  }
  return table;
}
