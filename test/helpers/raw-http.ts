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
  /** Bytes that were sent and are still in this process. */
  unsent(): number;
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
    unsent: () => socket.writableLength,
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
  const fields = lines.map(fieldOf);
  const rest = end === -1 ? '' : text.slice(end + 4);
  const isChunked = fields.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked');
  return { start, status: Number(start.split(' ')[1]), fields, body: isChunked ? chunked(rest).body : rest };
}

/** Every value of a field. */
export function values(message: Pick<Message, 'fields'>, name: string): string[] {
  return message.fields.filter(([field]) => field === name).map(([, value]) => value);
}

/** An answer as one client saw it. */
export interface Answer extends Message {
  readonly trailers: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** False while its end has not come; an answer that ends with its connection is never known to be complete. */
  readonly complete: boolean;
}

/** All answers to requests with these methods, interim ones (1xx) included. */
export function parseAnswers(text: string, methods: readonly string[]): readonly Answer[] {
  const answers: Answer[] = [];
  let finals = 0;
  let rest = text;
  while (rest.includes('\r\n\r\n')) {
    const { answer, length } = parseAnswer(rest, methods[finals] ?? 'GET');
    answers.push(answer);
    if (answer.status >= 200) finals += 1;
    rest = rest.slice(length);
  }
  return answers;
}

function parseAnswer(text: string, method: string): { readonly answer: Answer; readonly length: number } {
  const { start, status, fields } = parseMessage(text);
  const from = text.indexOf('\r\n\r\n') + 4;
  const head = { start, status, fields, trailers: [] };
  const length = values(head, 'content-length')[0];
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304)
    return { answer: { ...head, body: '', framing: 'none', complete: true }, length: from };
  if (values(head, 'transfer-encoding').length > 0) {
    const { body, trailers, end } = chunked(text.slice(from));
    const answer: Answer = { ...head, body, trailers, framing: 'chunked', complete: end !== null };
    return { answer, length: end === null ? text.length : from + end };
  }
  const end = length === undefined ? text.length : from + Number(length);
  const framing = length === undefined ? 'close' : 'length';
  const complete = length !== undefined && text.length >= end;
  return { answer: { ...head, body: text.slice(from, end), framing, complete }, length: end };
}

/** `end`: where the message ends, null when it does not. */
function chunked(text: string): Pick<Answer, 'body' | 'trailers'> & { readonly end: number | null } {
  let body = '';
  let at = 0;
  for (;;) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line === -1 || Number.isNaN(size)) return { body, trailers: [], end: null };
    if (size === 0) break;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
  const from = text.indexOf('\r\n', at) + 2;
  if (text.startsWith('\r\n', from)) return { body, trailers: [], end: from + 2 };
  const close = text.indexOf('\r\n\r\n', from);
  if (close === -1) return { body, trailers: [], end: null };
  return { body, trailers: text.slice(from, close).split('\r\n').map(fieldOf), end: close + 4 };
}

function fieldOf(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
