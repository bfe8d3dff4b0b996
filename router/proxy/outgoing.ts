import type { Socket } from 'node:net';
import { chunkLine } from '../http1/serialise.ts';

/** Up to here a slice is copied into the text it travels with: one write costs more than the copy. */
export const COPIED_BYTES = 4_096;

/** Those that have something to send in this turn of the event loop. */
let sending: Outgoing[] = [];

/**
 * All small writes of one turn of the event loop go out together, when the sockets that were ready have been read.
 * Nothing waits for a later turn; but a peer that slept is woken once for what one turn has for it, and the next
 * event of ours does not wait for the kernel to wake it (a tenth to a seventh of all time, measured).
 */
function sendAll(): void {
  const all = sending;
  sending = [];
  for (const out of all) out.send();
}

/**
 * What goes out on a socket in one tick: head, chunk lines and small slices become one write, larger slices are
 * handed on as they are and must stay as they are until `flush` says true or the socket drains. The socket's high
 * water mark is not above COPIED_BYTES, so that a larger slice that does not go out at once always asks for that.
 * A class because one belongs to each connection for its whole life.
 */
export class Outgoing {
  readonly #socket: Socket;
  /** Latin1, one character per byte. */
  #held = '';
  /** Latin1: data of a chunk whose line is not written yet. */
  #chunk = '';
  readonly #spent: Buffer[] = [];
  readonly #copies: boolean;
  #listed = false;

  /**
   * `borrowed`: whoever hands large slices over fills them again as soon as it may, so that a socket which would take
   * another one while they wait (TLS: its high water mark cannot be set) gets copies.
   */
  constructor(socket: Socket, borrowed: boolean) {
    this.#socket = socket;
    this.#copies = borrowed && socket.writableHighWaterMark > COPIED_BYTES;
  }

  text(text: string): void {
    this.#closeChunk();
    this.#held += text;
  }

  /** Data of a chunked body. What comes of it in one tick is one chunk: a flood of tiny chunks ends here. */
  chunked(bytes: Buffer, from: number, to: number): void {
    if (to - from <= COPIED_BYTES) this.#chunk += bytes.toString('latin1', from, to);
    else {
      this.text(chunkLine(to - from));
      this.bytes(bytes, from, to);
      this.text('\r\n');
    }
  }

  bytes(bytes: Buffer, from: number, to: number): void {
    if (to - from <= COPIED_BYTES) {
      this.#held += bytes.toString('latin1', from, to);
      return;
    }
    const part = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
    const slice = this.#copies ? Buffer.from(part) : part;
    if (this.#held === '') this.#socket.write(slice);
    else {
      this.#socket.cork();
      this.send();
      this.#socket.write(slice);
      this.#socket.uncork();
    }
  }

  /**
   * Nobody will read this slice again, which a socket has filled for us alone, once it is out: its memory is given
   * back then and there. The collector would let 64 MiB of such slices pile up first.
   */
  spend(bytes: Buffer): void {
    if (bytes.length <= COPIED_BYTES || bytes.length !== bytes.buffer.byteLength) return;
    this.#spent.push(bytes);
    this.settle();
  }

  /** Gives back what was spent, if all of it is out. */
  settle(): void {
    if (this.#spent.length === 0 || this.#socket.writableLength > 0) return;
    for (const { buffer } of this.#spent) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    this.#spent.length = 0;
  }

  /** What is held leaves in this turn of the event loop. False: the socket has enough, wait for its `drain`. */
  flush(): boolean {
    if (this.#holds && !this.#listed) {
      this.#listed = true;
      sending.push(this);
      if (sending.length === 1) setImmediate(sendAll);
    }
    return !this.#socket.writableNeedDrain;
  }

  /** What is held leaves now. */
  send(): void {
    this.#closeChunk();
    const text = this.#held;
    this.#held = '';
    this.#listed = false;
    if (text !== '' && this.#socket.writable) this.#socket.write(text, 'latin1');
  }

  /** Everything is with the kernel. */
  get empty(): boolean {
    return !this.#holds && this.#socket.writableLength === 0;
  }

  get #holds(): boolean {
    return this.#held !== '' || this.#chunk !== '';
  }

  #closeChunk(): void {
    if (this.#chunk === '') return;
    this.#held += `${chunkLine(this.#chunk.length)}${this.#chunk}\r\n`;
    this.#chunk = '';
  }
}
