import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/**
 * The star: who may import whom, and which package belongs to which place. First matching row of `place` rules
 * a file. `ours` are path prefixes; a place may always import itself.
 */
const TABLE: readonly { place: string; ours: readonly string[]; packages: readonly string[] }[] = [
  { place: 'router/core/', ours: [], packages: [] },
  { place: 'router/http1/', ours: ['router/core/'], packages: [] },
  {
    place: 'router/shadow/',
    ours: ['router/core/'],
    packages: ['node:', 'parse5', 'saxes', 'css-what'],
  },
  { place: 'router/store/', ours: ['router/core/'], packages: ['node:', 'better-sqlite3'] },
  { place: 'router/control/', ours: ['router/core/'], packages: ['node:', 'express', 'zod'] },
  { place: 'router/config-worker.ts', ours: [], packages: ['node:'] },
  { place: 'router/config.ts', ours: ['router/config/'], packages: [] },
  {
    place: 'router/config/',
    // Selectors of rules are checked when they are configured, not when the first answer comes.
    ours: ['router/core/', 'router/proxy/options.ts', 'router/shadow/selectors.ts'],
    packages: ['node:', 'zod'],
  },
  { place: 'router/define-config.ts', ours: ['router/config.ts'], packages: [] },
  { place: 'router/kill-file.ts', ours: [], packages: ['node:'] },
  { place: 'router/mount.ts', ours: ['router/core/', 'router/mount/'], packages: ['node:', 'http-proxy'] },
  { place: 'router/mount/', ours: ['router/core/'], packages: ['node:'] },
  {
    place: 'router/processes/',
    ours: [
      'router/core/',
      'router/proxy/',
      'router/bind.ts',
      'router/config.ts',
      'router/data-folder.ts',
      'flags/push.ts',
    ],
    packages: ['node:'],
  },
  { place: 'router/proxy/', ours: ['router/core/', 'router/http1/'], packages: ['node:'] },
  { place: 'router/', ours: ['router/', 'flags/'], packages: ['node:', 'pino'] },
  {
    place: 'flags/server/',
    ours: ['router/core/', 'flags/'],
    packages: ['node:', 'express', 'better-sqlite3'],
  },
  { place: 'flags/', ours: ['router/core/', 'flags/'], packages: ['node:', 'unleash-client'] },
  { place: 'cli/fig.js', ours: [], packages: ['node:'] },
  {
    place: 'cli/up.ts',
    ours: ['cli/', 'router/main.ts', 'router/config.ts'],
    packages: ['node:', 'commander'],
  },
  {
    place: 'cli/proxy.ts',
    ours: ['cli/', 'router/main.ts', 'router/config.ts'],
    packages: ['node:', 'commander'],
  },
  {
    place: 'cli/compare.ts',
    ours: ['cli/', 'router/compare-answers.ts', 'router/core/'],
    packages: ['node:', 'commander'],
  },
  {
    place: 'cli/kill.ts',
    ours: ['cli/', 'router/kill-file.ts', 'router/control/api.ts'],
    packages: ['node:', 'commander'],
  },
  {
    place: 'cli/flags-import.ts',
    ours: ['cli/', 'flags/'],
    packages: ['node:', 'commander'],
  },
  // Wire types and the words of the core, as types only (checked below).
  {
    place: 'cli/',
    ours: ['cli/', 'router/control/api.ts', 'router/core/'],
    packages: ['node:', 'commander'],
  },
  { place: 'legacy/', ours: [], packages: ['node:', 'express', 'better-sqlite3'] },
  { place: 'new-services/', ours: [], packages: ['node:', 'express', 'better-sqlite3'] },
  // What a user of the package writes.
  { place: 'demo/fig.config.ts', ours: [], packages: ['strangler-fig/config'] },
  { place: 'demo/', ours: [], packages: ['node:'] },
  // What only a process that reads flags can measure.
  { place: 'bench/flag-costs.ts', ours: ['bench/', 'flags/'], packages: ['node:'] },
  // What only the comparer's own thread can measure.
  { place: 'bench/compare-costs.ts', ours: ['router/shadow/'], packages: ['node:'] },
  { place: 'bench/flag-table.ts', ours: ['flags/table.ts'], packages: [] },
  { place: 'bench/', ours: [], packages: ['node:', 'http-proxy'] },
  { place: 'test/', ours: [''], packages: [''] },
];

const ROOT = resolve(import.meta.dirname, '..');
const IMPORT = /^(?:import|export)\s+(type\s)?(?:[\w$*{}\s,]+?\sfrom\s+)?['"]([^'"]+)['"]/gm;

const files = globSync('**/*.{ts,js}', {
  cwd: ROOT,
  exclude: (name) => /^(node_modules|dist)$|\/(node_modules|dist)$/.test(name),
}).filter((file) => !/^(node_modules|dist)\//.test(file) && file.includes('/'));

function rowOf(file: string) {
  return TABLE.find(({ place }) => (place.endsWith('/') ? file.startsWith(place) : file === place));
}

function faultsOf(file: string): string[] {
  const row = rowOf(file);
  if (row === undefined) return [`${file} stands in no place of the table`];
  const faults: string[] = [];
  for (const [, typeOnly, specifier = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)) {
    if (specifier.startsWith('.')) {
      const target = relative(ROOT, resolve(ROOT, dirname(file), specifier));
      const own = row.place.endsWith('/') && target.startsWith(row.place);
      if (!own && !row.ours.some((prefix) => target.startsWith(prefix)))
        faults.push(`${file} imports ${target}`);
      if (file.startsWith('cli/') && /^router\/(core|control)\//.test(target) && typeOnly === undefined) {
        faults.push(`${file} imports ${target} as more than types`);
      }
    } else if (
      !row.packages.some((name) =>
        name.endsWith(':') || name === '' ? specifier.startsWith(name) : specifier === name,
      )
    ) {
      faults.push(`${file} imports ${specifier}`);
    }
  }
  return faults;
}

test('every import obeys the star', () => {
  expect(files.length).toBeGreaterThan(50);
  expect(files.flatMap(faultsOf)).toEqual([]);
});

test('core and codec read no clock, no randomness and no process', () => {
  const impure = /Date\.now|new Date|performance\.|process\.|Math\.random|crypto\./;
  const faults = files.filter(
    (file) => /^router\/(core|http1)\//.test(file) && impure.test(withoutComments(file)),
  );
  expect(faults).toEqual([]);
});

test('every path named in ARCHITECTURE.md exists', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const paths = [...text.matchAll(/`([a-z][\w./-]*(?:\/|\.(?:ts|js|json|md)))`/g)].map(
    ([, path = '']) => path,
  );
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('every test named in ARCHITECTURE.md exists under that name', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const named = [...text.matchAll(/`(test\/[\w./-]+\.test\.ts)` \u201c([^\u201d]+)\u201d/g)];
  expect(named.length).toBeGreaterThan(8);
  const missing = named.filter(
    ([, file = '', name = '']) =>
      !existsSync(join(ROOT, file)) || !readFileSync(join(ROOT, file), 'utf8').includes(name),
  );
  expect(missing.map(([line]) => line)).toEqual([]);
});

test('the product never names the example system', () => {
  const product = files.filter((file) => /^(router|flags|cli)\//.test(file));
  const named = /\boak\b|SEEDED_BUGS|OAKSESS|legacy\/main|new-services/i;
  expect(product.filter((file) => named.test(readFileSync(join(ROOT, file), 'utf8')))).toEqual([]);
});

function withoutComments(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
}
