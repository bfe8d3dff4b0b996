import type { Socket } from 'node:net';

/** Up to here a slice is copied into the text it travels with: one write costs more than the copy. */
const SMALL_BYTES = 8_192;

/**
 * What goes out on a socket in one tick: head, chunk lines and small slices become one write, large slices are
 * handed on as they are. A class because one belongs to each connection for its whole life.
 */
export class Outgoing {
  readonly #socket: Socket;
  /** Latin1, one character per byte. */
  #held = '';

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  text(text: string): void {
    this.#held += text;
  }

  /** `bytes` may be changed by the caller as soon as this returns. */
  bytes(bytes: Buffer, from: number, to: number): void {
    if (to - from <= SMALL_BYTES) {
      this.#held += bytes.toString('latin1', from, to);
      return;
    }
    const slice = Buffer.from(bytes.subarray(from, to));
    if (this.#held === '') this.#socket.write(slice);
    else {
      this.#socket.cork();
      this.flush();
      this.#socket.write(slice);
      this.#socket.uncork();
    }
  }

  /** Hands over what is held. False: the socket has enough, wait for its `drain`. */
  flush(): boolean {
    if (this.#held !== '') {
      const text = this.#held;
      this.#held = '';
      this.#socket.write(text, 'latin1');
    }
    return !this.#socket.writableNeedDrain;
  }
}
