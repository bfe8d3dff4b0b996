import type { Fields } from '../core/types.ts';

/** A message that could be read in two ways was about to be sent: a fault of this program, never of a peer. */
export class SerialiseError extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'SerialiseError';
  }
}

// One expression over the whole text: looking at each part by itself takes four times as long.
const LINES = /(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/.source;
const REQUEST = new RegExp(`^[!#$%&'*+\\-.^_\`|~0-9A-Za-z]+ [\\x21-\\x7e]+ HTTP/1\\.1\\r\\n${LINES}`);
const ANSWER = new RegExp(`^HTTP/1\\.1 [1-9]\\d\\d [\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n${LINES}`);
const LAST_CHUNK = new RegExp(`^0\\r\\n${LINES}`);

/**
 * A request head as latin1 text. Throws SerialiseError rather than let out a control byte, a name that is none or a
 * second framing field.
 */
export function requestText(method: string, target: string, fields: Fields): string {
  return checked(`${method} ${target} HTTP/1.1\r\n`, fields, 1, REQUEST);
}

/** The head of an answer, as `requestText`. The version is always ours. */
export function answerText(status: number, reason: string, fields: Fields): string {
  return checked(`HTTP/1.1 ${status} ${reason}\r\n`, fields, 1, ANSWER);
}

/** The line before a chunk of `bytes` bytes. Throws SerialiseError on 0, which would end the body. */
export function chunkLine(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new SerialiseError('a chunk size that is none');
  return `${bytes.toString(16)}\r\n`;
}

/** What ends a chunked body, trailers included; as `requestText`, and no trailer may be a framing field. */
export function lastChunk(trailers: Fields): string {
  return trailers.length === 0 ? '0\r\n\r\n' : checked('0\r\n', trailers, 0, LAST_CHUNK);
}

function checked(start: string, fields: Fields, framingsMax: number, grammar: RegExp): string {
  let text = start;
  let framings = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    text += `${name}: ${fields[i + 1] ?? ''}\r\n`;
    if (isFraming(name)) framings += 1;
  }
  text += '\r\n';
  if (framings > framingsMax) throw new SerialiseError('one framing field too many');
  if (!grammar.test(text)) throw new SerialiseError('a byte that must not stand where it stands');
  // Lines that came inside of a part are as good as ours to the grammar.
  if (lineEnds(text) !== fields.length / 2 + 2) throw new SerialiseError('a line end inside a line');
  return text;
}

/** Length first: hardly any name needs to be folded. */
function isFraming(name: string): boolean {
  if (name.length === 14) return name.toLowerCase() === 'content-length';
  return name.length === 17 && name.toLowerCase() === 'transfer-encoding';
}

function lineEnds(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n', at + 2)) lines += 1;
  return lines;
}
