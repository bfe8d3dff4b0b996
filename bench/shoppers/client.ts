import { Agent, type IncomingMessage, request } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface Outgoing {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface Incoming {
  readonly status: number;
  readonly setCookies: readonly string[];
  readonly text: string;
}

export interface Client {
  /** One request, no redirect followed. Rejects when the connection fails or an answer breaks a limit. */
  send(outgoing: Outgoing): Promise<Incoming>;
  /** Cuts everything that is open. */
  close(): void;
}

const TIMEOUT_MS = 10_000;
const BODY_BYTES_MAX = 4_194_304;

/** A client with kept connections to one origin, `socketsMax` at most. */
export function createClient(origin: string, socketsMax: number): Client {
  const { hostname, port } = new URL(origin);
  const agent = new Agent({ keepAlive: true, maxSockets: socketsMax });

  function once({ method, path, headers, body }: Outgoing): Promise<Incoming & { readonly stale: boolean }> {
    return new Promise((resolve, reject) => {
      const all = { 'Accept-Encoding': 'gzip', ...headers };
      const req = request({ host: hostname, port, method, path, headers: all, agent, timeout: TIMEOUT_MS });
      req.on('timeout', () => req.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      req.on('error', (error) => {
        // A kept connection that the server had already closed says nothing about the request.
        const stale = req.reusedSocket && method !== 'POST' && 'code' in error && error.code === 'ECONNRESET';
        if (stale) resolve({ status: 0, setCookies: [], text: '', stale: true });
        else reject(error);
      });
      req.on('response', (res) => {
        readBody(
          res,
          (bytes) => {
            const gzip = res.headers['content-encoding'] === 'gzip' && bytes.length > 0;
            const text = (gzip ? gunzipSync(bytes) : bytes).toString('utf8');
            resolve({
              status: res.statusCode ?? 0,
              setCookies: res.headers['set-cookie'] ?? [],
              text,
              stale: false,
            });
          },
          reject,
        );
      });
      req.end(body ?? undefined);
    });
  }

  async function send(outgoing: Outgoing): Promise<Incoming> {
    const first = await once(outgoing);
    if (!first.stale) return first;
    const second = await once(outgoing);
    if (second.stale) throw new Error('two kept connections in a row were closed');
    return second;
  }

  return { send, close: () => agent.destroy() };
}

function readBody(res: IncomingMessage, done: (bytes: Buffer) => void, failed: (error: Error) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  res.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > BODY_BYTES_MAX) res.destroy(new Error(`an answer above ${BODY_BYTES_MAX} bytes`));
  });
  res.on('error', failed);
  res.on('end', () => done(Buffer.concat(chunks)));
}
