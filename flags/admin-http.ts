import { type Fetch, FlagServerError } from './admin-client.ts';
import { isRecord } from './json.ts';
import { parseFlagUrl } from './url.ts';

const TIMEOUT_MS = 5_000;
/** Bytes of an answer that are read; a longer one is an error. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

export interface AdminHttpDeps {
  /** Any address of the server that `parseFlagUrl` takes; TypeError otherwise. */
  readonly url: string;
  /** Admin token. */
  readonly token: string;
  readonly fetch: Fetch;
}

export interface Answer {
  readonly status: number;
  /** JSON, or undefined: an empty body or a gateway's page is judged by its status alone. */
  readonly body: unknown;
}

/** One call of Unleash's admin API: `path` below `/api/`. Waits 5 s; FlagServerError when no answer came. */
export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

export function createAdminHttp({ url, token, fetch }: AdminHttpDeps): Call {
  const api = parseFlagUrl(url);
  if (!(api instanceof URL)) throw new TypeError(`flags: ${api.path}: ${api.text}`);
  const root = api.href;
  return async (method, path, body) => {
    try {
      const response = await fetch(root + path, {
        method,
        headers: { Authorization: token, Accept: 'application/json', 'Content-Type': 'application/json' },
        // A redirect would carry the token to whoever asks for it.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: parse(await textOf(response)) };
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

/** What an answer that is no success says, shortened. */
export function messageOf(body: unknown): string {
  const { message } = isRecord(body) ? body : {};
  return typeof message === 'string' ? message.slice(0, 300) : '';
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX)
      throw new FlagServerError('the flag server sent an answer that is too long', response.status);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
