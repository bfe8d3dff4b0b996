/**
 * The open loop: `node bench/open-loop.ts JSON` with an {@link OpenLoopOrder}. Requests are due at a fixed rate,
 * whether or not earlier ones are answered; latency counts from the moment a request was due, so that a stall is seen
 * in all requests it delays. Every answer must be 200 with the right body; else exit 1. Prints a LoadResult.
 */
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import { createAnswerReader } from './answer.ts';
import type { Body } from './body.ts';
import { latencyOf } from './latency.ts';
import type { LoadResult } from './load.ts';
import { createRequests } from './requests.ts';

export interface OpenLoopOrder {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly body: Body;
}

/** How long answers may be outstanding after the last request was due. */
const DRAIN_MS = 30_000;
const TICK_MS = 0.2;

const { port, connections, seconds, perSecond, body }: OpenLoopOrder = JSON.parse(process.argv[2] ?? '');
const nextRequest = createRequests(body, true);
const total = Math.round(seconds * perSecond);
const latenciesUs: number[] = [];
/** Connections that wait for a request, by how to send one that was due then. */
const free: ((dueAt: number) => void)[] = [];
let start = 0;
let begun = 0;
const cpuAtStart = process.cpuUsage();

for (let n = 0; n < connections; n += 1) connect();

function connect(): void {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const reader = createAnswerReader(body);
  let dueAt = 0;
  let closing = false;
  const send = (due: number): void => {
    dueAt = due;
    socket.write(nextRequest());
  };
  socket.on('error', (error) => {
    if (!closing) fail(error.message);
  });
  socket.on('end', () => {
    if (!closing) fail('the connection was closed');
  });
  socket.on('connect', () => {
    free.push(send);
    if (start === 0 && free.length === connections) begin();
    else if (start > 0) give();
  });
  socket.on('data', (bytes: Buffer) => {
    try {
      if (!reader.read(bytes)) return;
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
    latenciesUs.push((performance.now() - dueAt) * 1_000);
    closing = reader.last();
    if (closing) {
      // RFC 9112 §9.6: no request may follow on this connection.
      socket.end();
      connect();
    } else free.push(send);
    if (latenciesUs.length === total) finish();
    else give();
  });
}

function begin(): void {
  start = performance.now();
  const everyMs = Math.max(TICK_MS, 1_000 / perSecond);
  const worker = new Worker(new URL('./metronome.ts', import.meta.url), { workerData: { everyMs } });
  worker.on('message', give);
  worker.on('error', (error: Error) => fail(error.message));
  setTimeout(() => fail('the rate was too high: requests are left'), seconds * 1_000 + DRAIN_MS);
}

/** Sends what is due, as far as connections are free. */
function give(): void {
  const now = performance.now();
  while (begun < total) {
    const dueAt = start + (begun * 1_000) / perSecond;
    if (dueAt > now) return;
    const send = free.pop();
    if (send === undefined) return;
    begun += 1;
    send(dueAt);
  }
}

function finish(): never {
  const { user, system } = process.cpuUsage(cpuAtStart);
  const result: LoadResult = {
    requests: total,
    seconds: (performance.now() - start) / 1_000,
    cpuUs: user + system,
    ...latencyOf(latenciesUs),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}

function fail(why: string): never {
  process.stderr.write(`wrong answer: ${why}\n`);
  process.exit(1);
}
