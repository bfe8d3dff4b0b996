import { readFileSync, statSync } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Captured } from '../router/core/types.ts';

/** Larger files and answers are not read. */
const BYTES_MAX = 16 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const UNBODIED = [204, 205, 304];

/**
 * An answer to compare: a file with a raw HTTP response (`curl -i`), a JSON file `{ status, headers, body,
 * bodyEncoding? }`, or an http(s) URL that is asked once with GET, redirects not followed. Rejects with an Error in
 * words when there is none.
 */
export async function readAnswer(source: string): Promise<Captured> {
  if (isUrl(source)) return fetched(new URL(source));
  const size = statSync(source, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new Error('there is no such file');
  if (size > BYTES_MAX) throw new Error(`has ${size} bytes, more than ${BYTES_MAX}`);
  const bytes = readFileSync(source);
  const start = bytes.toString('latin1', 0, 64).trimStart();
  if (start.startsWith('HTTP/')) return fromMessage(bytes);
  if (start.startsWith('{')) return fromJson(JSON.parse(bytes.toString('utf8')));
  throw new Error('is neither an HTTP response (HTTP/1.1 200 …) nor JSON { status, headers, body }');
}

/** Whether a source is asked over the network. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** A head and everything after it. Heads of 1xx are skipped. Line ends may be LF alone, as an editor leaves them. */
function fromMessage(bytes: Buffer): Captured {
  const end = /\r?\n\r?\n/.exec(bytes.toString('latin1'));
  if (end === null) throw new Error('has no empty line after its head');
  const [first = '', ...lines] = bytes.toString('latin1', 0, end.index).trimStart().split(/\r?\n/);
  const status = Number(/^HTTP\/\d(?:\.\d)? (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error(`starts with ${JSON.stringify(first)}, which is no status line`);
  const rest = bytes.subarray(end.index + end[0].length);
  if (status < 200) return fromMessage(rest);
  const fields = lines.flatMap((line): readonly string[] => {
    const found = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (found === null) throw new Error(`has ${JSON.stringify(line)}, which is no header line`);
    return [found[1] ?? '', found[2] ?? ''];
  });
  return framed(status, fields, rest);
}

/** Takes chunks apart where there are any: `curl -i` has done it, a recording has not. */
function framed(status: number, fields: readonly string[], rest: Buffer): Captured {
  if (/chunked/i.test(firstValue(fields, 'transfer-encoding') ?? '')) {
    const body = unchunked(rest);
    return { status, fields, body: body ?? rest, truncated: false };
  }
  const declared = Number(firstValue(fields, 'content-length') ?? Number.NaN);
  const truncated = !UNBODIED.includes(status) && declared > rest.length;
  return { status, fields, body: rest, truncated };
}

/** Null when it is no chunked body from its first byte to its last. */
function unchunked(bytes: Buffer): Buffer | null {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    const size = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(
      end === -1 ? '' : bytes.toString('latin1', at, end),
    )?.[1];
    if (size === undefined) return null;
    const length = Number.parseInt(size, 16);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
    if (at > bytes.length) return null;
  }
}

function firstValue(fields: readonly string[], name: string): string | undefined {
  const at = fields.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name);
  return at === -1 ? undefined : fields[at + 1];
}

function fromJson(value: unknown): Captured {
  if (typeof value !== 'object' || value === null || !('status' in value)) throw new Error('has no "status"');
  const { status } = value;
  const body = 'body' in value ? value.body : '';
  const encoding = 'bodyEncoding' in value ? value.bodyEncoding : 'utf8';
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    throw new Error('has a "status" that is no status code from 200 to 599');
  if (typeof body !== 'string') throw new Error('has a "body" that is no text');
  if (encoding !== 'utf8' && encoding !== 'base64') throw new Error('has a "bodyEncoding" other than base64');
  const fields = fieldsOf('headers' in value ? value.headers : {});
  const truncated = 'truncated' in value && value.truncated === true;
  return { status, fields, body: Buffer.from(body, encoding), truncated };
}

function fieldsOf(headers: unknown): readonly string[] {
  if (typeof headers !== 'object' || headers === null) throw new Error('has "headers" that are no object');
  return Object.entries(headers).flatMap(([name, value]: [string, unknown]) => {
    const lines: unknown[] = Array.isArray(value) ? value : [value];
    return lines.flatMap((line) => {
      if (typeof line !== 'string') throw new Error(`has a header ${JSON.stringify(name)} that is no text`);
      return [name, line];
    });
  });
}

function fetched(url: URL): Promise<Captured> {
  const { promise, resolve, reject } = Promise.withResolvers<Captured>();
  const ask = url.protocol === 'https:' ? requestHttps : requestHttp;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const request = ask(url, { agent: false, signal, headers: { 'accept-encoding': 'gzip, deflate, br' } });
  request.on('error', (error) =>
    reject(signal.aborted ? new Error(`gave no whole answer within ${TIMEOUT_MS / 1_000} s`) : error),
  );
  request.on('response', (answer) => void read(answer).then(resolve, reject));
  request.end();
  return promise;
}

async function read(answer: IncomingMessage): Promise<Captured> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let truncated = false;
  try {
    for await (const chunk of answer) {
      if (!Buffer.isBuffer(chunk)) continue;
      bytes += chunk.length;
      if (bytes > BYTES_MAX) throw new RangeError(`answers with more than ${BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    // Cut off in the middle: that is an answer, too. A limit of ours is not.
    if (error instanceof RangeError || (error instanceof Error && error.name === 'AbortError')) throw error;
    truncated = true;
  }
  truncated ||= !answer.complete;
  return {
    status: answer.statusCode ?? 0,
    fields: answer.rawHeaders,
    body: Buffer.concat(chunks),
    truncated,
  };
}
