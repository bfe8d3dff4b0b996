/** Back ends that read more than they should: what they make of bytes that the proxy has written. */
import { METHODS } from 'node:http';
import { oracleRequests } from '../http1/oracle.ts';
import type { RecordedConnection } from './recording-upstream.ts';

/** A request as such a back end would act on it. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

const KNOWN: ReadonlySet<string> = new Set(METHODS);

/** What was sent, in the words of a back end that does not know every method. */
export function sentOn({ requests }: RecordedConnection): readonly Seen[] {
  return requests.map(({ method, target, message: { body } }) => ({ method: known(method), target, body }));
}

/** `node:http` with `insecureHTTPParser`. Piece by piece: of what stands behind an upgrade it would read nothing. */
export async function seenByNode(
  connections: readonly RecordedConnection[],
): Promise<readonly (readonly Seen[])[]> {
  const streams = connections.map(({ requests, rest }) => [
    ...requests.map(({ method, message: { raw } }) => known(method) + raw.slice(method.length)),
    rest,
  ]);
  const readings = await oracleRequests(streams, 'lenient');
  return readings.map(({ messages }) =>
    messages
      .filter(({ complete }) => complete)
      .map(({ method, start, body }) => ({ method, target: start, body })),
  );
}

/** A parser as careless as they come: lines end in LF, names are trimmed, numbers are what parseInt makes of them. */
export function seenByCareless({ requests, rest }: RecordedConnection): readonly Seen[] {
  const seen: Seen[] = [];
  let text = requests.map(({ message: { raw } }) => raw).join('') + rest;
  for (;;) {
    const end = /\r?\n\r?\n/.exec(text);
    if (end === null) return seen;
    const [line = '', ...lines] = text.slice(0, end.index).trimStart().split(/\r?\n/);
    const [method = '', target = ''] = line.split(/\s+/);
    const value = (name: string): string | undefined =>
      lines
        .map((field) => /^\s*([^:]*?)\s*:\s*(.*?)\s*$/.exec(field))
        .find((field) => field?.[1]?.toLowerCase().replaceAll('_', '-') === name)?.[2];
    const from = end.index + end[0].length;
    const body = /chunked/i.test(value('transfer-encoding') ?? '')
      ? carelessChunks(text, from)
      : carelessLength(text, from, Number.parseInt(value('content-length') ?? '0', 10));
    if (body === null) return seen;
    seen.push({ method: known(method), target, body: body.body });
    text = text.slice(body.end);
  }
}

function carelessLength(text: string, from: number, length: number) {
  const end = from + length;
  return text.length < end ? null : { body: text.slice(from, end), end };
}

function carelessChunks(text: string, from: number) {
  let body = '';
  for (let at = from; ; ) {
    const line = text.indexOf('\n', at);
    if (line === -1) return null;
    const size = Number.parseInt(text.slice(at, line), 16);
    at = line + 1;
    if (Number.isNaN(size) || text.length < at + size) return null;
    if (size === 0) {
      const end = /^(?:[^\r\n]+\r?\n)*\r?\n/.exec(text.slice(at));
      return end === null ? null : { body, end: at + end[0].length };
    }
    body += text.slice(at, at + size);
    at += size;
    at += text.startsWith('\r\n', at) ? 2 : 1;
  }
}

function known(method: string): string {
  return KNOWN.has(method) ? method : 'POST';
}
