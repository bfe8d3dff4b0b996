import type { AddressInfo, Server } from 'node:net';
import type { Address } from './config.ts';
import type { Log } from './core/ports.ts';

/** Binds with `bind`; a busy port that nobody named is replaced by a free one, and said. */
export async function bindOrAny<T>(
  { port, named }: Address,
  log: Log,
  bind: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await bind(port);
  } catch (error) {
    if (named || codeOf(error) !== 'EADDRINUSE') throw error;
    log.warn('port-busy', { asked: port, instead: 'any' });
    return bind(0);
  }
}

/** Resolves with the port. Rejects with the error of the system. */
export function listenOn(
  server: Server,
  at: { readonly host: string; readonly port: number; readonly reusePort?: boolean },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve(portOf(server.address()));
    });
  });
}

/** `http://127.0.0.1:8080` */
export function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The code of an error of the system, `EADDRINUSE`; null for any other error. */
export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}
