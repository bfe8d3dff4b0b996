import { type Body, sendBody } from './body.ts';

/** How many users the load plays: each request carries the cookie of the next one. */
const USERS = 1_000;

/** Gives the head of the next request: `path` for one user after the other. */
export function createRequests(body: Body, keepAlive: boolean): () => Buffer {
  const close = keepAlive ? '' : 'Connection: close\r\n';
  const heads = Array.from({ length: USERS }, (_, user) =>
    Buffer.from(
      `GET /bench/${body} HTTP/1.1\r\nHost: bench.test\r\nAccept: */*\r\nCookie: theme=dark; session=u${user}\r\n${close}\r\n`,
      'latin1',
    ),
  );
  let next = 0;
  return () => {
    const head = heads[next % USERS];
    next += 1;
    if (head === undefined) throw new RangeError('no such user');
    return head;
  };
}

/** Sends an upload of that many bytes, as fast as it is taken. */
export function sendUpload(socket: NodeJS.WritableStream, bytes: number): void {
  socket.write(`POST /bench/upload HTTP/1.1\r\nHost: bench.test\r\nContent-Length: ${bytes}\r\n\r\n`);
  sendBody(socket, bytes);
}
