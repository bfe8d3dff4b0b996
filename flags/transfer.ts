import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../router/core/ports.ts';
import { type Fetch, FlagServerError, parse, textOf } from './admin-http.ts';
import { definitionsOf, type EnvironmentExport, type ExportedSegment, type Item } from './export-file.ts';
import { type FlagTable, tableOf } from './table.ts';
import { parseFlagUrl } from './url.ts';
import { type Verification, verifyFlags } from './verify.ts';

const TIMEOUT_MS = 60_000;
/** Definitions of 5000 flags fit. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Unleash takes 500 kB; a larger environment goes in parts. */
const PART_BYTES_MAX = 450_000;
/** Temporary tokens end by themselves after this, if they cannot be deleted. */
const TOKEN_MS = 15 * 60_000;
/** A real Unleash serves a change up to 1 s later, so what is read back is read again before it is a difference. */
const READ_BACK_TRIES = 4;
const READ_BACK_PAUSE_MS = 1_000;
/** Named in a message, at most. */
const ITEMS_SHOWN_MAX = 5;
const SEED = 20_260_101;

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

export interface ImportedEnvironment extends Verification {
  readonly environment: string;
  /** Flags that were there before and were replaced. */
  readonly replaced: number;
  /** Segments that were created. */
  readonly created: readonly string[];
  /** Segments that the file only names: the server's own constraints were taken as true. */
  readonly assumed: readonly string[];
}

export interface ImportResult {
  readonly environments: readonly ImportedEnvironment[];
  /** What could not be tidied up, in sentences; empty when all is well. */
  readonly leftovers: readonly string[];
}

/** The import did not happen, or only up to what the message says. One sentence: what, where, what to do. */
export class TransferError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TransferError';
  }
}

/**
 * Moves exported environments into a flag server, a real Unleash or an embedded one, and evaluates every flag on
 * what the server then gives its clients. All environments are checked before anything is changed; one import is
 * one transaction of the server (above 450 kB: several); a repeated import replaces. Credentials that it makes
 * live as long as the import and are deleted, also when it fails. TransferError when anything is refused.
 */
export async function importFlags(
  deps: ImportDeps,
  environments: readonly EnvironmentExport[],
): Promise<ImportResult> {
  const server = connectTo(deps);
  const leftovers: string[] = [];
  const session = await server.open(deps.login);
  const created: { readonly id: number; readonly name: string }[] = [];
  let changed = false;
  try {
    const known = await session.segments();
    await requireEnvironments(session, environments);
    const missing = missingSegments(environments, known);
    const plans = environments.map((one) => planOf(one, deps.project));
    for (const segment of missing) created.push(await session.createSegment(segment));
    const replaced: number[] = [];
    for (const { parts } of plans) {
      let count = 0;
      for (const part of parts) count += await session.validate(part);
      replaced.push(count);
    }
    for (const { parts } of plans) {
      for (const part of parts) {
        await session.import(part);
        changed = true;
      }
    }
    const results: ImportedEnvironment[] = [];
    for (const [i, one] of environments.entries()) {
      const verification = await verified(deps, session, one, leftovers);
      results.push({
        ...verification,
        environment: one.environment,
        replaced: replaced[i] ?? 0,
        created: namesOf(one.segments.filter(({ name }) => created.some((made) => made.name === name))),
        assumed: namesOf(one.segments.filter(({ constraints }) => constraints === null)),
      });
    }
    await session.close(leftovers);
    return { environments: results, leftovers };
  } catch (error) {
    if (!changed) for (const { id } of created) await session.removeSegment(id, leftovers);
    await session.close(leftovers);
    throw failureOf(error, changed, leftovers);
  }
}

function failureOf(error: unknown, changed: boolean, leftovers: readonly string[]): unknown {
  if (!(error instanceof TransferError) && !(error instanceof FlagServerError)) return error;
  const state = changed ? 'a part was imported: import again once that is mended' : 'nothing was imported';
  return new TransferError([error.message, state, ...leftovers].join('; '), error);
}

/** Reads back and evaluates, again while the server may still be serving what was before. */
async function verified(
  { clock, pause }: ImportDeps,
  session: Session,
  one: EnvironmentExport,
  leftovers: string[],
): Promise<Verification> {
  const reader = await session.clientOf(one.environment);
  try {
    const there = await session.segments();
    const constraints = one.segments.map(({ id, name, constraints: own }) => ({
      id,
      constraints: own ?? there.find((segment) => segment.name === name)?.constraints ?? [],
    }));
    const source = definitionsOf(one, constraints);
    for (let tries = 1; ; tries += 1) {
      const target = await reader.table();
      const { environment } = one;
      const verification = await verifyFlags({
        source,
        target,
        environment,
        seed: SEED,
        nowMs: clock.wall(),
      });
      if (verification.differenceCount === 0 || tries >= READ_BACK_TRIES) return verification;
      await pause(READ_BACK_PAUSE_MS);
    }
  } finally {
    await reader.close(leftovers);
  }
}

async function requireEnvironments(
  session: Session,
  environments: readonly EnvironmentExport[],
): Promise<void> {
  const there = await session.environments();
  const lacking = environments.map(({ environment }) => environment).filter((name) => !there.includes(name));
  if (lacking.length > 0)
    throw new TransferError(
      `the server has no environment ${shownList(lacking)}, only ${shownList(there)}: create it there, or leave it out with --environment`,
    );
}

/** Each segment once, by its name. TransferError for one that the server has with other constraints. */
function missingSegments(
  environments: readonly EnvironmentExport[],
  known: readonly ServerSegment[],
): readonly ExportedSegment[] {
  const missing = new Map<string, ExportedSegment>();
  for (const segment of environments.flatMap(({ segments }) => segments)) {
    const there = known.find(({ name }) => name === segment.name);
    const { constraints } = segment;
    if (there !== undefined) {
      if (constraints !== null && !sameConstraints(constraints, there.constraints))
        throw new TransferError(
          `the server has another segment "${segment.name}": rename one of them, or give both the same constraints`,
        );
    } else if (constraints === null) {
      throw new TransferError(
        `the server has no segment "${segment.name}" and the file does not say its constraints: create it there first`,
      );
    } else {
      missing.set(segment.name, segment);
    }
  }
  return [...missing.values()];
}

function sameConstraints(a: readonly unknown[], b: readonly unknown[]): boolean {
  return isDeepStrictEqual(a.map(constraintOf), b.map(constraintOf));
}

/** Without what is a default: servers differ in whether they say it. */
function constraintOf(value: unknown): unknown {
  if (!isItem(value)) return value;
  const { inverted, caseInsensitive, values, ...rest } = value;
  return {
    ...rest,
    inverted: inverted === true,
    caseInsensitive: caseInsensitive === true,
    values: values ?? [],
  };
}

interface Part {
  readonly project: string;
  readonly environment: string;
  readonly data: Readonly<Record<string, readonly unknown[]>>;
}

/** The environment in parts that the server takes. A parent and its children stay together: one needs the other. */
function planOf(one: EnvironmentExport, project: string): { readonly parts: readonly Part[] } {
  const { environment, lists } = one;
  const place = { project, environment };
  const whole = partOf(one, place, new Set(one.names));
  if (bytesOf(whole) <= PART_BYTES_MAX) return { parts: [whole] };
  const families = familiesOf(one);
  const parts: Part[] = [];
  let names: string[] = [];
  for (const family of families) {
    const larger = [...names, ...family];
    if (names.length > 0 && bytesOf(partOf(one, place, new Set(larger))) > PART_BYTES_MAX) {
      parts.push(partOf(one, place, new Set(names)));
      names = [...family];
    } else {
      names = larger;
    }
  }
  parts.push(partOf(one, place, new Set(names)));
  const tooLarge = parts.find((part) => bytesOf(part) > PART_BYTES_MAX);
  if (tooLarge !== undefined)
    throw new TransferError(
      `${lists.features.length} flags of ${environment} cannot be sent in parts of ${PART_BYTES_MAX} bytes: shorten the values of their constraints`,
    );
  return { parts };
}

function partOf(
  { lists, segments }: EnvironmentExport,
  place: { readonly project: string; readonly environment: string },
  names: ReadonlySet<string>,
): Part {
  const of = (items: readonly Item[], key: string) =>
    items.filter((item) => {
      const name = item[key];
      return typeof name === 'string' && names.has(name);
    });
  const orders = new Map<unknown, number>();
  return {
    ...place,
    data: {
      features: of(lists.features, 'name').map((feature) => ({ ...feature, project: place.project })),
      // The server creates them all at once: without their places their order would be lost.
      featureStrategies: of(lists.featureStrategies, 'featureName').map((strategy) => {
        const order = orders.get(strategy['featureName']) ?? 0;
        orders.set(strategy['featureName'], order + 1);
        return { ...strategy, sortOrder: order };
      }),
      featureEnvironments: of(lists.featureEnvironments, 'featureName').map((at) => ({
        ...at,
        name: at['featureName'],
        environment: place.environment,
      })),
      featureTags: of(lists.featureTags, 'featureName'),
      dependencies: of(lists.dependencies, 'feature'),
      links: of(lists.links, 'feature'),
      contextFields: lists.contextFields,
      tagTypes: lists.tagTypes,
      segments: segments.map(({ id, name }) => ({ id, name })),
    },
  };
}

/** Flags that depend on each other, together; in the order of the export otherwise. */
function familiesOf({ names, lists }: EnvironmentExport): readonly (readonly string[])[] {
  const families = new Map(names.map((name) => [name, [name]]));
  for (const { feature, dependencies } of lists.dependencies) {
    const child = typeof feature === 'string' ? families.get(feature) : undefined;
    for (const parent of Array.isArray(dependencies) ? dependencies : []) {
      const name = isItem(parent) ? parent['feature'] : undefined;
      const family = typeof name === 'string' ? families.get(name) : undefined;
      if (child === undefined || family === undefined || child === family) continue;
      family.push(...child);
      for (const member of child) families.set(member, family);
    }
  }
  return [...new Set(families.values())];
}

function bytesOf(part: Part): number {
  return Buffer.byteLength(JSON.stringify(part));
}

interface ServerSegment {
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

interface Session {
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

function connectTo({ to, project, fetch, clock }: ImportDeps): { open(login: Login): Promise<Session> } {
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
      throw new TransferError(`${api.toString()} could not be reached (${reasonOf(error)})`, error);
    }
  }

  async function logIn(username: string, password: string): Promise<Headers> {
    const answer = await call('POST', '../auth/simple/login', {}, { username, password });
    if (answer.status === 401 || answer.status === 403)
      throw new TransferError(`${href} refused the login of ${username}: check user name and password`);
    if (answer.status === 404)
      throw new TransferError(`${href} has no login with a password: give it a token, or check the URL`);
    if (answer.status === 429)
      throw new TransferError(`${href} takes no more logins for now: try again in a minute`);
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
      const { id, secret } = isItem(answer.body) ? answer.body : {};
      if (answer.status !== 201 || typeof secret !== 'string') {
        await call('POST', '../logout', cookie);
        throw refused('creating a personal access token', answer);
      }
      return sessionOf({ Authorization: secret }, { id: String(id), cookie });
    },
  };

  function sessionOf(
    auth: Headers,
    personal: { readonly id: string; readonly cookie: Headers } | null,
  ): Session {
    async function read(path: string, key: string): Promise<readonly Item[]> {
      const answer = await call('GET', path, auth);
      const list = isItem(answer.body) ? answer.body[key] : undefined;
      if (answer.status === 401 || answer.status === 403)
        throw new TransferError(`${href} refused the token: it must be one of an administrator`);
      if (answer.status !== 200 || !Array.isArray(list)) throw refused(`reading ${key}`, answer);
      return list.filter(isItem);
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
      environments: async () => namesOf(await read('admin/environments', 'environments')),
      segments: async () => (await read('admin/segments', 'segments')).flatMap(serverSegmentOf),
      async createSegment({ name, description, constraints }) {
        const answer = await call('POST', 'admin/segments', auth, {
          name,
          ...(description === null ? {} : { description }),
          constraints,
        });
        const { id } = isItem(answer.body) ? answer.body : {};
        if (answer.status !== 201 || typeof id !== 'number')
          throw refused(`creating the segment "${name}"`, answer);
        return { id, name };
      },
      removeSegment: (id, leftovers) =>
        tidy(leftovers, `the segment ${id}`, () => call('DELETE', `admin/segments/${id}`, auth)),
      async validate(part) {
        const answer = await call('POST', 'admin/features-batch/validate', auth, part);
        if (answer.status !== 200 || !isItem(answer.body)) throw refused('checking the import', answer);
        const { errors, warnings, permissions } = answer.body;
        const archived = messagesIn(warnings).filter(({ message }) => message.includes('archived'));
        const reasons = [...messagesIn(errors), ...messagesIn(permissions), ...archived];
        if (reasons.length > 0)
          throw new TransferError(
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
        const { message } = isItem(answer.body) ? answer.body : {};
        if (typeof message === 'string' && message.includes("can't use an admin token"))
          throw new TransferError(
            `${href} takes no admin token for an import: log in as an administrator, or give it a personal access token`,
          );
        throw refused(`importing ${part.environment}`, answer);
      },
      async clientOf(environment) {
        const answer = await call('POST', 'admin/api-tokens', auth, {
          ...{ tokenName: label, type: 'client', environment, projects: [project], expiresAt: expiresAt() },
        });
        const { secret } = isItem(answer.body) ? answer.body : {};
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
        if (personal === null) return;
        const { id, cookie } = personal;
        await tidy(leftovers, `the personal access token "${label}"`, () =>
          call('DELETE', `admin/user/tokens/${encodeURIComponent(id)}`, cookie),
        );
        await tidy(leftovers, 'the login session', () => call('POST', '../logout', cookie));
      },
    };
  }
}

function serverSegmentOf({ id, name, constraints }: Item): readonly ServerSegment[] {
  return typeof id === 'number' && typeof name === 'string' && Array.isArray(constraints)
    ? [{ id, name, constraints }]
    : [];
}

function messagesIn(list: unknown): { readonly message: string; readonly items: readonly string[] }[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isItem).map(({ message, affectedItems }) => ({
    message: String(message),
    items: Array.isArray(affectedItems) ? affectedItems.map(String) : [],
  }));
}

function refused(during: string, { status, body }: Answer): TransferError {
  const { message, details } = isItem(body) ? body : {};
  const first: unknown = Array.isArray(details) ? details[0] : undefined;
  const detail = isItem(first) && typeof first['message'] === 'string' ? first['message'] : message;
  return new TransferError(
    `${during} failed: ${status}${typeof detail === 'string' ? ` ${detail.slice(0, 300)}` : ''}`,
  );
}

function shownList(items: readonly string[]): string {
  const shown = items.slice(0, ITEMS_SHOWN_MAX).join(', ');
  return items.length > ITEMS_SHOWN_MAX ? `${shown} and ${items.length - ITEMS_SHOWN_MAX} more` : shown;
}

function namesOf(items: readonly { readonly name?: unknown }[]): readonly string[] {
  return items.map(({ name }) => String(name));
}

/** The system's code where there is one: `fetch` hides it in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
