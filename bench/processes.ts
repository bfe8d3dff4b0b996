import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { portOf } from './listening.ts';
import type { Pinning, Role } from './pinning.ts';

export interface Started {
  readonly child: ChildProcess;
  /** First line of stdout; rejects when the process ends without one. */
  readonly said: Promise<string>;
}

export interface Processes {
  readonly pinning: Pinning;
  start(
    role: Role,
    command: string,
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Started;
  /** A file of this folder, run by this node. */
  script(role: Role, file: string, ...args: readonly string[]): Started;
  /** Ends a process and waits for it. */
  stop(child: ChildProcess): Promise<void>;
  stopAll(): Promise<void>;
}

/** As many open files as the system allows: a shell raises its soft limit, and the hard one if it may. */
const RAISED = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"';
const KILL_AFTER_MS = 15_000;

/** Starts the processes of a run, each where its role belongs, and knows which still live. */
export function createProcesses(pinning: Pinning): Processes {
  const living = new Set<ChildProcess>();
  return { pinning, start, script, stop, stopAll };

  function start(
    role: Role,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Started {
    const cores = pinning.cores[role];
    const pin = cores === null ? [] : ['taskset', '-c', cores];
    const child = spawn('sh', ['-c', RAISED, 'sh', ...pin, command, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    living.add(child);
    child.once('exit', () => living.delete(child));
    return { child, said: firstLine(child, command) };
  }

  function script(role: Role, file: string, ...args: readonly string[]): Started {
    const whole = path.join(import.meta.dirname, file);
    return start(role, process.execPath, ['--disable-warning=DEP0060', whole, ...args]);
  }

  async function stop(child: ChildProcess): Promise<void> {
    if (!living.has(child)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    await promise;
    clearTimeout(late);
  }

  async function stopAll(): Promise<void> {
    await Promise.all([...living].map(stop));
  }
}

/** The process id; throws when the process did not start. */
export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the process did not start');
  return child.pid;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves when somebody listens: nginx and haproxy do not say when they do. Throws after 5 s. */
export async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    const open = await promise;
    socket.destroy();
    if (open) return;
    await pause(50);
  }
  throw new Error(`nobody listens on port ${port}`);
}

export function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

function firstLine(child: ChildProcess, command: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text: string | null = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    if (text === null) return;
    text += bytes.toString();
    const end = text.indexOf('\n');
    if (end === -1) return;
    resolve(text.slice(0, end));
    text = null;
  });
  child.on('error', reject);
  child.on('close', (code) => reject(new Error(`${command} ended with ${code} before it said a line`)));
  // Who does not ask for the line is not told that there was none.
  promise.catch(() => undefined);
  return promise;
}
