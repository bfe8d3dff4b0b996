import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Where the kernel says what a process holds, and lends a test every address of 127.0.0.0/8. */
export const ON_LINUX = process.platform === 'linux';

/** Sockets that this process has open. */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => isSocket(`${folder}/${fd}`)).length;
}

/** The most memory this process has had so far: bytes. */
export function peakBytesOf(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return 1_024 * Number(kibibytes);
}

/** A descriptor may be gone by the time it is looked at. */
function isSocket(file: string): boolean {
  try {
    return readlinkSync(file).startsWith('socket:');
  } catch {
    return false;
  }
}
