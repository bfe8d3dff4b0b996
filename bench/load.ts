/**
 * The load generator: `node bench/load.ts PORT CONNECTIONS SECONDS BODY_BYTES`. Closed loop, keep-alive, one
 * request at a time per connection. Every answer must be 200 with the whole, right body; else exit 1. Prints one
 * JSON line: requests, seconds, latencies in microseconds (p50, p99, max).
 */
import net from 'node:net';

const [port = 0, connections = 16, seconds = 5, bodyBytes = 1_024] = process.argv.slice(2).map(Number);
const request = Buffer.from('GET /bench HTTP/1.1\r\nHost: bench.test\r\n\r\n', 'latin1');
const body = Buffer.alloc(bodyBytes, 'x');
const END = Buffer.from('\r\n\r\n');
const latenciesUs: number[] = [];
const start = performance.now();
const until = start + seconds * 1_000;
let running = connections;

for (let n = 0; n < connections; n += 1) run();

function run(): void {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  let rest: Buffer = Buffer.alloc(0);
  let sentAt = 0;
  const send = (): void => {
    sentAt = performance.now();
    socket.write(request);
  };
  socket.on('connect', send);
  socket.on('error', (error) => fail(error.message));
  socket.on('end', () => fail('the connection was closed'));
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    const answer = wholeAnswer(rest);
    if (answer === null) return;
    if (answer.bytes !== rest.length) fail('bytes behind the answer');
    rest = Buffer.alloc(0);
    const now = performance.now();
    latenciesUs.push((now - sentAt) * 1_000);
    if (now >= until) finish(socket);
    else if (answer.last) {
      part(socket); // RFC 9112 §9.6: no request may follow on this connection.
      run();
    } else send();
  });
}

/** The answer at the front and whether the server closes after it, or null while it is not whole. */
function wholeAnswer(bytes: Buffer): { readonly bytes: number; readonly last: boolean } | null {
  const end = bytes.indexOf(END);
  if (end === -1) return null;
  const head = bytes.toString('latin1', 0, end + 2);
  if (!head.startsWith('HTTP/1.1 200 ')) fail(head.slice(0, head.indexOf('\r\n')));
  if (!new RegExp(`\r\ncontent-length: ${bodyBytes}\r\n`, 'i').test(head)) fail('another length');
  const from = end + END.length;
  if (bytes.length < from + bodyBytes) return null;
  if (!bytes.subarray(from, from + bodyBytes).equals(body)) fail('another body');
  return { bytes: from + bodyBytes, last: /\r\nconnection: close\r\n/i.test(head) };
}

function part(socket: net.Socket): void {
  socket.removeAllListeners('end');
  socket.destroy();
}

function finish(socket: net.Socket): void {
  part(socket);
  running -= 1;
  if (running > 0) return;
  latenciesUs.sort((a, b) => a - b);
  const at = (share: number): number => latenciesUs[Math.floor((latenciesUs.length - 1) * share)] ?? 0;
  const result = {
    requests: latenciesUs.length,
    seconds: (performance.now() - start) / 1_000,
    p50Us: at(0.5),
    p99Us: at(0.99),
    maxUs: at(1),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function fail(why: string): never {
  process.stderr.write(`wrong answer: ${why}\n`);
  process.exit(1);
}
