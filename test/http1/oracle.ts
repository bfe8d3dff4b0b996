/** What the strict parser of `node:http` makes of bytes, without a socket. */
import http, { type IncomingMessage, type RequestOptions, type ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

export interface OracleMessage {
  readonly method: string;
  /** Target of a request, status of an answer. */
  readonly start: string;
  readonly version: string;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  readonly complete: boolean;
  readonly keepsOpen: boolean;
}

export interface OracleReading {
  readonly messages: readonly OracleMessage[];
  /** Code of the parser's error, or null. */
  readonly fault: string | null;
}

/** One connection in memory: hears piece by piece and then FIN; what is written to it goes nowhere. */
class Wire extends Duplex {
  readonly seen: (() => OracleMessage)[] = [];
  fault: string | null = null;

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }

  hears(pieces: readonly string[]): void {
    for (const piece of pieces) if (piece !== '') this.push(Buffer.from(piece, 'latin1'));
    this.push(null);
  }

  fails(error: Error): void {
    this.fault ??= 'code' in error ? String(error.code) : error.message;
  }

  reading(): OracleReading {
    const messages = this.seen.map((message) => message());
    this.destroy();
    return { messages, fault: this.fault };
  }
}

const HEAD_BYTES_MAX = 1 << 20;
/** Connections that are open at once. */
const BATCH = 256;

const SERVERS = { strict: oracleServer(false), lenient: oracleServer(true) };

function oracleServer(insecureHTTPParser: boolean): http.Server {
  const server = http.createServer({
    ...{ maxHeaderSize: HEAD_BYTES_MAX, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
    insecureHTTPParser,
  });
  server.maxHeadersCount = 0;
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      if (request.socket instanceof Wire) {
        request.socket.seen.push(observed(request, () => response.shouldKeepAlive));
      }
    });
  }
  return server.on('clientError', (error, socket) => {
    if (socket instanceof Wire) socket.fails(error);
  });
}

/** The requests in each of `streams`, which come in pieces. `lenient`: with `insecureHTTPParser`. */
export async function oracleRequests(
  streams: readonly (readonly string[])[],
  parser: keyof typeof SERVERS = 'strict',
): Promise<OracleReading[]> {
  return inBatches(streams, (pieces) => {
    const wire = new Wire();
    SERVERS[parser].emit('connection', wire);
    wire.hears(pieces);
    return wire;
  });
}

/** The answers in each of `streams`, up to the first final one. */
export async function oracleAnswers(
  streams: readonly { readonly method: string; readonly bytes: string }[],
): Promise<OracleReading[]> {
  return inBatches(streams, ({ method, bytes }) => {
    const wire = new Wire();
    const options: RequestOptions = { method, maxHeaderSize: HEAD_BYTES_MAX, createConnection: () => wire };
    const request = http.request(options);
    request.maxHeadersCount = 0;
    // Without an agent it would not say whether the answer lets the connection live.
    request.shouldKeepAlive = true;
    const { seen } = wire;
    request.on('information', ({ statusCode, rawHeaders, httpVersion: version }) => {
      const start = String(statusCode);
      seen.push(() => ({
        ...{ method, start, version, fields: rawHeaders, body: '', trailers: [] },
        ...{ complete: true, keepsOpen: true },
      }));
    });
    request.on('response', (response) => {
      seen.push(observed(response, () => request.shouldKeepAlive, method));
    });
    request.on('upgrade', (response) => {
      seen.push(observed(response, () => false, method));
    });
    request.on('error', (error) => wire.fails(error));
    request.end();
    wire.hears([bytes]);
    return wire;
  });
}

async function inBatches<T>(streams: readonly T[], open: (stream: T) => Wire): Promise<OracleReading[]> {
  const readings: OracleReading[] = [];
  for (let from = 0; from < streams.length; from += BATCH) {
    const wires = streams.slice(from, from + BATCH).map(open);
    // Everything is in memory: after two turns of the loop nothing moves any more.
    await setImmediate();
    await setImmediate();
    for (const wire of wires) readings.push(wire.reading());
  }
  return readings;
}

function observed(message: IncomingMessage, keepsOpen: () => boolean, method = ''): () => OracleMessage {
  let body = '';
  message.on('data', (bytes: Buffer) => {
    body += bytes.toString('latin1');
  });
  // A cut message is seen by `complete`.
  message.on('error', () => {});
  return () => ({
    method: message.method ?? method,
    start: message.url === '' || message.url === undefined ? String(message.statusCode) : message.url,
    version: message.httpVersion,
    fields: message.rawHeaders,
    body,
    trailers: message.rawTrailers,
    complete: message.complete,
    keepsOpen: keepsOpen(),
  });
}
