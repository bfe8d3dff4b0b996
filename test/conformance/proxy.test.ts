import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { closedPort } from '../helpers/upstream.ts';

/** Cases the mount does not pass. It may only shrink: a case that passes must leave the list. */
const NOT_PASSED: readonly string[] = [];
/** Run only with `--have slow`, which adds 40 s. */
const NOT_RUN: readonly string[] = ['LIM-06', 'LIM-07', 'LIM-09'];

interface Result {
  readonly id: string;
  readonly verdict: string;
  readonly why: readonly string[];
}

const here = import.meta.dirname;

/** The proxy in a process of its own, so that a death of it is seen. */
async function startProxy(legacyPort: number) {
  const child = spawn(
    process.execPath,
    [path.join(here, 'proxy-server.ts'), `http://127.0.0.1:${legacyPort}`],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = await new Promise<string[]>((resolve, reject) => {
    child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString().split('\n')));
    child.once('exit', (code) => reject(new Error(`the proxy ended with ${code}`)));
  });
  return { child, port: Number(line) };
}

test('every case of the corpus passes, and the proxy lives', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'fig-conformance-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const legacyPort = await closedPort();
  const { child, port } = await startProxy(legacyPort);
  const out = path.join(folder, 'results.json');
  const runner = path.join(here, 'proxy-runner.mjs');
  const args = [runner, String(port), String(legacyPort), '--via', 'fig', '--json', out, '-q'];
  await promisify(execFile)(process.execPath, args);

  const cases: readonly unknown[] = JSON.parse(await readFile(path.join(here, 'proxy-cases.json'), 'utf8'));
  const results: readonly Result[] = JSON.parse(await readFile(out, 'utf8'));
  const failed = results.filter(({ verdict }) => verdict !== 'PASS' && verdict !== 'SKIP');
  const skipped = results.filter(({ verdict }) => verdict === 'SKIP');
  expect(results).toHaveLength(cases.length);
  expect(failed.map(({ id }) => id)).toEqual(NOT_PASSED);
  expect(skipped.map(({ id }) => id).sort()).toEqual(NOT_RUN);
  expect(child.exitCode).toBe(null);
});
