import net, { type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { createWatch } from '../helpers/watch.ts';
import { readStrictly, type StrictMessage, valuesIn } from './strict-messages.ts';

/** One whole request, as it came. */
export interface Recorded {
  readonly method: string;
  readonly target: string;
  /** Whom the proxy says it speaks for. */
  readonly client: string;
  readonly message: StrictMessage;
}

/** One connection from the proxy. */
export interface RecordedConnection {
  readonly requests: readonly Recorded[];
  /** Bytes of a request that is not whole. */
  readonly rest: string;
  /** Why it is no strict HTTP, or null. */
  readonly fault: string | null;
}

export interface RecordingUpstream {
  readonly origin: string;
  readonly connections: readonly RecordedConnection[];
  /** All requests of this client, in order. */
  of(client: string): readonly Recorded[];
  open(): number;
  /** Resolves with the next state of the recordings in which this holds. */
  until(settled: () => boolean): Promise<void>;
}

/** What to do with a whole request; null: the echo. */
export type Behaviour = (recorded: Recorded, socket: Socket) => string | null;

/** Records every request byte by byte and answers it with an echo that names the client. */
export async function recordingUpstream(behaviour: Behaviour = () => null): Promise<RecordingUpstream> {
  const connections: { requests: Recorded[]; rest: string; fault: string | null }[] = [];
  const byClient = new Map<string, Recorded[]>();
  const sockets = new Set<Socket>();
  const watch = createWatch();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection: (typeof connections)[number] = { requests: [], rest: '', fault: null };
    connections.push(connection);
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      sockets.delete(socket);
      watch.wake();
    });
    socket.on('data', (bytes) => {
      if (connection.fault !== null) return;
      const { messages, rest, fault } = readStrictly(connection.rest + bytes.toString('latin1'), 'request');
      Object.assign(connection, { rest, fault });
      for (const message of messages) {
        const recorded = recordedOf(message);
        connection.requests.push(recorded);
        byClient.set(recorded.client, [...(byClient.get(recorded.client) ?? []), recorded]);
        const answer = behaviour(recorded, socket) ?? echoOf(recorded);
        if (answer !== '') socket.write(answer, 'latin1');
      }
      if (fault !== null) socket.destroy();
      watch.wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1_024, resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    connections,
    of: (client) => byClient.get(client) ?? [],
    open: () => sockets.size,
    until: (settled) => watch.until(settled),
  };
}

/** What the client of this request must see: its own words. */
export function echoBody({ client, method, target, message }: Recorded): string {
  return `${client} ${method} ${target} ${message.body}`;
}

export function echoOf(recorded: Recorded): string {
  const body = echoBody(recorded);
  const head = `HTTP/1.1 200 OK\r\nX-Client: ${recorded.client}\r\nX-Method: ${recorded.method}\r\n`;
  return `${head}Content-Length: ${body.length}\r\n\r\n${recorded.method === 'HEAD' ? '' : body}`;
}

function recordedOf(message: StrictMessage): Recorded {
  const [method, target] = message.start;
  return { method, target, client: valuesIn(message, 'x-forwarded-for').join(), message };
}
