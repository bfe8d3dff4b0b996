import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** `free` is never pinned. */
export type Role = 'proxy' | 'load' | 'target' | 'free';

/** Where processes run: a core list as `taskset -c` takes it, null: anywhere. */
export interface Pinning {
  readonly cores: Readonly<Record<Role, string | null>>;
  /** What was done, for the reader of the results. */
  readonly text: string;
}

/** Gives the proxy a core of its own and the rest to load and targets, to each its own from three cores on. */
export function choosePinning(allowed: readonly number[], taskset: boolean): Pinning {
  const [proxy, load, ...rest] = allowed;
  if (!taskset) return unpinned('nothing is pinned: there is no taskset');
  if (proxy === undefined || load === undefined) return unpinned('nothing is pinned: one core');
  const target = rest.length === 0 ? String(load) : rest.join(',');
  return {
    cores: { proxy: String(proxy), load: String(load), target, free: null },
    text: `pinned: proxy alone on core ${proxy}, load on ${load}, targets on ${target}`,
  };
}

/** No process of the run is held anywhere; `text` says why. */
export function unpinned(text: string): Pinning {
  return { cores: { proxy: null, load: null, target: null, free: null }, text };
}

export function hasTaskset(): boolean {
  return spawnSync('taskset', ['--version']).error === undefined;
}

/** The cores this process may use. */
export function allowedCores(): readonly number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  return parseCores(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
}

/** `0-2,5` to 0, 1, 2, 5. */
export function parseCores(list: string): readonly number[] {
  return list
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, n) => from + n);
    });
}
