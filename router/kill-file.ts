import {
  existsSync,
  type FSWatcher,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';

/** Fallback for file systems without change events. */
const POLL_MS = 200;
/** A kill file larger than this is no list of groups; it is read as "everything". */
const KILL_FILE_BYTES_MAX = 65_536;
/** What may be a group; any other line, `*` among them, means everything. */
const GROUP = /^[a-z0-9-]{1,40}$/;

/** What a kill file asks for: `all`, or these groups. Null: there is no file. */
export type Kills = 'all' | ReadonlySet<string> | null;

/**
 * Reads the kill file: one group per line, `*` for all. Whoever creates it means it, so what cannot be read or
 * understood (empty, too large, no permission) stops everything.
 */
export function readKillFile(file: string): Kills {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? null : 'all';
  }
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (text.length > KILL_FILE_BYTES_MAX || lines.length === 0 || !lines.every((line) => GROUP.test(line)))
    return 'all';
  return new Set(lines);
}

/** Adds groups (`*` = all) to the kill file and keeps what stands there. Works without any running process. */
export function addToKillFile(file: string, group: string): void {
  const present = readKillFile(file);
  const groups = present === 'all' ? ['*'] : [...(present ?? [])];
  replace(file, [...new Set([...groups, group])]);
}

/** Takes one group out of the kill file; of "everything" the other `known` groups stay in it. */
export function removeFromKillFile(file: string, group: string, known: readonly string[]): void {
  const present = readKillFile(file);
  if (present === null) return;
  const left = (present === 'all' ? known : [...present]).filter((name) => name !== group);
  if (left.length === 0) rmSync(file, { force: true });
  else replace(file, left);
}

/** Whoever reads meanwhile sees the old list or the new one: half a file would stop everything. */
function replace(file: string, groups: readonly string[]): void {
  const next = `${file}.new`;
  try {
    writeFileSync(next, `${groups.join('\n')}\n`, { mode: 0o600 });
    renameSync(next, file);
  } catch (error) {
    // A half-written list must not lie around; anything else that stands there is not ours.
    if (existsSync(next) && statSync(next).isFile()) rmSync(next, { force: true });
    throw error;
  }
}

/** Watches the file and calls `onKills` at once with its content and again after every change. */
export function watchKillFile(file: string, onKills: (kills: Kills) => void): { stop(): void } {
  let last = '';
  const look = () => {
    const kills = readKillFile(file);
    const seen = kills === null ? 'none' : kills === 'all' ? 'all' : `groups ${[...kills].join(' ')}`;
    if (seen === last) return;
    last = seen;
    onKills(kills);
  };
  look();
  const timer = setInterval(look, POLL_MS);
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(dirname(file), (_, name) => (name === null || name === basename(file)) && look());
    watcher.on('error', () => watcher?.close()); // The poll goes on.
  } catch {
    watcher = null; // No change events here: the poll alone is at most POLL_MS late.
  }
  return {
    stop() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}
