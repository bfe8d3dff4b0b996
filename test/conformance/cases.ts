/**
 * Runs acceptance cases: `node test/conformance/cases.ts comparison|noise|proxy [FILE]`. Comparison cases
 * and noise vectors go to the product's own functions, proxy cases through `fig proxy`.
 * One line `FAIL <id>: <expected> | <got>` per failing case, then `N passed, N failed`. Exit 1 if any failed, 2 if
 * the file cannot be used.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runComparisonCases } from './comparison.ts';
import { runNoiseVectors } from './noise.ts';
import { runProxyCases } from './proxy.ts';

export interface CaseResult {
  readonly id: string;
  /** Null: passed. */
  readonly failure: { readonly expected: string; readonly got: string } | null;
}

/** Takes the parsed file; throws TypeError when it is not a file of such cases. */
type Runner = (cases: unknown) => Promise<readonly CaseResult[]>;

const RUNNERS: ReadonlyMap<string, { readonly run: Runner; readonly file: string }> = new Map([
  ['comparison', { run: async (cases) => runComparisonCases(cases), file: 'comparison-cases.json' }],
  ['noise', { run: async (vectors) => runNoiseVectors(vectors), file: 'noise-vectors.json' }],
  ['proxy', { run: runProxyCases, file: 'proxy-cases.json' }],
]);

async function main(args: readonly string[]): Promise<number> {
  const [name = '', path] = args;
  const runner = RUNNERS.get(name);
  if (runner === undefined) {
    console.error(`usage: npm run cases -- ${[...RUNNERS.keys()].join('|')} [FILE]`);
    return 2;
  }
  const results = await usable(runner.run, path ?? fileURLToPath(new URL(runner.file, import.meta.url)));
  if (results === null) return 2;
  const failed = results.filter(({ failure }) => failure !== null);
  for (const { id, failure } of failed) console.log(`FAIL ${id}: ${failure?.expected} | ${failure?.got}`);
  console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

async function usable(run: Runner, path: string): Promise<readonly CaseResult[] | null> {
  try {
    return await run(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    console.error(`cannot use ${path}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.exitCode = await main(process.argv.slice(2));
