import { type Batch, type Chunk, type Cursor, parseCursor } from '../chassis/wire.ts';

/** The inside door of a service, as the relay uses it. Every call rejects with an Error on anything but 200. */
export interface ServiceClient {
  cursor(): Promise<Cursor>;
  begin(source: string, rebuild: boolean): Promise<Cursor>;
  rows(chunk: Chunk): Promise<Cursor>;
  finish(source: string, from: number): Promise<Cursor>;
  apply(batch: Batch): Promise<Cursor>;
}

const TIMEOUT_MS = 5_000;

/** `origin`: where the service listens. */
export function createServiceClient(origin: string): ServiceClient {
  async function call(path: string, body: unknown): Promise<Cursor> {
    const response = await fetch(`${origin}/internal/${path}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status !== 200)
      throw new Error(`${path} was answered ${response.status}: ${text.slice(0, 200)}`);
    return parseCursor(JSON.parse(text));
  }

  return {
    cursor: () => call('cursor', undefined),
    begin: (source, rebuild) => call('begin', { source, rebuild }),
    rows: (chunk) => call('rows', chunk),
    finish: (source, from) => call('finish', { source, from }),
    apply: (batch) => call('apply', batch),
  };
}
