import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMemoryFlags } from '../../flags/memory.ts';
import { type ChooseDeps, choose, copyTarget } from '../../router/core/choose.ts';
import { PLAIN_SHADOW } from '../../router/core/snapshot.ts';
import type {
  Admitted,
  Answer,
  FlagIntent,
  Group,
  Route,
  Snapshot,
  Stage,
  Stop,
  WritePlan,
} from '../../router/core/types.ts';
import { snapshotOf, type TestGroup, targetAt } from '../helpers/current.ts';

const LEGACY = 'http://127.0.0.1:1';
const ON: FlagIntent = { serve: 'on', shadow: 'on', cause: 'flag' };

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}

function depsOf(intent: FlagIntent = ON): ChooseDeps {
  return { flags: { read: () => intent }, keyOf };
}

function snapshotWith(group: Partial<TestGroup>) {
  return snapshotOf(LEGACY, [
    {
      name: 'orders',
      service: 'http://127.0.0.1:2',
      routes: ['GET /orders/:id', 'POST /orders/:id', '!GET /logout'],
      unit: [{ header: 'x-user' }],
      stage: 'canary',
      ceiling: 100,
      ...group,
    },
  ]);
}

function requestOf(given: Partial<Admitted> & { readonly user?: string } = {}): Admitted {
  const { user = 'u1', path = '/orders/1', ...rest } = given;
  return {
    method: 'GET',
    target: path,
    path,
    host: 'shop.test',
    fields: user === '' ? [] : ['X-User', user],
    upgrade: false,
    marked: false,
    hasBody: false,
    continues: false,
    closes: false,
    ...rest,
  };
}

function chosen(group: Partial<TestGroup>, request: Admitted = requestOf(), intent: FlagIntent = ON) {
  return choose(snapshotWith(group), request, 'r1', depsOf(intent));
}

describe('who answers', () => {
  test('a request outside every route goes to legacy and is no comparison', () => {
    expect(chosen({}, requestOf({ path: '/other' }))).toMatchObject({
      route: null,
      group: null,
      unit: null,
      decision: { side: 'legacy', reason: 'no-route' },
      target: { origin: LEGACY },
      shadow: null,
    });
  });

  test('a unit below the ceiling goes where the flag says', () => {
    const { position } = chosen({});
    expect(position).not.toBeNull();
    expect(chosen({ ceiling: (position ?? 0) + 0.01 }).decision).toMatchObject({
      side: 'service',
      reason: 'flag',
    });
  });

  test('a unit at or above the ceiling stays on legacy whatever the flag says', () => {
    const { position } = chosen({});
    expect(chosen({ ceiling: position ?? 0 }).decision.side).toBe('legacy');
    expect(chosen({ ceiling: 0 }).decision.side).toBe('legacy');
  });

  test('nobody to be sticky for stays on legacy below a full ceiling', () => {
    const choice = chosen({ ceiling: 99.99 }, requestOf({ user: '' }));
    expect(choice).toMatchObject({ unit: null, position: null, decision: { side: 'legacy' } });
  });

  test('two different ids in one request are nobody', () => {
    expect(chosen({}, requestOf({ fields: ['X-User', 'a', 'X-User', 'b'] })).unit).toBeNull();
  });

  test('flags are read once, with the key and never the raw id', () => {
    const read: unknown[] = [];
    const flags = {
      read: (...of: unknown[]) => {
        read.push(of);
        return ON;
      },
    };
    choose(snapshotWith({}), requestOf(), 'r1', { flags, keyOf });
    expect(read).toEqual([['orders', { unit: keyOf('u1'), requestId: 'r1', properties: {} }]]);
  });

  test('outside every group no flag is read', () => {
    const flags = {
      read: () => {
        throw new Error('read');
      },
    };
    expect(choose(snapshotWith({}), requestOf({ path: '/' }), 'r1', { flags, keyOf }).group).toBeNull();
  });

  test('no flag and no request moves anybody above the ceiling (seed 7)', () => {
    const answer = fc.constantFrom<Answer>('on', 'off', 'unknown');
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 9_999 }), answer, (user, hundredths, serve) => {
        const ceiling = hundredths / 100;
        const choice = chosen({ ceiling }, requestOf({ user }), { ...ON, serve });
        const below = choice.position !== null && choice.position < ceiling;
        return choice.decision.side === (serve === 'on' && below ? 'service' : 'legacy');
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe('what is copied', () => {
  test('a safe request of a group that is compared', () => {
    expect(chosen({ stage: 'shadow' }).shadow).toBe('copy');
  });

  test.each<Stage>(['legacy', 'sealed', 'retired'])('nothing in stage %s, not even as a skip', (stage) => {
    expect(chosen({ stage }).shadow).toBeNull();
    expect(
      chosen({ stage, stopped: 'killed' }, requestOf({ method: 'POST', marked: true })).shadow,
    ).toBeNull();
  });

  const SKIPS: readonly (readonly [
    string,
    Partial<Admitted> & { user?: string },
    Stop | null,
    FlagIntent,
  ])[] = [
    ['killed', {}, 'killed', ON],
    ['marked', { marked: true }, null, ON],
    ['upgrade', { upgrade: true }, null, ON],
    ['unsafe-method', { method: 'POST' }, null, ON],
    ['effectful-route', { path: '/logout' }, null, ON],
    ['no-unit', { user: '' }, null, { serve: 'unknown', shadow: 'unknown', cause: 'no-unit' }],
    ['flag-unknown', {}, null, { serve: 'unknown', shadow: 'unknown', cause: 'no-data' }],
    ['flag-unknown', {}, null, { serve: 'on', shadow: 'unknown', cause: 'missing' }],
    ['flag-off', {}, null, { serve: 'on', shadow: 'off', cause: 'flag' }],
  ];
  test.each(SKIPS)('is skipped as %s: %j', (reason, request, stopped, intent) => {
    for (const stage of ['shadow', 'canary', 'live'] as const)
      expect(chosen({ stage, stopped }, requestOf(request), intent).shadow).toBe(reason);
  });

  test('a kill outranks every other reason', () => {
    expect(chosen({ stopped: 'killed' }, requestOf({ marked: true, method: 'POST' })).shadow).toBe('killed');
  });

  test('a trip does not end the comparing: it is how a recovery is seen', () => {
    expect(chosen({ stopped: 'tripped' })).toMatchObject({ shadow: 'copy', decision: { side: 'legacy' } });
  });
});

describe('10,000 units', () => {
  const units = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);

  async function servedAt(share: number): Promise<ReadonlySet<string>> {
    const { reader, writer } = createMemoryFlags();
    await writer.ensure('orders', 'orders', { serve: Math.ceil(share), shadow: 0 });
    const snapshot = snapshotWith({ ceiling: share });
    const served = units.filter(
      (user) =>
        choose(snapshot, requestOf({ user }), 'r', { flags: reader, keyOf }).decision.side === 'service',
    );
    return new Set(served);
  }

  test('at 10 % between 9.4 % and 10.6 % of them are on the service', async () => {
    const { size } = await servedAt(10);
    expect(size).toBeGreaterThanOrEqual(940);
    expect(size).toBeLessThanOrEqual(1_060);
  });

  test('at 25 % all of those of 10 % are still there', async () => {
    const [ten, more] = await Promise.all([servedAt(10), servedAt(25)]);
    expect([...ten].filter((user) => !more.has(user))).toEqual([]);
    expect(more.size).toBeGreaterThan(ten.size);
  });

  test('at 0.5 % the ceiling holds back half of what the flag of 1 % lets through', async () => {
    const [half, one] = await Promise.all([servedAt(0.5), servedAt(1)]);
    expect([...half].every((user) => one.has(user))).toBe(true);
    expect(half.size).toBeLessThan(one.size);
    expect(half.size).toBeGreaterThan(0);
  });

  test('the same unit asks twice and gets the same side', async () => {
    expect(await servedAt(50)).toEqual(await servedAt(50));
  });
});

test('all routes of a group give a unit the same side, whatever the share', () => {
  for (const ceiling of [0, 1, 10, 50, 99, 100]) {
    for (let i = 0; i < 200; i += 1) {
      const asked = ['GET /orders/1', 'POST /orders/1', 'GET /logout'].map((line) => {
        const [method = '', path = ''] = line.split(' ');
        return chosen({ ceiling }, requestOf({ method, path, user: `user-${i}` })).decision.side;
      });
      expect(new Set(asked).size).toBe(1);
    }
  }
});

describe('the sample', () => {
  const BY_REQUEST = { ...PLAIN_SHADOW, sampleBy: 'request' } as const;

  test('by unit, a request without one is skipped', () => {
    const noUnit: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'no-unit' };
    expect(chosen({}, requestOf({ user: '' }), noUnit).shadow).toBe('no-unit');
  });

  test('by request, the shadow flag is asked with the key of the request and no unit is needed', () => {
    const asked: (string | null)[] = [];
    const snapshot = snapshotWith({ stage: 'shadow', shadowPolicy: BY_REQUEST });
    const read: ChooseDeps['flags']['read'] = (_group, { unit }) => {
      asked.push(unit);
      return { serve: 'off', shadow: unit === keyOf('r1') ? 'on' : 'off', cause: 'flag' };
    };
    const choice = choose(snapshot, requestOf({ user: '' }), 'r1', { flags: { read }, keyOf });
    expect(choice.shadow).toBe('copy');
    expect(asked).toEqual([null, keyOf('r1')]);
  });

  test('thinned, it holds that share of units, each of them wholly', () => {
    const thinned = { shadowPolicy: { ...PLAIN_SHADOW, thin: 0.05 } };
    const of = (user: string) => chosen(thinned, requestOf({ user })).shadow;
    const users = Array.from({ length: 4_000 }, (_, i) => `u${i}`);
    const copied = users.filter((user) => of(user) === 'copy');
    expect(copied.length / users.length).toBeGreaterThan(0.04);
    expect(copied.length / users.length).toBeLessThan(0.06);
    expect(copied.every((user) => of(user) === 'copy')).toBe(true);
    expect(of(users.find((user) => !copied.includes(user)) ?? '')).toBe('flag-off');
  });

  test('thinned, it is no part of who is served by the service', () => {
    const users = Array.from({ length: 2_000 }, (_, i) => `u${i}`);
    const thinned = { shadowPolicy: { ...PLAIN_SHADOW, thin: 0.1 } };
    const low = users
      .map((user) => chosen(thinned, requestOf({ user })))
      .filter(({ shadow, position }) => shadow === 'copy' && (position ?? 100) < 50);
    expect(low.length).toBeGreaterThan(60);
    expect(low.length).toBeLessThan(140);
  });
});

function groupOf(snapshot: Snapshot): Group {
  const group = snapshot.groups.get('orders');
  if (group === undefined) throw new Error('no group');
  return group;
}

describe('writes', () => {
  const plan = (mode: WritePlan['mode']): WritePlan => ({
    mode,
    owner: 'team',
    reason: 'pure',
    ticket: null,
    expires: '2099-12-31',
  });
  const group = groupOf(snapshotWith({}));
  const routeOf = (writes: WritePlan | null, effects = false): Route => ({
    label: 'POST /orders/:id',
    method: 'POST',
    segments: [],
    effects,
    writes,
    group: 'orders',
  });

  test.each<[string, WritePlan | null, string | undefined]>([
    ['without a plan go nowhere', null, undefined],
    ['of a dry run go to the service', plan('dry-run'), 'http://127.0.0.1:2'],
    ['for a shadow database go nowhere while there is none', plan('shadow-database'), undefined],
  ])('%s', (_what, writes, origin) => {
    expect(copyTarget(group, routeOf(writes), 'POST')?.origin).toBe(origin);
  });

  test('for a shadow database never reach the instances that answer for real', () => {
    const shadowService = targetAt('orders (shadow)', 'http://127.0.0.1:3');
    const route = routeOf(plan('shadow-database'));
    expect(copyTarget({ ...group, shadowService }, route, 'POST')).toBe(shadowService);
    expect(copyTarget({ ...group, shadowService }, route, 'GET')).toBe(group.service);
  });

  test('a read that acts goes where a write would go', () => {
    expect(copyTarget(group, routeOf(null, true), 'GET')).toBeNull();
    expect(copyTarget(group, routeOf(plan('dry-run'), true), 'GET')).toBe(group.service);
  });

  test.each<[Stage, Answer, string]>([
    ['shadow', 'off', 'copy'],
    ['canary', 'off', 'copy'],
    ['canary', 'on', 'unsafe-method'],
    ['live', 'on', 'unsafe-method'],
  ])(
    'with a plan, in %s with serve %s: %s, for none of the service goes to legacy',
    (stage, serve, shadow) => {
      const snapshot = snapshotWith({ stage, writes: { 'POST /orders/:id': plan('dry-run') } });
      const intent: FlagIntent = { serve, shadow: 'on', cause: 'flag' };
      expect(choose(snapshot, requestOf({ method: 'POST' }), 'r1', depsOf(intent)).shadow).toBe(shadow);
    },
  );
});
