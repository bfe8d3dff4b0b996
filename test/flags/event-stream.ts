import { onTestFinished } from 'vitest';
import { TOKENS } from './world.ts';

export type StreamEvent = { readonly type: string; readonly [key: string]: unknown };

export interface Frame {
  readonly id: string;
  readonly event: string;
  readonly events: readonly StreamEvent[];
}

export interface StreamOptions {
  readonly lastEventId?: string;
  readonly token?: string;
}

/** A raw reader of the server-sent events at `url`. */
export async function openStream(url: string, { lastEventId, token = TOKENS.client }: StreamOptions = {}) {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const response = await fetch(`${url}/api/client/streaming`, {
    headers: { authorization: token, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    signal: abort.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    response,
    abort,
    /** The next frame; rejects when the stream ends before. */
    async next(): Promise<Frame> {
      const parts = [text];
      for (let last = text; !last.includes('\n\n'); ) {
        const chunk = await reader?.read();
        if (chunk === undefined || chunk.done) throw new Error('the stream ended');
        parts.push(chunk.value);
        // The end of a frame may be split between two chunks.
        last = last.slice(-1) + chunk.value;
      }
      text = parts.join('');
      const end = text.indexOf('\n\n');
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      return { id: field('id'), event: field('event'), events: JSON.parse(field('data')).events };
    },
  };
}
