import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, inject, test } from 'vitest';

/** Remote addresses of every TCP connection of a process, in the kernel's hexadecimal. */
function remotesOf(pid: number): readonly string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode === undefined ? [] : [inode];
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => inodes.has(columns[9] ?? ''))
      .map((columns) => columns[2]?.split(':')[0] ?? ''),
  );
}

/** Empty for a descriptor that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

test.runIf(process.platform === 'linux')(
  'an Unleash with its reporting switched off has connections to this machine alone',
  () => {
    const remotes = remotesOf(inject('unleashPid'));
    // 127.0.0.1; all zero is a socket that listens.
    const local = /^(?:0100007F|0+|0{16}FFFF00000100007F)$/;
    expect(remotes.length).toBeGreaterThan(0);
    expect(remotes.filter((address) => !local.test(address))).toEqual([]);
  },
);
