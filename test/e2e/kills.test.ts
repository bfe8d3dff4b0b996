import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fig } from '../helpers/fig.ts';
import { eventually, startWorld, type World, webServer } from '../helpers/world.ts';

async function onService(): Promise<World & { readonly file: string; readonly data: string }> {
  const legacy = await webServer((_req, res) => res.end('legacy'));
  const service = await webServer((_req, res) => res.end('service'));
  const world = await startWorld({ legacy: legacy.origin, service: service.origin });
  await world.move({ kind: 'shadow', sample: 1 });
  await world.move({ kind: 'shift', share: 100 });
  const data = join(world.folder, '.fig');
  return { ...world, data, file: join(data, 'fig.kill') };
}

const side = async (world: World) => (await world.get('/api/x')).body;

test('a kill file that is written again the moment it was released holds', async () => {
  const world = await onService();
  for (let i = 0; i < 4; i += 1) {
    writeFileSync(world.file, 'catalog\n');
    await eventually(async () => (await world.group()).stopped === 'killed');
    await world.move({ kind: 'release' });
    writeFileSync(world.file, 'catalog\n');
    await eventually(async () => (await world.group()).stopped === 'killed', 3_000);
    expect(await side(world)).toBe('legacy');
    await world.move({ kind: 'release' });
  }
});

test('a release that is refused leaves the kill file as it is', async () => {
  const world = await onService();
  writeFileSync(world.file, 'catalog\n');
  await eventually(async () => (await world.group()).stopped === 'killed');
  const refused = await world.admin(
    'POST',
    '/api/v1/groups/catalog/moves',
    { kind: 'release' },
    { 'if-match': '"1"' },
  );
  expect(refused.status).toBe(412);
  await world.admin('POST', '/api/v1/groups/nosuch/moves', { kind: 'release' }, { 'if-match': '*' });
  expect((await fig(['kill', 'catalog', '--release', '--data', world.data])).exit).toBe(0);
  expect(await side(world)).toBe('service');
});

test('a line that can be no group stops everything', async () => {
  const world = await onService();
  writeFileSync(world.file, 'catalog,orders\n');
  await eventually(async () => (await side(world)) === 'legacy');
});

test('a kill file that cannot be written: the server is asked instead', async () => {
  const world = await onService();
  mkdirSync(`${world.file}.new`); // Stands where the new list would be written.
  const { exit, stdout, stderr } = await fig(['kill', '*', '--data', world.data]);
  expect([exit, stderr]).toEqual([0, expect.stringContaining('the kill file cannot be written (EISDIR)')]);
  expect(stdout).toContain('killed');
  expect(await side(world)).toBe('legacy');
  rmSync(`${world.file}.new`, { recursive: true });
  expect((await fig(['kill', '*', '--release', '--data', world.data])).exit).toBe(0);
  expect(await side(world)).toBe('service');
});

test('a flag that is switched off shows as an effective share of nothing', async () => {
  const world = await onService();
  const token = readFileSync(join(world.data, 'flags.admin.token'), 'utf8').trim();
  const base = world.running.flags?.replace(/\/(api\/?)?$/, '');
  await fetch(`${base}/api/admin/projects/default/features/fig.catalog.serve/environments/production/off`, {
    method: 'POST',
    headers: { authorization: token },
  });
  expect(await side(world)).toBe('legacy');
  expect((await world.group()).share).toMatchObject({ asked: 100, flag: 0, effective: 0 });
});
