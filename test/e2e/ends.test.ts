import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startFigUp } from '../helpers/fig.ts';
import { eventually, webServer } from '../helpers/world.ts';

/** `fig up` before a legacy that answers `/slow` after it was told to. */
async function up() {
  const slow: (() => void)[] = [];
  const legacy = await webServer((req, res) => {
    if (req.url === '/slow') slow.push(() => res.end('late'));
    else res.end('legacy');
  });
  const any = '127.0.0.1:0';
  const flags = { embedded: { listen: any } };
  const { child, traffic } = await startFigUp({ listen: any, admin: any, flags, legacy: legacy.origin });
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
