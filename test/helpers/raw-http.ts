import net from 'node:net';
import { onTestFinished } from 'vitest';
import { createWatch } from './watch.ts';

/** A client on a bare socket: it says exactly these bytes and keeps every byte it hears. */
export interface RawClient {
  send(bytes: string): void;
  /** Half-closes. */
  end(): void;
  reset(): void;
  pause(): void;
  resume(): void;
  /** All bytes so far, latin1. */
  text(): string;
  /** Resolves once everything heard so far fits; rejects when the connection ends before. */
  until(expected: string | RegExp | ((text: string) => boolean)): Promise<string>;
  /** Resolves with all bytes when the connection is closed, however. */
  closed(): Promise<string>;
  /** Code of the socket error, or null. */
  error(): string | null;
}

/** Connects to a port of this machine; closed with the test. */
export function rawClient(port: number): RawClient {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  let code: string | null = null;
  let gone = false;
  const watch = createWatch();
  socket.setNoDelay(true);
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    watch.wake();
  });
  socket.on('error', (error) => {
    code = 'code' in error ? String(error.code) : error.message;
  });
  const over = (): void => {
    gone = true;
    watch.wake();
  };
  socket.on('end', over).on('close', over);
  onTestFinished(() => {
    socket.destroy();
  });

  return {
    send: (bytes) => socket.write(bytes, 'latin1'),
    end: () => socket.end(),
    reset: () => socket.resetAndDestroy(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    text: () => text,
    error: () => code,
    async until(expected) {
      const fits = (): boolean =>
        typeof expected === 'string'
          ? text.includes(expected)
          : typeof expected === 'function'
            ? expected(text)
            : expected.test(text);
      await watch.until(() => fits() || gone);
      if (!fits()) throw new Error(`closed (${code ?? 'FIN'}) after ${JSON.stringify(text)}`);
      return text;
    },
    async closed() {
      await watch.until(() => gone);
      return text;
    },
  };
}

/** One request on a connection of its own: gives everything that came until the server closed. */
export async function exchange(port: number, bytes: string): Promise<string> {
  const client = rawClient(port);
  client.send(bytes);
  return client.closed();
}

export interface Message {
  readonly start: string;
  readonly status: number;
  /** In order, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** The first message of these bytes; chunked bodies are decoded. */
export function parseMessage(text: string): Message {
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, end === -1 ? undefined : end).split('\r\n');
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const rest = end === -1 ? '' : text.slice(end + 4);
  const chunked = fields.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked');
  return { start, status: Number(start.split(' ')[1]), fields, body: chunked ? unchunked(rest) : rest };
}

/** Every value of a field. */
export function values(message: Pick<Message, 'fields'>, name: string): string[] {
  return message.fields.filter(([field]) => field === name).map(([, value]) => value);
}

function unchunked(text: string): string {
  let body = '';
  let at = 0;
  for (;;) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line === -1 || !(size > 0)) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
