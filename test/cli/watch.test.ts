import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { StatusData } from '../../router/control/api.ts';
import { spawnFig } from '../helpers/fig.ts';
import { eventually, startWorld, webServer } from '../helpers/world.ts';

test('status --watch prints a line per change, not per look', async () => {
  const upstream = await webServer((_req, res) => res.end('{}'));
  const world = await startWorld({ legacy: upstream.origin, service: upstream.origin });
  const { flags, ...status } = await world.status();
  const looks = { count: 0 };
  const admin = await webServer((_req, res) => {
    looks.count += 1;
    const snapshot = looks.count < 4 ? 1 : 2;
    const data: StatusData = { ...status, snapshot, flags: { ...flags, ageMs: looks.count } };
    const at = new Date(looks.count).toISOString();
    res.end(JSON.stringify({ schema: 'fig.status/1', at, data }));
  });
  const env = { FIG_ADMIN: admin.origin, FIG_TOKEN: 'any' };
  const { stdout } = spawnFig(['status', '--watch', '--every', '250', '--json'], { env });
  if (stdout === null) throw new Error('no stdout');
  const snapshots: number[] = [];
  createInterface({ input: stdout }).on('line', (line) => snapshots.push(JSON.parse(line).data.snapshot));
  await eventually(() => looks.count >= 6);
  expect(snapshots).toEqual([1, 2]);
});
