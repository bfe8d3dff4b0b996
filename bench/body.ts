/** What the target answers with: so many bytes with a Content-Length, or `chunked`: {@link CHUNKED_BYTES} in pieces. */
export type Body = number | 'chunked';

export const CHUNKED_BYTES = 10_240;
export const CHUNK_BYTES = 1_024;

/** Prime, so that a piece that is lost, doubled or moved never looks right by chance. */
const PERIOD = 65_521;
const twice = Buffer.alloc(2 * PERIOD);
for (let at = 0, seed = 1; at < PERIOD; at += 1) {
  seed = (seed * 48_271) % 2_147_483_647;
  twice[at] = 33 + (seed % 94);
  twice[at + PERIOD] = 33 + (seed % 94);
}

/** Bytes of the body from offset `from`: `length` of them, at most 65,521. Shared memory: read only. */
export function piece(from: number, length: number): Buffer {
  const start = from % PERIOD;
  return twice.subarray(start, start + Math.min(length, PERIOD));
}

/** Whether `bytes` from `start` to `end` are what the body has from offset `from`. Looks at every byte, copies none. */
export function isPiece(from: number, bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += PERIOD) {
    const length = Math.min(PERIOD, end - at);
    const expected = (from + at - start) % PERIOD;
    if (bytes.compare(twice, expected, expected + length, at, at + length) !== 0) return false;
  }
  return true;
}

export function bytesOf(body: Body): number {
  return body === 'chunked' ? CHUNKED_BYTES : body;
}

/** Sends that many bytes of a body, as fast as they are taken. */
export function sendBody(socket: NodeJS.WritableStream, bytes: number): void {
  let sent = 0;
  const more = (): void => {
    while (sent < bytes) {
      const next = piece(sent, bytes - sent);
      sent += next.length;
      if (!socket.write(next)) return;
    }
    socket.off('drain', more);
  };
  socket.on('drain', more);
  more();
}
