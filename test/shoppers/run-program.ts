import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Runs a program to its end, or asks it to end after a while; its output and its exit code. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { terminateAfterMs }: { terminateAfterMs?: number } = {},
): Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number | null }> {
  const child = spawn(process.execPath, [join(ROOT, program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const timer =
    terminateAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), terminateAfterMs);
  await once(child, 'close');
  clearTimeout(timer);
  return { stdout, stderr, code: child.exitCode };
}
