import { isRecord, type Json, recordsOf, textOr } from '../json.ts';
import { parseFlagUrl } from '../url.ts';
import { plain } from './words.ts';

const TIMEOUT_MS = 5_000;
/** Bytes of an answer about one flag that are read; a longer one is an error. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** The same of an answer about all flags. */
export const ALL_FLAGS_BYTES_MAX = 32 * 1024 * 1024;

/** The part of the global `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The admin API could not be used. `status` is null when no answer came. Carries no address and no secret. */
export class FlagServerError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FlagServerError';
    this.status = status;
  }
}

export interface AdminHttpDeps {
  /** Any address of the server that `parseFlagUrl` takes; TypeError otherwise. */
  readonly url: string;
  /** Admin token. */
  readonly token: string;
  readonly fetch: Fetch;
  /** Bytes of an answer that are read, 4 MiB when not given. */
  readonly bytesMax?: number;
}

export interface Answer {
  readonly status: number;
  /** JSON, or undefined: an empty body or a gateway's page is judged by its status alone. */
  readonly body: unknown;
}

/** One call of Unleash's admin API: `path` below `/api/`. Waits 5 s; FlagServerError when no answer came. */
export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

export function createAdminHttp({ url, token, fetch, bytesMax }: AdminHttpDeps): Call {
  const api = parseFlagUrl(url);
  if (!(api instanceof URL)) throw new TypeError(`flags: ${api.path}: ${api.text}`);
  const root = api.href;
  return async (method, path, body) => {
    try {
      const response = await fetch(root + path, {
        method,
        headers: { Authorization: token, Accept: 'application/json', 'Content-Type': 'application/json' },
        // One that is followed would carry the token to whoever asks for it.
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: parse(await textOf(response, bytesMax)) };
    } catch (error) {
      if (error instanceof FlagServerError) throw error;
      const name = error instanceof Error ? error.name : 'unknown';
      throw new FlagServerError(
        name === 'TimeoutError'
          ? `the flag server did not answer within ${TIMEOUT_MS} ms`
          : 'the flag server could not be reached',
        null,
        error,
      );
    }
  };
}

/** What an answer that is no success says, fit for terminals and logs. */
function messageOf(body: unknown): string {
  const { message } = isRecord(body) ? body : {};
  return plain(textOr(message, ''));
}

/** A `test` of a JSON Patch did not hold. Unleash says it with 500 and this text, the embedded server with 409. */
export function isFailedTest({ status, body }: Answer): boolean {
  return status === 409 || (status === 500 && messageOf(body).includes('Test operation failed'));
}

/** The body of an answer of at most `bytesMax` bytes; FlagServerError when it is longer. */
export async function textOf(response: Response, bytesMax = ANSWER_BYTES_MAX): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax)
      throw new FlagServerError('the flag server sent an answer that is too long', response.status);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** JSON, or undefined: an empty body or a gateway's page is judged by its status alone. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer that nobody can go on with, in the server's words as far as it has some. */
export function unexpected(during: string, { status, body }: Answer): FlagServerError {
  if (status === 401 || status === 403)
    return new FlagServerError('the flag server refused the admin token', status);
  if (status < 300)
    return new FlagServerError(`${during} failed: ${status} with an answer of another shape`, status);
  const message = messageOf(body);
  return new FlagServerError(`${during} failed: ${status}${message === '' ? '' : ` ${message}`}`, status);
}

/** The JSON object of a success. */
export function bodyOf(answer: Answer, during: string): Json {
  if (answer.status !== 200 || !isRecord(answer.body)) throw unexpected(during, answer);
  return answer.body;
}

/** The records of one list of a success. */
export function listOf(name: string, answer: Answer, during: string): readonly Json[] {
  const list = bodyOf(answer, during)[name];
  if (!Array.isArray(list)) throw unexpected(during, answer);
  return recordsOf(list);
}

/** Entries of the event log, newest first, of all flags or one. */
export async function eventsIn(call: Call, flag: string | null, limit: number): Promise<readonly Json[]> {
  const query = new URLSearchParams({
    limit: String(limit),
    ...(flag === null ? {} : { feature: `IS:${flag}` }),
  });
  return listOf('events', await call('GET', `admin/search/events?${query}`), 'reading the history');
}
