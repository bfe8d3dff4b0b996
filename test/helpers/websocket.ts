import { createHash } from 'node:crypto';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { createWatch } from './watch.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** An RFC 6455 server that sends every message back. A close frame is answered with its own code. */
export interface EchoServer {
  readonly origin: string;
  /** Codes of the close frames received, in order. */
  readonly closeCodes: readonly number[];
  /** Open tunnels. */
  open(): number;
  /** Resolves when so many tunnels are open. */
  opened(n: number): Promise<void>;
  /** Sends a close frame with this code to all. */
  closeAll(code: number): void;
  /** Ends all without a word. */
  destroyAll(): void;
}

/** Starts it on a free port; closed with the test. */
export async function echoServer(): Promise<EchoServer> {
  const sockets = new Set<Duplex>();
  const closeCodes: number[] = [];
  const watch = createWatch();
  const server = http.createServer((_req, res) => res.writeHead(426).end());
  server.on('upgrade', (req, socket) => {
    const key = req.headers['sec-websocket-key'] ?? '';
    const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    sockets.add(socket);
    watch.wake();
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      sockets.delete(socket);
      watch.wake();
    });
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (let next = readFrame(rest); next !== null; next = readFrame(rest)) {
        rest = rest.subarray(next.length);
        const { opcode, payload } = next.frame;
        if (opcode === TEXT || opcode === BINARY) socket.write(writeFrame(next.frame));
        if (opcode !== CLOSE) continue;
        closeCodes.push(payload.length < 2 ? 1005 : payload.readUInt16BE(0));
        socket.end(writeFrame(next.frame));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    destroyAll();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    origin: `http://127.0.0.1:${port}`,
    closeCodes,
    open: () => sockets.size,
    opened: (n) => watch.until(() => sockets.size === n),
    closeAll(code) {
      const payload = Buffer.alloc(2);
      payload.writeUInt16BE(code);
      for (const socket of sockets) socket.write(writeFrame({ opcode: CLOSE, payload }));
    },
    destroyAll,
  };
}

/** The first whole frame, unmasked; null while it is not whole. Messages of several frames are not known. */
function readFrame(bytes: Buffer): { readonly frame: Frame; readonly length: number } | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const masked = second >= 0x80;
  const head = 2 + extended + (masked ? 4 : 0);
  if (bytes.length < head) return null;
  const size = extended === 0 ? short : bytes.readUIntBE(extended === 2 ? 2 : 4, extended === 2 ? 2 : 6);
  if (bytes.length < head + size) return null;
  const payload = Buffer.from(bytes.subarray(head, head + size));
  const mask = bytes.subarray(head - 4, head);
  if (masked) for (let i = 0; i < size; i += 1) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { frame: { opcode: first & 0x0f, payload }, length: head + size };
}

/** One frame, final and not masked. */
function writeFrame({ opcode, payload }: Frame): Buffer {
  const size = payload.length;
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = size < 126 ? size : size < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(size, 2);
  if (head.length === 10) head.writeUIntBE(size, 4, 6);
  return Buffer.concat([head, payload]);
}
