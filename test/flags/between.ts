import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface Scripted {
  readonly status: number;
  readonly body?: unknown;
}

/**
 * Stands between a client and a flag server: what `answer` gives is answered, all else is passed on. Paths are below
 * `/api/admin/`. Closed with the test.
 */
export async function between(
  origin: string,
  answer: (method: string, path: string) => Scripted | null,
): Promise<{ readonly url: string; readonly requests: readonly string[] }> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const path = url.replace(/^\/api\/admin\//, '');
    requests.push(`${method} ${path}`);
    const body = await text(request);
    const scripted = answer(method, path);
    if (scripted !== null) {
      response.writeHead(scripted.status, { 'content-type': 'application/json' });
      response.end(scripted.body === undefined ? '' : JSON.stringify(scripted.body));
      return;
    }
    const passed = await fetch(`${origin}${url}`, {
      method,
      headers: {
        authorization: request.headers.authorization ?? '',
        'content-type': 'application/json',
      },
      ...(body === '' ? {} : { body }),
    });
    response.writeHead(passed.status, { 'content-type': 'application/json' }).end(await passed.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests };
}
