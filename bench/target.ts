/**
 * The upstream of the bench: `node bench/target.ts [BODY_BYTES]`. Bare sockets, so that it costs little beside
 * what is measured: it answers every head that ends with one constant answer. Prints `{"ready":true,"port":N}`.
 */
import net from 'node:net';

const bodyBytes = Number(process.argv[2] ?? 1_024);
const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n\r\n`;
const answer = Buffer.from(head + 'x'.repeat(bodyBytes), 'latin1');
const END = Buffer.from('\r\n\r\n');

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (let end = rest.indexOf(END); end !== -1; end = rest.indexOf(END)) {
      rest = rest.subarray(end + END.length);
      socket.write(answer);
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
