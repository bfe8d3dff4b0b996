import { describe, expect, test } from 'vitest';
import type { AddRulesBody } from '../../router/control/api.ts';
import type { AddResult } from '../../router/control/rules.ts';
import type { CauseEntry } from '../../router/core/ports.ts';
import { ruleText } from '../../router/core/rules/scope.ts';
import { ADDED_MAX } from '../../router/core/rules/stored.ts';
import { EMPTY_BATCH } from '../helpers/batches.ts';
import { ANA, controlPlane } from '../helpers/control.ts';
import { type RulesWorld, rulesOf } from '../helpers/rules.ts';

const ROUTE = 'GET /orders/:id';
const CAUSE = '0123456789abcdef';
const RULE = {
  path: '/body/rid',
  action: 'ignore-value',
  owner: 'team-orders',
  reason: 'random request id',
  expires: '2026-02-01',
};
const DAY_MS = 86_400_000;
const FRESH_MS = 5_001;

function world() {
  const plane = controlPlane();
  const made = rulesOf(plane);
  const add = (body: Partial<Extract<AddRulesBody, { readonly rules: unknown }>>): Promise<AddResult> =>
    made.rules.add('orders', { rules: [RULE], ...body }, ANA);
  return { ...plane, ...made, add };
}

/** Pairs were compared, and some differed at `/body/rid`. */
function compare({ store }: RulesWorld, entry: Partial<CauseEntry> = {}, pairs = 100): void {
  const key = { group: 'orders', route: ROUTE, shadowed: 'service', build: 'b1', rules: 'r' } as const;
  const whole = {
    template: '/body/rid',
    kind: 'value',
    severity: 'medium',
    detail: null,
    codes: null,
  } as const;
  store.flush({
    ...EMPTY_BATCH,
    at: 10,
    counts: [
      { ...key, outcome: 'same', reason: null, count: pairs - 20 },
      { ...key, outcome: 'different', reason: null, count: 20 },
    ],
    causes: [
      {
        group: key.group,
        id: CAUSE,
        severity: 'medium',
        entries: [{ ...whole, ...entry }],
        count: 20,
        error: 0,
        firstAt: 10,
        lastAt: 10,
        places: [{ ...key, count: 20, lastAt: 10 }],
        shapes: [],
        examples: [],
        smallest: null,
      },
    ],
  });
}

function codes(result: AddResult): readonly string[] {
  return result.kind === 'refused' ? result.refusals.map(({ code }) => code) : [result.kind];
}

test('an accepted rule is in the ledger, in the snapshot and in the list, and says what it turned', async () => {
  const it = world();
  compare(it);
  const before = it.routing.get().revision;
  const result = await it.add({});
  if (result.kind !== 'done') throw new Error(JSON.stringify(result));
  expect(result.data.preview.turned).toEqual({ atLeast: 20, atMost: 20 });
  expect(result.data.inForce).toEqual({ snapshot: before + 1, planes: { running: 1, confirmed: 1 } });
  expect(it.routing.get().groups.get('orders')?.rules).toEqual([RULE]);
  const [event] = it.ledger.recent('orders', 1);
  expect(event).toMatchObject({
    type: 'rule.added',
    actor: ANA,
    body: { id: 'r1', rule: RULE, forced: null, reason: RULE.reason },
  });
  expect(it.rules.list('orders')?.rules).toMatchObject([
    { name: 'r1', source: 'added', rule: RULE, added: { by: 'ana' }, hits: 0, inForce: true },
  ]);
});

test('a preview changes nothing, and says what would be refused', async () => {
  const it = world();
  compare(it, {}, 30);
  const result = await it.add({ preview: true });
  if (result.kind !== 'done') throw new Error(JSON.stringify(result));
  expect(result.data).toMatchObject({ saved: false, inForce: null, preview: { turned: { atMost: 20 } } });
  expect(result.data.refusals.map(({ code }) => code)).toEqual(['TOO_FEW']);
  expect(it.ledger.recent('orders', 1)[0]?.type).toBe('group.created');
});

describe('a rule is refused', () => {
  test.each<[code: string, body: object, entry?: Partial<CauseEntry>]>([
    ['NEVER_DRIFTED', { path: '/body/price' }],
    ['OVER_BROAD', { path: '/body/**/rid' }],
    ['STRUCTURAL', { action: 'ignore' }],
    ['STRUCTURAL', { action: 'ignore' }, { kind: 'missing' }],
    ['ROOT', { path: '/body/**' }],
    ['ROOT', { path: '/status', action: 'ignore' }],
    [
      'SECURITY',
      { path: '/headers/set-cookie/sid' },
      { template: '/headers/set-cookie/sid', detail: 'cookie-security' },
    ],
    ['UNOWNED', { owner: ' ' }],
    ['UNOWNED', { reason: undefined }],
  ])('%s: %j', async (code, change, entry = {}) => {
    const it = world();
    compare(it, entry);
    const result = await it.add({ rules: [{ ...RULE, ...change }] });
    expect(codes(result)).toContain(code);
    expect(it.routing.get().groups.get('orders')?.rules).toEqual([]);
  });

  test('TOO_FEW: under 50 pairs', async () => {
    const it = world();
    compare(it, {}, 49);
    expect(codes(await it.add({}))).toEqual(['TOO_FEW']);
  });
});

describe('a rule is faulty', () => {
  test.each<[what: string, change: object, path: string, text: string]>([
    ['unknown action', { action: 'look-away' }, 'rules[0].action', 'known: ignore'],
    ['unknown parameter', { abs: 1 }, 'rules[0].abs', 'unknown parameter of "ignore-value"; known: '],
    [
      'unknown route',
      { routes: ['GET /x'] },
      'rules[0].routes[0]',
      'known: "GET /orders/:id", "POST /orders/:id"',
    ],
    ['too long a life', { expires: '2026-12-31' }, 'rules[0].expires', 'at most 90 days'],
    ['no day', { expires: '2026-02-30' }, 'rules[0].expires', 'must be a date'],
    ['already over', { expires: '2025-12-31' }, 'rules[0].expires', 'in the past'],
    ['a long expression', { action: 'mask', regex: 'a'.repeat(1_001) }, 'rules[0].regex', 'at most 1000'],
    ['a broken expression', { action: 'mask', regex: '(' }, 'rules[0].regex', 'not a regular expression'],
  ])('%s', async (_what, change, path, text) => {
    const it = world();
    compare(it);
    const result = await it.add({ rules: [{ ...RULE, ...change }] });
    if (result.kind !== 'invalid') throw new Error(JSON.stringify(result));
    expect(result.faults[0]?.path).toBe(path);
    expect(result.faults[0]?.text).toContain(text);
  });

  test('a selector that is not supported is a fault of its rule', async () => {
    const it = world();
    const html = { ...RULE, path: '/body', action: 'html', ignore: [{ selector: 'a ~ b' }] };
    expect(await it.add({ rules: [html] })).toEqual({
      kind: 'invalid',
      faults: [{ path: 'rules[0].ignore[0].selector', text: '~ is not supported' }],
    });
  });

  test('the same rule a second time could never apply', async () => {
    const it = world();
    compare(it);
    await it.add({});
    const result = await it.add({});
    expect(result).toEqual({
      kind: 'invalid',
      faults: [
        {
          path: 'rules[0]',
          text: 'never applies: ignore-value /body/rid comes first wherever it could',
        },
      ],
    });
  });
});

test('a rule that also covers what answers have and never differed is refused, and told what that is', async () => {
  const it = world();
  compare(it);
  const leaves = ['/body/rid', '/body/items/*/rid'].map((template) => ({
    group: 'orders',
    route: ROUTE,
    template,
  }));
  it.store.flush({ ...EMPTY_BATCH, at: 10, leaves });
  const result = await it.add({ rules: [{ ...RULE, path: '/body/**/rid', action: 'uuid' }] });
  expect(result).toEqual({
    kind: 'refused',
    refusals: [
      {
        rule: 0,
        code: 'OVER_BROAD',
        text: 'it also covers /body/items/*/rid, which never differed; write it for /body/rid',
      },
    ],
  });
});

test('right after a rule was added the next one is judged by what was compared before', async () => {
  const it = world();
  compare(it);
  await it.add({});
  // The first pair by the new rules: evidence has begun anew.
  const key = { group: 'orders', route: ROUTE, shadowed: 'service', build: 'b1', rules: 'new' } as const;
  it.store.flush({
    ...EMPTY_BATCH,
    at: 20,
    counts: [{ ...key, outcome: 'ignored', reason: null, count: 1 }],
  });
  const again = await it.add({ rules: [{ ...RULE, path: '/body/price' }] });
  expect(codes(again)).toEqual(['NEVER_DRIFTED']);
});

test('a forced rule needs a second person, and is shown for as long as it is in force', async () => {
  const it = world();
  compare(it, {}, 30);
  const reason = 'the release is tonight';
  for (const second of ['ana', 'Team-Orders'])
    expect(await it.add({ force: { reason, second } })).toMatchObject({
      kind: 'invalid',
      faults: [{ path: 'force.second' }],
    });
  expect((await it.add({ force: { reason, second: 'bob' } })).kind).toBe('done');
  const forced = { past: ['TOO_FEW'], reason, by: 'ana', second: 'bob' };
  expect(it.ledger.recent('orders', 1)[0]).toMatchObject({ type: 'rule.added', body: { forced, reason } });
  expect(it.rules.findings('orders')).toContainEqual({
    code: 'FORCED',
    rule: 'r1',
    text: 'ignore-value /body/rid was forced past TOO_FEW by ana and bob: "the release is tonight"',
  });
});

test('force does not make up for an owner', async () => {
  const it = world();
  compare(it);
  const rules = [{ ...RULE, owner: '' }];
  expect(codes(await it.add({ rules, force: { reason: 'now', second: 'bob' } }))).toEqual(['UNOWNED']);
});

test('what is asked for a cause is the narrowest rule on the routes that show it', async () => {
  const it = world();
  compare(it, { detail: 'uuid' });
  const { path: _, action: __, ...paperwork } = RULE;
  const result = await it.rules.add('orders', { cause: { id: CAUSE, ...paperwork } }, ANA);
  expect(result.kind).toBe('done');
  expect(it.routing.get().groups.get('orders')?.rules).toEqual([
    { ...paperwork, path: '/body/rid', action: 'uuid', routes: [ROUTE] },
  ]);
  const unknown = { cause: { id: 'ffffffffffffffff', ...paperwork } };
  expect((await it.rules.add('orders', unknown, ANA)).kind).toBe('unknown-cause');
});

test('no rule is made up for a change of structure', async () => {
  const it = world();
  compare(it, { kind: 'missing' });
  const { path: _, action: __, ...paperwork } = RULE;
  const result = await it.rules.add('orders', { cause: { id: CAUSE, ...paperwork } }, ANA);
  expect(codes(result)).toEqual(['STRUCTURAL']);
});

test('a rule that is taken back is gone from the snapshot, and its name is not given again', async () => {
  const it = world();
  compare(it);
  await it.add({});
  expect((await it.rules.remove('orders', 'r1', ANA, 'fixed')).kind).toBe('done');
  expect(it.routing.get().groups.get('orders')?.rules).toEqual([]);
  expect(it.ledger.recent('orders', 1)[0]).toMatchObject({
    type: 'rule.removed',
    body: { id: 'r1', reason: 'fixed' },
  });
  expect((await it.rules.remove('orders', 'r1', ANA, null)).kind).toBe('unknown-rule');
  const again = await it.add({});
  expect(again).toMatchObject({ kind: 'done', data: { rules: [{ name: 'r2' }] } });
});

test('a group has at most 200 added rules', async () => {
  const it = world();
  compare(it);
  const happenings = Array.from({ length: ADDED_MAX }, (_, n) => {
    const rule = { ...RULE, path: `/body/p${n}` };
    return { type: 'rule.added', body: { id: `r${n + 1}`, rule, forced: null, reason: null } } as const;
  });
  it.ledger.append({ group: 'orders', expectedRev: null, actor: ANA, happenings });
  it.routing.refresh();
  expect((await it.add({})).kind).toBe('full');
});

test('a ledger that cannot be written leaves everything as it was', async () => {
  const plane = controlPlane();
  const ledger: typeof plane.ledger = {
    ...plane.ledger,
    append() {
      throw new Error('disk full');
    },
  };
  const it = rulesOf({ ...plane, ledger });
  compare(it);
  expect((await it.rules.add('orders', { rules: [RULE] }, ANA)).kind).toBe('not-recorded');
  expect(plane.routing.get().groups.get('orders')?.rules).toEqual([]);
});

test('a rule that has ended is said, and 14 days before; without hits for 30 days as well', async () => {
  const it = world();
  compare(it);
  await it.add({ rules: [{ ...RULE, expires: '2026-03-01' }] });
  const said = () => it.rules.findings('orders').map(({ code }) => code);
  expect(said()).toEqual([]);
  it.clock.advance(31 * DAY_MS);
  expect(said()).toEqual(['NO_HITS']);
  const hit = { group: 'orders', rule: ruleText({ ...RULE, expires: '' }), count: 1, places: [] };
  it.store.flush({ ...EMPTY_BATCH, at: it.clock.wall(), hits: [hit] });
  it.clock.advance(FRESH_MS);
  expect(said()).toEqual([]);
  it.clock.advance(15 * DAY_MS);
  expect(said()).toEqual(['EXPIRES_SOON']);
  it.clock.advance(15 * DAY_MS);
  expect(said()).toEqual(['EXPIRED']);
  expect(it.rules.list('orders')?.rules[0]).toMatchObject({ inForce: false, hits: 1 });
});
