import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Envelope, Move, Problem, Receipt } from '../router/control/api.ts';
import { CommandFailure, EXIT, type ExitCode } from './exit.ts';
import { plain } from './ui.ts';

/** Longest wait for an answer; a move waits for the flag, which takes at most 10 s. */
const ANSWER_MS = 20_000;

export interface Client {
  get<T>(path: string): Promise<Envelope<T>>;
  post<T>(path: string, body: unknown, ifRev?: string): Promise<Envelope<T>>;
  delete<T>(path: string, body: unknown): Promise<Envelope<T>>;
}

/**
 * The data folder of the server to talk to: `--data`, else `FIG_DATA`, else `.fig` here or in a parent. Returns
 * the path even when nothing is there yet.
 */
export function dataFolder(option: string | undefined): string {
  const named = option ?? process.env['FIG_DATA'];
  if (named !== undefined && named !== '') return resolve(named);
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.fig'))) return join(folder, '.fig');
    if (dirname(folder) === folder) return resolve('.fig');
  }
}

/** A client of the server that owns `data`. Throws CommandFailure when none has ever run there. */
export function connect(data: string): Client {
  const address = process.env['FIG_ADMIN'] ?? adminUrl(data);
  const token = process.env['FIG_TOKEN'] ?? readToken(data);
  const call = async <T>(
    method: string,
    path: string,
    body?: unknown,
    ifRev?: string,
  ): Promise<Envelope<T>> => {
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      'fig-operator': operatorName(),
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (ifRev !== undefined) headers['if-match'] = ifRev === '*' ? '*' : `"${ifRev}"`;
    const response = await fetch(`${address}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      if (error instanceof Error && error.name === 'TimeoutError') {
        throw new CommandFailure(`no answer from ${address} within ${ANSWER_MS} ms`, EXIT.timeout);
      }
      throw unanswered(address, error, body !== undefined);
    });
    const text = await response.text();
    const reply: unknown = parsed(text);
    if (response.ok && isEnvelope<T>(reply)) return reply;
    if (response.ok)
      throw new CommandFailure(`what answers at ${address} is no server of ours`, EXIT.unreachable);
    throw failureOf(response.status, text);
  };
  return {
    get: (path) => call('GET', path),
    post: (path, body, ifRev) => call('POST', path, body, ifRev),
    delete: (path, body) => call('DELETE', path, body),
  };
}

/** Refused, or cut off in the middle: then what was asked for may have been done. */
function unanswered(address: string, error: unknown, asked: boolean): CommandFailure {
  const cause = error instanceof Error ? error.cause : null;
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  if (!asked || (code !== 'ECONNRESET' && code !== 'UND_ERR_SOCKET'))
    return new CommandFailure(`no server answers at ${address}`, EXIT.unreachable, 'fig up');
  return new CommandFailure(
    `the server at ${address} ended before it answered: whether this was done is not known`,
    EXIT.unreachable,
    'fig history and fig flags history, once it is back',
  );
}

/** Sends one move. `ifRev` undefined: whatever the rev is. */
export async function move(
  client: Client,
  group: string,
  body: Move,
  ifRev: string | undefined,
): Promise<Receipt> {
  const { data } = await client.post<Receipt>(
    `/api/v1/groups/${encodeURIComponent(group)}/moves`,
    body,
    ifRev ?? '*',
  );
  return data;
}

function adminUrl(data: string): string {
  const file = join(data, 'admin.json');
  if (!existsSync(file)) {
    throw new CommandFailure(
      `no server has run with the data folder ${data}`,
      EXIT.unreachable,
      'fig up, or name the folder with --data',
    );
  }
  const known: unknown = parsed(readFileSync(file, 'utf8'));
  const url = typeof known === 'object' && known !== null && 'url' in known ? known.url : null;
  if (typeof url !== 'string')
    throw new CommandFailure(`${file} is damaged; start the server again`, EXIT.unreachable, 'fig up');
  return url;
}

/** The JSON value of a text, or null when it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isEnvelope<T>(reply: unknown): reply is Envelope<T> {
  return (
    typeof reply === 'object' &&
    reply !== null &&
    'schema' in reply &&
    String(reply.schema).startsWith('fig.')
  );
}

function readToken(data: string): string {
  try {
    return readFileSync(join(data, 'admin.token'), 'utf8').trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new CommandFailure(
      `the admin token in ${data} cannot be read (${code}); set FIG_TOKEN or use the account that runs the server`,
      EXIT.denied,
    );
  }
}

function failureOf(status: number, text: string): CommandFailure {
  const problem: Partial<Problem> = parsed(text) ?? {
    detail: `the server answered ${status} without a reason`,
  };
  const details = problem.errors?.map((fault) => `${fault.pointer}: ${fault.detail}`).join('; ');
  const message =
    details === undefined
      ? (problem.detail ?? `the server answered ${status}`)
      : `${problem.detail}: ${details}`;
  return new CommandFailure(plain(message), exitOf(status), problem.next ?? null, problem);
}

function exitOf(status: number): ExitCode {
  if (status === 401 || status === 403 || status === 429) return EXIT.denied;
  if (status === 409 || status === 412) return EXIT.conflict;
  if (status === 400 || status === 404 || status === 428) return EXIT.usage;
  if (status === 503) return EXIT.unreachable;
  return EXIT.failed;
}

function operatorName(): string {
  const name = process.env['FIG_OPERATOR'] ?? accountName();
  return name.replaceAll(/[^\w.@-]/g, '_').slice(0, 64);
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown'; // An account without a name (containers): the label says so.
  }
}
