import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { runComparisonCases } from './comparison.ts';

const RUNNER = fileURLToPath(new URL('./cases.ts', import.meta.url));

test.each([
  ['comparison-cases.json', 105],
  ['comparison-more.json', 150],
])('every case of %s passes', (name, least) => {
  const file = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const results = runComparisonCases(JSON.parse(readFileSync(file, 'utf8')));
  expect(results.length).toBeGreaterThanOrEqual(least);
  expect(new Set(results.map(({ id }) => id)).size).toBe(results.length);
  expect(results.filter(({ failure }) => failure !== null)).toEqual([]);
});

test('a rule that is not known fails its case with its name', () => {
  const same = { status: 200, headers: {}, body: '' };
  const rules = [{ path: '/body', action: 'no-such-action' }];
  const [result] = runComparisonCases([
    { id: 'x', primary: same, candidate: same, rules, expected: { match: true } },
  ]);
  expect(result?.failure?.got).toContain('no-such-action');
});

test('the command prints a line per failure and the totals, and exits 1', () => {
  const same = { status: 200, headers: {}, body: '' };
  const file = temporary([
    { id: 'right', primary: same, candidate: same, expected: { match: true } },
    { id: 'wrong', primary: same, candidate: { ...same, status: 201 }, expected: { match: true } },
  ]);
  const { status, stdout } = spawnSync(process.execPath, [RUNNER, 'comparison', file], { encoding: 'utf8' });
  expect(stdout).toMatch(/^FAIL wrong: \{"match":true\} \| .*\/status.*\n1 passed, 1 failed\n$/);
  expect(status).toBe(1);
});

test('the command exits 0 when all pass and 2 when the file cannot be used', () => {
  const same = { status: 200, headers: {}, body: '' };
  const file = temporary([{ id: 'right', primary: same, candidate: same, expected: { match: true } }]);
  expect(execFileSync(process.execPath, [RUNNER, 'comparison', file], { encoding: 'utf8' })).toBe(
    '1 passed, 0 failed\n',
  );
  expect(spawnSync(process.execPath, [RUNNER, 'comparison', temporary({})]).status).toBe(2);
});

function temporary(content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'fig-cases-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'cases.json');
  writeFileSync(file, JSON.stringify(content));
  return file;
}
