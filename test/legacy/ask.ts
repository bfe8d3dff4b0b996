import { type IncomingHttpHeaders, request } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request to a loopback port, answered as it came: no redirect followed, nothing decoded but UTF-8. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes, text: bytes.toString('utf8') });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** A JSON body with `id` members kept as exact text. */
export function exactJson(text: string): unknown {
  return JSON.parse(text.replaceAll(/"id":(\d+)/g, '"id":"$1"'));
}

export const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' } as const;

/** Name=value of the cookie of that name, as a client would send it back. */
export function cookieFrom(reply: Reply, name: string): string {
  const line = (reply.headers['set-cookie'] ?? []).find((text) => text.startsWith(`${name}=`));
  return line?.split(';')[0] ?? '';
}
