/** Data-plane processes that outlived the control process that started them. */
import { readFileSync, rmSync } from 'node:fs';
import { writeAtomically } from '../data-folder.ts';

export interface Leftovers {
  /** Where they listen. */
  readonly host: string;
  readonly port: number;
  readonly pids: readonly number[];
}

interface Written {
  readonly host: string;
  readonly port: number;
  readonly workers: readonly { readonly pid: number; readonly since: string }[];
}

/** Says in `file` which processes answer where. Throws the error of the system. */
export function writeWorkers(
  file: string,
  at: { host: string; port: number },
  pids: readonly number[],
): void {
  const workers = pids.flatMap((pid) => {
    const since = startOf(pid);
    return since === null ? [] : [{ pid, since }];
  });
  const { host, port } = at;
  writeAtomically(file, `${JSON.stringify({ host, port, workers } satisfies Written)}\n`);
}

export function forgetWorkers(file: string): void {
  rmSync(file, { force: true });
}

/** Those of the file that still live; null when there are none. A process that only has the number of one is none. */
export function readLeftovers(file: string): Leftovers | null {
  const written = read(file);
  if (written === null) return null;
  const pids = written.workers.filter(({ pid, since }) => startOf(pid) === since).map(({ pid }) => pid);
  return pids.length === 0 ? null : { host: written.host, port: written.port, pids };
}

/** They answer what they have in flight, and end. Returns those that were told. */
export function drainLeftovers({ pids }: Leftovers): readonly number[] {
  return pids.filter((pid) => {
    try {
      return process.kill(pid, 'SIGTERM');
    } catch {
      return false; // It ended meanwhile: that is what was asked for.
    }
  });
}

/** When a process began, in ticks since boot (proc(5), field 22); null when there is none or it cannot be told. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function read(file: string): Written | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isWritten(value) ? value : null;
  } catch {
    return null; // None was written, or by hand: nobody is signalled on a guess.
  }
}

function isWritten(value: unknown): value is Written {
  if (typeof value !== 'object' || value === null) return false;
  if (!('host' in value && 'port' in value && 'workers' in value)) return false;
  const { host, port, workers } = value;
  return (
    typeof host === 'string' &&
    typeof port === 'number' &&
    Array.isArray(workers) &&
    workers.every((one: unknown) => isWorker(one))
  );
}

function isWorker(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('pid' in value && 'since' in value)) return false;
  return Number.isSafeInteger(value.pid) && Number(value.pid) > 1 && typeof value.since === 'string';
}
