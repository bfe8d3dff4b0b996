import type { IncomingMessage, ServerResponse } from 'node:http';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { MountOptions } from './options.ts';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Answers an OPTIONS that may go no further. Source: RFC 9110 §7.6.2. */
export function replyOptions(res: ServerResponse, requestId: string): void {
  res.writeHead(200, ['Allow', METHODS, 'Content-Length', '0', 'X-Request-Id', requestId]);
  res.end();
}

/**
 * Answers with one row of the error table: a constant sentence and the request id, no address, side or version.
 * `close`: the connection ends behind it, our direction at once; an unread request body is read and thrown away
 * within limits, because closing with unread bytes makes the kernel send RST, which can erase the answer.
 */
export function replyError(
  req: IncomingMessage,
  res: ServerResponse,
  code: ErrorCode,
  requestId: string,
  close: boolean,
  limits: Pick<MountOptions, 'lingerMs' | 'lingerBytesMax'>,
): void {
  const { status, text } = ERRORS[code];
  const body = Buffer.from(`${text}\nrequest ${requestId}\n`, 'latin1');
  const fields = [
    ...['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'],
    ...['Content-Length', String(body.length), 'X-Request-Id', requestId],
  ];
  if (status === 405) fields.push('Allow', METHODS);
  if (status === 503) fields.push('Retry-After', '1');
  if (close) fields.push('Connection', 'close');
  res.writeHead(status, fields);
  const { socket } = res;
  if (!close || req.complete || socket === null) {
    res.end(body);
    return;
  }
  res.write(body);
  res.flushHeaders(); // HEAD: a body is never written, and without one no head.
  socket.end();
  discardBody(req, limits, () => {
    if (socket.writableFinished) socket.destroy();
    else socket.once('finish', () => socket.destroy());
  });
}

/** Reads what is left of a request body and drops it; `done` once, at its end or at the first limit. */
export function discardBody(
  req: IncomingMessage,
  limits: Pick<MountOptions, 'lingerMs' | 'lingerBytesMax'>,
  done: (whole: boolean) => void,
): void {
  if (req.complete || req.destroyed) {
    done(req.complete);
    return;
  }
  let left = limits.lingerBytesMax;
  const timer = setTimeout(() => finish(false), limits.lingerMs);
  function finish(whole: boolean): void {
    clearTimeout(timer);
    req.off('data', onData).off('end', onEnd).off('close', onClose);
    done(whole);
  }
  const onEnd = (): void => finish(true);
  const onClose = (): void => finish(false);
  function onData(chunk: Uint8Array): void {
    left -= chunk.length;
    if (left < 0) finish(false);
  }
  req.on('data', onData).on('end', onEnd).on('close', onClose);
  req.resume();
}
