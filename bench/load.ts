/**
 * The closed loop: `node bench/load.ts JSON` with a {@link LoadOrder}. One request at a time per connection. Every
 * answer must be 200 with the whole, right body; else exit 1. Prints a {@link LoadResult} as one JSON line.
 */
import net from 'node:net';
import { createAnswerReader } from './answer.ts';
import type { Body } from './body.ts';
import { type Latency, latencyOf } from './latency.ts';
import { createRequests, sendUpload } from './requests.ts';

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** `churn`: a GET on a connection of its own. `upload`: `body` is what is sent. */
  readonly kind: 'get' | 'churn' | 'upload';
  readonly body: Body;
}

export interface LoadResult extends Latency {
  readonly requests: number;
  readonly seconds: number;
  /** CPU time of the generator, microseconds. */
  readonly cpuUs: number;
}

const order: LoadOrder = JSON.parse(process.argv[2] ?? '');
const { port, kind, body } = order;
const nextRequest = createRequests(body, kind !== 'churn');
const latenciesUs: number[] = [];
const start = performance.now();
const cpuAtStart = process.cpuUsage();
const until = start + order.seconds * 1_000;
let running = order.connections;

for (let n = 0; n < order.connections; n += 1) run();

function run(): void {
  const startedAt = performance.now();
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const reader = createAnswerReader(kind === 'upload' ? 1_024 : body);
  let sentAt = 0;
  let parted = false;
  const send = (): void => {
    sentAt = kind === 'churn' ? startedAt : performance.now();
    if (kind === 'upload') sendUpload(socket, Number(body));
    else socket.write(nextRequest());
  };
  socket.on('connect', send);
  socket.on('error', (error) => {
    if (!parted) fail(error.message);
  });
  socket.on('end', () => {
    if (!parted) fail('the connection was closed');
  });
  socket.on('data', (bytes: Buffer) => {
    if (!whole(bytes)) return;
    const now = performance.now();
    latenciesUs.push((now - sentAt) * 1_000);
    if (kind === 'churn' && !reader.last()) fail('a connection that was to be closed is kept');
    // RFC 9112 §9.6: no request may follow on a connection that the server is to close.
    if (!reader.last() && now < until) {
      send();
      return;
    }
    parted = true;
    socket.end();
    again();
  });

  function whole(bytes: Buffer): boolean {
    try {
      return reader.read(bytes);
    } catch (error) {
      return fail(error instanceof Error ? error.message : String(error));
    }
  }
}

function again(): void {
  if (performance.now() < until) {
    run();
    return;
  }
  running -= 1;
  if (running > 0) return;
  const { user, system } = process.cpuUsage(cpuAtStart);
  const seconds = (performance.now() - start) / 1_000;
  const result: LoadResult = {
    requests: latenciesUs.length,
    seconds,
    cpuUs: user + system,
    ...latencyOf(latenciesUs),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

function fail(why: string): never {
  process.stderr.write(`wrong answer: ${why}\n`);
  process.exit(1);
}
