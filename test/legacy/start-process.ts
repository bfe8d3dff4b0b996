import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Running {
  readonly child: ChildProcess;
  readonly ready: { readonly name: string; readonly port: number; readonly build: string };
  /** Ends the process and waits until it is gone. */
  stop(): Promise<void>;
}

const ROOT = join(import.meta.dirname, '../..');

/** Starts one of the example's programs and waits for its ready line; rejects with its stderr when it ends first. */
export async function startProcess(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn(process.execPath, [join(ROOT, program), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exited = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), exited.then(() => null)]);
  if (first === null) throw new Error(errors);
  const ready = JSON.parse(String(first[0]));
  return {
    child,
    ready,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
