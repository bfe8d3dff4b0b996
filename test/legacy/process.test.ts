import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ask } from './ask.ts';
import { startProcess } from './start-process.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'oak-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('the process says when it is ready, serves, and leaves on SIGTERM with exit 0', async () => {
  const legacy = await startProcess('legacy/main.ts', ['--port', '0', '--db', join(folder(), 'oak.db')]);
  onTestFinished(() => legacy.stop());
  expect(legacy.ready).toMatchObject({
    ready: true,
    name: 'legacy',
    build: expect.stringMatching(/^[0-9a-f]{12}$/),
  });
  const health = await ask(legacy.ready.port, '/healthz');
  expect(JSON.parse(health.text)).toEqual({ name: 'legacy', build: legacy.ready.build });
  const exited = once(legacy.child, 'exit');
  legacy.child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

test('a bad option ends the process with exit 1 and one sentence', async () => {
  for (const [args, sentence] of [
    [['--port', '70000'], /^legacy: --port must be a whole number from 0 to 65535, is "70000"\n$/],
    [['--nonsense'], /^legacy: Unknown option '--nonsense'/],
  ] as const) {
    await expect(startProcess('legacy/main.ts', args)).rejects.toThrow(sentence);
  }
});

test('a file made from another seed is refused when a seed is named, and --reset makes it anew', async () => {
  const file = join(folder(), 'oak.db');
  const first = await startProcess('legacy/main.ts', ['--port', '0', '--db', file]);
  await first.stop();
  await expect(startProcess('legacy/main.ts', ['--port', '0', '--db', file, '--seed', '5'])).rejects.toThrow(
    /was made from seed 1969, not 5; add --reset/,
  );
  const again = await startProcess('legacy/main.ts', ['--port', '0', '--db', file, '--seed', '5', '--reset']);
  onTestFinished(() => again.stop());
  expect((await ask(again.ready.port, '/api/v1/products/7')).status).toBe(200);
});
