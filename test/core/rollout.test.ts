import { expect, test } from 'vitest';
import type { Happening, LedgerEvent } from '../../router/core/events.ts';
import {
  type Command,
  EMPTY_LEDGER,
  fold,
  type GroupState,
  type LedgerState,
  plan,
} from '../../router/core/rollout.ts';
import type { Stage } from '../../router/core/types.ts';

const STAGES: readonly Stage[] = ['legacy', 'shadow', 'canary', 'live', 'sealed', 'retired'];

function event(state: LedgerState, happening: Happening, group = 'catalog'): LedgerEvent {
  const seq = state.seq + 1;
  const rev = (state.groups.get(group)?.rev ?? 0) + 1;
  return {
    ...happening,
    seq,
    rev,
    group,
    at: '2026-01-01T00:00:00.000Z',
    actor: { kind: 'operator', id: 'ana' },
    token: 1,
    key: `k${seq}`,
    prev: '',
    hash: '',
  };
}

function after(...happenings: readonly Happening[]): LedgerState {
  const created: Happening = { type: 'group.created', body: { groupId: 'catalog' } };
  return [created, ...happenings].reduce(
    (state, happening) => fold(state, event(state, happening)),
    EMPTY_LEDGER,
  );
}

function group(overrides: Partial<GroupState> = {}): GroupState {
  const state = after().groups.get('catalog');
  if (state === undefined) throw new Error('no group');
  return { ...state, ...overrides };
}

const run = (state: GroupState, command: Command) => {
  const planned = plan(state, command);
  return planned.kind === 'refused' ? 'refused' : planned.events.map((e) => e.type).join(' ');
};

const reason = null;

test.each<[Stage, number, Command, string]>([
  ['legacy', 0, { kind: 'shadow', sample: 100, reason }, 'stage.changed shadow.intended'],
  ['legacy', 0, { kind: 'shadow', sample: 0, reason }, ''],
  ['shadow', 0, { kind: 'shadow', sample: 100, reason }, 'shadow.intended'],
  ['shadow', 0, { kind: 'shadow', sample: 0, reason }, 'stage.changed'],
  ['canary', 10, { kind: 'shadow', sample: 5, reason }, 'shadow.intended'],
  ['sealed', 0, { kind: 'shadow', sample: 5, reason }, 'refused'],
  ['legacy', 0, { kind: 'shift', share: 10, reason }, 'refused'],
  ['legacy', 0, { kind: 'shift', share: 0, reason }, ''],
  ['shadow', 0, { kind: 'shift', share: 10, reason }, 'stage.changed share.intended'],
  ['shadow', 0, { kind: 'shift', share: 0, reason }, ''],
  ['canary', 10, { kind: 'shift', share: 10, reason }, ''],
  ['canary', 10, { kind: 'shift', share: 5, reason }, 'share.intended'],
  ['live', 100, { kind: 'shift', share: 100, reason }, ''],
  ['live', 100, { kind: 'shift', share: 50, reason }, 'refused'],
  ['retired', 100, { kind: 'shift', share: 50, reason }, 'refused'],
  ['canary', 10, { kind: 'rollback', reason }, 'rollback.decided'],
  ['canary', 0, { kind: 'rollback', reason }, ''],
  ['live', 100, { kind: 'rollback', reason }, 'rollback.decided'],
  ['shadow', 0, { kind: 'rollback', reason }, ''],
  ['legacy', 0, { kind: 'rollback', reason }, ''],
  ['sealed', 100, { kind: 'rollback', reason }, 'refused'],
  ['canary', 10, { kind: 'kill', reason }, 'kill.set'],
  ['sealed', 100, { kind: 'kill', reason }, 'refused'],
  ['canary', 10, { kind: 'release', reason }, ''],
])('%s at %i %%: %j -> %s', (stage, share, command, expected) => {
  expect(run(group({ stage, share }), command)).toBe(expected);
});

test('stages move one step at a time, up to live, and down again', () => {
  const legal = STAGES.flatMap((from) => STAGES.map((to) => [from, to] as const)).filter(
    ([from, to]) =>
      from !== to && run(group({ stage: from, share: 100 }), { kind: 'stage', to, reason }) !== 'refused',
  );
  expect(legal.map((pair) => pair.join(' -> '))).toEqual([
    'legacy -> shadow',
    'shadow -> legacy',
    'shadow -> canary',
    'canary -> shadow',
    'canary -> live',
    'live -> canary',
  ]);
});

test('live needs the whole share first', () => {
  expect(plan(group({ stage: 'canary', share: 50 }), { kind: 'stage', to: 'live', reason })).toMatchObject({
    kind: 'refused',
    next: 'fig shift catalog 100%',
  });
});

test('a killed group takes no share until it is released', () => {
  const killed = group({ stage: 'canary', share: 10, killed: true });
  expect(plan(killed, { kind: 'shift', share: 50, reason })).toMatchObject({
    kind: 'refused',
    next: 'fig kill catalog --release',
  });
  expect(run(killed, { kind: 'release', reason })).toBe('kill.cleared');
  expect(run(killed, { kind: 'kill', reason })).toBe('');
});

test('a rollback puts live back into canary at nothing, and raises the epoch', () => {
  const state = after(
    { type: 'stage.changed', body: { from: 'legacy', to: 'live', reason: null } },
    { type: 'share.intended', body: { from: 0, to: 100, reason: null } },
    { type: 'rollback.decided', body: { from: 100, stage: 'live', epoch: 1, reason: 'prices wrong' } },
  );
  expect(state.groups.get('catalog')).toMatchObject({
    stage: 'canary',
    share: 0,
    epoch: 1,
    pendingServe: { to: 0 },
    last: { reason: 'prices wrong' },
  });
});

test('an acknowledgement of an older intent leaves the newer one pending', () => {
  const state = after(
    { type: 'share.intended', body: { from: 0, to: 10, reason: null } },
    { type: 'share.intended', body: { from: 10, to: 25, reason: null } },
    { type: 'share.verified', body: { of: 2, readBack: 10 } },
  );
  expect(state.groups.get('catalog')?.pendingServe).toEqual({ seq: 3, to: 25 });
});

test('an acknowledgement is no decision: rev rises, decidedRev does not', () => {
  const state = after(
    { type: 'share.intended', body: { from: 0, to: 10, reason: null } },
    { type: 'share.verified', body: { of: 2, readBack: 10 } },
  );
  expect(state.groups.get('catalog')).toMatchObject({ rev: 3, decidedRev: 2, pendingServe: null });
});

test('an event of a group that was never created cannot be folded', () => {
  expect(() => fold(EMPTY_LEDGER, event(EMPTY_LEDGER, { type: 'kill.set', body: { reason: null } }))).toThrow(
    /does not exist/,
  );
});

test('a gap in the sequence cannot be folded', () => {
  const state = after();
  expect(() =>
    fold(state, { ...event(state, { type: 'kill.set', body: { reason: null } }), seq: 9 }),
  ).toThrow(/expected seq 2/);
});
