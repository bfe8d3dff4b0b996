import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { type AdminClient, adminClient, spawnFig } from '../helpers/fig.ts';
import type { FigOptions } from '../helpers/fig-process.ts';
import { createWatch } from '../helpers/watch.ts';

type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** A `fig` that serves, in a process of its own, and everything it logs. */
export interface Serving {
  readonly child: ChildProcess;
  readonly traffic: string;
  readonly admin: string;
  /** The embedded flag server; null without one. */
  readonly flags: string | null;
  readonly log: readonly LogLine[];
  /** Resolves with the `n`th log line of this event. */
  logged(event: string, n?: number): Promise<LogLine>;
  /** Resolves with the exit code. */
  ended(): Promise<number | null>;
}

/** Starts `fig` with these arguments; ended with the test, and every worker it has had. */
export async function serving(args: readonly string[], options: FigOptions = {}): Promise<Serving> {
  const child = spawnFig(args, { ...options, env: { FIG_LOG_LEVEL: 'info', ...options.env } });
  const log: LogLine[] = [];
  const watch = createWatch();
  let ready: { traffic: string; admin: string; flags: string | null } | null = null;
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
    const value = JSON.parse(line);
    if ('ready' in value) ready = value;
    else log.push(value);
    watch.wake();
  });
  child.on('exit', watch.wake);
  onTestFinished(() => {
    for (const pid of pidsIn(log)) killIfThere(pid);
  });
  await watch.until(() => ready !== null || hasEnded(child));
  const { traffic, admin, flags } = ready ?? { traffic: '', admin: '', flags: null };
  if (ready === null) throw new Error(`fig ended with ${child.exitCode}: ${said}`);
  return {
    child,
    traffic,
    admin,
    flags,
    log,
    async logged(event, n = 1) {
      const found = () => log.filter((line) => line.event === event)[n - 1];
      await watch.until(() => found() !== undefined);
      const line = found();
      if (line === undefined) throw new Error(event);
      return line;
    },
    async ended() {
      if (!hasEnded(child)) await once(child, 'exit');
      return child.exitCode;
    },
  };
}

/** `fig up` with this configuration, written into the folder as `fig.config.json`; its data is in `data`. */
export async function figUp(
  folder: string,
  config: object,
  options: FigOptions = {},
): Promise<Serving & { readonly api: AdminClient }> {
  const file = configure(folder, config);
  const server = await serving(['up', '--config', file], options);
  return { ...server, api: adminClient(server.admin, join(folder, 'data')) };
}

export function configure(folder: string, config: object): string {
  const file = join(folder, 'fig.config.json');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** One request on a connection of its own: the kernel chooses anew who answers. Rejects when there is no answer. */
export function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve(body));
      answer.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** The different answers to `n` requests, one after the other. */
export async function answers(n: number, url: string, user = 'ana'): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < n; i += 1) seen.add(await ask(url, { 'x-user': user }));
  return seen;
}

/** Asks again and again until `stop`, which resolves with what went wrong and how much went well. */
export function asking(
  url: string,
  once: (url: string, headers: Readonly<Record<string, string>>) => Promise<string> = ask,
): { stop(): Promise<{ readonly failed: readonly unknown[]; readonly answered: number }> } {
  const failed: unknown[] = [];
  let answered = 0;
  let going = true;
  const loop = (async () => {
    while (going) {
      await once(url, { 'x-user': 'ana' }).then(
        () => {
          answered += 1;
        },
        (error: unknown) => failed.push(error),
      );
    }
  })();
  return {
    async stop() {
      going = false;
      await loop;
      return { failed, answered };
    },
  };
}

/**
 * As every client does with a GET: a connection that is cut before anything was answered is tried once more. A
 * listener that closes cuts those that wait in its accept queue.
 */
export function askTwice(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return ask(url, headers).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return ask(url, headers);
    throw error;
  });
}

export function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Of the workers that were ever ready, in order. */
export function pidsIn(log: readonly LogLine[]): readonly number[] {
  return log.filter(({ event }) => event === 'worker-ready').map(({ pid }) => Number(pid));
}

function killIfThere(pid: number): void {
  if (isThere(pid)) process.kill(pid, 'SIGKILL');
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
