import { contentLength } from './admit.ts';
import type { ErrorCode } from './errors.ts';
import { trimmed } from './grammar.ts';
import { valuesOf } from './headers.ts';
import type { Fields } from './types.ts';

/** The head of an upstream's final answer, as parsed. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Whether an answer may be relayed: a final status, legal bytes everywhere, at most `fieldsMax` lines and one
 * reading of where it ends. Anything else is an upstream's fault and never reaches the client. `bodyless`: the
 * request was HEAD or the status has no body. Source: RFC 9112 §6.3, RFC 9110 §15.
 */
export function isRelayable(head: AnswerHead, bodyless: boolean, fieldsMax: number): boolean {
  if (head.status < 200 || head.status > 999) return false;
  return hasLegalBytes(head, fieldsMax) && (bodyless || hasOneEnd(head.fields));
}

/** Whether a head of at most `fieldsMax` lines can be written again without changing what it says. */
export function hasLegalBytes(head: AnswerHead, fieldsMax: number): boolean {
  if (!TEXT.test(head.reason) || head.fields.length > 2 * fieldsMax) return false;
  for (let i = 0; i + 1 < head.fields.length; i += 2) {
    if (!TOKEN.test(head.fields[i] ?? '') || !TEXT.test(head.fields[i + 1] ?? '')) return false;
  }
  return true;
}

/** 204, 304 and answers to HEAD end with their head. Source: RFC 9112 §6.3. */
export function isBodyless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** Whether a 101 says what was asked for: `Connection: upgrade` and exactly the protocol `websocket`. */
export function switchesToWebSocket({ status, fields }: AnswerHead): boolean {
  if (status !== 101) return false;
  const protocols = valuesOf(fields, 'upgrade');
  const tokens = valuesOf(fields, 'connection').flatMap((line) => line.split(','));
  return (
    protocols.length === 1 &&
    trimmed(protocols[0] ?? '').toLowerCase() === 'websocket' &&
    tokens.some((token) => trimmed(token).toLowerCase() === 'upgrade')
  );
}

/** Our word for what node reports while a connection is made or an answer awaited. `code` as in `error.code`. */
export function upstreamFault(code: string): ErrorCode {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'UPSTREAM_NAME';
  if (code === 'ETIMEDOUT') return 'UPSTREAM_CONNECT_TIMEOUT';
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/.test(code)) return 'UPSTREAM_REFUSED';
  if (code.startsWith('HPE_')) return 'UPSTREAM_SYNTAX';
  if (/^(EPROTO$|ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_)/.test(code)) {
    return 'UPSTREAM_TLS';
  }
  return 'UPSTREAM_RESET';
}

function hasOneEnd(fields: Fields): boolean {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (codings.length > 0) {
    return (
      codings.length === 1 && lengths.length === 0 && trimmed(codings[0] ?? '').toLowerCase() === 'chunked'
    );
  }
  return lengths.length === 0 || (lengths.length === 1 && contentLength(lengths[0] ?? '') !== null);
}
