import net from 'node:net';
import { onTestFinished } from 'vitest';
import { type Message, parseMessage } from './raw-http.ts';
import { createWatch } from './watch.ts';

/** One request as it came over the wire. */
export interface Heard extends Message {
  /** Which connection it came on, from 1. */
  readonly connection: number;
  readonly socket: net.Socket;
}

export interface RawUpstream {
  readonly port: number;
  readonly origin: string;
  /** Requests in order of arrival; a body is what had come with the head or fits its Content-Length. */
  readonly heard: readonly Heard[];
  /** Everything any connection received, latin1. */
  bytes(): string;
  connections(): number;
  open(): number;
  /** Resolves with the n-th request (from 1). */
  request(n: number): Promise<Heard>;
  destroyAll(): void;
  /** Says bytes on every open connection. */
  say(bytes: string): void;
  /** Lets everything that still comes wait in the kernel. */
  stopReading(): void;
  /** Resolves once these bytes have come, on whatever connection. */
  received(text: string): Promise<void>;
  /** Resolves when no connection is open any more. */
  allClosed(): Promise<void>;
}

/** What to do when the head of a request has come: bytes to say, or any script on the socket. */
export type Script = string | ((heard: Heard, n: number) => string | undefined);

/**
 * A scripted TCP server that reads HTTP heads strictly enough to count requests, and says raw bytes. `at` is when the
 * script runs: when a request is whole, or (one request a connection) as soon as its head is.
 */
export async function rawUpstream(script: Script, at: 'head' | 'whole' = 'whole'): Promise<RawUpstream> {
  const heard: Heard[] = [];
  const sockets = new Set<net.Socket>();
  const watch = createWatch();
  let bytes = '';
  let connections = 0;
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    const connection = connections;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      sockets.delete(socket);
      watch.wake();
    });
    let buffer = '';
    socket.on('data', (data) => {
      const text = data.toString('latin1');
      bytes += text;
      watch.wake();
      buffer += text;
      const lengthOf = at === 'head' ? headLength : messageLength;
      for (let length = lengthOf(buffer); length !== null; length = lengthOf(buffer)) {
        const request = { ...parseMessage(buffer.slice(0, length)), connection, socket };
        buffer = buffer.slice(length);
        heard.push(request);
        const answer = typeof script === 'string' ? script : script(request, heard.length);
        if (answer !== undefined) socket.write(answer, 'latin1');
        watch.wake();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    heard,
    bytes: () => bytes,
    connections: () => connections,
    open: () => sockets.size,
    async request(n) {
      await watch.until(() => heard.length >= n);
      const request = heard[n - 1];
      if (request === undefined) throw new RangeError(`there is no request ${n}`);
      return request;
    },
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
    say(text) {
      for (const socket of sockets) socket.write(text, 'latin1');
    },
    stopReading() {
      for (const socket of sockets) socket.pause();
    },
    received: (text) => watch.until(() => bytes.includes(text)),
    allClosed: () => watch.until(() => sockets.size === 0),
  };
}

/** An answer with a body of known length. */
export function ok(body: string, fields = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
}

function headLength(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  return end === -1 ? null : end + 4;
}

/** Bytes of the first whole request, or null while it is not whole. */
function messageLength(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = text.slice(0, end + 2).toLowerCase();
  const from = end + 4;
  if (head.includes('\r\ntransfer-encoding: chunked\r\n')) {
    const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(from));
    return last === null ? null : from + last.index + last[0].length;
  }
  const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
  return text.length >= from + length ? from + length : null;
}

/** A port of this machine on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A TCP server that says one thing to whatever it hears first. */
export async function plainTcp(says: string): Promise<{ readonly origin: string }> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(says));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return { origin: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}` };
}
