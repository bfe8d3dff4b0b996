import type { ErrorCode } from '../core/errors.ts';
import { isToken } from '../core/grammar.ts';
import { knownName } from '../core/names.ts';
import type { Fields } from '../core/types.ts';
import { type FieldFaults, fieldFaults, readFields, readSection } from './fields.ts';
import type { AnswerFraming } from './framing.ts';
import { isRefusal, MORE, type More, type Refusal } from './refusal.ts';

/** Gets decoded body bytes as ranges of the slice that is being read. */
export interface BodySink {
  data(bytes: Buffer, from: number, to: number): void;
}

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** 13 hex digits are below 2^53. */
const SIZE_DIGITS_MAX = 13;
const LINE_BYTES_MAX = 1_024;
const EXTENSION_BYTES_MAX = 16_384;
const TRAILER_BYTES_MAX = 8_192;
const TRAILER_LINES_MAX = 32;

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer';

interface Faults extends FieldFaults {
  readonly size: Refusal;
  readonly extension: Refusal;
  readonly end: Refusal;
  readonly trailer: Refusal;
  readonly framing: Refusal;
}

function faultsOf(code: ErrorCode): Faults {
  return {
    ...fieldFaults(code, code),
    size: { code, why: 'a chunk size that is none', rfc: 'RFC 9112 §7.1' },
    extension: { code, why: 'a chunk extension that is none, or too long', rfc: 'RFC 9112 §7.1.1' },
    end: { code, why: 'chunk data that does not end in CRLF', rfc: 'RFC 9112 §7.1' },
    trailer: { code, why: 'the trailers are too large', rfc: 'RFC 9112 §7.1.2' },
    framing: { code, why: 'a trailer that frames a message or closes a connection', rfc: 'RFC 9110 §6.5.1' },
  };
}

const FAULTS = { client: faultsOf('CLIENT_BODY_SYNTAX'), upstream: faultsOf('UPSTREAM_BODY_SYNTAX') };
const NO_TRAILERS: Fields = [];
const FRAMING: ReadonlySet<string> = new Set([
  ...['content-length', 'transfer-encoding', 'connection', 'proxy-connection'],
]);
const QUOTED = /^"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"$/;

/**
 * A push decoder for one message body after another: `start`, then `read` slice by slice until `done` or `fault`. Gives
 * data as ranges of the slices it reads, so that nothing is copied; chunk lines, extensions and trailer lines never
 * pass. A class because one belongs to each connection for its whole life.
 */
export class BodyReader {
  /** The body is complete. */
  done = true;
  fault: Refusal | null = null;
  /** Trailer lines of a chunked body, once it is done. */
  trailers: Fields = NO_TRAILERS;

  readonly #faults: Faults;
  #chunked = false;
  #state: State = 'size';
  /** Bytes still to come of a body with a length, or of this chunk. */
  #left = 0;
  #digits = 0;
  #lineBytes = 0;
  #extensionBytes = 0;
  /** Of a line that is not complete: the extension, or the trailers. */
  #text = '';

  constructor(sender: 'client' | 'upstream') {
    this.#faults = FAULTS[sender];
  }

  /** `none` is done at once, `until-close` never. */
  start(framing: AnswerFraming): void {
    this.fault = null;
    this.trailers = NO_TRAILERS;
    this.#chunked = framing.kind === 'chunked';
    this.#left = framing.kind === 'length' ? framing.bytes : framing.kind === 'until-close' ? Infinity : 0;
    this.done = !this.#chunked && this.#left === 0;
    this.#state = 'size';
    this.#digits = 0;
    this.#lineBytes = 0;
    this.#extensionBytes = 0;
    this.#text = '';
  }

  /** Reads `bytes` from `from`; gives the offset of the first byte that does not belong to the body. */
  read(bytes: Buffer, from: number, sink: BodySink): number {
    if (!this.#chunked) {
      const to = this.#pass(bytes, from, sink);
      this.done = this.#left === 0;
      return to;
    }
    let at = from;
    while (at < bytes.length && !this.done && this.fault === null) at = this.#step(bytes, at, sink);
    return at;
  }

  #pass(bytes: Buffer, from: number, sink: BodySink): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#left -= to - from;
    if (to > from) sink.data(bytes, from, to);
    return to;
  }

  #step(bytes: Buffer, at: number, sink: BodySink): number {
    if (this.#state === 'data') {
      const to = this.#pass(bytes, at, sink);
      if (this.#left === 0) this.#state = 'data-cr';
      return to;
    }
    if (this.#state === 'trailer') return this.#trailer(bytes, at);
    this.#byte(bytes[at] ?? 0);
    return at + 1;
  }

  #byte(byte: number): void {
    switch (this.#state) {
      case 'size':
        this.#size(byte);
        break;
      case 'extension':
        this.#extension(byte);
        break;
      case 'size-lf':
        this.#text = '';
        this.#expect(byte, LF, this.#left === 0 ? 'trailer' : 'data', this.#faults.size);
        break;
      case 'data-cr':
        this.#expect(byte, CR, 'data-lf', this.#faults.end);
        break;
      case 'data-lf':
        this.#digits = 0;
        this.#lineBytes = 0;
        this.#expect(byte, LF, 'size', this.#faults.end);
        break;
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    this.#lineBytes += 1;
    if (digit !== -1) {
      // Leading zeros count for the line, not for the number.
      if (this.#left > 0 || digit > 0) this.#digits += 1;
      if (this.#digits > SIZE_DIGITS_MAX || this.#lineBytes > LINE_BYTES_MAX) this.fault = this.#faults.size;
      else this.#left = 16 * this.#left + digit;
    } else if (this.#lineBytes > 1 && byte === CR) this.#state = 'size-lf';
    else if (this.#lineBytes > 1 && byte === SEMICOLON) this.#state = 'extension';
    else this.fault = this.#faults.size;
  }

  #extension(byte: number): void {
    if (byte === CR) {
      this.#extensionBytes += this.#text.length;
      const fits = this.#extensionBytes <= EXTENSION_BYTES_MAX && areExtensions(this.#text);
      if (fits) this.#state = 'size-lf';
      else this.fault = this.#faults.extension;
    } else if (byte === LF || this.#text.length === LINE_BYTES_MAX) this.fault = this.#faults.extension;
    else this.#text += String.fromCharCode(byte);
  }

  #trailer(bytes: Buffer, at: number): number {
    const known = this.#text.length;
    const until = Math.min(bytes.length, at + TRAILER_BYTES_MAX + 1 - known);
    const text = this.#text + bytes.toString('latin1', at, until);
    const section = readSection(
      text,
      TRAILER_BYTES_MAX,
      (part) => this.#trailers(part),
      this.#faults.trailer,
    );
    if (section === MORE) {
      this.#text = text;
      return until;
    }
    if (isRefusal(section)) {
      this.fault = section;
      return at;
    }
    this.trailers = section.fields;
    this.done = true;
    return at + section.end - known;
  }

  #trailers(text: string): { readonly fields: Fields; readonly end: number } | More | Refusal {
    const fields: string[] = [];
    const end = readFields(text, 0, TRAILER_LINES_MAX, this.#faults, fields);
    if (end === MORE || isRefusal(end)) return end;
    return fields.some((name, i) => i % 2 === 0 && isFraming(name)) ? this.#faults.framing : { fields, end };
  }

  #expect(byte: number, expected: number, next: State, otherwise: Refusal): void {
    if (byte === expected) this.#state = next;
    else this.fault = otherwise;
  }
}

/** Some readers obey these in trailers, and then see the next message elsewhere or not at all. */
function isFraming(name: string): boolean {
  const known = knownName(name)?.name;
  return known !== undefined && FRAMING.has(known);
}

/** `name`, `name=token` or `name="quoted"`, split by `;`. White space, on which parsers disagree, is refused. */
function areExtensions(text: string): boolean {
  return splitOutsideQuotes(text).every((extension) => {
    const equals = extension.indexOf('=');
    if (equals === -1) return isToken(extension);
    const value = extension.slice(equals + 1);
    return isToken(extension.slice(0, equals)) && (isToken(value) || QUOTED.test(value));
  });
}

function splitOutsideQuotes(text: string): readonly string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quoted && code === BACKSLASH) at += 1;
    else if (code === QUOTE) quoted = !quoted;
    else if (code === SEMICOLON && !quoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
