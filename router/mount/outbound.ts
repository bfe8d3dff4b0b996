import { ClientRequest, IncomingMessage } from 'node:http';
import type { Fields } from '../core/types.ts';

/**
 * The request as http-proxy sees it: a method and nothing else. It builds the upstream request from this and
 * then "pipes the body" into it, synchronously and before a byte of the head is out; that call is where we take
 * over. So no header, path or body ever goes through http-proxy's own rewriting, and the caller's request is not
 * touched. A class because http-proxy calls stream methods on it.
 */
export class Outbound extends IncomingMessage {
  readonly #take: (upstream: ClientRequest) => void;

  constructor(client: IncomingMessage, method: string, take: (upstream: ClientRequest) => void) {
    super(client.socket);
    this.method = method;
    this.url = '/';
    this.#take = take;
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    if (!(destination instanceof ClientRequest))
      throw new TypeError('http-proxy opened something else than a request');
    this.#take(destination);
    return destination;
  }
}

/** Writes target and field lines into a request whose head is not out yet: bytes of the target as they came. */
export function writeRequestHead(upstream: ClientRequest, target: string, fields: Fields): void {
  for (const name of upstream.getHeaderNames()) upstream.removeHeader(name);
  upstream.path = target;
  // Lines of one name in one entry, because that is how node keeps them; order and case of the first one hold.
  const lines = new Map<string, { readonly name: string; readonly values: string[] }>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    const line = lines.get(name.toLowerCase());
    if (line === undefined) lines.set(name.toLowerCase(), { name, values: [value] });
    else line.values.push(value);
  }
  for (const { name, values } of lines.values()) {
    const [only = ''] = values;
    upstream.setHeader(name, values.length === 1 ? only : values);
  }
}
