/** What turns bodies into documents; undoes content codings within a byte limit (RFC 9110 §8.4; zstd RFC 8878). */
import zlib from 'node:zlib';
import type { Readers } from '../core/compare/body.ts';
import type { Inflate, Inflated } from '../core/compare/comparison.ts';
import { readHtml } from './html.ts';
import { sameBytes } from './identical.ts';
import { readXml } from './xml.ts';

interface Options {
  readonly maxOutputLength: number;
  readonly info: true;
}

type Undo = (body: Uint8Array, options: Options) => Uint8Array | Inflated;

/** More codings on one answer than anybody stacks in earnest. */
const CODINGS_MAX = 4;

const CODINGS: ReadonlyMap<string, Undo> = new Map<string, Undo>([
  ['gzip', (body, options) => whole(body, zlib.gunzipSync(body, options))],
  ['x-gzip', (body, options) => whole(body, zlib.gunzipSync(body, options))],
  ['deflate', undeflate],
  ['br', (body, options) => whole(body, zlib.brotliDecompressSync(body, options))],
  ['zstd', (body, options) => whole(body, zlib.zstdDecompressSync(body, options))],
]);

/** Everything `compare` is handed to read bodies with. */
export function createReaders(decodedBytesMax: number): Readers {
  return { inflate: createInflate(decodedBytesMax), markup: { xml: readXml, html: readHtml }, sameBytes };
}

/**
 * `decodedBytesMax`: bytes that one side may grow to; the limit holds at every step of stacked codings. Bytes after
 * the end of the coded data make it unreadable; several gzip members are one body; no bytes are an empty body.
 */
function createInflate(decodedBytesMax: number): Inflate {
  const options: Options = { maxOutputLength: decodedBytesMax, info: true };
  return (body, codings) => {
    if (body.length > decodedBytesMax) return { kind: 'too-large' };
    if (codings.length > CODINGS_MAX) return { kind: 'unreadable' };
    let bytes = body;
    for (const coding of codings.toReversed()) {
      const undo = CODINGS.get(coding);
      if (undo === undefined) return { kind: 'unknown-coding' };
      if (bytes.length === 0) break;
      const undone = attempt(undo, bytes, options);
      if (undone.kind !== 'bytes') return undone;
      bytes = undone.bytes;
    }
    return { kind: 'bytes', bytes };
  };
}

function attempt(undo: Undo, bytes: Uint8Array, options: Options): Inflated {
  try {
    const undone = undo(bytes, options);
    return undone instanceof Uint8Array ? { kind: 'bytes', bytes: undone } : undone;
  } catch (error) {
    const large = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return { kind: large ? 'too-large' : 'unreadable' };
  }
}

/** `deflate` is zlib data; servers that send it raw are common enough to be read too (RFC 9110 §8.4.1.2). */
function undeflate(body: Uint8Array, options: Options): Uint8Array | Inflated {
  const wrapped = attempt((bytes, o) => whole(bytes, zlib.inflateSync(bytes, o)), body, options);
  return wrapped.kind === 'unreadable' ? whole(body, zlib.inflateRawSync(body, options)) : wrapped;
}

/** With `info`, zlib gives the buffer and the engine that knows how many bytes it took. */
function whole(body: Uint8Array, undone: unknown): Uint8Array | Inflated {
  if (!hasInfo(undone)) return { kind: 'unreadable' };
  return undone.engine.bytesWritten === body.length ? undone.buffer : { kind: 'unreadable' };
}

function hasInfo(value: unknown): value is {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
} {
  return typeof value === 'object' && value !== null && 'buffer' in value && 'engine' in value;
}
