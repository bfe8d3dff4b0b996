import { readFileSync } from 'node:fs';

/** The version of the package this file belongs to, in the checkout and in `dist/`. */
export function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version: found }: { name?: unknown; version?: unknown } = JSON.parse(
        readFileSync(new URL(path, import.meta.url), 'utf8'),
      );
      if (name === 'strangler-fig' && typeof found === 'string') return found;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  throw new Error('package.json of strangler-fig was not found beside the program');
}
