import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** The data folder cannot be used; `message` says what is wrong, where, and what to do. */
class DataFolderError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataFolderError';
  }
}

/** Shortest text that is taken for a secret. */
const SECRET_CHARS_MIN = 16;

/** Everything that is written stands here; only its owner may read it. Throws DataFolderError. */
export function openDataFolder(folder: string): void {
  try {
    makeFolder(folder);
    chmodSync(folder, 0o700);
  } catch (error) {
    throw new DataFolderError(
      `the data folder ${folder} cannot be used (${codeOf(error)}); choose another with --data`,
      { cause: error },
    );
  }
}

/** A folder and its parents. Not `recursive`: below /proc that never ends. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw new DataFolderError('not a folder');
    return;
  }
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/**
 * A secret that is made once and kept (mode 0600); `make` gives its text, `isOne` knows one. Throws DataFolderError
 * when the file holds none.
 */
export function keptSecret(
  folder: string,
  name: string,
  make: () => string,
  isOne: (text: string) => boolean = () => true,
): string {
  const file = join(folder, name);
  try {
    if (!existsSync(file)) writeAtomically(file, `${make()}\n`);
    chmodSync(file, 0o600);
    const secret = readFileSync(file, 'utf8').trim();
    if (secret.length >= SECRET_CHARS_MIN && isOne(secret)) return secret;
  } catch (error) {
    throw new DataFolderError(`${file} cannot be used (${codeOf(error)})`, { cause: error });
  }
  // An empty secret would let everybody in.
  throw new DataFolderError(`${file} holds no secret; delete it, and a new one is made at the next start`);
}

function codeOf(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
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
