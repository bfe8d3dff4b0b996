import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { fig, ordersConfig, twoSides } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/free-port.ts';
import { eventually } from '../helpers/world.ts';
import { answers, ask, asking, askTwice, figUp, isThere, pidsIn, serving } from './running.ts';

const KILL = { kind: 'kill' } as const;

async function fleet(workers: number, change: object = {}) {
  const folder = temporaryFolder();
  const config = { ...ordersConfig(await twoSides()), workers, ...change };
  const server = await figUp(folder, config);
  return { ...server, folder, config, url: `${server.traffic}/orders/1` };
}

/** Everybody is on the service. */
async function allOnService({ api, url }: Awaited<ReturnType<typeof fleet>>): Promise<void> {
  await api.move('orders', { kind: 'shadow', sample: 1 });
  await api.move('orders', { kind: 'shift', share: 100 });
  await eventually(async () => [...(await answers(20, url))].join() === 'service');
}

test('all workers answer on one port, and what they count is summed', async () => {
  const { api, url, admin } = await fleet(3);
  expect(await answers(60, url)).toEqual(new Set(['legacy']));
  const { workers } = await api.until(({ groups }) => groups[0]?.traffic.legacy.requests === 60);
  expect(workers.map(({ requests }) => requests > 0)).toEqual([true, true, true]);
  expect(workers.reduce((sum, { requests }) => sum + requests, 0)).toBe(60);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  expect(metrics).toContain(
    'fig_requests_total{group="orders",route="GET /orders/:id",side="legacy",outcome="ok"} 60\n',
  );
});

test('units that several workers saw are counted once', async () => {
  const { api, url } = await fleet(2);
  for (const user of ['ana', 'ben', 'cleo']) await answers(10, url, user);
  const { groups } = await api.until((seen) => seen.groups[0]?.traffic.legacy.requests === 30);
  expect(groups[0]?.traffic.legacy.units).toBe(3);
});

test('what the workers compared is in one place', async () => {
  const { api, url } = await fleet(2);
  await api.move('orders', { kind: 'shadow', sample: 100 });
  await eventually(async () => {
    await answers(4, url);
    return ((await api.status()).groups[0]?.comparisons.different ?? 0) >= 4;
  });
});

test('a rollback and a kill hold in every worker when their receipt is there', async () => {
  const server = await fleet(3);
  const { api, url } = server;
  await allOnService(server);
  const rolledBack = await api.move('orders', { kind: 'rollback' });
  expect(rolledBack.planes).toEqual({ running: 3, confirmed: 3 });
  expect(await answers(40, url)).toEqual(new Set(['legacy']));
  await allOnService(server);
  await api.move('orders', KILL);
  expect(await answers(40, url)).toEqual(new Set(['legacy']));
});

test('the command line says in how many workers a move is in force', async () => {
  const { folder, api } = await fleet(2);
  await api.move('orders', { kind: 'shadow', sample: 1 });
  const data = ['--data', join(folder, 'data')];
  const { stdout } = await fig(['shift', 'orders', '10%', ...data]);
  expect(stdout).toMatch(/routing {2}snapshot \d+ in force after .* in 2 of 2 workers/);
  expect((await fig(['status', ...data])).stdout).toMatch(
    /workers 1 ready, \d+ requests; 2 ready, \d+ requests/,
  );
});

test('a worker that is killed is replaced, and the others answer meanwhile', async () => {
  const server = await fleet(2);
  const { api, url, logged } = server;
  await allOnService(server);
  const [first = 0] = pidsIn(server.log);
  process.kill(first, 'SIGKILL');
  await logged('worker-died');
  const load = asking(url);
  await logged('worker-ready', 3);
  expect((await load.stop()).failed).toEqual([]);
  // It begins with the routing and the flags of now.
  expect(await answers(30, url)).toEqual(new Set(['service']));
  const { workers } = await api.status();
  expect(workers.map(({ state }) => state)).toEqual(['ready', 'ready']);
  expect(workers.map(({ restarts }) => restarts).toSorted()).toEqual([0, 1]);
});

test('a worker that cannot start is said in the log and by readiness; the others answer', async () => {
  const folder = temporaryFolder();
  const broken = join(folder, 'broken');
  const hook = join(folder, 'hook.mjs');
  writeFileSync(
    hook,
    `import { existsSync } from 'node:fs';
     if (process.argv[1]?.endsWith('worker.ts') && existsSync(${JSON.stringify(broken)})) process.exit(7);`,
  );
  const config = { ...ordersConfig(await twoSides()), workers: 2 };
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}` };
  const server = await figUp(folder, config, { env });
  writeFileSync(broken, '');
  process.kill(pidsIn(server.log)[0] ?? 0, 'SIGKILL');
  expect(await server.logged('worker-cannot-start')).toMatchObject({ times: 3, reason: 'ended with 7' });
  const ready = await fetch(`${server.admin}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toMatch(/worker [12] cannot start \(3 times\): ended with 7/);
  expect(await ask(`${server.traffic}/orders/1`)).toBe('legacy');
  rmSync(broken);
  await eventually(async () => (await fetch(`${server.admin}/readyz`)).status === 200);
});

test('without the control process the workers serve on, and obey the kill file', async () => {
  const server = await fleet(2);
  const { child, url, folder, ended, log, logged } = server;
  await allOnService(server);
  child.kill('SIGKILL');
  await ended();
  await logged('control-lost', 2);
  expect(await answers(20, url)).toEqual(new Set(['service']));
  writeFileSync(join(folder, 'data/fig.kill'), 'orders\n');
  await eventually(async () => [...(await answers(20, url))].join() === 'legacy');
  for (const pid of pidsIn(log)) process.kill(pid, 'SIGTERM');
  await eventually(() => !pidsIn(log).some(isThere));
});

test('a new control process takes over from orphaned workers on the same port, and every request is answered', async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const before = await fleet(2, { listen });
  await allOnService(before);
  const load = asking(before.url, askTwice);
  before.child.kill('SIGKILL');
  await before.ended();
  const after = await figUp(before.folder, before.config);
  await after.logged('leftovers-draining');
  await eventually(() => !pidsIn(before.log).some(isThere));
  const { failed, answered } = await load.stop();
  expect(failed).toEqual([]);
  expect(answered).toBeGreaterThan(10);
  expect(after.traffic).toBe(before.traffic);
  await eventually(async () => [...(await answers(20, before.url))].join() === 'service');
});

test('one process takes over from orphaned workers as well', async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const before = await fleet(2, { listen });
  before.child.kill('SIGKILL');
  await before.ended();
  const after = await figUp(before.folder, { ...before.config, workers: 1 });
  await eventually(() => !pidsIn(before.log).some(isThere));
  expect(await answers(5, before.url)).toEqual(new Set(['legacy']));
  expect((await after.api.status()).workers).toEqual([]);
});

test('a port that somebody else holds is not shared', async () => {
  const { traffic, folder } = await fleet(2);
  const other = { ...ordersConfig(await twoSides()), workers: 2, listen: new URL(traffic).host };
  await expect(figUp(temporaryFolder(), other)).rejects.toThrow(/EADDRINUSE.*another process has that port/);
  expect(existsSync(join(folder, 'data/workers.json'))).toBe(true);
});

test('fig proxy has workers too; they end with it', async () => {
  const { legacy } = await twoSides();
  const server = await serving(['proxy', '--legacy', legacy, '--listen', '127.0.0.1:0', '--workers', '2']);
  expect(await answers(10, `${server.traffic}/x`)).toEqual(new Set(['legacy']));
  expect(pidsIn(server.log)).toHaveLength(2);
  server.child.kill('SIGKILL');
  await eventually(() => !pidsIn(server.log).some(isThere));
});
