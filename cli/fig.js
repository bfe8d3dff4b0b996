#!/usr/bin/env node
// Plain JavaScript that any Node can read: an old one must be told what to do, not fail on syntax.
const found = process.versions.node;
if (Number(found.split('.')[0]) < 24) {
  process.stderr.write(
    `fig: needs Node 24 or newer, found ${found}; run it as "npx fig" where strangler-fig is installed, which finds the Node it brings\n`,
  );
  process.exit(1);
}
// http-proxy uses util._extend (DEP0060); no operator can act on that warning.
process.noDeprecation = true;
const { enableCompileCache } = await import('node:module');
enableCompileCache?.();
const { existsSync } = await import('node:fs');
// The checkout runs its TypeScript directly; the package ships it compiled, because Node refuses to strip types
// below node_modules.
const source = new URL('./main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
