import type { ErrorCode } from '../core/errors.ts';
import { tokenEnd, trimmedSlice, valueEnd } from '../core/grammar.ts';
import { MORE, type More, type Refusal } from './refusal.ts';

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SP = 0x20;
const HTAB = 0x09;
const CODING = 'transfer-encoding';

/** The refusals of one kind of section (request head, answer head, trailers). */
export interface FieldFaults {
  readonly name: Refusal;
  readonly colon: Refusal;
  readonly value: Refusal;
  readonly lines: Refusal;
}

export function fieldFaults(syntax: ErrorCode, large: ErrorCode): FieldFaults {
  return {
    name: { code: syntax, why: 'a field line that begins with no name', rfc: 'RFC 9112 §5' },
    colon: { code: syntax, why: 'a field name without a colon right behind it', rfc: 'RFC 9112 §5.1' },
    value: { code: syntax, why: 'a byte that no field value may have', rfc: 'RFC 9110 §5.5' },
    lines: { code: large, why: 'too many field lines', rfc: 'RFC 9110 §5.4' },
  };
}

/** Up to here a section is read anew whenever bytes come, and refused at its first wrong one. */
const EAGER_BYTES = 1_024;
const SECTION_END = '\r\n\r\n';

/**
 * Reads the head or the trailers at the beginning of `text`; gives `large` when they do not end within `bytesMax`. A
 * section longer than 1 KiB is read, and may be refused, only when its end or the limit is there: it may come byte by
 * byte without being read as often, and the result does not depend on how it came.
 */
export function readSection<T extends object>(
  text: string,
  bytesMax: number,
  read: (text: string) => T | More | Refusal,
  large: Refusal,
): T | More | Refusal {
  const eager = Math.min(EAGER_BYTES, bytesMax);
  const early = read(text.length > eager ? text.slice(0, eager) : text);
  if (early !== MORE || text.length <= eager) return early;
  if (text.length > bytesMax) {
    const result = read(text.slice(0, bytesMax));
    return result === MORE ? large : result;
  }
  return text.includes(SECTION_END, eager - SECTION_END.length + 1) ? read(text) : MORE;
}

/**
 * Reads field lines from `from` up to and including the empty line, and pushes name, value, name, value … to `into`.
 * Gives the offset behind the empty line. Strict: lines end in CRLF, nothing folds, nothing stands before a colon,
 * values are trimmed of SP and HTAB (no HTAB may follow a transfer coding). What is refused is refused at its first
 * wrong byte, however the bytes were cut.
 */
export function readFields(
  text: string,
  from: number,
  linesMax: number,
  faults: FieldFaults,
  into: string[],
): number | More | Refusal {
  let at = from;
  for (;;) {
    if (at === text.length) return MORE;
    if (text.charCodeAt(at) === CR) {
      if (at + 1 === text.length) return MORE;
      return text.charCodeAt(at + 1) === LF ? at + 2 : faults.name;
    }
    if (into.length === 2 * linesMax) return faults.lines;
    const colon = tokenEnd(text, at);
    if (colon === text.length) return MORE;
    if (colon === at) return faults.name;
    if (text.charCodeAt(colon) !== COLON) return faults.colon;
    const end = valueEnd(text, colon + 1);
    if (end === text.length) return MORE;
    if (text.charCodeAt(end) !== CR) return faults.value;
    if (end + 1 === text.length) return MORE;
    if (text.charCodeAt(end + 1) !== LF) return faults.value;
    if (colon - at === CODING.length && hidesCoding(text, at, colon, end)) return faults.value;
    into.push(text.slice(at, colon), trimmedSlice(text, colon + 1, end));
    at = end + 2;
  }
}

/** llhttp, and so every node server, does not know `chunked` with HTAB behind it: the message would end elsewhere. */
function hidesCoding(text: string, at: number, colon: number, end: number): boolean {
  let last = end - 1;
  while (text.charCodeAt(last) === SP) last -= 1;
  return text.charCodeAt(last) === HTAB && text.slice(at, colon).toLowerCase() === CODING;
}
