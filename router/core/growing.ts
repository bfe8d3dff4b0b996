/** Bytes that come in pieces, kept in one buffer: of pieces of one byte each a list would take 200 times as much. */
export interface Growing {
  readonly length: number;
  /** Copies the piece: a kept slice would pin the whole read buffer it belongs to. */
  append(piece: Uint8Array): void;
  /** Everything so far; it does not change when more comes. */
  whole(): Uint8Array;
}

/** Takes at most twice the memory of what it holds, and just that of a single piece, which `copy` copies. */
export function createGrowing(
  copy: (bytes: Uint8Array) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Growing {
  let room: Uint8Array | null = null;
  let length = 0;
  return {
    get length() {
      return length;
    },
    append(piece) {
      if (room === null) room = copy(piece);
      else {
        if (length + piece.length > room.length) {
          const larger: Uint8Array = new Uint8Array(Math.max(length + piece.length, 2 * length));
          larger.set(room.subarray(0, length));
          room = larger;
        }
        room.set(piece, length);
      }
      length += piece.length;
    },
    whole() {
      if (room === null) return new Uint8Array(0);
      return length === room.length ? room : room.slice(0, length);
    },
  };
}
