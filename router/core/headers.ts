import type { Framing } from './admit.ts';
import { rewriteLocation } from './location.ts';
import type { Admitted, Fields, Target } from './types.ts';

/** What the policy needs to know about the hop to the client. */
export interface Hop {
  /** Our pseudonym in Via. */
  readonly viaName: string;
  /** Version the client speaks: `1.0` or `1.1`. */
  readonly version: string;
  /** Address of the peer, IPv4 in its plain form. */
  readonly peer: string;
  /** The peer is one of our own proxies: its forwarding fields are kept. */
  readonly peerTrusted: boolean;
  readonly scheme: 'http' | 'https';
  readonly requestId: string;
}

/** RFC 9110 §7.6.1 and what else belongs to one connection only. Framing is written anew on every hop. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
]);

/** `Connection: Cookie` must not take a field away that routing, framing or security rests on. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'content-type',
  'cache-control',
]);

const FORWARDING: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
]);

/** Never part of a copy: validators belong to the side that issued them, the rest to this one exchange. */
const NOT_SHADOWED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'via',
  'content-length',
  'expect',
  'if-none-match',
  'if-modified-since',
  // The copy is a trace of its own.
  'traceparent',
  'tracestate',
]);

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * The field lines to send upstream: order and duplicates as received; hop-by-hop, nominated, `Fig-*` and (from
 * an untrusted peer) forwarding fields removed; Via, X-Forwarded-*, request id and exactly one framing field
 * added last, so that no nomination can take them away. Source: RFC 9110 §7.6, RFC 9112 §6, CVE-2022-31813.
 */
export function requestFields(request: Admitted, framing: Framing, hop: Hop): Fields {
  const nominated = nominations(request.fields);
  const sent: string[] = [];
  const forwardedFor: string[] = [];
  const forwarded: string[] = [];
  const kept = new Set<string>();
  let hosted = false;
  for (let i = 0; i + 1 < request.fields.length; i += 2) {
    const name = request.fields[i] ?? '';
    const value = request.fields[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || nominated.has(lower) || isOurs(lower)) continue;
    if (lower === 'content-length' || lower === 'expect' || lower === 'x-request-id') continue;
    if (FORWARDING.has(lower)) {
      if (!hop.peerTrusted) continue;
      kept.add(lower);
      if (lower === 'x-forwarded-for') forwardedFor.push(value);
      if (lower === 'forwarded') forwarded.push(value);
      if (lower === 'x-forwarded-for' || lower === 'forwarded') continue;
    }
    if (lower === 'host') hosted = true;
    sent.push(name, lower === 'max-forwards' && request.method === 'OPTIONS' ? oneLess(value) : value);
  }
  if (!hosted) sent.unshift('Host', request.host);
  sent.push('Via', `${hop.version} ${hop.viaName}`);
  sent.push('X-Forwarded-For', [...forwardedFor, hop.peer].join(', '));
  if (!kept.has('x-forwarded-proto')) sent.push('X-Forwarded-Proto', hop.scheme);
  if (!kept.has('x-forwarded-host')) sent.push('X-Forwarded-Host', request.host);
  if (forwarded.length > 0) sent.push('Forwarded', [...forwarded, forwardedElement(request, hop)].join(', '));
  sent.push('X-Request-Id', hop.requestId);
  pushFraming(sent, request, framing);
  return sent;
}

/**
 * The end-to-end field lines of an answer, Location rewritten: what the client gets, less the fields of the hop
 * itself. Source: RFC 9110 §7.6.1, §15.3.6, §8.6.
 */
export function answerFields(
  status: number,
  fields: Fields,
  target: Pick<Target, 'rewriteLocation'>,
  publicOrigin: string,
): Fields {
  const nominated = nominations(fields);
  const located = status === 201 || (status >= 300 && status <= 399);
  const lengthless = status === 204 || status === 205;
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || nominated.has(lower) || isOurs(lower)) continue;
    // Alt-Svc would lead clients around the proxy.
    if (lower === 'alt-svc' || (lengthless && lower === 'content-length')) continue;
    const location = located && (lower === 'location' || lower === 'content-location');
    kept.push(name, location ? rewriteLocation(value, target.rewriteLocation, publicOrigin) : value);
  }
  if (status === 205) kept.push('Content-Length', '0');
  return kept;
}

/** The fields of a copy, out of those sent to the primary: no validators, framing, Via or `Fig-*`. Forwarding
 * fields stay: a service that builds links from them must answer the copy as it will answer the request. */
export function shadowFields(sent: Fields): Fields {
  const kept: string[] = [];
  for (let i = 0; i + 1 < sent.length; i += 2) {
    const name = sent[i] ?? '';
    const lower = name.toLowerCase();
    if (!NOT_SHADOWED.has(lower) && !lower.startsWith('fig-')) kept.push(name, sent[i + 1] ?? '');
  }
  return kept;
}

/** The client's request id when it is one line of 1-128 visible characters, else null. */
export function receivedRequestId(fields: Fields): string | null {
  const values = valuesOf(fields, 'x-request-id');
  return values.length === 1 && REQUEST_ID.test(values[0] ?? '') ? (values[0] ?? null) : null;
}

/** The origin the client used: scheme and authority as it, or the proxy of ours it came through, wrote them. */
export function publicOriginOf(request: Admitted, hop: Pick<Hop, 'peerTrusted' | 'scheme'>): string {
  const proto = hop.peerTrusted ? firstElement(request.fields, 'x-forwarded-proto') : null;
  const host = hop.peerTrusted ? firstElement(request.fields, 'x-forwarded-host') : null;
  const scheme = proto === 'http' || proto === 'https' ? proto : hop.scheme;
  return `${scheme}://${host ?? request.host}`;
}

/** Every value of a field, in order of arrival. `lowerName` in lower case. */
export function valuesOf(fields: Fields, lowerName: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    // Length first: most names need no lower-casing.
    if (name.length === lowerName.length && name.toLowerCase() === lowerName)
      values.push(fields[i + 1] ?? '');
  }
  return values;
}

/** RFC 9110 §7.6.2: every proxy takes one; what is no number is none of our business. */
function oneLess(value: string): string {
  return /^[1-9]\d{0,8}$/.test(value) ? String(Number(value) - 1) : value;
}

function pushFraming(sent: string[], request: Admitted, framing: Framing): void {
  if (framing.kind === 'chunked') sent.push('Transfer-Encoding', 'chunked');
  else if (framing.kind === 'length') sent.push('Content-Length', String(framing.bytes));
  // RFC 9110 §8.6: a method that anticipates content says that there is none.
  else if (/^(?:POST|PUT|PATCH)$/.test(request.method)) sent.push('Content-Length', '0');
  if (request.upgrade) sent.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
}

function nominations(fields: Fields): ReadonlySet<string> {
  const names = new Set<string>();
  for (const line of valuesOf(fields, 'connection')) {
    for (const token of line.split(',')) {
      const name = token.trim().toLowerCase();
      if (name !== '' && !NEVER_NOMINATED.has(name)) names.add(name);
    }
  }
  return names;
}

/** Fields that only this proxy may set, and twins that a back end reading `_` as `-` would take for them. */
function isOurs(lower: string): boolean {
  const dashed = lower.includes('_') ? lower.replaceAll('_', '-') : lower;
  return dashed.startsWith('fig-') || (dashed !== lower && FORWARDING.has(dashed));
}

/** RFC 7239 §4: an IPv6 address is bracketed and quoted. */
function forwardedElement(request: Admitted, hop: Hop): string {
  const node = hop.peer.includes(':') ? `"[${hop.peer}]"` : hop.peer;
  return `for=${node};host="${request.host}";proto=${hop.scheme}`;
}

function firstElement(fields: Fields, lowerName: string): string | null {
  const element = valuesOf(fields, lowerName)[0]?.split(',')[0]?.trim();
  return element === undefined || element === '' ? null : element;
}
