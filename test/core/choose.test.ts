import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { choose } from '../../router/core/choose.ts';
import { buildTable, parsePattern } from '../../router/core/match.ts';
import type { Admitted, FlagIntent, Group, Route, Snapshot } from '../../router/core/types.ts';

const keyOf = (id: string) => createHash('sha256').update(id).digest('hex').slice(0, 32);
const target = (name: string) => ({ name, origin: `http://${name}`, rewriteLocation: [], buildHeader: null });
const ON: FlagIntent = { serve: 'on', shadow: 'on', cause: 'flag' };

function route(label: string, effects = false): Route {
  const [method = '', pattern = ''] = label.split(' ');
  return { label, method, segments: parsePattern(pattern) ?? [], effects, group: 'orders' };
}

function snapshot(overrides: Partial<Group> = {}): Snapshot {
  const routes = [route('* /orders'), route('GET /logout', true)];
  const group: Group = {
    name: 'orders',
    groupId: 'orders',
    rev: 1,
    epoch: 0,
    stage: 'canary',
    ceiling: 100,
    stopped: null,
    service: target('orders'),
    unit: [{ cookie: 'sid' }],
    routes,
    rules: [],
    shadowLimits: { perSecondMax: 1, inFlightMax: 1, bodyBytesMax: 1, timeoutMs: 1 },
    ...overrides,
  };
  return {
    revision: 1,
    legacy: target('legacy'),
    groups: new Map([['orders', group]]),
    table: buildTable(routes),
  };
}

function request(overrides: Partial<Admitted> = {}, user: string | null = 'ana'): Admitted {
  const fields = user === null ? [] : ['Cookie', `sid=${user}`];
  return {
    method: 'GET',
    target: '/orders',
    path: '/orders',
    host: 'a',
    fields,
    upgrade: false,
    marked: false,
    hasBody: false,
    ...overrides,
  };
}

function chosen(at: Snapshot, asked: Admitted, intent: FlagIntent = ON) {
  return choose(at, asked, 'id', { flags: { read: () => intent }, keyOf });
}

test('a flag says on, the ledger allows less: the unit stays on legacy', () => {
  const at = chosen(snapshot({ ceiling: 100 }), request()).position ?? 0;
  expect(chosen(snapshot({ ceiling: Math.ceil(at) }), request()).decision).toMatchObject({
    side: 'service',
    reason: 'flag',
  });
  expect(chosen(snapshot({ ceiling: Math.floor(at) }), request()).decision).toMatchObject({
    side: 'legacy',
    reason: 'flag',
  });
});

test('without a unit nobody can be moved below the whole share', () => {
  const intent: FlagIntent = { serve: 'unknown', shadow: 'unknown', cause: 'no-unit' };
  expect(chosen(snapshot(), request({}, null), intent)).toMatchObject({
    unit: null,
    decision: { side: 'legacy', reason: 'flag-unknown' },
    shadow: 'no-unit',
  });
});

test('flags are read exactly once', () => {
  let reads = 0;
  const read = () => {
    reads += 1;
    return ON;
  };
  choose(snapshot(), request(), 'id', { flags: { read }, keyOf });
  expect(reads).toBe(1);
});

test.each<[string, Partial<Group>, Partial<Admitted>, FlagIntent, string | null]>([
  ['a read of a shadowed group is copied', {}, {}, ON, 'copy'],
  ['a write is not', {}, { method: 'POST' }, ON, 'unsafe-method'],
  ['a read that acts is not', {}, { path: '/logout' }, ON, 'effectful-route'],
  ['a copy is not copied again', {}, { marked: true }, ON, 'marked'],
  ['an upgrade is not', {}, { upgrade: true }, ON, 'upgrade'],
  ['after a kill nothing is', { stopped: 'killed' }, {}, ON, 'killed'],
  ['after a trip it is: that is how recovery is proven', { stopped: 'tripped' }, {}, ON, 'copy'],
  ['the flag says off', {}, {}, { ...ON, shadow: 'off' }, 'flag-off'],
  ['the flag says nothing', {}, {}, { ...ON, shadow: 'unknown' }, 'flag-unknown'],
  ['in stage legacy nothing is eligible', { stage: 'legacy' }, {}, ON, null],
  ['in stage sealed nothing is eligible', { stage: 'sealed' }, {}, ON, null],
  ['in stage retired nothing is eligible', { stage: 'retired' }, {}, ON, null],
])('%s', (_, group, asked, intent, expected) => {
  expect(chosen(snapshot(group), request(asked), intent).shadow).toBe(expected);
});

test('10,000 units at 10 % give between 9.4 and 10.6 % to the service, and 25 % moves nobody back', () => {
  const served = (ceiling: number) => {
    const at = snapshot({ ceiling });
    return new Set(
      Array.from({ length: 10_000 }, (_, i) => `user-${i}`).filter(
        (user) => chosen(at, request({}, user)).decision.side === 'service',
      ),
    );
  };
  const at10 = served(10);
  const at25 = served(25);
  expect(at10.size / 100).toBeGreaterThan(9.4);
  expect(at10.size / 100).toBeLessThan(10.6);
  expect([...at10].filter((user) => !at25.has(user))).toEqual([]);
  expect(served(10)).toEqual(at10);
});

test('both routes of a group give a unit the same side, whatever the share', () => {
  for (const ceiling of [0, 1, 10, 50, 99, 100]) {
    const at = snapshot({ ceiling });
    for (let i = 0; i < 200; i += 1) {
      const sides = ['/orders', '/logout'].map(
        (path) => chosen(at, request({ path }, `user-${i}`)).decision.side,
      );
      expect(new Set(sides).size).toBe(1);
    }
  }
});
