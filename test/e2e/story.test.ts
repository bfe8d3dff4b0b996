import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const STORY_MS = 180_000;

/** Runs `npm start` as its script does. Ends by itself; a stuck one is killed by the test's own limit. */
function story(...args: readonly string[]): Promise<{ exit: number | null; output: string }> {
  const child = spawn(process.execPath, ['demo/story.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.once('close', (exit) => resolve({ exit, output })));
}

test('the story runs from everything on legacy to the rollback, and every expectation holds', {
  timeout: STORY_MS,
}, async () => {
  const { exit, output } = await story();
  expect(output).toMatch(/seeded faults found: B01 B02 B04 B06 B08 B13 \(6 of 6\)/);
  expect(output).toContain('harmless differences reported: 0');
  for (const share of [10, 50, 100])
    expect(output).toMatch(new RegExp(`asked ${share} %, effective ${share} %, measured \\d`));
  expect(output).toMatch(/the command took \d+ ms/);
  expect(output).toContain('All expectations held.');
  expect(exit).toBe(0);
});

test('moving traffic is there within 15 s, and a fault left in the fixed build fails the story', {
  timeout: STORY_MS,
}, async () => {
  const { exit, output } = await story('--fixed-bugs', 'B04');
  expect(Number(/moving traffic ([\d.]+) s after the start/.exec(output)?.[1])).toBeLessThan(15);
  expect(output).toMatch(/FAILED {2}expected: catalog shadows clean, \d+ of \d+ answers differ/);
  expect(exit).toBe(1);
});
