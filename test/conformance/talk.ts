import net from 'node:net';
import { setImmediate } from 'node:timers/promises';

/** One client that says its bytes and hears what comes until the connection is closed. */
export interface Talk {
  readonly address: string;
  /** Every byte heard, latin1; resolves when the connection is closed, however. */
  readonly heard: Promise<string>;
  /** Half-closes behind the last slice. */
  fin(): void;
  over(): boolean;
}

/** From `address` of this machine to `port`; each slice, latin1, in a write of its own. */
export function talk(port: number, address: string, slices: readonly string[]): Talk {
  const { promise, resolve } = Promise.withResolvers<string>();
  let heard = '';
  let over = false;
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: address, noDelay: true });
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1');
  });
  // A reset is one way to be told that the connection is over.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    over = true;
    resolve(heard);
  });
  const say = async (): Promise<void> => {
    for (const slice of slices) {
      socket.write(slice, 'latin1');
      await setImmediate();
    }
  };
  const said = say();
  return {
    address,
    heard: promise,
    fin: () => void said.then(() => socket.end()),
    over: () => over,
  };
}
