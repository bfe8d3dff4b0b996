import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

/** Evaluates one configuration file in a thread and posts its default export, which must be plain data. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const defineConfig = new URL(`./define-config.${extension}`, import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    // The running copy, not whatever is or is not installed beside the file.
    return specifier === 'strangler-fig/config'
      ? { url: defineConfig, shortCircuit: true }
      : next(specifier, context);
  },
  load(url, context, next) {
    // A package of type "commonjs" (what `npm init` writes) must not make `export` a syntax error.
    const own = url.startsWith('file:') && !url.includes('/node_modules/');
    return own && url.endsWith('.ts')
      ? next(url, { ...context, format: 'module-typescript' })
      : next(url, context);
  },
});

try {
  const module: { default?: unknown } = await import(pathToFileURL(String(workerData.file)).href);
  if (module.default === undefined)
    throw new Error('it has no default export; write `export default defineConfig({ … })`');
  parentPort?.postMessage({ config: module.default });
} catch (error) {
  parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) });
}
