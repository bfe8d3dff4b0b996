import { readdirSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';

/** Resident memory of a process in KiB, by Linux' `/proc`. */
export function residentKb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kb === undefined) throw new Error(`process ${pid} has no memory any more`);
  return Number(kb);
}

/** How many files and sockets a process has open. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Looks at the memory of a process every 20 ms until the test ends; `peakKb` gives the most that was seen. */
export function watchMemory(pid: number): { peakKb(): number } {
  let peak = residentKb(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, residentKb(pid));
  }, 20);
  onTestFinished(() => clearInterval(timer));
  return { peakKb: () => Math.max(peak, residentKb(pid)) };
}
