/** A service that is ill: `node bench/faulty.ts hung|resetting|endless|slow`. Prints `{"ready":true,"port":N}`. */
import net from 'node:net';
import { listenAndSay } from './listening.ts';

const FAULTS: Readonly<Record<string, (socket: net.Socket) => void>> = {
  hung: (socket) => socket.resume(),
  resetting: (socket) => socket.once('data', () => socket.resetAndDestroy()),
  endless: (socket) => socket.once('data', () => pour(socket)),
  slow: (socket) => socket.once('data', () => drip(socket)),
};

const behave = FAULTS[process.argv[2] ?? ''];
if (behave === undefined)
  throw new RangeError(`the fault must be one of ${Object.keys(FAULTS).join(', ')}, is ${process.argv[2]}`);
listenAndSay(
  net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    behave(socket);
  }),
);

/** A body without end, as fast as it is read. */
function pour(socket: net.Socket): void {
  const piece = Buffer.alloc(16_384, 'x');
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
}

/** One byte every 100 ms. */
function drip(socket: net.Socket): void {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
  const timer = setInterval(() => socket.write('x'), 100);
  socket.once('close', () => clearInterval(timer));
}
