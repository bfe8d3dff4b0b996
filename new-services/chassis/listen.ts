import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';

export const HOST = '127.0.0.1';
/** How long kept connections may still be used after the last new one was taken. */
const LINGER_MS = 1_000;
/** When whatever is left is cut; the process must be gone within two seconds. */
const CUT_MS = 1_700;

/** Listens on loopback and gives the port. `shared`: a second process may listen on the same port at once. */
export function listen(server: Server, port: number, shared: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: HOST, port, reusePort: shared }, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('the server has no port'));
      else resolve(address.port);
    });
  });
}

/** Stops accepting, lets running and kept connections end, and resolves when the last one is gone. */
export function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timers = [
      setTimeout(() => server.closeIdleConnections(), LINGER_MS),
      setTimeout(() => server.closeAllConnections(), CUT_MS),
    ];
    // Not http's own close: it cuts idle connections at once, and a request may be on its way on one of them.
    NetServer.prototype.close.call(server, () => {
      for (const timer of timers) clearTimeout(timer);
      resolve();
    });
  });
}
