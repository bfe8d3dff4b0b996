import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { runNoiseVectors } from './noise.ts';

const FILE = fileURLToPath(new URL('./noise-vectors.json', import.meta.url));
const RUNNER = fileURLToPath(new URL('./cases.ts', import.meta.url));

test('every noise vector agrees to six significant digits', () => {
  const results = runNoiseVectors(JSON.parse(readFileSync(FILE, 'utf8')));
  expect(results).toHaveLength(45);
  expect(results.filter(({ failure }) => failure !== null)).toEqual([]);
});

test('a value that is off in the fifth digit fails with what was expected', () => {
  const [result] = runNoiseVectors({ upper: [{ k: 0, n: 100, alpha: 0.05, upper: 0.029515 }] });
  expect(result?.failure?.expected).toBe('upper 0.029515');
});

test('a name that is not known fails its vector', () => {
  const [result] = runNoiseVectors({ discordant: [{ b: 1, c: 0, q: 0.5 }] });
  expect(result?.failure).toEqual({ expected: 'q 0.5', got: 'q unknown name' });
});

test('the command prints the totals; it exits 1 for a failure and 2 for a file of something else', () => {
  const vector = { raw: 1, noise: 0, total: 10 };
  const { status, stdout } = run({
    diffyRule: [
      { ...vector, flag: true },
      { ...vector, flag: false },
    ],
  });
  expect(stdout).toBe('FAIL diffyRule raw=1 noise=0 total=10: flag false | flag true\n1 passed, 1 failed\n');
  expect(status).toBe(1);
  expect(run({ diffyRule: [{ ...vector, flag: true }] }).status).toBe(0);
  expect(run({ other: [] }).status).toBe(2);
});

function run(content: unknown) {
  const file = join(temporaryFolder(), 'vectors.json');
  writeFileSync(file, JSON.stringify(content));
  return spawnSync(process.execPath, [RUNNER, 'noise', file], { encoding: 'utf8' });
}
