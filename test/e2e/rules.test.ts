import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { adminClient, fig, ordersConfig, type RunningFig, spawnFig, startFig } from '../helpers/fig.ts';
import { readyOf } from '../helpers/fig-process.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { webServer } from '../helpers/world.ts';
import { ask } from '../processes/running.ts';

const PAPERWORK = ['--owner', 'team-orders', '-m', 'random request id', '--expires', '30d'];

/** Answers whose `rid` is another every time, and a configuration between them. */
async function folderWith(more: object = {}, rules: readonly object[] = []): Promise<string> {
  let rid = 0;
  const side = () =>
    webServer((_request, response) => {
      rid += 1;
      const body = JSON.stringify({ rid: `request-${rid}`, total: 10 });
      response.setHeader('Content-Type', 'application/json').end(body);
    });
  const [legacy, service] = [await side(), await side()];
  const folder = temporaryFolder();
  const { groups, ...config } = ordersConfig({ legacy: legacy.origin, service: service.origin });
  const orders = {
    ...groups.orders,
    routes: ['GET /orders/:id'],
    shadow: { perSecondMax: 100_000, inFlightMax: 64 },
    compare: { rules },
  };
  writeFileSync(join(folder, 'fig.config.json'), JSON.stringify({ ...config, groups: { orders }, ...more }));
  return folder;
}

function up(folder: string): Promise<RunningFig> {
  return startFig(['up', '--config', join(folder, 'fig.config.json')]);
}

/** Sends requests until so many more pairs have come out like this. */
async function compare(
  running: RunningFig,
  folder: string,
  outcome: 'ignored' | 'different',
  pairs: number,
): Promise<void> {
  const api = adminClient(running.admin, join(folder, 'data'));
  const seen = async () => (await api.status()).groups[0]?.comparisons[outcome] ?? 0;
  const target = (await seen()) + pairs;
  for (let i = 0; (await seen()) < target; i += 1) {
    if (i > 2_000) throw new Error(`never ${target} ${outcome}`);
    await ask(`${running.traffic}/orders/${i}`, { 'x-user': 'ana' });
  }
}

async function shadowed(folder: string): Promise<RunningFig> {
  const running = await up(folder);
  const api = adminClient(running.admin, join(folder, 'data'));
  await api.move('orders', { kind: 'shadow', sample: 100 });
  return running;
}

test('a cause is previewed, ignored, counted, and taken back', { timeout: 60_000 }, async () => {
  const folder = await folderWith();
  const running = await shadowed(folder);
  const data = ['--data', join(folder, 'data')];
  await compare(running, folder, 'different', 60);
  const { stdout } = await fig(['diffs', 'orders', '--json', ...data]);
  const [cause] = JSON.parse(stdout).data.causes;

  const preview = await fig(['diffs', 'ignore', 'orders', cause.id, ...PAPERWORK, '--preview', ...data]);
  expect(preview).toMatchObject({ exit: 0, stderr: '' });
  expect(preview.stdout).toMatch(/of \d+ pairs compared, \d+ turn from different to ignored\n/);
  expect(preview.stdout).toContain('covers 1 of 2 known places\na preview: nothing was changed');
  expect((await fig(['rules', 'list', 'orders', ...data])).stdout).toBe('no rules\n');

  const added = await fig(['diffs', 'ignore', 'orders', cause.id, ...PAPERWORK, ...data]);
  expect(added).toMatchObject({ exit: 0, stderr: '' });
  expect(added.stdout).toContain('r1  ignore-value /body/rid for GET /orders/:id');
  await compare(running, folder, 'ignored', 5);
  const list = await fig(['rules', 'list', 'orders', '--json', ...data]);
  const [rule] = JSON.parse(list.stdout).data.rules;
  expect(rule.hits).toBeGreaterThanOrEqual(5);

  const refused = await fig(['rules', 'add', 'orders', '/body', 'ignore', ...PAPERWORK, ...data]);
  expect(refused).toMatchObject({ exit: 5, stdout: '' });
  expect(refused.stderr).toContain('ROOT: ignore at /body hides a whole part of every answer');
  const faulty = await fig(['rules', 'add', 'orders', '/body/x', 'number', 'ab=1', ...PAPERWORK, ...data]);
  expect(faulty.exit).toBe(2);
  expect(faulty.stderr).toContain('unknown parameter of "number"; known: abs, rel');

  const removed = await fig(['rules', 'remove', 'orders', 'r1', '-m', 'fixed', ...data]);
  expect(removed).toMatchObject({ exit: 0, stderr: '' });
  await compare(running, folder, 'different', 1);
  const history = await fig(['history', 'orders', ...data]);
  expect(history.stdout).toMatch(
    /rule r1 added: ignore-value \/body\/rid until .* operator:ana +random request id/,
  );
  expect(history.stdout).toMatch(/rule r1 removed +operator:ana +fixed/);
});

test('two workers both apply an added rule', { timeout: 60_000 }, async () => {
  const folder = await folderWith({ workers: 2 });
  const running = await shadowed(folder);
  const data = ['--data', join(folder, 'data')];
  await compare(running, folder, 'different', 60);
  const added = await fig([
    ...['rules', 'add', 'orders', '/body/rid', 'ignore-value', ...PAPERWORK, '--json', ...data],
  ]);
  expect(JSON.parse(added.stdout).data.inForce.planes).toEqual({ running: 2, confirmed: 2 });
  // What was under way when the rule came is settled by the time that the first pairs are ignored.
  await compare(running, folder, 'ignored', 1);
  const api = adminClient(running.admin, join(folder, 'data'));
  await compare(running, folder, 'ignored', 40);
  const status = await api.status();
  expect(status.workers.every(({ requests }) => requests > 0)).toBe(true);
  expect(status.groups[0]?.comparisons.different).toBe(0);
});

test('kill -9 at any moment loses no acknowledged rule', { timeout: 60_000 }, async () => {
  const folder = await folderWith();
  const acknowledged = new Set<string>();
  let next = 0;
  for (let round = 0; round < 4; round += 1) {
    const running = await up(folder);
    const headers = {
      authorization: `Bearer ${tokenOf(folder)}`,
      'content-type': 'application/json',
    };
    const names = await rulesOn(running, headers);
    for (const path of acknowledged) expect(names).toContain(path);
    const from = acknowledged.size;
    const adding = (async () => {
      for (;;) {
        next += 1;
        const rule = { path: `/body/p${next}`, action: 'uuid', owner: 'team', reason: 'x', expires: soon() };
        const force = { reason: 'a test', second: 'bob' };
        const response = await fetch(`${running.admin}/api/v1/groups/orders/rules`, {
          method: 'POST',
          headers,
          body: JSON.stringify({ rules: [rule], force }),
        });
        const { data } = JSON.parse(await response.text());
        acknowledged.add(data.rules[0].rule.path);
      }
    })().catch(() => undefined); // The process is gone in the middle of it: that is the test.
    while (acknowledged.size < from + 1 + round * 3) await new Promise((resolve) => setImmediate(resolve));
    const gone = once(running.child, 'exit');
    running.child.kill('SIGKILL');
    await Promise.all([gone, adding]);
  }
  expect(acknowledged.size).toBeGreaterThan(10);
});

async function rulesOn(running: RunningFig, headers: Readonly<Record<string, string>>): Promise<string[]> {
  const response = await fetch(`${running.admin}/api/v1/groups/orders/rules`, { headers });
  const { data } = JSON.parse(await response.text());
  return data.rules.map(({ rule }: { rule: { path: string } }) => rule.path);
}

function tokenOf(folder: string): string {
  return readFileSync(join(folder, 'data', 'admin.token'), 'utf8').trim();
}

function soon(): string {
  return new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
}

test('fig up and fig status warn of a rule that has ended', { timeout: 30_000 }, async () => {
  const ended = {
    path: '/body/rid',
    action: 'ignore-value',
    owner: 'team',
    reason: 'x',
    expires: '2026-01-31',
  };
  const folder = await folderWith({}, [ended]);
  const child = spawnFig(['up', '--config', join(folder, 'fig.config.json')]);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const { admin } = await readyOf(child);
  const found = 'EXPIRED rules[0]: ignore-value /body/rid expired on 2026-01-31';
  while (!said.includes('warning')) await once(child.stderr ?? child, 'data');
  expect(said).toContain(`fig: warning: orders: ${found}`);
  const api = adminClient(admin, join(folder, 'data'));
  const [group] = (await api.status()).groups;
  expect(group?.findings).toMatchObject([{ code: 'EXPIRED', rule: 'rules[0]' }]);
  const data = ['--data', join(folder, 'data')];
  for (const command of [['status'], ['status', 'orders'], ['diffs', 'orders'], ['rules', 'list', 'orders']])
    expect((await fig([...command, ...data])).stdout).toContain(found);
});

test('a rule of the configuration that hides more than it needs is said beside the verdict', {
  timeout: 30_000,
}, async () => {
  const rule = { path: '/body/rid', action: 'ignore', owner: 'team', reason: 'x', expires: soon() };
  const folder = await folderWith({}, [rule]);
  const running = await shadowed(folder);
  await compare(running, folder, 'ignored', 50);
  const api = adminClient(running.admin, join(folder, 'data'));
  const status = await api.until(({ groups }) => groups[0]?.findings[0]?.code === 'STRUCTURAL');
  expect(status.groups[0]?.findings).toEqual([
    {
      code: 'STRUCTURAL',
      rule: 'rules[0]',
      text: 'ignore /body/rid: ignore at /body/rid also hides that it is missing; for what differs ignore-value or a typed action would do',
    },
  ]);
});
