import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createReader, type ReaderDeps, type RunningReader } from '../../flags/reader.ts';
import { createFlagServer, type FlagServerDeps } from '../../flags/server/app.ts';
import type { FlagTokens } from '../../flags/server/auth.ts';
import type { Timer } from '../../flags/timer.ts';
import { createWriter } from '../../flags/writer.ts';
import type { Clock, FlagWriter, Log } from '../../router/core/ports.ts';

const ENVIRONMENT = 'production';
export const TOKENS: FlagTokens = {
  admin: '*:*.0123456789abcdef0123456789abcdef',
  client: 'default:production.fedcba9876543210fedcba9876543210',
};

export const clock: Clock = { now: () => performance.now(), wall: () => Date.now() };

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that remembers its lines. */
export function recordingLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: Line['level']) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
      lines.push({ level, event, fields });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A clock and a timer that stand still until they are moved. */
export function fakeTime(): { clock: Clock; timer: Timer; advance(ms: number): void } {
  let now = 0;
  const waiting = new Set<{ at: number; run: () => void }>();
  return {
    clock: { now: () => now, wall: () => 1_700_000_000_000 + now },
    timer: {
      after(delayMs, run) {
        const entry = { at: now + delayMs, run };
        waiting.add(entry);
        return () => waiting.delete(entry);
      },
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = [...waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        now = next.at;
        waiting.delete(next);
        next.run();
      }
      now = end;
    },
  };
}

/** Registers what ends with the test; a concurrent test passes the one of its context. */
export type Finish = typeof onTestFinished;

export function tempDir(finish: Finish = onTestFinished): string {
  const dir = mkdtempSync(join(tmpdir(), 'fig-flags-'));
  finish(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A listening embedded flag server, closed at the end of the test. */
export async function startServer(options: Partial<FlagServerDeps> & { port?: number } = {}) {
  const { port = 0, ...deps } = options;
  const log = recordingLog();
  const file = deps.file ?? join(tempDir(), 'flags.db');
  const server = createFlagServer({ tokens: TOKENS, clock, log, ...deps, file });
  const { url, port: bound } = await server.listen({ port });
  onTestFinished(() => server.close());
  return { server, url, port: bound, file, log };
}

export function writerFor(url: string): FlagWriter {
  const log = recordingLog();
  return createWriter({ url, token: TOKENS.admin, environment: ENVIRONMENT, project: 'default', fetch, log });
}

/** A started reader, stopped at the end of the test. */
export function startReader(
  deps: Pick<ReaderDeps, 'source'> & Partial<ReaderDeps>,
  finish: Finish = onTestFinished,
) {
  const log = recordingLog();
  const reader = createReader({ environment: ENVIRONMENT, backupDir: tempDir(finish), clock, log, ...deps });
  reader.start();
  finish(() => reader.stop());
  return { reader, log };
}

/** Resolves when `holds`; looked at after each swap of the reader and every few milliseconds. */
export async function until(holds: () => boolean, limitMs = 8000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`still not true after ${limitMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function fresh(reader: RunningReader): Promise<void> {
  return until(() => reader.status().data === 'fresh');
}

export function subject(unit: string | null) {
  return { unit, requestId: 'request-1', properties: {} };
}

/** One call as a person with curl makes it. */
export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  token: string | null = TOKENS.admin,
) {
  const response = await fetch(url + path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: token }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json: unknown = text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
  return { status: response.status, body: json, headers: response.headers };
}
