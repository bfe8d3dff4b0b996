import { type Body, bytesOf, isPiece } from './body.ts';

/** An answer that is not what the target sent: the run does not count. */
export class WrongAnswer extends Error {}

export interface AnswerReader {
  /** Takes bytes as they come; true when they end the answer. Throws WrongAnswer. */
  read(bytes: Buffer): boolean;
  /** RFC 9112 §9.6: the server closes after the answer that ended last. */
  last(): boolean;
}

type State = 'head' | 'body' | 'size' | 'data' | 'data-end' | 'trailer';

const END = Buffer.from('\r\n\r\n');
const LF = 10;
const HEAD_BYTES_MAX = 65_536;
const NOTHING: Buffer = Buffer.alloc(0);

/** Reads one answer after the other from one connection: status 200, the framing of `body`, and every byte right. */
export function createAnswerReader(body: Body): AnswerReader {
  const whole = bytesOf(body);
  let state: State = 'head';
  let held = NOTHING;
  let line = '';
  let got = 0;
  let chunkLeft = 0;
  let knownHead = '';
  let last = false;

  return { read, last: () => last };

  function read(given: Buffer): boolean {
    let bytes = given;
    let at = 0;
    if (state === 'head') {
      bytes = held.length === 0 ? given : Buffer.concat([held, given]);
      const end = bytes.indexOf(END);
      if (end === -1) {
        if (bytes.length > HEAD_BYTES_MAX) throw new WrongAnswer('a head without end');
        held = bytes;
        return false;
      }
      takeHead(bytes.toString('latin1', 0, end + 2));
      held = NOTHING;
      at = end + END.length;
    }
    while (state !== 'head') {
      if (at === bytes.length && !(state === 'body' && got === whole)) return false;
      at = step(bytes, at);
    }
    if (at !== bytes.length) throw new WrongAnswer('bytes behind the answer');
    return true;
  }

  function takeHead(head: string): void {
    got = 0;
    line = '';
    state = body === 'chunked' ? 'size' : 'body';
    // Most heads are the one before: a Date changes once a second.
    if (head === knownHead) return;
    if (!head.startsWith('HTTP/1.1 200 ')) throw new WrongAnswer(head.slice(0, head.indexOf('\r\n')));
    const framing =
      body === 'chunked' ? /\r\ntransfer-encoding: chunked\r\n/i : `\r\ncontent-length: ${whole}\r\n`;
    const framed = typeof framing === 'string' ? head.toLowerCase().includes(framing) : framing.test(head);
    if (!framed) throw new WrongAnswer(`another framing: ${JSON.stringify(head)}`);
    last = /\r\nconnection: close\r\n/i.test(head);
    knownHead = head;
  }

  function step(bytes: Buffer, at: number): number {
    switch (state) {
      case 'body': {
        const end = takeBody(bytes, at, whole - got);
        if (got === whole) state = 'head';
        return end;
      }
      case 'data': {
        const end = takeBody(bytes, at, chunkLeft);
        chunkLeft -= end - at;
        if (chunkLeft === 0) state = 'data-end';
        return end;
      }
      default:
        return takeLine(bytes, at);
    }
  }

  function takeBody(bytes: Buffer, at: number, most: number): number {
    const end = Math.min(bytes.length, at + most);
    if (got + end - at > whole) throw new WrongAnswer('a longer body');
    if (!isPiece(got, bytes, at, end)) throw new WrongAnswer(`another body near byte ${got}`);
    got += end - at;
    return end;
  }

  function takeLine(bytes: Buffer, at: number): number {
    const lf = bytes.indexOf(LF, at);
    line += bytes.toString('latin1', at, lf === -1 ? bytes.length : lf + 1);
    if (lf === -1) return bytes.length;
    const text = line.slice(0, -2);
    line = '';
    if (state === 'size') takeSize(text);
    else if (text !== '') throw new WrongAnswer(`unexpected ${JSON.stringify(text)} in the chunks`);
    else state = state === 'trailer' ? 'head' : 'size';
    return lf + 1;
  }

  function takeSize(text: string): void {
    if (!/^[0-9a-f]+$/i.test(text)) throw new WrongAnswer(`no chunk size: ${JSON.stringify(text)}`);
    chunkLeft = Number.parseInt(text, 16);
    if (chunkLeft > 0) state = 'data';
    else if (got === whole) state = 'trailer';
    else throw new WrongAnswer('a shorter body');
  }
}
