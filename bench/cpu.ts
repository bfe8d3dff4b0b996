import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Kernel ticks of /proc/PID/stat: USER_HZ is 100 on every Linux that node supports. */
const US_PER_TICK = 10_000;
/** States in /proc/net/tcp that belong to a process: all but TIME_WAIT, CLOSE and LISTEN. */
const GONE = new Set(['06', '07', '0A']);

/** User and system time of a process and its descendants, microseconds. */
export function cpuUs(pid: number): number {
  return family(pid).reduce((sum, of) => sum + (statOf(of)?.ticks ?? 0) * US_PER_TICK, 0);
}

/** Time all cores were busy since the machine started, microseconds; a virtual core that was taken away counts. */
export function busyUs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (read('/proc/stat') ?? '')
    .slice('cpu '.length, 200)
    .trim()
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * US_PER_TICK;
}

/** Resident memory of a process and its descendants: now and at most since {@link forgetPeak}. */
export function memory(pid: number): { readonly bytes: number; readonly peakBytes: number } {
  let bytes = 0;
  let peakBytes = 0;
  for (const of of family(pid)) {
    const status = read(`/proc/${of}/status`) ?? '';
    bytes += kibibytes(status, 'VmRSS') * 1_024;
    peakBytes += kibibytes(status, 'VmHWM') * 1_024;
  }
  return { bytes, peakBytes };
}

/** The peak of a process and its descendants starts anew at what they hold now. */
export function forgetPeak(pid: number): void {
  for (const of of family(pid)) writeFileSync(`/proc/${of}/clear_refs`, '5');
}

/** Sockets of 127.0.0.1 that a process still holds on `port` as the listening side. */
export function openSockets(port: number): number {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return (read('/proc/net/tcp') ?? '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state = '']) => address === local && !GONE.has(state)).length;
}

function family(pid: number): readonly number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const parents = new Map(all.map((of) => [of, statOf(of)?.parent ?? 0]));
  const belongs = (of: number): boolean => {
    for (let at = of; at > 1; at = parents.get(at) ?? 0) if (at === pid) return true;
    return false;
  };
  return all.filter(belongs);
}

/** Null: the process ended meanwhile. */
function statOf(pid: number): { readonly parent: number; readonly ticks: number } | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in brackets may hold anything, brackets and spaces too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}

function kibibytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}
