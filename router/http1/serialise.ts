import { valueEnd } from '../core/grammar.ts';
import type { Fields } from '../core/types.ts';

const CR = 0x0d;
const LF = 0x0a;

/** A head that would have two readings was about to be sent: a fault of this program, never of a peer. */
export class SerialiseError extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'SerialiseError';
  }
}

/** A request head as latin1 text. Throws SerialiseError rather than let a control byte or a second framing field out. */
export function requestText(method: string, target: string, fields: Fields): string {
  return headText(`${method} ${target} HTTP/1.1`, fields);
}

/** The head of an answer, as `requestText`. The version is always ours. */
export function answerText(status: number, reason: string, fields: Fields): string {
  return headText(`HTTP/1.1 ${status} ${reason}`, fields);
}

/** The line before a chunk of `bytes` bytes (at least 1). */
export function chunkLine(bytes: number): string {
  return `${bytes.toString(16)}\r\n`;
}

/** What ends a chunked body, trailers included. */
export function lastChunk(trailers: Fields): string {
  return trailers.length === 0 ? '0\r\n\r\n' : headText('0', trailers);
}

function headText(start: string, fields: Fields): string {
  let text = `${start}\r\n`;
  let framings = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    text += `${name}: ${fields[i + 1] ?? ''}\r\n`;
    if (isFraming(name)) framings += 1;
  }
  text += '\r\n';
  if (framings > 1) throw new SerialiseError('two framing fields');
  if (lineEnds(text) !== fields.length / 2 + 2) throw new SerialiseError('a line end inside a line');
  return text;
}

/** Length first: hardly any name needs to be folded. */
function isFraming(name: string): boolean {
  if (name.length === 14) return name.toLowerCase() === 'content-length';
  return name.length === 17 && name.toLowerCase() === 'transfer-encoding';
}

/** Number of CRLFs; throws on every other control byte. */
function lineEnds(text: string): number {
  let lines = 0;
  for (let at = valueEnd(text, 0); at < text.length; at = valueEnd(text, at + 2)) {
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) {
      throw new SerialiseError('a control byte in a head');
    }
    lines += 1;
  }
  return lines;
}
