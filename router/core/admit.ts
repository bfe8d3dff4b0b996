import type { ErrorCode } from './errors.ts';
import { isFieldValue, isToken, trimmed } from './grammar.ts';
import { FIG_FIELD, knownName } from './names.ts';
import type { Admitted, Fields } from './types.ts';

/** A request head as an HTTP parser gives it: nothing has been repaired, every field line is there. */
export interface Head {
  readonly method: string;
  /** The target of the request line, byte for byte. */
  readonly target: string;
  /** `1.0` or `1.1`; anything else is refused. */
  readonly version: string;
  readonly fields: Fields;
}

export interface AdmitPolicy {
  /** Our pseudonym in Via; a request that carries it has been here before. */
  readonly viaName: string;
  /** Field lines a request may have. */
  readonly fieldsMax: number;
  readonly targetBytesMax: number;
  /** Largest declared request body; 0 = no limit. */
  readonly requestBodyBytesMax: number;
  /** The peer is one of our own proxies: its shadow mark may be believed. */
  readonly peerTrusted: boolean;
  /** Authority of legacy: the Host of an HTTP/1.0 request that has none. */
  readonly defaultHost: string;
  /** Hosts that are served, lower case, without port; empty = any. */
  readonly hosts: readonly string[];
  /** The head comes from our own parser, which has already refused what no line of it may be. */
  readonly strict: boolean;
}

/** Where the request body ends. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

export type Admission =
  | { readonly ok: true; readonly admitted: Admitted; readonly framing: Framing }
  | { readonly ok: false; readonly code: ErrorCode };

const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const HOST = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+(?::\d{1,5})?$/;
const HOST_V6 = /^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/;
const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** The values of the fields that admission asks about, in order of arrival. */
interface Seen {
  host: readonly string[];
  length: readonly string[];
  coding: readonly string[];
  via: readonly string[];
  expect: readonly string[];
  connection: readonly string[];
  /** Some readers take it for Connection. */
  proxyConnection: readonly string[];
  upgrade: readonly string[];
  marked: boolean;
  /** A second spelling of a framing field. */
  framingTwin: boolean;
}

/** Reads one aspect into the draft; a code refuses the request. */
type Check = (draft: Draft, head: Head, policy: AdmitPolicy) => ErrorCode | null;

interface Draft {
  readonly seen: Seen;
  target: string;
  host: string;
  framing: Framing;
  upgrade: boolean;
}

/** The order of work; the first refusal wins. */
const CHECKS: readonly Check[] = [
  targetLength,
  fieldLines,
  version,
  targetBytes,
  host,
  targetForm,
  method,
  framing,
  expectation,
  protocolChange,
  loop,
  path,
  shadowMark,
  declaredLength,
];

/**
 * One reading or none: what could be understood in two ways is refused, never repaired. Takes the head as parsed
 * (RFC 9112 grammar is the parser's work, its leniencies are caught here) and gives the request as everything
 * behind this point may trust it. Source: RFC 9112 §3, §6; RFC 9110 §7.2, §7.6.
 */
export function admit(head: Head, policy: AdmitPolicy): Admission {
  const draft: Draft = {
    seen: gather(head.fields),
    target: head.target,
    host: '',
    framing: { kind: 'none' },
    upgrade: false,
  };
  for (const check of CHECKS) {
    const code = check(draft, head, policy);
    if (code !== null) return { ok: false, code };
  }
  const query = draft.target.indexOf('?');
  const admitted: Admitted = {
    method: head.method,
    target: draft.target,
    path: query === -1 ? draft.target : draft.target.slice(0, query),
    host: draft.host,
    fields: head.fields,
    upgrade: draft.upgrade,
    marked: draft.seen.marked,
    hasBody: hasBody(draft.framing),
    closes: head.version === '1.0' || saysClose(draft.seen),
    continues: head.version !== '1.0' && draft.seen.expect.length > 0 && hasBody(draft.framing),
  };
  return { ok: true, admitted, framing: draft.framing };
}

const NONE: readonly string[] = [];

function appended(values: readonly string[], value: string): readonly string[] {
  return values === NONE ? [value] : [...values, value];
}

function gather(fields: Fields): Seen {
  const seen: Seen = {
    host: NONE,
    length: NONE,
    coding: NONE,
    via: NONE,
    expect: NONE,
    connection: NONE,
    proxyConnection: NONE,
    upgrade: NONE,
    marked: false,
    framingTwin: false,
  };
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const known = knownName(name);
    if (known === null) continue;
    const value = fields[i + 1] ?? '';
    switch (known.name) {
      case 'host':
        seen.host = appended(seen.host, value);
        break;
      case 'content-length':
        seen.length = appended(seen.length, value);
        break;
      case 'transfer-encoding':
        seen.coding = appended(seen.coding, value);
        break;
      case 'via':
        seen.via = appended(seen.via, value);
        break;
      case 'expect':
        seen.expect = appended(seen.expect, value);
        break;
      case 'connection':
        seen.connection = appended(seen.connection, value);
        break;
      case 'proxy-connection':
        seen.proxyConnection = [...seen.proxyConnection, value];
        break;
      case 'upgrade':
        seen.upgrade = appended(seen.upgrade, value);
        break;
      case 'content_length':
      case 'transfer_encoding':
        seen.framingTwin = true;
        break;
      case FIG_FIELD:
        if (name.toLowerCase() === 'fig-shadow') seen.marked = true;
        break;
    }
  }
  return seen;
}

function saysClose({ connection, proxyConnection }: Seen): boolean {
  return names(connection, 'close') || names(proxyConnection, 'close');
}

function targetLength(_: Draft, head: Head, policy: AdmitPolicy): ErrorCode | null {
  return head.target.length > policy.targetBytesMax ? 'CLIENT_TARGET_LONG' : null;
}

function fieldLines({ seen }: Draft, { fields }: Head, policy: AdmitPolicy): ErrorCode | null {
  if (fields.length > 2 * policy.fieldsMax) return 'CLIENT_HEAD_LARGE';
  // CGI and WSGI back ends read `_` as `-`: to them this is a second framing field.
  if (seen.framingTwin) return 'CLIENT_SYNTAX';
  return policy.strict || fields.every((text, i) => (i % 2 === 0 ? isToken(text) : isFieldValue(text)))
    ? null
    : 'CLIENT_SYNTAX';
}

function version(_: Draft, head: Head): ErrorCode | null {
  return head.version === '1.1' || head.version === '1.0' ? null : 'CLIENT_VERSION';
}

function targetBytes(_: Draft, head: Head): ErrorCode | null {
  return TARGET.test(head.target) ? null : 'CLIENT_TARGET';
}

function host(draft: Draft, head: Head, policy: AdmitPolicy): ErrorCode | null {
  const [first, ...more] = draft.seen.host;
  if (first === undefined && head.version === '1.0') draft.host = policy.defaultHost;
  else if (first === undefined || more.length > 0 || !isHost(first)) return 'CLIENT_HOST';
  else draft.host = first;
  const known =
    policy.hosts.length === 0 || policy.hosts.includes(draft.host.toLowerCase().replace(/:\d+$/, ''));
  return known ? null : 'CLIENT_HOST_UNKNOWN';
}

function targetForm(draft: Draft, head: Head): ErrorCode | null {
  if (head.target.startsWith('/')) return null;
  if (head.target === '*') return head.method === 'OPTIONS' ? null : 'CLIENT_TARGET';
  const [, scheme, authority, rest] = ABSOLUTE.exec(head.target) ?? [];
  if (scheme === undefined || authority === undefined || rest === undefined) return 'CLIENT_TARGET';
  // The authority must not choose where to connect, so it may only say what Host says.
  if (!isHost(authority) || !sameAuthority(authority, draft.host, scheme)) return 'CLIENT_TARGET';
  draft.target = originForm(rest, head.method);
  return null;
}

function method(_: Draft, head: Head, policy: AdmitPolicy): ErrorCode | null {
  if (!isToken(head.method) || head.method.length > 32) return 'CLIENT_SYNTAX';
  if (head.method === 'CONNECT' || head.method === 'TRACE') return 'CLIENT_METHOD';
  // SOURCE belongs to ICE/1.0, and node's parser does not tell which protocol the request line named.
  return head.method === 'SOURCE' && !policy.strict ? 'CLIENT_METHOD' : null;
}

function framing(draft: Draft, head: Head): ErrorCode | null {
  const { length, coding } = draft.seen;
  if (coding.length > 0) {
    const lone = coding.length === 1 && length.length === 0 && head.version === '1.1';
    const name = trimmed(coding[0] ?? '').toLowerCase();
    if (!lone || !isToken(name)) return 'CLIENT_FRAMING';
    if (name !== 'chunked') return 'CLIENT_CODING';
    draft.framing = { kind: 'chunked' };
  } else if (length.length > 0) {
    const bytes = length.length === 1 ? contentLength(length[0] ?? '') : null;
    if (bytes === null) return 'CLIENT_FRAMING';
    draft.framing = { kind: 'length', bytes };
  }
  return null;
}

function expectation(draft: Draft, head: Head): ErrorCode | null {
  if (head.version === '1.0') return null;
  return draft.seen.expect.every((value) => trimmed(value).toLowerCase() === '100-continue')
    ? null
    : 'CLIENT_EXPECT';
}

function protocolChange(draft: Draft, head: Head): ErrorCode | null {
  draft.upgrade = asksForWebSocket(head.method, head.version, draft.seen.connection, draft.seen.upgrade);
  // Two readers would disagree whether the bytes behind the head are a body or the new protocol.
  return draft.upgrade && draft.framing.kind !== 'none' ? 'CLIENT_FRAMING' : null;
}

function loop(draft: Draft, _: Head, policy: AdmitPolicy): ErrorCode | null {
  const own = policy.viaName.toLowerCase();
  const passed = draft.seen.via.some((line) =>
    line.split(',').some(
      (element) =>
        trimmed(element)
          .split(/[ \t]+/)[1]
          ?.toLowerCase() === own,
    ),
  );
  return passed ? 'LOOP' : null;
}

function path(draft: Draft): ErrorCode | null {
  const query = draft.target.indexOf('?');
  const nul = draft.target.indexOf('%00');
  return nul !== -1 && (query === -1 || nul < query) ? 'CLIENT_PATH' : null;
}

/** A shadow write must never run for real: only our own proxies may mark one. */
function shadowMark(draft: Draft, head: Head, policy: AdmitPolicy): ErrorCode | null {
  const safe = head.method === 'GET' || head.method === 'HEAD' || head.method === 'OPTIONS';
  return draft.seen.marked && !safe && !policy.peerTrusted ? 'CLIENT_SYNTAX' : null;
}

function declaredLength(draft: Draft, _: Head, policy: AdmitPolicy): ErrorCode | null {
  if (policy.requestBodyBytesMax === 0 || draft.framing.kind !== 'length') return null;
  return draft.framing.bytes > policy.requestBodyBytesMax ? 'CLIENT_BODY_LARGE' : null;
}

/** An OPTIONS with `Max-Forwards: 0` is for us and nobody behind us. Source: RFC 9110 §7.6.2. */
export function isLastHop({ method, fields }: Pick<Admitted, 'method' | 'fields'>): boolean {
  if (method !== 'OPTIONS') return false;
  return fields.some(
    (name, i) => i % 2 === 0 && name.toLowerCase() === 'max-forwards' && /^0+$/.test(fields[i + 1] ?? ''),
  );
}

/**
 * Whether a request asks for a WebSocket: GET, HTTP/1.1, `Connection: upgrade` and exactly the protocol
 * `websocket`. Any other protocol (h2c from Java clients) is no upgrade to us: the request goes on as plain HTTP.
 */
export function asksForWebSocket(
  method: string,
  version: string,
  connection: readonly string[],
  upgrade: readonly string[],
): boolean {
  return (
    method === 'GET' &&
    version === '1.1' &&
    upgrade.length === 1 &&
    trimmed(upgrade[0] ?? '').toLowerCase() === 'websocket' &&
    names(connection, 'upgrade')
  );
}

/** Whether a list field names a token, in any case. */
function names(lines: readonly string[], lowerToken: string): boolean {
  return lines.some((line) => line.split(',').some((token) => trimmed(token).toLowerCase() === lowerToken));
}

/** One `Content-Length`: digits only, at most 2^53-1. Null: not one. Source: RFC 9110 §8.6. */
export function contentLength(text: string): number | null {
  const digits = trimmed(text);
  if (digits === '') return null;
  let bytes = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return null;
    bytes = 10 * bytes + digit;
    if (bytes > Number.MAX_SAFE_INTEGER) return null;
  }
  return bytes;
}

function hasBody(framing: Framing): boolean {
  return framing.kind === 'chunked' || (framing.kind === 'length' && framing.bytes > 0);
}

function isHost(text: string): boolean {
  return HOST.test(text) || HOST_V6.test(text);
}

function sameAuthority(a: string, b: string, scheme: string): boolean {
  const standard = scheme.toLowerCase() === 'https' ? /:0*443$/ : /:0*80$/;
  return a.toLowerCase().replace(standard, '') === b.toLowerCase().replace(standard, '');
}

/** What follows the authority of an absolute-form target, as origin-form (RFC 9112 §3.2.1, §3.2.4). */
function originForm(rest: string, method: string): string {
  if (rest.startsWith('/')) return rest;
  return rest === '' && method === 'OPTIONS' ? '*' : `/${rest}`;
}
