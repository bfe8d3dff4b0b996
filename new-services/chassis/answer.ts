import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';
import type { Exposures } from './exposures.ts';
import { type Json, writeJson } from './json.ts';
import type { Switches } from './switches.ts';

/** Legacy compresses bodies above this many bytes. */
const GZIP_ABOVE_BYTES = 1_024;

export interface Answerer {
  json(req: Request, res: Response, status: number, value: Json): void;
  html(req: Request, res: Response, status: number, html: string): void;
  /** A script: text whose bytes matter, so its members stay in legacy's order. */
  script(req: Request, res: Response, callback: string, value: Json): void;
  redirect(res: Response, status: 301 | 302, location: string): void;
  /** The id of one answer, in `X-Request-Id` and for the body. */
  rid(req: Request, res: Response): string;
}

/** How services answer: identity coding, chunked, members in another order than legacy, unless a switch says not to. */
export function createAnswerer(deps: {
  readonly switches: Switches;
  readonly exposures: Exposures;
  readonly newRid: () => string;
}): Answerer {
  const { switches, exposures, newRid } = deps;

  function text(req: Request, res: Response, status: number, type: string, body: string): void {
    const plain = Buffer.from(body, 'utf8');
    const compressible = plain.length > GZIP_ABOVE_BYTES && req.acceptsEncodings('gzip') === 'gzip';
    const zip = compressible && !switches.decoys.has('D11');
    if (compressible && !zip) exposures.count('D11');
    res.set('Content-Type', type).set('Vary', 'Accept-Encoding');
    if (zip) res.set('Content-Encoding', 'gzip');
    send(res, status, zip ? gzipSync(plain, { level: 1 }) : plain);
  }

  function json(req: Request, res: Response, status: number, value: Json): void {
    let body = writeJson(value, 'as-written');
    if (switches.decoys.has('D13')) {
      const reversed = writeJson(value, 'reversed');
      if (reversed !== body && req.method !== 'HEAD') exposures.count('D13');
      body = reversed;
    }
    text(req, res, status, 'application/json; charset=utf-8', body);
  }

  function rid(req: Request, res: Response): string {
    const random = switches.decoys.has('D01');
    if (random) exposures.count('D01');
    const value = random ? newRid() : steadyRid(req);
    res.set('X-Request-Id', value);
    return value;
  }

  return {
    json,
    rid,
    html: (req, res, status, html) => text(req, res, status, 'text/html; charset=utf-8', html),
    script: (req, res, callback, value) =>
      text(
        req,
        res,
        200,
        'application/javascript; charset=utf-8',
        `${callback}(${writeJson(value, 'as-written')});`,
      ),
    redirect: (res, status, location) => {
      res.set('Location', location).set('Content-Type', 'text/html; charset=utf-8');
      send(res, status, Buffer.from('<p>Moved.</p>'));
    },
  };
}

/** With the head written first, Node does not know the length and sends the body chunked. */
function send(res: Response, status: number, body: Buffer): void {
  res.writeHead(status);
  res.end(body);
}

/** The same request always gets the same id. */
function steadyRid(req: Request): string {
  return createHash('sha256').update(`${req.method} ${req.originalUrl}`).digest('hex').slice(0, 16);
}
