/**
 * The upstream of the bench: `node bench/target.ts`. Bare sockets, so that it costs little beside what is measured.
 * `GET /bench/BYTES` and `GET /bench/chunked` give the body of `bench/body.ts`; `POST /bench/upload` takes it, checks
 * every byte and answers 1024; `GET /received` says how many other requests came. Prints `{"ready":true,"port":N}`.
 */
import net from 'node:net';
import { type Body, CHUNK_BYTES, CHUNKED_BYTES, isPiece, piece, sendBody } from './body.ts';
import { listenAndSay } from './listening.ts';

const END = Buffer.from('\r\n\r\n');
const NOTHING: Buffer = Buffer.alloc(0);
/** Larger answers are written piece by piece, as fast as they are read. */
const AT_ONCE_BYTES_MAX = 262_144;
const ready = new Map<string, Buffer>();
let received = 0;

const server = net.createServer({ noDelay: true }, (socket) => {
  let held: Buffer = NOTHING;
  let upload: { readonly bytes: number; got: number } | null = null;
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    const at = takeUpload(bytes, 0);
    if (at === bytes.length) return;
    const rest = held.length === 0 ? bytes.subarray(at) : Buffer.concat([held, bytes]);
    held = NOTHING;
    take(rest);
  });

  function take(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(END, at);
      if (end === -1) {
        held = bytes.subarray(at);
        return;
      }
      const head = bytes.toString('latin1', at, end + 2);
      at = end + END.length;
      if (head.startsWith('POST ')) {
        received += 1;
        upload = { bytes: Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? Number.NaN), got: 0 };
        if (Number.isNaN(upload.bytes)) {
          refuse('no content-length');
          return;
        }
        at = takeUpload(bytes, at);
      } else answer(socket, head);
    }
  }

  /** Where the upload ends within `bytes`. */
  function takeUpload(bytes: Buffer, at: number): number {
    if (upload === null) return at;
    const end = Math.min(bytes.length, at + upload.bytes - upload.got);
    if (!isPiece(upload.got, bytes, at, end)) refuse('another body');
    upload.got += end - at;
    if (upload.got === upload.bytes) {
      upload = null;
      socket.write(answerOf(1_024));
    }
    return end;
  }

  function refuse(why: string): void {
    process.stderr.write(`wrong upload: ${why}\n`);
    socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  }
});

listenAndSay(server);

function answer(socket: net.Socket, head: string): void {
  const path = head.slice(4, head.indexOf(' ', 4));
  if (path === '/received') {
    const text = String(received);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    return;
  }
  received += 1;
  const known = ready.get(path);
  if (known !== undefined) {
    socket.write(known);
    return;
  }
  const name = path.slice('/bench/'.length);
  const body: Body = name === 'chunked' ? name : Number(name);
  if (body !== 'chunked' && !Number.isInteger(body)) {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  } else if (body === 'chunked' || body <= AT_ONCE_BYTES_MAX) {
    const made = answerOf(body);
    ready.set(path, made);
    socket.write(made);
  } else stream(socket, body);
}

function stream(socket: net.Socket, bytes: number): void {
  socket.write(headOf(bytes));
  sendBody(socket, bytes);
}

function answerOf(body: Body): Buffer {
  const parts: Buffer[] = [Buffer.from(headOf(body))];
  if (body === 'chunked') {
    for (let at = 0; at < CHUNKED_BYTES; at += CHUNK_BYTES)
      parts.push(Buffer.from(`${CHUNK_BYTES.toString(16)}\r\n`), piece(at, CHUNK_BYTES), Buffer.from('\r\n'));
    parts.push(Buffer.from('0\r\n\r\n'));
  } else {
    for (let at = 0; at < body; ) {
      const next = piece(at, body - at);
      parts.push(next);
      at += next.length;
    }
  }
  return Buffer.concat(parts);
}

function headOf(body: Body): string {
  const framing = body === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${body}`;
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${framing}\r\n\r\n`;
}
