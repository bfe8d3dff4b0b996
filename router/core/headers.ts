import type { Framing } from './admit.ts';
import { rewriteSetCookie } from './cookies.ts';
import { isToken, trimmed } from './grammar.ts';
import { rewriteLocation } from './location.ts';
import { FIG_FIELD, type KnownName, knownName } from './names.ts';
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
  /** Sent upstream; null = none is. */
  readonly requestId: string | null;
  /** Authority to send in place of the Host received, or null. */
  readonly host: string | null;
  /** Adds a Forwarded element even where no trusted proxy sent one. */
  readonly forwarded: boolean;
  /** We pass on what makes a client wait for 100, and trailers both ways. */
  readonly interim: boolean;
}

/** Never part of a copy: they belong to this one exchange. */
const NOT_SHADOWED: ReadonlySet<string> = new Set([
  'via',
  'content-length',
  'expect',
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
  const { fields } = request;
  const nominated = nominations(fields);
  const sent: string[] = [];
  const forwardedFor: string[] = [];
  const forwarded: string[] = [];
  let hosted = false;
  let protoKept = false;
  let hostKept = false;
  let trailers = false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    const known = knownName(name);
    if (known === null) {
      if (nominated === null || !nominated.has(name.toLowerCase())) sent.push(name, value);
      continue;
    }
    if (known.name === 'te' && hop.interim) trailers ||= wantsTrailers(value);
    if (isDropped(known, name, nominated)) continue;
    switch (known.name) {
      case 'content-length':
      case 'expect':
      case 'x-request-id':
        continue;
      case 'host':
        hosted = true;
        sent.push(name, hop.host ?? value);
        continue;
      case 'max-forwards':
        sent.push(name, request.method === 'OPTIONS' ? oneLess(value) : value);
        continue;
    }
    if (known.forwarding) {
      if (!hop.peerTrusted) continue;
      if (known.name === 'x-forwarded-for') forwardedFor.push(value);
      else if (known.name === 'forwarded') forwarded.push(value);
      else {
        protoKept ||= known.name === 'x-forwarded-proto';
        hostKept ||= known.name === 'x-forwarded-host';
        sent.push(name, value);
      }
      continue;
    }
    sent.push(name, value);
  }
  if (!hosted) sent.unshift('Host', hop.host ?? request.host);
  sent.push('Via', `${hop.version} ${hop.viaName}`);
  sent.push('X-Forwarded-For', forwardedFor.length === 0 ? hop.peer : [...forwardedFor, hop.peer].join(', '));
  if (!protoKept) sent.push('X-Forwarded-Proto', hop.scheme);
  if (!hostKept) sent.push('X-Forwarded-Host', request.host);
  if (hop.forwarded || forwarded.length > 0) {
    sent.push('Forwarded', [...forwarded, forwardedElement(request, hop)].join(', '));
  }
  if (hop.requestId !== null) sent.push('X-Request-Id', hop.requestId);
  pushFraming(sent, request, framing);
  if (hop.interim && request.continues) sent.push('Expect', '100-continue');
  if (request.upgrade) sent.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
  else if (trailers) sent.push('TE', 'trailers', 'Connection', 'TE');
  if (hop.interim && framing.kind === 'chunked') pushTrailer(sent, fields, nominated);
  return sent;
}

/**
 * The end-to-end field lines of an answer, Location rewritten: what the client gets, less the fields of the hop
 * itself. Source: RFC 9110 §7.6.1, §15.3.6, §8.6.
 */
export function answerFields(
  status: number,
  fields: Fields,
  target: Pick<Target, 'rewriteLocation' | 'rewriteCookieDomain' | 'rewriteCookiePath'>,
  publicOrigin: string,
): string[] {
  const nominated = nominations(fields);
  const located = target.rewriteLocation.length > 0 && (status === 201 || (status >= 300 && status <= 399));
  const baked = target.rewriteCookieDomain.length > 0 || target.rewriteCookiePath.length > 0;
  const lengthless = status < 200 || status === 204 || status === 205;
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    let value = fields[i + 1] ?? '';
    const known = knownName(name);
    if (known === null) {
      if (nominated === null || !nominated.has(name.toLowerCase())) kept.push(name, value);
      continue;
    }
    // Alt-Svc would lead clients around the proxy.
    if (isDropped(known, name, nominated) || known.name === 'alt-svc') continue;
    switch (known.name) {
      case 'content-length':
        if (lengthless) continue;
        // Written anew: every reader finds the same digits.
        if (value.startsWith('0')) value = String(Number(value));
        break;
      case 'location':
      case 'content-location':
        if (located) value = rewriteLocation(value, target.rewriteLocation, publicOrigin);
        break;
      case 'set-cookie':
        if (baked) value = rewriteSetCookie(value, target.rewriteCookieDomain, target.rewriteCookiePath);
        break;
    }
    kept.push(name, value);
  }
  if (status === 205) kept.push('Content-Length', '0');
  return kept;
}

/**
 * The trailer lines that may follow a chunked body: none that frames, routes, authenticates, describes content or
 * says where a request came from, none that belongs to one connection or was nominated by the head's Connection.
 * Source: RFC 9110 §6.5.1.
 */
export function trailerFields(trailers: Fields, headFields: Fields): Fields {
  if (trailers.length === 0) return trailers;
  const nominated = nominations(headFields);
  return filtered(trailers, (name) => isTrailer(name, nominated));
}

/** Whether the client may be sent trailers: it said `TE: trailers`. Source: RFC 9110 §10.1.4. */
export function acceptsTrailers(fields: Fields): boolean {
  return valuesOf(fields, 'te').some(wantsTrailers);
}

/** The announcement of trailers for a chunked answer, filtered like the trailers themselves, or nothing. */
export function trailerAnnouncement(fields: Fields): Fields {
  const sent: string[] = [];
  pushTrailer(sent, fields, nominations(fields));
  return sent;
}

/**
 * The fields of a copy, out of those sent to the primary: no framing, Via or `Fig-*`, and none of `except` (lower-case
 * names). Forwarding fields stay: a service that builds links from them must answer the copy as it will answer the
 * request.
 */
export function shadowFields(sent: Fields, except: ReadonlySet<string>): Fields {
  const kept: string[] = [];
  for (let i = 0; i + 1 < sent.length; i += 2) {
    const name = sent[i] ?? '';
    const known = knownName(name);
    if (known?.hopByHop === true || known?.name === FIG_FIELD) continue;
    const lower = name.toLowerCase();
    if (!NOT_SHADOWED.has(lower) && !except.has(lower)) kept.push(name, sent[i + 1] ?? '');
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
  else if (request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH') {
    sent.push('Content-Length', '0');
  }
}

/** Names that Connection lines nominate, lower case; null without any. */
function nominations(fields: Fields): ReadonlySet<string> | null {
  const lines = valuesOf(fields, 'connection');
  if (lines.length === 0) return null;
  const names = new Set<string>();
  for (const line of lines) {
    for (const token of line.split(',')) {
      const name = trimmed(token).toLowerCase();
      if (name !== '' && knownName(name)?.nominable !== false) names.add(name);
    }
  }
  return names;
}

/** Of this connection only, ours alone to set, or taken away by the sender itself. */
function isDropped(known: KnownName, name: string, nominated: ReadonlySet<string> | null): boolean {
  if (known.hopByHop || known.name === FIG_FIELD) return true;
  // A back end that reads `_` as `-` would take it for the real one.
  if (known.twin && known.forwarding) return true;
  return nominated?.has(name.toLowerCase()) === true;
}

const NO_TRAILERS: ReadonlySet<string> = new Set([
  ...['host', 'content-length', 'authorization', 'cookie', 'set-cookie', 'content-type', 'content-encoding'],
  ...['content-range', 'cache-control', 'expect', 'via', 'max-forwards', 'location', 'content-location'],
  ...['alt-svc', 'date', 'age', 'expires', 'vary', 'range', 'www-authenticate', 'x-request-id'],
]);

function isTrailer(name: string, nominated: ReadonlySet<string> | null): boolean {
  const known = knownName(name);
  if (known === null) return nominated?.has(name.toLowerCase()) !== true;
  return !(
    isDropped(known, name, nominated) ||
    known.forwarding ||
    known.twin ||
    NO_TRAILERS.has(known.name)
  );
}

function pushTrailer(sent: string[], fields: Fields, nominated: ReadonlySet<string> | null): void {
  const names = valuesOf(fields, 'trailer')
    .flatMap((line) => line.split(','))
    .map(trimmed)
    .filter((name) => isToken(name) && isTrailer(name, nominated));
  if (names.length > 0) sent.push('Trailer', names.join(', '));
}

function filtered(fields: Fields, keep: (name: string) => boolean): Fields {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (keep(name)) kept.push(name, fields[i + 1] ?? '');
  }
  return kept;
}

function wantsTrailers(value: string): boolean {
  return value.split(',').some((element) => trimmed(element).toLowerCase() === 'trailers');
}

/** RFC 7239 §4: an IPv6 address is bracketed and quoted. */
function forwardedElement(request: Admitted, hop: Hop): string {
  const node = hop.peer.includes(':') ? `"[${hop.peer}]"` : hop.peer;
  return `for=${node};host="${request.host}";proto=${hop.scheme}`;
}

function firstElement(fields: Fields, lowerName: string): string | null {
  const element = trimmed(valuesOf(fields, lowerName)[0]?.split(',')[0] ?? '');
  return element === '' ? null : element;
}
