import type { AnswerHead } from '../core/answer.ts';
import { valueEnd } from '../core/grammar.ts';
import { fieldFaults, readFields, readSection } from './fields.ts';
import { persists } from './framing.ts';
import { isRefusal, MORE, type More, type Refusal } from './refusal.ts';

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;

export interface ResponseLimits {
  readonly upstreamHeadBytesMax: number;
  readonly upstreamFieldsMax: number;
}

export interface ReadResponse {
  readonly head: AnswerHead;
  /** Minor version of the answer. */
  readonly minor: '0' | '1';
  /** Offset behind the head. */
  readonly end: number;
}

const FIELDS = fieldFaults('UPSTREAM_SYNTAX', 'UPSTREAM_HEAD_LARGE');
const FAULTS = {
  line: { code: 'UPSTREAM_SYNTAX', why: 'a status line that is none', rfc: 'RFC 9112 §4' },
  status: { code: 'UPSTREAM_SYNTAX', why: 'a status below 100', rfc: 'RFC 9110 §15' },
  closing: {
    code: 'UPSTREAM_SYNTAX',
    why: 'an interim answer behind which no final one can come',
    rfc: 'RFC 9110 §15.2',
  },
  large: { code: 'UPSTREAM_HEAD_LARGE', why: 'the head of the answer is too large', rfc: 'RFC 9112 §2.3' },
} as const satisfies Record<string, Refusal>;

/** What stands at each place of the line up to the reason: x = 0 or 1, D = digit. */
const LINE = 'HTTP/1.x DDD';

/**
 * Reads the head of an answer, interim ones included, from the beginning of `text` (latin1). As strict as for
 * requests; only the reason may be absent, with or without the space before it. An interim answer that closes the
 * connection, or is in HTTP/1.0, is refused: the final one could not come. Source: RFC 9112 §4, RFC 9110 §15.2.
 */
export function readResponseHead(text: string, limits: ResponseLimits): ReadResponse | More | Refusal {
  return readSection(text, limits.upstreamHeadBytesMax, (part) => read(part, limits), FAULTS.large);
}

function read(text: string, limits: ResponseLimits): ReadResponse | More | Refusal {
  for (let i = 0; i < LINE.length; i += 1) {
    if (i === text.length) return MORE;
    if (!fits(text.charCodeAt(i), LINE.charCodeAt(i))) return FAULTS.line;
  }
  if (text.charCodeAt(9) === 0x30) return FAULTS.status;
  const reasonEnd = text.charCodeAt(12) === SP ? valueEnd(text, 13) : 12;
  if (reasonEnd === text.length) return MORE;
  if (text.charCodeAt(reasonEnd) !== CR) return FAULTS.line;
  if (reasonEnd + 1 === text.length) return MORE;
  if (text.charCodeAt(reasonEnd + 1) !== LF) return FAULTS.line;
  const fields: string[] = [];
  const end = readFields(text, reasonEnd + 2, limits.upstreamFieldsMax, FIELDS, fields);
  if (end === MORE || isRefusal(end)) return end;
  const minor = text.charCodeAt(7) === 0x30 ? '0' : '1';
  const status = Number(text.slice(9, 12));
  if (status < 200 && !persists(`1.${minor}`, fields)) return FAULTS.closing;
  return { head: { status, reason: text.slice(13, Math.max(13, reasonEnd)), fields }, minor, end };
}

function fits(code: number, pattern: number): boolean {
  if (pattern === 0x44) return code >= 0x30 && code <= 0x39;
  if (pattern === 0x78) return code === 0x30 || code === 0x31;
  return code === pattern;
}
