import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** Everything that is written stands here; only its owner may read it. */
export function openDataFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** A secret that is made once and kept (mode 0600); `make` gives its text. */
export function keptSecret(folder: string, name: string, make: () => string): string {
  const file = join(folder, name);
  if (!existsSync(file)) writeAtomically(file, `${make()}\n`);
  return readFileSync(file, 'utf8').trim();
}

export function randomSecret(prefix: string): string {
  return `${prefix}${randomBytes(32).toString('base64url')}`;
}

/** Readers see the old text or the new one, never half of it (mode 0600). */
export function writeAtomically(file: string, text: string): void {
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
}
