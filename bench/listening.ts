import type net from 'node:net';

/** Listens on a free port of 127.0.0.1 and prints `{"ready":true,"port":N}`. */
export function listenAndSay(server: net.Server): void {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    process.stdout.write(`${JSON.stringify({ ready: true, port: portOf(server) })}\n`);
  });
}

/** The port a listening TCP server has. Throws when it has none. */
export function portOf(server: net.Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server listens on no port');
  return address.port;
}
