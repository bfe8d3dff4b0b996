import type { Head } from '../core/admit.ts';
import { tokenEnd } from '../core/grammar.ts';
import { fieldFaults, readFields, readSection } from './fields.ts';
import { isRefusal, MORE, type More, type Refusal } from './refusal.ts';

const METHOD_BYTES_MAX = 32;
const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;

export interface RequestLimits {
  readonly headBytesMax: number;
  readonly targetBytesMax: number;
  readonly fieldsMax: number;
}

export interface ReadRequest {
  readonly head: Head;
  /** Offset behind the head: the first byte of a body or of the next request. */
  readonly end: number;
}

const FIELDS = fieldFaults('CLIENT_SYNTAX', 'CLIENT_HEAD_LARGE');
const FAULTS = {
  empty: { code: 'CLIENT_SYNTAX', why: 'more than one empty line before a request', rfc: 'RFC 9112 §2.2' },
  method: { code: 'CLIENT_SYNTAX', why: 'a request line without a method', rfc: 'RFC 9112 §3.1' },
  target: { code: 'CLIENT_TARGET', why: 'a byte that no request target may have', rfc: 'RFC 9112 §3.2' },
  targetLong: { code: 'CLIENT_TARGET_LONG', why: 'the request target is too long', rfc: 'RFC 9112 §3' },
  version: {
    code: 'CLIENT_SYNTAX',
    why: 'a request line that does not end in a version',
    rfc: 'RFC 9112 §2.3',
  },
  large: { code: 'CLIENT_HEAD_LARGE', why: 'the request head is too large', rfc: 'RFC 6585 §5' },
} as const satisfies Record<string, Refusal>;

/**
 * Reads a request head from the beginning of `text` (latin1, one character per byte; it may hold less or more). At
 * most one empty line may come before it. Gives the head with everything as received, `more` while it is not
 * complete, or why it never will be. The version is any `D.D`; what is done with it is admission's business.
 * Source: RFC 9112 §2-§5, read as strictly as it can be.
 */
export function readRequestHead(text: string, limits: RequestLimits): ReadRequest | More | Refusal {
  return readSection(text, limits.headBytesMax, (part) => read(part, limits), FAULTS.large);
}

function read(text: string, limits: RequestLimits): ReadRequest | More | Refusal {
  const from = emptyLineEnd(text);
  if (typeof from !== 'number') return from;
  const methodEnd = tokenEnd(text, from);
  if (methodEnd - from > METHOD_BYTES_MAX) return FAULTS.method;
  if (methodEnd === text.length) return MORE;
  if (methodEnd === from || text.charCodeAt(methodEnd) !== SP) return FAULTS.method;
  const targetEnd = visibleEnd(text, methodEnd + 1);
  if (targetEnd - methodEnd - 1 > limits.targetBytesMax) return FAULTS.targetLong;
  if (targetEnd === text.length) return MORE;
  if (text.charCodeAt(targetEnd) !== SP || targetEnd === methodEnd + 1) return FAULTS.target;
  const lineEnd = versionEnd(text, targetEnd + 1);
  if (typeof lineEnd !== 'number') return lineEnd;
  const fields: string[] = [];
  const end = readFields(text, lineEnd, limits.fieldsMax, FIELDS, fields);
  if (end === MORE || isRefusal(end)) return end;
  return {
    head: {
      method: text.slice(from, methodEnd),
      target: text.slice(methodEnd + 1, targetEnd),
      version: text.slice(targetEnd + 6, targetEnd + 9),
      fields,
    },
    end,
  };
}

/** Robust clients end a body with an extra CRLF: one empty line is skipped. Source: RFC 9112 §2.2. */
function emptyLineEnd(text: string): number | More | Refusal {
  if (text.length === 0) return MORE;
  if (text.charCodeAt(0) !== CR) return 0;
  if (text.length === 1) return MORE;
  if (text.charCodeAt(1) !== LF) return FAULTS.method;
  if (text.length === 2) return MORE;
  return text.charCodeAt(2) === CR ? FAULTS.empty : 2;
}

function visibleEnd(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code > 0x20 && code < 0x7f; code = text.charCodeAt(at)) at += 1;
  return at;
}

const VERSION = 'HTTP/D.D\r\n';

/** Offset behind the request line. */
function versionEnd(text: string, from: number): number | More | Refusal {
  for (let i = 0; i < VERSION.length; i += 1) {
    if (from + i === text.length) return MORE;
    const code = text.charCodeAt(from + i);
    const fits = i === 5 || i === 7 ? code >= 0x30 && code <= 0x39 : code === VERSION.charCodeAt(i);
    if (!fits) return FAULTS.version;
  }
  return from + VERSION.length;
}
