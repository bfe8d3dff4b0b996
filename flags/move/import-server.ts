import type { Clock } from '../../router/core/ports.ts';
import { type Fetch, FlagServerError, parse, textOf } from '../admin/admin-http.ts';
import { isRecord, type Json } from '../json.ts';
import { type FlagTable, tableOf } from '../table.ts';
import { parseFlagUrl } from '../url.ts';
import { type ExportedSegment, TransferError } from './export-file.ts';
import type { Part } from './import-parts.ts';

const TIMEOUT_MS = 60_000;
/** Definitions of 5000 flags fit. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Temporary tokens end by themselves after this, if they cannot be deleted. */
const TOKEN_MS = 15 * 60_000;
/** Named in a message, at most. */
const ITEMS_SHOWN_MAX = 5;

/** Who may import: an administrator who logs in, or the secret of a token that may. */
export type Login = { readonly username: string; readonly password: string } | { readonly token: string };

export interface ImportDeps {
  /** Any address of the server that `parseFlagUrl` takes; TypeError otherwise. */
  readonly to: string;
  readonly login: Login;
  readonly project: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  pause(ms: number): Promise<void>;
}

export interface ServerSegment {
  readonly id: number;
  readonly name: string;
  readonly constraints: readonly unknown[];
}

/** Of one request, by their names. */
type Headers = Readonly<Record<string, string>>;

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly cookies: readonly string[];
}

/** What the holder of the login may do; each rejects with TransferError or FlagServerError. */
export interface Session {
  environments(): Promise<readonly string[]>;
  segments(): Promise<readonly ServerSegment[]>;
  createSegment(segment: ExportedSegment): Promise<{ readonly id: number; readonly name: string }>;
  removeSegment(id: number, leftovers: string[]): Promise<void>;
  /** How many flags the import would replace. TransferError with every reason why it would be refused. */
  validate(part: Part): Promise<number>;
  import(part: Part): Promise<void>;
  /** Reads as an application does, with a token of its own. */
  clientOf(environment: string): Promise<{
    table(): Promise<FlagTable>;
    close(leftovers: string[]): Promise<void>;
  }>;
  /** Deletes the token that `open` made. */
  close(leftovers: string[]): Promise<void>;
}

/** The server of an import. Waits 60 s at most for an answer; follows no redirect. */
export function connectTo({ to, project, fetch, clock }: ImportDeps): {
  open(login: Login): Promise<Session>;
} {
  const api = parseFlagUrl(to);
  if (!(api instanceof URL)) throw new TypeError(`flags: ${api.path}: ${api.text}`);
  const { href } = api;
  const expiresAt = () => new Date(clock.wall() + TOKEN_MS).toISOString();
  const label = `fig flags import ${new Date(clock.wall()).toISOString()}`;

  async function call(method: string, path: string, headers: Headers, body?: unknown): Promise<Answer> {
    const init: RequestInit = {
      method,
      headers: { Accept: 'application/json', 'Content-Type': 'application/json', ...headers },
      // A redirect would carry the credentials to whoever asks for them.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    try {
      const response = await fetch(new URL(path, href).href, init);
      const text = await textOf(response, ANSWER_BYTES_MAX);
      return { status: response.status, body: parse(text), cookies: response.headers.getSetCookie() };
    } catch (error) {
      if (error instanceof FlagServerError) throw error;
      throw new TransferError('unreachable', `${href} could not be reached (${reasonOf(error)})`, error);
    }
  }

  async function logIn(username: string, password: string): Promise<Headers> {
    const answer = await call('POST', '../auth/simple/login', {}, { username, password });
    if (answer.status === 401 || answer.status === 403)
      throw new TransferError(
        'denied',
        `${href} refused the login of ${username}: check user name and password`,
      );
    if (answer.status === 404)
      throw new TransferError(
        'refused',
        `${href} has no login with a password: give it a token, or check the URL`,
      );
    if (answer.status === 429)
      throw new TransferError('refused', `${href} takes no more logins for now: try again in a minute`);
    if (answer.status !== 200) throw refused('logging in', answer);
    return { Cookie: answer.cookies.map((cookie) => cookie.split(';')[0]).join('; ') };
  }

  return {
    async open(login) {
      if ('token' in login) return sessionOf({ Authorization: login.token }, null);
      const cookie = await logIn(login.username, login.password);
      const answer = await call('POST', 'admin/user/tokens', cookie, {
        description: label,
        expiresAt: expiresAt(),
      });
      const { id, secret } = isRecord(answer.body) ? answer.body : {};
      if (answer.status !== 201 || typeof secret !== 'string')
        throw refused('creating a personal access token', answer);
      return sessionOf({ Authorization: secret }, String(id));
    },
  };

  function sessionOf(auth: Headers, personalId: string | null): Session {
    async function read(path: string, key: string): Promise<readonly Json[]> {
      const answer = await call('GET', path, auth);
      const list = isRecord(answer.body) ? answer.body[key] : undefined;
      if (answer.status === 401 || answer.status === 403)
        throw new TransferError('denied', `${href} refused the token: it must be one of an administrator`);
      if (answer.status !== 200 || !Array.isArray(list)) throw refused(`reading ${key}`, answer);
      return list.filter(isRecord);
    }

    /** Tries, and leaves a sentence when it cannot. */
    async function tidy(leftovers: string[], what: string, work: () => Promise<Answer>): Promise<void> {
      try {
        const { status } = await work();
        if (status >= 400 && status !== 404) leftovers.push(`${what} could not be deleted (${status})`);
      } catch (error) {
        leftovers.push(
          `${what} could not be deleted (${error instanceof Error ? error.message : 'unknown'})`,
        );
      }
    }

    return {
      environments: async () =>
        (await read('admin/environments', 'environments')).map(({ name }) => String(name)),
      segments: async () => (await read('admin/segments', 'segments')).flatMap(serverSegmentOf),
      async createSegment({ name, description, constraints }) {
        const answer = await call('POST', 'admin/segments', auth, {
          name,
          ...(description === null ? {} : { description }),
          constraints,
        });
        const { id } = isRecord(answer.body) ? answer.body : {};
        if (answer.status !== 201 || typeof id !== 'number')
          throw refused(`creating the segment "${name}"`, answer);
        return { id, name };
      },
      removeSegment: (id, leftovers) =>
        tidy(leftovers, `the segment ${id}`, () => call('DELETE', `admin/segments/${id}`, auth)),
      async validate(part) {
        const answer = await call('POST', 'admin/features-batch/validate', auth, part);
        if (answer.status !== 200 || !isRecord(answer.body)) throw refused('checking the import', answer);
        const { errors, warnings, permissions } = answer.body;
        const archived = messagesIn(warnings).filter(({ message }) => message.includes('archived'));
        const reasons = [...messagesIn(errors), ...messagesIn(permissions), ...archived];
        if (reasons.length > 0)
          throw new TransferError(
            'refused',
            `the server would not import ${part.environment}: ${reasons
              .map(({ message, items }) => `${message} ${shownList(items)}`)
              .join(' ')}`,
          );
        return messagesIn(warnings)
          .filter(({ message }) => message.includes('already exist'))
          .reduce((sum, { items }) => sum + items.length, 0);
      },
      async import(part) {
        const answer = await call('POST', 'admin/features-batch/import', auth, part);
        if (answer.status === 200) return;
        // A gateway that got no answer: the server may have done it.
        if (answer.status === 502 || answer.status === 504)
          throw new TransferError(
            'unreachable',
            `importing ${part.environment} got no answer: ${answer.status}`,
          );
        const { message } = isRecord(answer.body) ? answer.body : {};
        if (typeof message === 'string' && message.includes("can't use an admin token"))
          throw new TransferError(
            'denied',
            `${href} takes no admin token for an import: log in as an administrator, or give it a personal access token`,
          );
        throw refused(`importing ${part.environment}`, answer);
      },
      async clientOf(environment) {
        const answer = await call('POST', 'admin/api-tokens', auth, {
          ...{ tokenName: label, type: 'client', environment, projects: [project], expiresAt: expiresAt() },
        });
        const { secret } = isRecord(answer.body) ? answer.body : {};
        if (answer.status !== 201 || typeof secret !== 'string')
          throw refused(`creating a token to read ${environment} back`, answer);
        return {
          async table() {
            const features = await call('GET', 'client/features', {
              Authorization: secret,
              'Unleash-Client-Spec': '5.2.0',
            });
            const table = features.status === 200 ? tableOf(features.body) : null;
            if (table === null) throw refused(`reading ${environment} back`, features);
            return table;
          },
          close: (leftovers) =>
            tidy(leftovers, `the token "${label}" of ${environment}`, () =>
              call('DELETE', `admin/api-tokens/${encodeURIComponent(secret)}`, auth),
            ),
        };
      },
      async close(leftovers) {
        if (personalId === null) return;
        await tidy(leftovers, `the personal access token "${label}"`, () =>
          call('DELETE', `admin/user/tokens/${encodeURIComponent(personalId)}`, auth),
        );
        // No logout: Unleash would end every session of the person, the one in the browser too.
      },
    };
  }
}

function serverSegmentOf({ id, name, constraints }: Json): readonly ServerSegment[] {
  return typeof id === 'number' && typeof name === 'string' && Array.isArray(constraints)
    ? [{ id, name, constraints }]
    : [];
}

function messagesIn(list: unknown): { readonly message: string; readonly items: readonly string[] }[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).map(({ message, affectedItems }) => ({
    message: String(message),
    items: Array.isArray(affectedItems) ? affectedItems.map(String) : [],
  }));
}

function refused(during: string, { status, body }: Answer): TransferError {
  const { message, details } = isRecord(body) ? body : {};
  const first: unknown = Array.isArray(details) ? details[0] : undefined;
  const detail = isRecord(first) && typeof first['message'] === 'string' ? first['message'] : message;
  return new TransferError(
    'refused',
    `${during} failed: ${status}${typeof detail === 'string' ? ` ${detail.slice(0, 300)}` : ''}`,
  );
}

/** The first few, and how many more. */
export function shownList(items: readonly string[]): string {
  const shown = items.slice(0, ITEMS_SHOWN_MAX).join(', ');
  return items.length > ITEMS_SHOWN_MAX ? `${shown} and ${items.length - ITEMS_SHOWN_MAX} more` : shown;
}

/** The system's code where there is one: `fetch` hides it in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}
