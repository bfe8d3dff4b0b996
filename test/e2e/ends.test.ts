import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { eventually, webServer } from '../helpers/world.ts';

const FIG = join(import.meta.dirname, '../../cli/fig.js');

/** `fig up` before a legacy that answers `/slow` after it was told to. */
async function up() {
  const slow: (() => void)[] = [];
  const legacy = await webServer((req, res) => {
    if (req.url === '/slow') slow.push(() => res.end('late'));
    else res.end('legacy');
  });
  const folder = temporaryFolder();
  const any = '127.0.0.1:0';
  const config = { listen: any, admin: any, flags: { embedded: { listen: any } }, legacy: legacy.origin };
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify(config));
  const child = spawn(process.execPath, [FIG, 'up', '--config', join(folder, 'fig.config.json')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { traffic }: { traffic: string } = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).on(
      'line',
      (line) => line.startsWith('{"ready"') && resolve(JSON.parse(line)),
    );
  });
  return { child, traffic, slow };
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

test.each<[NodeJS.Signals, number]>([
  ['SIGTERM', 0],
  ['SIGINT', 130],
])('after %s what is in flight is answered, then it ends with %i', async (signal, exit) => {
  const { child, traffic, slow } = await up();
  const late = fetch(`${traffic}/slow`).then((answer) => answer.text());
  await eventually(() => slow.length === 1);
  child.kill(signal);
  await eventually(() =>
    fetch(traffic).then(
      () => false,
      () => true,
    ),
  ); // Nobody new is let in.
  slow[0]?.();
  expect(await late).toBe('late');
  expect(await exitOf(child)).toBe(exit);
});

test('a second signal ends it at once', async () => {
  const { child, traffic, slow } = await up();
  const cut = fetch(`${traffic}/slow`).then(
    () => 'answered',
    () => 'cut',
  );
  await eventually(() => slow.length === 1);
  child.kill('SIGTERM');
  await eventually(() =>
    fetch(traffic).then(
      () => false,
      () => true,
    ),
  );
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
  expect(await cut).toBe('cut');
});

test('a console that goes away does not end the traffic', async () => {
  const { child, traffic } = await up();
  child.stdout?.destroy();
  child.stderr?.destroy();
  for (let i = 0; i < 20; i += 1) expect((await fetch(`${traffic}/x`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
});
