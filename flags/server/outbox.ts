import type { Response } from 'express';

/** Handed to the socket at a time. What waits here is shared by all streams, what lies in a socket is not. */
const PIECE_BYTES = 64 * 1024;

/** What a stream still has to send, in order. */
export interface Outbox {
  push(bytes: Buffer): void;
  unsentBytes(): number;
  /** The client takes nothing at the moment. */
  isBlocked(): boolean;
  /** Blocked ever since this was asked the last time. */
  isStuck(): boolean;
}

/** Writes to `response` as fast as it takes it. After the response is destroyed nothing may be pushed. */
export function createOutbox(response: Response): Outbox {
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let isBlocked = false;
  let drains = 0;
  let drainsSeen = -1;

  function pump(): void {
    while (!isBlocked) {
      const [head] = waiting;
      if (head === undefined) return;
      const piece = head.subarray(0, PIECE_BYTES);
      if (piece.length === head.length) waiting.shift();
      else waiting[0] = head.subarray(PIECE_BYTES);
      waitingBytes -= piece.length;
      isBlocked = !response.write(piece);
    }
  }

  response.on('drain', () => {
    isBlocked = false;
    drains += 1;
    pump();
  });

  return {
    push(bytes) {
      waiting.push(bytes);
      waitingBytes += bytes.length;
      pump();
    },
    unsentBytes: () => waitingBytes + response.writableLength,
    isBlocked: () => isBlocked,
    isStuck() {
      const stuck = isBlocked && drains === drainsSeen;
      drainsSeen = drains;
      return stuck;
    },
  };
}
