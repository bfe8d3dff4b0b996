/** A raw TCP upstream: every connection is handed to the script, with the bytes of each request head. */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawUpstream {
  readonly origin: string;
  /** Heads received, in order. */
  readonly heads: string[];
  readonly server: Server;
}

/** `onHead` is called once per request head, with the number of heads of this upstream before it. */
export async function rawUpstream(onHead: (socket: Socket, index: number) => void): Promise<RawUpstream> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {
      // The other end hangs up in many of these tests.
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        heads.push(text.slice(0, end));
        text = text.slice(end + 4);
        onHead(socket, heads.length - 1);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { origin: `http://127.0.0.1:${port}`, heads, server };
}

/** A whole JSON answer with its length, on a connection that stays open. */
export function jsonAnswer(body: string, status = '200 OK', fields = ''): string {
  const length = Buffer.byteLength(body);
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${fields}\r\n${body}`;
}
