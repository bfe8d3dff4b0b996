/**
 * Kept connections without work: `node bench/idle.ts JSON` with an {@link IdleOrder}. Each makes one GET and stays.
 * Prints `{"open":N}` when all are there or no more could be opened, says why on stderr, and holds them until it ends.
 */
import net from 'node:net';
import { createAnswerReader } from './answer.ts';
import { createRequests } from './requests.ts';

export interface IdleOrder {
  readonly port: number;
  readonly connections: number;
}

/** Opened at the same time. */
const AT_ONCE = 64;
/** One source address has some 28,000 ports to one destination; the load is spread over several. */
const PER_ADDRESS = 5_000;

const { port, connections }: IdleOrder = JSON.parse(process.argv[2] ?? '');
const nextRequest = createRequests(1_024, true);
const kept: net.Socket[] = [];
let begun = 0;
let failed = 0;

for (let n = 0; n < Math.min(AT_ONCE, connections); n += 1) open();

function open(): void {
  if (begun === connections) return;
  const localAddress = `127.0.0.${2 + Math.floor(begun / PER_ADDRESS)}`;
  begun += 1;
  const socket = net.connect({ port, host: '127.0.0.1', localAddress });
  const reader = createAnswerReader(1_024);
  let settled = false;
  socket.on('connect', () => socket.write(nextRequest()));
  socket.on('data', (bytes: Buffer) => {
    if (reader.read(bytes)) settle(true);
  });
  socket.on('error', (error) => {
    if (failed === 0) process.stderr.write(`a connection could not be kept: ${error.message}\n`);
    settle(false);
  });
  socket.on('close', () => settle(false));

  function settle(there: boolean): void {
    if (settled) return;
    settled = true;
    if (there) kept.push(socket);
    else failed += 1;
    if (kept.length + failed === connections) say();
    else open();
  }
}

function say(): void {
  const there = kept.filter((socket) => !socket.destroyed).length;
  process.stdout.write(`${JSON.stringify({ open: there })}\n`);
}
