import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';
import { type Json, toJson } from './json.ts';

/** Bodies above this many bytes are gzipped for clients that ask for it. */
const GZIP_ABOVE_BYTES = 1_024;

/** Sends a JSON document with Content-Length, gzipped on request when it is large enough. */
export function sendJson(req: Request, res: Response, status: number, value: Json): void {
  sendText(req, res, status, 'application/json; charset=utf-8', toJson(value));
}

export function sendHtml(req: Request, res: Response, status: number, html: string): void {
  sendText(req, res, status, 'text/html; charset=utf-8', html);
}

/** The one way out for a body. A HEAD request gets the Content-Length its GET would have had. */
export function sendText(req: Request, res: Response, status: number, type: string, text: string): void {
  const plain = Buffer.from(text, 'utf8');
  const gzip = plain.length > GZIP_ABOVE_BYTES && acceptsGzip(req);
  const body = gzip ? gzipSync(plain, { level: 1 }) : plain;
  res.status(status).set('Content-Type', type).set('Vary', 'Accept-Encoding');
  if (gzip) res.set('Content-Encoding', 'gzip');
  res.set('Content-Length', String(body.length)).end(body);
}

/** A redirect whose body names no address. */
export function redirect(res: Response, status: 301 | 302, location: string): void {
  const body = '<p>Moved.</p>';
  res.status(status).set('Location', location).set('Content-Type', 'text/html; charset=utf-8');
  res.set('Content-Length', String(body.length)).end(body);
}

function acceptsGzip(req: Request): boolean {
  return req.acceptsEncodings('gzip') === 'gzip';
}

/** Sixteen random hex digits in `X-Request-Id`, and in the body of every v1 answer. */
export function stampRid(res: Response, rid: string): string {
  res.set('X-Request-Id', rid);
  return rid;
}
