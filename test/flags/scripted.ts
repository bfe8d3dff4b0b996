import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import type { Finish } from './world.ts';

export const FEATURE = {
  name: 'fig.orders.serve',
  type: 'release',
  enabled: true,
  project: 'default',
  stale: false,
  strategies: [
    {
      name: 'flexibleRollout',
      parameters: { rollout: '100', stickiness: 'figUnit', groupId: 'orders' },
      constraints: [],
      variants: [],
    },
  ],
  variants: [],
  description: null,
  impressionData: false,
};

export const FEATURES = JSON.stringify({ version: 2, features: [FEATURE], segments: [] });

export const HYDRATION = frame('unleash-connected', [
  { type: 'hydration', eventId: 1, features: [FEATURE], segments: [] },
]);

export function frame(event: string, events: readonly unknown[]): string {
  return `event: ${event}\ndata: ${JSON.stringify({ events })}\n\n`;
}

export function json(response: ServerResponse, status: number, body: string, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

/** A flag server that answers what a test tells it; counts requests by path. `port` 0 = any. */
export async function scripted(
  handle: (request: IncomingMessage, response: ServerResponse, nth: number) => void,
  port = 0,
  finish: Finish = onTestFinished,
) {
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://local').pathname;
    const nth = (counts.get(path) ?? 0) + 1;
    counts.set(path, nth);
    if (request.method === 'POST') response.writeHead(202).end();
    else handle(request, response, nth);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  finish(close);
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : 0;
  const count = (path: string) => counts.get(`/api/client/${path}`) ?? 0;
  return { url: `http://127.0.0.1:${bound}`, port: bound, close, count };
}

/** A port that nothing listens on (it was free a moment ago). */
export async function freePort(finish: Finish = onTestFinished): Promise<number> {
  const { port, close } = await scripted(() => undefined, 0, finish);
  await close();
  return port;
}
