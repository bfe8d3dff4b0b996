import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { call } from '../flags/world.ts';
import { adminClient, fig, ordersConfig, startFig, twoSides } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const PROJECT = '/api/admin/projects/default/features';
const USERS = Array.from({ length: 300 }, (_, i) => `user-${i}`);

/** Whom the service answers. */
async function served(traffic: string): Promise<readonly string[]> {
  const answers = await Promise.all(
    USERS.map(async (user) => (await fetch(`${traffic}/orders/1`, { headers: { 'X-User': user } })).text()),
  );
  return USERS.filter((_, user) => answers[user] === 'service');
}

/** Flags of a person beside those of the group: a segment, a constraint, variants, a parent and a tag. */
async function addFlags(url: string, token: string, name: string): Promise<void> {
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await call(url, method, path, body, token);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const constraint = { contextName: 'userId', operator: 'STR_STARTS_WITH', values: ['user-1', 'user-2'] };
  const segment = (await send('POST', '/api/admin/segments', {
    name: `${name}-few`,
    constraints: [constraint],
  })) as { id: number };
  for (const flag of ['parent', 'child']) await send('POST', PROJECT, { name: `${name}.${flag}` });
  const strategies = (flag: string) => `${PROJECT}/${name}.${flag}/environments/production/strategies`;
  const parameters = { rollout: '60', stickiness: 'figUnit', groupId: name };
  await send('POST', strategies('parent'), {
    name: 'flexibleRollout',
    parameters,
    segments: [segment.id],
    variants: ['a', 'b', 'c'].map((variant) => ({
      name: variant,
      weight: 1,
      weightType: 'variable',
      stickiness: 'figUnit',
      payload: { type: 'string', value: variant },
    })),
  });
  await send('POST', strategies('child'), {
    name: 'flexibleRollout',
    parameters,
    constraints: [{ contextName: 'appName', operator: 'NOT_IN', values: ['other'] }],
  });
  for (const flag of ['parent', 'child'])
    await send('POST', `${PROJECT}/${name}.${flag}/environments/production/on`);
  await send('POST', `${PROJECT}/${name}.child/dependencies`, { feature: `${name}.parent` });
  await send('POST', `/api/admin/features/${name}.child/tags`, { type: 'simple', value: name });
}

test('growing out of the embedded server changes one URL, and nobody changes sides', async () => {
  const { url, username, password, adminToken, clientTokens } = inject('unleash');
  const group = `g-${randomBytes(5).toString('hex')}`;
  const { groups, ...config } = ordersConfig(await twoSides());
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  const started = (flags: object) => {
    const file = join(folder, 'fig.config.json');
    writeFileSync(file, JSON.stringify({ ...config, groups: { [group]: groups.orders }, flags }));
    return startFig(['up', '--config', file], {
      env: { CLIENT: clientTokens.production, ADMIN: adminToken },
    });
  };

  const before = await started({ embedded: { listen: '127.0.0.1:0' } });
  const admin = adminClient(before.admin, data);
  await admin.move(group, { kind: 'shadow', sample: 1 });
  await admin.move(group, { kind: 'shift', share: 37 });
  await addFlags(String(before.flags), readFileSync(join(data, 'flags.admin.token'), 'utf8').trim(), group);
  const exported = join(folder, 'flags.json');
  expect(await fig(['flags', 'export', '-o', exported, '--data', data])).toMatchObject({ exit: 0 });
  const servedBefore = await served(before.traffic);
  before.child.kill('SIGTERM');

  const imported = await fig(['flags', 'import', exported, '--to', url, '--user', username], {
    env: { UNLEASH_PASSWORD: password },
  });
  expect(imported).toMatchObject({ exit: 0, stdout: expect.stringMatching(/\b0 differences/) });
  const tags = await call(url, 'GET', `/api/admin/features/${group}.child/tags`, undefined, adminToken);
  expect(tags.body).toMatchObject({ tags: [{ type: 'simple', value: group }] });

  const after = await started({
    unleash: `${url}/api/`,
    tokenEnv: 'CLIENT',
    adminTokenEnv: 'ADMIN',
    refreshMs: 250,
  });
  const moved = adminClient(after.admin, data);
  const status = await moved.until(({ groups: [one] }) => one?.share.flag === 37);
  expect(status.groups[0]?.share).toMatchObject({ asked: 37, effective: 37 });
  expect(servedBefore.length).toBeGreaterThan(50);
  expect(await served(after.traffic)).toEqual(servedBefore);
  await moved.move(group, { kind: 'shift', share: 40 });
  expect((await moved.history()).filter(({ type }) => type === 'override.detected')).toEqual([]);
});
