/** A thread with a flag server: every answer is the whole table with one flag changed. Posts its port. */
import { createServer } from 'node:http';
import { parentPort } from 'node:worker_threads';
import { tableAfter } from './flag-table.ts';

/** Made before, so that this thread takes no time from the one that is measured. */
const bodies = [0, 1].map((n) => Buffer.from(JSON.stringify({ version: 2, ...tableAfter(n) })));
let changes = 0;
const server = createServer((request, response) => {
  if (request.method === 'POST') {
    response.writeHead(202).end();
    return;
  }
  changes += 1;
  response.writeHead(200, { 'content-type': 'application/json', etag: `"${changes}"` });
  response.end(bodies[changes % 2]);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  parentPort?.postMessage(typeof address === 'object' ? address?.port : null);
});
