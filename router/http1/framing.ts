import { contentLength, type Framing } from '../core/admit.ts';
import { isBodyless } from '../core/answer.ts';
import { knownName } from '../core/names.ts';
import type { Fields } from '../core/types.ts';
import type { Refusal } from './refusal.ts';

/** Where the body of an answer ends. */
export type AnswerFraming = Framing | { readonly kind: 'until-close' };

const NO_BODY: AnswerFraming = { kind: 'none' };
const CHUNKED: AnswerFraming = { kind: 'chunked' };
const UNTIL_CLOSE: AnswerFraming = { kind: 'until-close' };

/** An element of a list, SP and HTAB around it. */
const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;

const FAULTS = {
  both: { code: 'UPSTREAM_FRAMING', why: 'a length and a transfer coding', rfc: 'RFC 9112 §6.3' },
  length: { code: 'UPSTREAM_FRAMING', why: 'not exactly one valid Content-Length', rfc: 'RFC 9112 §6.3' },
  coding: { code: 'UPSTREAM_FRAMING', why: 'a transfer coding other than one chunked', rfc: 'RFC 9112 §6.1' },
} as const satisfies Record<string, Refusal>;

/**
 * The one reading of where an answer ends, or why there is none. Answers to HEAD, 1xx, 204 and 304 end with their head,
 * and what they say about a length is about another answer. `minor`: an HTTP/1.0 sender knows no transfer coding.
 */
export function answerFraming(
  method: string,
  status: number,
  minor: '0' | '1',
  fields: Fields,
): AnswerFraming | Refusal {
  let length: string | null = null;
  let coding: string | null = null;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const known = knownName(fields[i] ?? '');
    if (known === null) continue;
    if (known.name === 'content-length') {
      if (length !== null) return FAULTS.length;
      length = fields[i + 1] ?? '';
    } else if (known.name === 'transfer-encoding') {
      if (coding !== null) return FAULTS.coding;
      coding = fields[i + 1] ?? '';
    }
  }
  if (coding !== null && length !== null) return FAULTS.both;
  if (coding !== null && (minor === '0' || coding.toLowerCase() !== 'chunked')) return FAULTS.coding;
  const bytes = length === null ? 0 : contentLength(length);
  if (bytes === null) return FAULTS.length;
  if (status < 200 || isBodyless(method, status)) return NO_BODY;
  if (coding !== null) return CHUNKED;
  return length === null ? UNTIL_CLOSE : { kind: 'length', bytes };
}

/**
 * Whether the sender of this message keeps the connection for another: HTTP/1.1 and no `close` in any Connection line,
 * nor in Proxy-Connection, which some readers take for it. HTTP/1.0 never does to us. Source: RFC 9112 §9.3.
 */
export function persists(version: string, fields: Fields): boolean {
  if (version !== '1.1') return false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const known = knownName(fields[i] ?? '');
    if (known === null || (known.name !== 'connection' && known.name !== 'proxy-connection')) continue;
    if (CLOSE.test(fields[i + 1] ?? '')) return false;
  }
  return true;
}
