import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Build id: the first 12 hex digits of SHA-256 over the TypeScript files below a folder, by path. */
export function buildId(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort();
  for (const name of files) {
    const file = join(folder, name);
    hash.update(`${relative(folder, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 12);
}
