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

/** More than a queue of one that the kernel rounds up. */
const QUEUE_MAX = 100;

/** An origin whose queue of connections is full: the kernel drops every further SYN, so that connecting hangs. */
export async function deafServer(): Promise<string> {
  const worker = new Worker(DEAF, { eval: true });
  onTestFinished(async () => {
    await worker.terminate();
  });
  const [port]: [number] = await new Promise((resolve) => worker.once('message', (sent) => resolve([sent])));
  for (let connected = 0; connected < QUEUE_MAX; connected += 1) {
    const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    const waited = new Promise((resolve) => setTimeout(resolve, 100, 'waited'));
    const hangs = (await Promise.race([once(socket, 'connect'), waited])) === 'waited';
    if (hangs) return `http://127.0.0.1:${port}`;
  }
  throw new Error(`the queue of connections is not full after ${QUEUE_MAX}`);
}
