import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Build id: the first 12 hex digits of SHA-256 over the TypeScript files of some folders and the text of
 * SEEDED_BUGS. A switched bug is another build, so that evidence of the one never counts for the other.
 */
export function buildId(folders: readonly string[], seededBugs: string): string {
  const hash = createHash('sha256');
  for (const folder of folders) {
    for (const name of readdirSync(folder).sort()) {
      if (name.endsWith('.ts')) hash.update(`${name}\n`).update(readFileSync(join(folder, name)));
    }
  }
  return hash.update(`\n${seededBugs}`).digest('hex').slice(0, 12);
}
