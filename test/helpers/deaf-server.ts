import { once } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

const DEAF = `
const { parentPort } = require('node:worker_threads');
const server = require('node:net').createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  // Nothing is accepted any more.
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
});
`;

/** An origin whose queue of connections is full: the kernel drops every further SYN, so that connecting hangs. */
export async function deafServer(): Promise<string> {
  const worker = new Worker(DEAF, { eval: true });
  onTestFinished(async () => {
    await worker.terminate();
  });
  const [port]: [number] = await new Promise((resolve) => worker.once('message', (sent) => resolve([sent])));
  let hangs = false;
  while (!hangs) {
    const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    const waited = new Promise((resolve) => setTimeout(resolve, 100, 'waited'));
    hangs = (await Promise.race([once(socket, 'connect'), waited])) === 'waited';
  }
  return `http://127.0.0.1:${port}`;
}
