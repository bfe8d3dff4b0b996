import { isFieldValue, isToken } from '../core/grammar.ts';
import type { Fields } from '../core/types.ts';
import { visibleEnd } from './fields.ts';

/** A message that could be read in two ways was about to be sent: a fault of this program, never of a peer. */
export class SerialiseError extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'SerialiseError';
  }
}

/**
 * A request head as latin1 text. Throws SerialiseError rather than let out a control byte, a name that is none or a
 * second framing field.
 */
export function requestText(method: string, target: string, fields: Fields): string {
  if (!isToken(method)) throw new SerialiseError('a method that is none');
  if (target === '' || visibleEnd(target, 0) !== target.length)
    throw new SerialiseError('a target that is none');
  return linesText(`${method} ${target} HTTP/1.1\r\n`, fields, 1);
}

/** The head of an answer, as `requestText`. The version is always ours. */
export function answerText(status: number, reason: string, fields: Fields): string {
  if (!Number.isInteger(status) || status < 100 || status > 999)
    throw new SerialiseError('a status that is none');
  if (!isFieldValue(reason)) throw new SerialiseError('a control byte in a reason');
  return linesText(`HTTP/1.1 ${status} ${reason}\r\n`, fields, 1);
}

/** The line before a chunk of `bytes` bytes. Throws SerialiseError on 0, which would end the body. */
export function chunkLine(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new SerialiseError('a chunk size that is none');
  return `${bytes.toString(16)}\r\n`;
}

/** What ends a chunked body, trailers included; as `requestText`, and no trailer may be a framing field. */
export function lastChunk(trailers: Fields): string {
  return trailers.length === 0 ? '0\r\n\r\n' : linesText('0\r\n', trailers, 0);
}

function linesText(start: string, fields: Fields, framingsMax: number): string {
  if (fields.length % 2 !== 0) throw new SerialiseError('a field name without a value');
  let text = start;
  let framings = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (!isToken(name)) throw new SerialiseError('a field name that is none');
    if (!isFieldValue(value)) throw new SerialiseError('a control byte in a field value');
    if (isFraming(name)) framings += 1;
    text += `${name}: ${value}\r\n`;
  }
  if (framings > framingsMax) throw new SerialiseError('one framing field too many');
  return `${text}\r\n`;
}

/** Length first: hardly any name needs to be folded. */
function isFraming(name: string): boolean {
  if (name.length === 14) return name.toLowerCase() === 'content-length';
  return name.length === 17 && name.toLowerCase() === 'transfer-encoding';
}
