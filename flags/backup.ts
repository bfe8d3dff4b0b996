import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientFeaturesResponse, UnleashConfig } from 'unleash-client';
import type { Clock, Log } from '../router/core/ports.ts';
import { isRecord } from './json.ts';
import { isDefinition } from './table.ts';

type Storage = NonNullable<UnleashConfig['storageProvider']>;

/** Largest backup that is read back, bytes; a larger one counts as no backup. */
export const BACKUP_BYTES_MAX = 64 * 1024 * 1024;

export interface Backup extends Storage {
  /** Reads and writes that failed since the start. */
  failures(): number;
  /** Lets the write under way finish; nothing is written after it. */
  close(): Promise<void>;
}

export interface BackupDeps {
  readonly dir: string;
  /** What the backup belongs to: data of another server, environment or application is no backup. */
  readonly url: string;
  readonly environment: string;
  readonly appName: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The flags of the last run, for a start without the flag server. `get` and `set` never reject: a rejection makes
 * the SDK reconnect without delay. A torn, foreign or malformed file is no backup. Writes are atomic and
 * serialised; while one runs only the newest waiting state is kept.
 */
export function createBackup(deps: BackupDeps): Backup {
  const { dir, url, environment, appName, clock, log } = deps;
  const key = createHash('sha256').update(`${url}\n${environment}\n${appName}`).digest('hex').slice(0, 16);
  const file = join(dir, `flags-${key}.json`);
  let failures = 0;
  let waiting: ClientFeaturesResponse | null = null;
  let writing: Promise<void> | null = null;
  let closed = false;

  function failed(during: 'read' | 'write', error: unknown): void {
    failures += 1;
    if (failures === 1) log.warn('flags.backup-failed', { during, code: codeOf(error) });
  }

  async function drain(): Promise<void> {
    while (waiting !== null) {
      const data = waiting;
      waiting = null;
      try {
        await writeAtomically(dir, file, JSON.stringify({ savedAt: clock.wall(), url, environment, data }));
      } catch (error) {
        failed('write', error);
      }
    }
    writing = null;
  }

  return {
    async get() {
      try {
        if ((await stat(file)).size > BACKUP_BYTES_MAX) throw new RangeError('the backup is too large');
        const content: unknown = JSON.parse(await readFile(file, 'utf8'));
        if (isBackup(content) && content.url === url && content.environment === environment) {
          return content.data;
        }
        failed('read', null);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') failed('read', error);
      }
      return undefined;
    },
    async set(_key: string, data: ClientFeaturesResponse) {
      if (closed) return;
      waiting = data;
      writing ??= drain();
      await writing;
    },
    failures: () => failures,
    async close() {
      closed = true;
      await writing;
    },
  };
}

async function writeAtomically(dir: string, file: string, text: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    // The half-written file may not exist at all; the first error is the one that matters.
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

interface BackupContent {
  readonly url: string;
  readonly environment: string;
  readonly data: ClientFeaturesResponse;
}

function isBackup(content: unknown): content is BackupContent {
  if (!isRecord(content)) return false;
  const { url, environment, data } = content;
  if (typeof url !== 'string' || typeof environment !== 'string' || !isRecord(data)) return false;
  const { features, segments } = data;
  return (
    Array.isArray(features) &&
    features.every(isDefinition) &&
    (segments === undefined || Array.isArray(segments))
  );
}

function codeOf(error: unknown): string {
  const { code } = isRecord(error) ? error : {};
  return typeof code === 'string' ? code : 'malformed';
}
