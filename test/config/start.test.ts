import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError } from '../../router/config.ts';
import { startUp } from '../../router/main.ts';
import { adminClient, ordersConfig, settingsOf } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const SIDES = { legacy: 'http://127.0.0.1:1', service: 'http://127.0.0.1:2' };

/** A data folder in which the group `orders` stands at this share. */
async function ranBefore(share: number): Promise<string> {
  process.env['FIG_LOG_LEVEL'] = 'silent';
  const folder = temporaryFolder();
  const running = await startUp(settingsOf(ordersConfig(SIDES), folder));
  const admin = adminClient(running.admin, join(folder, 'data'));
  await admin.move('orders', { kind: 'shadow', sample: 100 });
  if (share > 0) await admin.move('orders', { kind: 'shift', share });
  await running.stop();
  return folder;
}

function withoutGroups(folder: string) {
  return settingsOf({ ...ordersConfig(SIDES), groups: {} }, folder);
}

test('a configuration that loses a group with users on its service is refused', async () => {
  const folder = await ranBefore(25);
  const error = await startUp(withoutGroups(folder)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({
    faults: [{ path: 'groups.orders', text: 'missing, but the ledger has it as canary' }],
  });
});

test('a refused start leaves nothing open: the right configuration starts at once after it', async () => {
  const folder = await ranBefore(25);
  await startUp(withoutGroups(folder)).catch(() => undefined);
  const running = await startUp(settingsOf(ordersConfig(SIDES), folder));
  const { groups } = await adminClient(running.admin, join(folder, 'data')).status();
  await running.stop();
  expect(groups).toMatchObject([{ stage: 'canary', share: { asked: 25, effective: 25 } }]);
});

test('a group that was only shadowed may go', async () => {
  const folder = await ranBefore(0);
  const running = await startUp(withoutGroups(folder));
  const { groups } = await adminClient(running.admin, join(folder, 'data')).status();
  await running.stop();
  expect(groups).toEqual([]);
});

test('what was killed while nobody ran is killed before the first request, and recorded', async () => {
  const folder = await ranBefore(25);
  writeFileSync(join(folder, 'data', 'fig.kill'), 'orders\n');
  const running = await startUp(settingsOf(ordersConfig(SIDES), folder));
  const admin = adminClient(running.admin, join(folder, 'data'));
  const [status, history] = [await admin.status(), await admin.history()];
  await running.stop();
  expect(status.groups).toMatchObject([{ stopped: 'killed', share: { effective: 0 } }]);
  expect(history[0]).toMatchObject({ type: 'kill.set', actor: { kind: 'dataplane', id: 'kill-file' } });
});

test('a released group stays released over a restart', async () => {
  const folder = await ranBefore(25);
  writeFileSync(join(folder, 'data', 'fig.kill'), '*\n');
  const first = await startUp(settingsOf(ordersConfig(SIDES), folder));
  await adminClient(first.admin, join(folder, 'data')).move('orders', { kind: 'release' });
  await first.stop();
  const second = await startUp(settingsOf(ordersConfig(SIDES), folder));
  const { groups } = await adminClient(second.admin, join(folder, 'data')).status();
  await second.stop();
  expect(groups).toMatchObject([{ stopped: null, share: { effective: 25 } }]);
});

test('two processes never share a data folder', async () => {
  const folder = temporaryFolder();
  const first = await startUp(settingsOf(ordersConfig(SIDES), folder));
  const error = await startUp(settingsOf(ordersConfig(SIDES), folder)).catch((thrown: unknown) => thrown);
  await first.stop();
  expect(error).toMatchObject({ name: 'StoreError' });
});

test('a named port that is taken is an error, one that nobody named is replaced', async () => {
  const folder = temporaryFolder();
  const first = await startUp(settingsOf(ordersConfig(SIDES), folder));
  const taken = new URL(first.traffic).host;
  const other = settingsOf({ ...ordersConfig(SIDES), listen: taken }, temporaryFolder());
  const error = await startUp(other).catch((thrown: unknown) => thrown);
  const second = await startUp({ ...other, listen: { ...other.listen, named: false } });
  await Promise.all([first.stop(), second.stop()]);
  expect(error).toMatchObject({ code: 'EADDRINUSE' });
  expect(second.traffic).not.toBe(first.traffic);
});
