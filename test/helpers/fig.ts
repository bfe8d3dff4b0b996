import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { parseConfig, type Settings } from '../../router/config.ts';
import type { Move, Receipt, StatusData } from '../../router/control/api.ts';
import type { LedgerEvent } from '../../router/core/events.ts';
import { type Running, startUp } from '../../router/main.ts';
import { type FigOptions, launchFig, type Ready, readyOf } from './fig-process.ts';
import { temporaryFolder } from './folder.ts';
import { webServer } from './world.ts';

/** Whoever still has something open then is killed. */
const END_MS_MAX = 2_000;

/** Legacy and service that say who they are, and a configuration with one group `orders` between them. */
export async function twoSides(): Promise<{ readonly legacy: string; readonly service: string }> {
  const say = (who: string): RequestListener => {
    return (_request, response) => void response.setHeader('Content-Type', 'text/plain').end(who);
  };
  const [legacy, service] = await Promise.all([webServer(say('legacy')), webServer(say('service'))]);
  return { legacy: legacy.origin, service: service.origin };
}

/** A configuration on free ports with the group `orders` (`/orders/:id`, unit: header X-User). */
export function ordersConfig(sides: { readonly legacy: string; readonly service: string }) {
  return {
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    data: 'data',
    legacy: sides.legacy,
    services: { orders: sides.service },
    flags: { embedded: { listen: '127.0.0.1:0' } },
    groups: {
      orders: {
        service: 'orders',
        routes: ['GET /orders/:id', 'POST /orders/:id'],
        unit: [{ header: 'X-User' }],
        shadow: { timeoutMs: 200 },
      },
    },
  };
}

export function settingsOf(input: unknown, folder: string, env: NodeJS.ProcessEnv = {}): Settings {
  return parseConfig(input, { file: 'fig.config.json', folder, env, today: '2026-01-01' });
}

/** Everything of a configuration in this process; stopped with the test. */
export async function up(
  input: unknown,
  env: NodeJS.ProcessEnv = {},
): Promise<Running & { readonly data: string }> {
  process.env['FIG_LOG_LEVEL'] = 'silent';
  const folder = temporaryFolder();
  const running = await startUp(settingsOf(input, folder, env));
  onTestFinished(() => running.stop());
  return { ...running, data: join(folder, 'data') };
}

export interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a process of its own, gone with the test. */
export function spawnFig(args: readonly string[], options: FigOptions = {}): ChildProcess {
  const child = launchFig(args, options);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** A `fig` process that serves. */
export interface RunningFig extends Ready {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Of the traffic, on 127.0.0.1. */
  readonly port: number;
}

/** Starts `fig proxy …` or `fig up …` and resolves once it serves; gone with the test. */
export async function startFig(args: readonly string[], options: FigOptions = {}): Promise<RunningFig> {
  const child = spawnFig(args, options);
  // Asked to end before it is killed: workers serve on when the process that started them is killed.
  onTestFinished(() => ended(child));
  const ready = await readyOf(child);
  return { ...ready, child, pid: child.pid ?? 0, port: Number(new URL(ready.traffic).port) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const late = AbortSignal.timeout(END_MS_MAX);
  child.kill('SIGTERM');
  await once(child, 'close', { signal: late }).catch(() => undefined);
}

/** The transparent proxy in front of this origin, on a port of its own. */
export function startFigProxy(legacy: string, more: readonly string[] = []): Promise<RunningFig> {
  return startFig(['proxy', '--legacy', legacy, '--listen', '127.0.0.1:0', ...more]);
}

/** `fig up` with this configuration, its data in a folder of the test's own. */
export async function startFigUp(input: object): Promise<RunningFig & { readonly data: string }> {
  const folder = temporaryFolder();
  const file = join(folder, 'fig.config.json');
  writeFileSync(file, JSON.stringify({ data: 'data', ...input }));
  const running = await startFig(['up', '--config', file]);
  return { ...running, data: join(folder, 'data') };
}

/** Runs a command to its end. */
export async function fig(args: readonly string[], options: FigOptions = {}): Promise<Ended> {
  const child = spawnFig(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { exit: child.exitCode, stdout, stderr };
}

export interface AdminClient {
  status(): Promise<StatusData>;
  history(): Promise<readonly LedgerEvent[]>;
  move(group: string, body: Move): Promise<Receipt>;
  /** Asks for the status again and again until it settles so; rejects after `withinMs`. */
  until(settled: (status: StatusData) => boolean, withinMs?: number): Promise<StatusData>;
}

/** A client of the admin API with the token of the data folder. */
export function adminClient(url: string | null, data: string): AdminClient {
  const headers = {
    authorization: `Bearer ${readFileSync(join(data, 'admin.token'), 'utf8').trim()}`,
    'content-type': 'application/json',
    'if-match': '*',
    'fig-operator': 'ana',
  };
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${url}/api/v1${path}`, { ...init, headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${text}`);
    return JSON.parse(text).data;
  };
  const status = (): Promise<StatusData> => ask('/status');
  return {
    status,
    history: async () => (await ask('/ledger?limit=1000')).events,
    move: (group, body) => ask(`/groups/${group}/moves`, { method: 'POST', body: JSON.stringify(body) }),
    async until(settled, withinMs = 10_000) {
      const deadline = performance.now() + withinMs;
      for (;;) {
        const seen = await status();
        if (settled(seen)) return seen;
        if (performance.now() > deadline)
          throw new Error(`not within ${withinMs} ms: ${JSON.stringify(seen)}`);
        await setImmediate();
      }
    },
  };
}
