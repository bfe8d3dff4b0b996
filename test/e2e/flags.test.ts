import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createFlagServer } from '../../flags/server/app.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/free-port.ts';
import { eventually, startWorld, type World, webServer } from '../helpers/world.ts';

async function sides() {
  const legacy = await webServer((_req, res) => res.end('legacy'));
  const service = await webServer((_req, res) => res.end('service'));
  return { legacy: legacy.origin, service: service.origin };
}

/** A flag server of somebody else, with the tokens that the configuration of a world names. */
async function flagServer(at: number) {
  const silent = () => undefined;
  const server = createFlagServer({
    file: join(temporaryFolder(), 'other-flags.db'),
    tokens: { client: 'default:production.0123456789abcdef', admin: '*:*.0123456789abcdef' },
    clock: { now: () => performance.now(), wall: () => Date.now() },
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
  const { url } = await server.listen({ port: at });
  onTestFinished(() => server.close());
  return { ...server, url };
}

/** Toggles a flag as a person does, through the flag server's own admin API. */
async function toggle(world: World, flag: string, state: 'on' | 'off'): Promise<void> {
  const token = readFileSync(join(world.folder, '.fig', 'flags.admin.token'), 'utf8').trim();
  const url = `${world.running.flags?.replace(/\/(api\/?)?$/, '')}/api/admin/projects/default/features/${flag}/environments/production/${state}`;
  const response = await fetch(url, { method: 'POST', headers: { authorization: token } });
  expect(response.status).toBe(200);
}

test('toggling the flag in the flag server changes the side of the next request, in under 50 ms', async () => {
  const world = await startWorld(await sides());
  await world.move({ kind: 'shadow', sample: 1 });
  await world.move({ kind: 'shift', share: 100 });
  expect((await world.get('/api/x')).body).toBe('service');
  const tookMs: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    const state = i % 2 === 0 ? 'off' : 'on';
    const started = performance.now();
    await toggle(world, 'fig.catalog.serve', state);
    expect((await world.get('/api/x')).body).toBe(state === 'on' ? 'service' : 'legacy');
    tookMs.push(performance.now() - started);
  }
  // One of twenty may meet a busy machine; the toggle, its HTTP call and the request are all in the time.
  expect(tookMs.toSorted((a, b) => a - b)[18]).toBeLessThan(50);
});

test('the same user always gets the same side, and raising the share moves nobody back', async () => {
  const world = await startWorld(await sides());
  await world.move({ kind: 'shadow', sample: 1 });
  const served = async () => {
    const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);
    const answers = await Promise.all(users.map((user) => world.get('/api/x', user)));
    return new Set(users.filter((_, i) => answers[i]?.body === 'service'));
  };
  await world.move({ kind: 'shift', share: 10 });
  const at10 = await served();
  expect(await served()).toEqual(at10);
  await world.move({ kind: 'shift', share: 25 });
  const at25 = await served();
  expect(at10.size).toBeGreaterThan(15);
  expect(at25.size).toBeGreaterThan(at10.size);
  expect([...at10].filter((user) => !at25.has(user))).toEqual([]);
});

test('a flag raised by hand moves nobody above the share of the ledger, and is recorded once', async () => {
  const world = await startWorld(await sides());
  await world.move({ kind: 'shadow', sample: 1 });
  await world.move({ kind: 'shift', share: 100 });
  await world.move({ kind: 'rollback', reason: 'prices' });
  const token = readFileSync(join(world.folder, '.fig', 'flags.admin.token'), 'utf8').trim();
  const base = `${world.running.flags?.replace(/\/(api\/?)?$/, '')}/api/admin/projects/default/features/fig.catalog.serve/environments/production/strategies`;
  const headers = { authorization: token, 'content-type': 'application/json' };
  const strategies = (await (await fetch(base, { headers })).json()) as { id: string }[];
  const patch = [{ op: 'replace', path: '/parameters/rollout', value: '100' }];
  await fetch(`${base}/${strategies[0]?.id}`, { method: 'PATCH', headers, body: JSON.stringify(patch) });
  await eventually(async () => (await world.group()).share.flag === 100);
  expect((await world.get('/api/x')).body).toBe('legacy');
  const group = await world.group();
  expect(group.share).toMatchObject({ asked: 0, flag: 100, effective: 0 });
  expect(group.waiting.join()).toContain('admin set the serve flag to 100');
  const { body } = await world.admin('GET', '/api/v1/ledger?group=catalog');
  const { events } = body.data as { events: { type: string }[] };
  expect(events.filter((event) => event.type === 'override.detected')).toHaveLength(1);
});

test('a move that waits for its flag is answered although the end was asked for meanwhile', async () => {
  const server = await flagServer(0);
  const flags = { unleash: `${server.url}/api/`, tokenEnv: 'TOKEN', adminTokenEnv: 'ADMIN', refreshMs: 500 };
  const world = await startWorld(await sides(), { flags });
  await eventually(async () => (await world.status()).flags.data === 'fresh');
  await world.move({ kind: 'shadow', sample: 1 });
  const before = server.revision();
  const moving = world.move({ kind: 'shift', share: 100 });
  await eventually(() => server.revision() > before);
  const [receipt] = await Promise.all([moving, world.running.stop()]);
  expect(receipt).toMatchObject({ status: 'moved', flag: { state: 'verified' } });
});

test('an unreachable flag server at start leaves everything on legacy, and it recovers by itself', async () => {
  const port = await freePort();
  const flags = {
    unleash: `http://127.0.0.1:${port}/api/`,
    tokenEnv: 'TOKEN',
    adminTokenEnv: 'ADMIN',
    refreshMs: 250,
  };
  const world = await startWorld(await sides(), { flags });
  expect((await world.get('/api/x')).body).toBe('legacy');
  const before = await world.status();
  expect(before.flags).toMatchObject({ data: 'none', source: 'unleash' });
  expect(before.groups[0]?.waiting.join()).toContain('no flag was ever read');

  await flagServer(port);
  await eventually(async () => (await world.status()).flags.data === 'fresh', 15_000);
  await world.move({ kind: 'shadow', sample: 1 });
  await world.move({ kind: 'shift', share: 100 });
  await eventually(async () => (await world.get('/api/x')).body === 'service');
});

test('a flag switched off by hand sends its users to legacy, and a person puts it back through the admin API', async () => {
  const world = await startWorld(await sides());
  await world.move({ kind: 'shadow', sample: 1 });
  await world.move({ kind: 'shift', share: 100 });
  await toggle(world, 'fig.catalog.serve', 'off');
  expect((await world.get('/api/x')).body).toBe('legacy');
  await eventually(async () => (await world.group()).waiting.some((text) => text.includes('switched off')));
  const group = await world.group();
  expect(group.share).toMatchObject({ asked: 100, flag: 0, effective: 0 });
  expect(group.waiting.join()).toContain('fig flags restore catalog');
  await world.move({ kind: 'restore-flags', reason: 'by mistake' });
  expect((await world.get('/api/x')).body).toBe('service');
  expect((await world.group()).waiting.join()).not.toContain('restore');
});

test('without any flags it is not ready for ten seconds at most, and then answers with legacy', async () => {
  const port = await freePort();
  const flags = { unleash: `http://127.0.0.1:${port}/api/`, tokenEnv: 'TOKEN', adminTokenEnv: 'ADMIN' };
  const world = await startWorld(await sides(), { flags });
  const readiness = async () => {
    const answer = await fetch(`${world.running.admin}/readyz`);
    return [answer.status, await answer.text()];
  };
  expect(await readiness()).toEqual([503, 'no flag was read yet\n']);
  const startedMs = performance.now();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  vi.useFakeTimers({ toFake: ['performance'] });
  vi.advanceTimersByTime(startedMs + 10_000);
  expect((await readiness())[0]).toBe(200);
  expect((await world.get('/api/x')).body).toBe('legacy');
  expect((await world.status()).flags.data).toBe('none');
});
