import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ordersConfig, spawnFig } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { eventually, webServer } from '../helpers/world.ts';
import { ask, configure, figUp, isThere, pidsIn } from './running.ts';

/** A server before a legacy that answers `/slow` when it is told to. */
async function started(change: object) {
  const slow: (() => void)[] = [];
  const legacy = await webServer((req, res) => {
    if (req.url === '/slow') slow.push(() => res.end('late'));
    else res.end('legacy');
  });
  const sides = { legacy: legacy.origin, service: legacy.origin };
  return { ...(await figUp(temporaryFolder(), { ...ordersConfig(sides), ...change })), slow };
}

function isRefused(url: string): Promise<boolean> {
  return ask(url).then(
    () => false,
    () => true,
  );
}

test('a drain is not ready at once, answers for its lead, then only what is in flight, and ends with 0', async () => {
  const { child, traffic, admin, slow, log, logged, ended } = await started({ drain: { leadMs: 700 } });
  const late = ask(`${traffic}/slow`);
  await eventually(() => slow.length === 1);
  child.kill('SIGTERM');
  await logged('drain-leading');
  const ready = await fetch(`${admin}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, 'the proxy is shutting down\n']);
  expect(await ask(`${traffic}/x`)).toBe('legacy');
  await logged('drain-closing');
  await eventually(() => isRefused(`${traffic}/x`));
  slow[0]?.();
  expect(await late).toBe('late');
  expect(await ended()).toBe(0);
  await logged('stopped');
  const phases = log.map(({ event }) => event).filter((event) => /^(drain|stopped)/.test(event));
  expect(phases).toEqual(['drain-leading', 'drain-closing', 'drained', 'stopped']);
});

test('what is in flight in a worker is answered, counted in the log as its end, and nobody is left', async () => {
  const { child, traffic, slow, log, ended } = await started({ workers: 2 });
  const late = ask(`${traffic}/slow`);
  await eventually(() => slow.length === 1);
  child.kill('SIGTERM');
  await eventually(() => isRefused(`${traffic}/x`));
  slow[0]?.();
  expect(await late).toBe('late');
  expect(await ended()).toBe(0);
  expect(pidsIn(log).filter(isThere)).toEqual([]);
});

test('a second signal ends the workers as well', async () => {
  const { child, traffic, slow, log, ended } = await started({ workers: 2 });
  const cut = ask(`${traffic}/slow`).catch(() => 'cut');
  await eventually(() => slow.length === 1);
  child.kill('SIGTERM');
  await eventually(() => isRefused(`${traffic}/x`));
  child.kill('SIGTERM');
  expect(await ended()).toBe(0);
  expect(await cut).toBe('cut');
  await eventually(() => !pidsIn(log).some(isThere));
});

test('a signal in the middle of a start leaves nobody behind', async () => {
  const legacy = await webServer((_req, res) => res.end('legacy'));
  const folder = temporaryFolder();
  const sides = { legacy: legacy.origin, service: legacy.origin };
  const file = configure(folder, { ...ordersConfig(sides), workers: 2 });
  const child = spawnFig(['up', '--config', file]);
  const workersFile = join(folder, 'data/workers.json');
  await eventually(() => existsSync(workersFile));
  const { workers }: { workers: readonly { pid: number }[] } = JSON.parse(readFileSync(workersFile, 'utf8'));
  child.kill('SIGTERM');
  const [exit] = await once(child, 'exit');
  expect(exit).toBe(0);
  await eventually(() => !workers.some(({ pid }) => isThere(pid)));
  expect(existsSync(workersFile)).toBe(false);
});
