import { describe, expect, test } from 'vitest';
import { createFlagAdmin } from '../../flags/admin/flag-admin.ts';
import type { FlagReply } from '../../router/core/flags.ts';
import { between, type Scripted } from './between.ts';
import { call, startServer, TOKENS, writerFor } from './world.ts';

const FEATURES = 'projects/default/features';
const STRATEGY = {
  name: 'flexibleRollout',
  title: 'ours',
  parameters: { rollout: '10', stickiness: 'userId', groupId: 'banner' },
  constraints: [],
};

function adminOf(url: string, token: string = TOKENS.admin) {
  const seedOf = (group: string) => (group === 'orders' ? 'orders' : null);
  return createFlagAdmin({ url, token, environment: 'production', project: 'default', fetch, seedOf });
}

/** An embedded server with the flag `banner`, and whoever stands between. */
async function world(answer: (method: string, path: string) => Scripted | null = () => null) {
  const { url } = await startServer();
  await flag(url, 'banner', [STRATEGY]);
  const through = await between(url, answer);
  return { url, admin: adminOf(through.url), requests: through.requests };
}

async function flag(url: string, name: string, strategies: readonly object[]): Promise<void> {
  const base = '/api/admin/projects/default/features';
  expect((await call(url, 'POST', base, { name, type: 'release' })).status).toBe(201);
  for (const strategy of strategies) {
    const added = await call(url, 'POST', `${base}/${name}/environments/production/strategies`, strategy);
    expect(added.status).toBe(200);
  }
}

function value<T>(reply: FlagReply<T>): T {
  if (reply.kind === 'failed') throw new Error(reply.why);
  return reply.value;
}

describe('a share', () => {
  test('is moved by a PATCH with a test, never a PUT, and everything else of the strategy stays', async () => {
    const { admin, requests } = await world();
    const changed = value(await admin.change('banner', 'production', { kind: 'set', percent: 25 }));
    expect(changed).toMatchObject({ kind: 'changed', from: 'rollout 10 %', to: 'rollout 25 %' });
    expect(requests.some((line) => line.startsWith('PUT'))).toBe(false);
    const shown = value(await admin.show('banner'));
    const [, production] = shown?.environments ?? [];
    expect(production?.strategies).toMatchObject([
      { title: 'ours', parameters: { rollout: '25', stickiness: 'userId', groupId: 'banner' } },
    ]);
  });

  test('carries the event it left, and none when the newest one is somebody else’s', async () => {
    let others = false;
    const foreign = {
      id: 99,
      type: 'feature-strategy-update',
      createdAt: '2026-11-24T12:00:00.000Z',
      featureName: 'banner',
      environment: 'production',
      preData: { parameters: { rollout: '25' } },
      data: { parameters: { rollout: '60' } },
    };
    const { admin } = await world((_method, path) =>
      others && path.startsWith('search/events') ? { status: 200, body: { events: [foreign] } } : null,
    );
    const [newest] = value(await admin.events('banner', 1));
    const mine = value(await admin.change('banner', 'production', { kind: 'set', percent: 25 }));
    expect(mine).toMatchObject({ event: { id: (newest?.id ?? 0) + 1 } });
    others = true;
    const lost = value(await admin.change('banner', 'production', { kind: 'set', percent: 50 }));
    expect(lost).toMatchObject({ kind: 'changed', event: null });
  });

  test('that it has already is not written', async () => {
    const { admin, requests } = await world();
    const changed = value(await admin.change('banner', 'production', { kind: 'set', percent: 10 }));
    expect(changed).toMatchObject({ kind: 'unchanged', to: 'rollout 10 %' });
    expect(requests.filter((line) => !line.startsWith('GET'))).toEqual([]);
  });

  test.each([
    ['409 of the embedded server', { status: 409, body: { message: 'Test operation failed' } }],
    ['500 of Unleash', { status: 500, body: { message: 'Test operation failed' } }],
    ['404: the strategy is gone', { status: 404, body: {} }],
  ])('that somebody else moved meanwhile is a conflict that names them: %s', async (_name, refusal) => {
    const { admin } = await world((method) => (method === 'PATCH' ? refusal : null));
    const changed = value(await admin.change('banner', 'production', { kind: 'set', percent: 25 }));
    expect(changed).toEqual({
      kind: 'conflict',
      why: expect.stringMatching(
        /being changed by somebody else.*strategy added: flexibleRollout 10 %.* by admin at \d/,
      ),
    });
  });

  test('that is read back as something else is a conflict', async () => {
    const { admin } = await world((method) => (method === 'PATCH' ? { status: 200, body: {} } : null));
    const changed = value(await admin.change('banner', 'production', { kind: 'set', percent: 25 }));
    expect(changed).toMatchObject({
      kind: 'conflict',
      why: expect.stringContaining('read back as something else'),
    });
  });

  test.each([
    ['no strategy', [], 'has no strategy in production: add a flexibleRollout'],
    ['several', [STRATEGY, STRATEGY], 'has 2 strategies in production (flexibleRollout 10 % by userId; '],
    ['another strategy', [{ name: 'default', parameters: {} }], 'is default, which has no rollout'],
  ])('of a flag with %s is refused with what to do', async (_name, strategies, why) => {
    const { url, admin, requests } = await world();
    await flag(url, 'other', strategies);
    const changed = value(await admin.change('other', 'production', { kind: 'set', percent: 25 }));
    expect(changed).toEqual({ kind: 'refused', why: expect.stringContaining(why) });
    expect(requests.filter((line) => !line.startsWith('GET'))).toEqual([]);
  });
});

describe('switching on', () => {
  test.each([
    ['no strategy', [], 'has no strategy in production'],
    [
      'only disabled ones',
      [{ ...STRATEGY, disabled: true }],
      'has no strategy that is enabled in production',
    ],
  ])('a flag with %s is refused before the server is asked to', async (_name, strategies, why) => {
    const { url, admin, requests } = await world();
    await flag(url, 'other', strategies);
    const changed = value(await admin.change('other', 'production', { kind: 'on' }));
    expect(changed).toEqual({ kind: 'refused', why: expect.stringContaining(why) });
    expect(requests.filter((line) => line.startsWith('POST'))).toEqual([]);
  });

  test('and off again is done once: the second time nothing is sent', async () => {
    const { admin, requests } = await world();
    for (const kind of ['on', 'off'] as const) {
      expect(value(await admin.change('banner', 'production', { kind }))).toMatchObject({
        kind: 'changed',
        to: kind,
      });
      expect(value(await admin.change('banner', 'production', { kind }))).toMatchObject({
        kind: 'unchanged',
      });
    }
    expect(requests.filter((line) => line.startsWith('POST'))).toHaveLength(2);
  });

  test('that did not stay is a conflict', async () => {
    const { admin } = await world((_method, path) => (path.endsWith('/on') ? { status: 200 } : null));
    expect(value(await admin.change('banner', 'production', { kind: 'on' }))).toMatchObject({
      kind: 'conflict',
    });
  });

  test('a flag that is not there, or archived, is unknown', async () => {
    const { url, admin } = await world();
    await call(url, 'DELETE', '/api/admin/projects/default/features/banner');
    for (const name of ['banner', 'nope'])
      expect(value(await admin.change(name, 'production', { kind: 'on' }))).toEqual({ kind: 'unknown' });
  });
});

describe('looking', () => {
  test('tells a group’s flag in its shape from one that was reshaped, and both from anybody’s', async () => {
    const { url, admin } = await world();
    await writerFor(url).ensure('orders', 'orders', { serve: 5, shadow: 10 });
    await writerFor(url).ensure('carts', 'carts', { serve: 5, shadow: 10 });
    await call(url, 'POST', `/api/admin/${FEATURES}/fig.orders.shadow/environments/production/off`);
    const rows = value(await admin.list('production', false));
    expect(rows.map(({ name, share, owner }) => [name, share, owner])).toEqual([
      ['banner', 10, null],
      ['fig.orders.serve', 5, { group: 'orders', flag: 'serve', foreign: false }],
      ['fig.orders.shadow', 10, { group: 'orders', flag: 'shadow', foreign: true }],
      // No such group here: a name alone makes no owner.
      ['fig.carts.serve', 5, null],
      ['fig.carts.shadow', 10, null],
    ]);
    // Another environment than the one that decides says nothing about the shape.
    const elsewhere = value(await admin.list('development', false));
    expect(elsewhere[1]).toMatchObject({ enabled: false, share: null, owner: { foreign: false } });
  });

  test('shows segments with their constraints, variants, parents and tags', async () => {
    const segment = {
      id: 1,
      name: 'beta',
      constraints: [{ contextName: 'tenant', operator: 'IN', values: ['acme'] }],
    };
    const detail = {
      name: 'banner',
      type: 'release',
      stale: true,
      impressionData: true,
      variants: [],
      dependencies: [{ feature: 'parent', variants: ['a', 'b'] }],
      environments: [
        {
          name: 'production',
          enabled: true,
          strategies: [
            {
              ...STRATEGY,
              id: 's',
              segments: [1, 2],
              variants: [{ name: 'modern', weight: 500 }],
              disabled: true,
            },
          ],
        },
      ],
    };
    const { admin } = await world((method, path) => {
      if (method !== 'GET') return null;
      if (path === `${FEATURES}/banner`) return { status: 200, body: detail };
      if (path === 'segments') return { status: 200, body: { segments: [segment] } };
      if (path === 'features/banner/tags')
        return {
          status: 200,
          body: { version: 1, tags: [{ type: 'simple', value: 'wave1', color: '#FFFFFF' }] },
        };
      return null;
    });
    expect(value(await admin.show('banner'))).toMatchObject({
      stale: true,
      impressionData: true,
      dependencies: ['parent in variant a or b'],
      tags: ['simple:wave1'],
      environments: [
        {
          strategies: [
            {
              disabled: true,
              variants: ['modern 50 %'],
              segments: [
                { id: 1, name: 'beta', constraints: ['tenant IN [acme]'] },
                { id: 2, name: null, constraints: [] },
              ],
            },
          ],
        },
      ],
      definition: detail,
    });
  });

  test('lists archived flags where the server can', async () => {
    const archived = {
      name: 'old',
      type: 'release',
      archivedAt: '2026-11-24T12:00:00.000Z',
      environments: [],
    };
    const { admin } = await world((_method, path) =>
      path.startsWith('search/features?') ? { status: 200, body: { features: [archived], total: 1 } } : null,
    );
    const rows = value(await admin.list('production', true));
    expect(rows.map(({ name, archived: gone }) => [name, gone])).toEqual([
      ['banner', false],
      ['old', true],
    ]);
  });

  test('finds an archived flag by its name where Unleash only lists it', async () => {
    const archived = (name: string) => ({ name, archivedAt: '2026-11-24T12:00:00.000Z', environments: [] });
    const { admin } = await world((_method, path) => {
      if (path === `${FEATURES}/old`) return { status: 404, body: {} };
      if (!path.startsWith('search/features?')) return null;
      return { status: 200, body: { features: [archived('older'), archived('old')], total: 2 } };
    });
    expect(value(await admin.show('old'))).toMatchObject({ name: 'old', archived: true });
  });

  test('does not take the strategies of an archived flag for none', async () => {
    const { url, admin } = await world();
    await call(url, 'DELETE', '/api/admin/projects/default/features/banner');
    const shown = value(await admin.show('banner'));
    expect(shown?.environments.map(({ strategies }) => strategies)).toEqual([[], null]);
  });

  test('in an environment that is not there names those that are', async () => {
    const { admin } = await world();
    expect(await admin.list('staging', false)).toEqual({
      kind: 'failed',
      reason: 'no-environment',
      why: 'there is no environment "staging"; known: development, production',
    });
  });

  test('reads the details of many flags a few at a time, in the order of the list', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `flag-${index}`);
    let running = 0;
    let most = 0;
    const slow: typeof fetch = async (...given) => {
      running += 1;
      most = Math.max(most, running);
      const answer = await fetch(...given);
      running -= 1;
      return answer;
    };
    const { url } = await startServer();
    for (const name of names) await flag(url, name, [STRATEGY]);
    const deps = { url, token: TOKENS.admin, environment: 'production', project: 'default', fetch: slow };
    const rows = value(await createFlagAdmin({ ...deps, seedOf: () => null }).list('production', false));
    expect(rows.map(({ name }) => name)).toEqual(names);
    expect(most).toBe(8);
  });
});

describe('a server that does not answer as it should', () => {
  test('that refuses the token is denied', async () => {
    const { url } = await startServer();
    const reply = await adminOf(url, `*:*.${'0'.repeat(32)}`).list('production', false);
    expect(reply).toEqual({
      kind: 'failed',
      reason: 'denied',
      why: 'the flag server refused the admin token',
    });
  });

  test('that is gone is unreachable, without its address', async () => {
    const reply = await adminOf('http://127.0.0.1:1').show('banner');
    expect(reply).toEqual({
      kind: 'failed',
      reason: 'unreachable',
      why: 'the flag server could not be reached',
    });
  });

  test('with a fault of its own is repeated in its words', async () => {
    const { admin } = await world(() => ({ status: 503, body: { message: 'maintenance' } }));
    expect(await admin.show('banner')).toEqual({
      kind: 'failed',
      reason: 'unexpected',
      why: 'reading a flag failed: 503 maintenance',
    });
  });

  test('with a gateway’s page instead of JSON is a fault', async () => {
    const { admin } = await world(() => ({ status: 200 }));
    expect(await admin.list('production', false)).toMatchObject({ kind: 'failed', reason: 'unexpected' });
  });
});

test.each<[string, unknown]>([
  ['a list that is none', { features: { banner: {} } }],
  ['no list', {}],
])('%s where the flags should be is a fault, not an empty server', async (_what, body) => {
  const { admin } = await world((_method, path) => (path === FEATURES ? { status: 200, body } : null));
  expect(await admin.list('production', false)).toEqual({
    kind: 'failed',
    reason: 'unexpected',
    why: 'listing the flags failed: 200 with an answer of another shape',
  });
});

test('another flag than the one that was asked for is a fault', async () => {
  const { admin } = await world(() => ({ status: 200, body: { name: 'other', environments: [] } }));
  expect(await admin.show('banner')).toMatchObject({ kind: 'failed', reason: 'unexpected' });
});

test('a server that sends elsewhere is named for it, and nobody follows', async () => {
  const { admin, requests } = await world(() => ({ status: 302 }));
  const reply = await admin.list('production', false);
  expect(reply).toMatchObject({ kind: 'failed', why: 'listing the flags failed: 302' });
  expect(requests).toEqual([`GET ${FEATURES}`]);
});

describe('an export', () => {
  const body = { features: [{ name: 'banner' }], featureStrategies: [], featureEnvironments: [] };

  test('asks for each environment and keeps each answer as it is', async () => {
    const { admin, requests } = await world((_method, path) =>
      path === 'features-batch/export' ? { status: 200, body } : null,
    );
    expect(value(await admin.export())).toEqual({ production: body, development: body });
    expect(requests.filter((line) => line.endsWith('export'))).toHaveLength(2);
  });

  test('carries the constraints of the segments that it names', async () => {
    const constraints = [{ contextName: 'tenant', operator: 'IN', values: ['acme'] }];
    const segments = [{ id: 7, name: 'beta', description: 'first', constraints, usedInFeatures: 1 }];
    const { admin } = await world((_method, path) => {
      if (path === 'features-batch/export')
        return { status: 200, body: { ...body, segments: [{ id: 7, name: 'beta' }] } };
      return path === 'segments' ? { status: 200, body: { segments } } : null;
    });
    const { production } = value(await admin.export());
    expect(production).toEqual({
      ...body,
      segments: [{ id: 7, name: 'beta', description: 'first', constraints }],
    });
  });

  test('of a server without the call says so', async () => {
    const { admin } = await world((_method, path) =>
      path === 'features-batch/export' ? { status: 404, body: {} } : null,
    );
    expect(await admin.export()).toEqual({
      kind: 'failed',
      reason: 'unsupported',
      why: 'this flag server cannot export its flags',
    });
  });

  test('of another shape is a fault: half an export is none', async () => {
    const { admin } = await world((_method, path) =>
      path === 'features-batch/export' ? { status: 200, body: { features: [] } } : null,
    );
    expect(await admin.export()).toMatchObject({ kind: 'failed', reason: 'unexpected' });
  });
});
