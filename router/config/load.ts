import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ConfigError } from './faults.ts';
import { parseConfig, type Settings } from './settings.ts';

const FILES = ['fig.config.ts', 'fig.config.mts', 'fig.config.js', 'fig.config.mjs', 'fig.config.json'];
const EVALUATE_MS = 5_000;

/**
 * The configuration file for `start`: there, or in its parents up to the one holding `.git`. Null when there is
 * none. Throws ConfigError when one folder has two.
 */
export function findConfig(start: string): string | null {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const found = FILES.map((name) => join(folder, name)).filter((file) => existsSync(file));
    if (found.length > 1) {
      const hint = 'keep one of them, or name it with --config';
      throw new ConfigError(folder, [
        { path: '', text: `two configuration files: ${found.join(' and ')}`, hint },
      ]);
    }
    if (found[0] !== undefined) return found[0];
    if (existsSync(join(folder, '.git')) || dirname(folder) === folder) return null;
  }
}

/**
 * Reads and validates `file`, which may take `evaluateMs`. Relative paths in it are relative to it. Throws
 * ConfigError with every fault.
 */
export async function loadConfig(
  file: string,
  env: NodeJS.ProcessEnv,
  today: string,
  evaluateMs = EVALUATE_MS,
): Promise<Settings> {
  const path = resolve(file);
  if (!existsSync(path))
    throw new ConfigError(file, [{ path: '', text: 'there is no such file', hint: null }]);
  const input = path.endsWith('.json') ? readJson(path) : await evaluate(path, evaluateMs);
  return parseConfig(input, { file, folder: dirname(path), env, today });
}

function readJson(file: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && '$schema' in value) {
      const { $schema: _, ...rest } = value;
      return rest;
    }
    return value;
  } catch (error) {
    throw new ConfigError(file, [
      { path: '', text: `not JSON: ${error instanceof Error ? error.message : String(error)}`, hint: null },
    ]);
  }
}

/** Runs the file in a thread of its own: it can neither block, crash nor change this process. */
function evaluate(file: string, withinMs: number): Promise<unknown> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`../config-worker.${extension}`, import.meta.url), {
    workerData: { file },
  });
  const fault = (text: string, hint: string | null = null) =>
    new ConfigError(file, [{ path: '', text, hint }]);
  let deadline: NodeJS.Timeout | undefined;
  return new Promise<unknown>((resolvePromise, reject) => {
    deadline = setTimeout(() => reject(fault(`it did not finish within ${withinMs} ms`)), withinMs);
    worker.once('message', (message: { config?: unknown; error?: string }) => {
      if (message.error === undefined) resolvePromise(message.config);
      else
        reject(
          fault(
            message.error,
            message.error.includes('could not be cloned')
              ? 'data only: no functions, no class instances'
              : null,
          ),
        );
    });
    worker.once('error', (error: Error) => reject(fault(error.message)));
    // After a message this comes too late to matter: it awaits what never comes, or ended its thread itself.
    worker.once('exit', () => reject(fault('it ended without giving a configuration')));
  }).finally(() => {
    clearTimeout(deadline);
    return worker.terminate();
  });
}
