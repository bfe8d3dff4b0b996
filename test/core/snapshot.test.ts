import { expect, test } from 'vitest';
import { EMPTY_LEDGER, type GroupState } from '../../router/core/rollout.ts';
import { buildSnapshot, type RoutingPlan } from '../../router/core/snapshot.ts';
import type { Stop } from '../../router/core/types.ts';
import { snapshotOf } from '../helpers/current.ts';

const BASE = snapshotOf('http://127.0.0.1:1', [
  { name: 'orders', service: 'http://127.0.0.1:2', routes: ['GET /orders'] },
]);
const PLAN: RoutingPlan = { legacy: BASE.legacy, groups: [...BASE.groups.values()] };

function groupOf(recorded: Partial<GroupState>, stop: Stop | null = null) {
  const state: GroupState = {
    name: 'orders',
    groupId: 'first-name',
    rev: 4,
    decidedRev: 4,
    epoch: 2,
    stage: 'canary',
    share: 25,
    shadowShare: 100,
    killed: false,
    pendingServe: null,
    pendingShadow: null,
    foreign: { serve: null, shadow: null },
    last: { seq: 4, at: '', by: '', type: '', reason: null },
    ...recorded,
  };
  const stops = new Map(stop === null ? [] : [['orders', stop] as const]);
  const snapshot = buildSnapshot(3, PLAN, { seq: 4, groups: new Map([['orders', state]]) }, stops);
  return snapshot.groups.get('orders');
}

test('a group the ledger does not know stays on legacy under its own name', () => {
  const { groups, revision } = buildSnapshot(3, PLAN, EMPTY_LEDGER, new Map());
  expect(revision).toBe(3);
  expect(groups.get('orders')).toMatchObject({
    groupId: 'orders',
    stage: 'legacy',
    ceiling: 0,
    stopped: null,
  });
});

test('the hash seed is the one of the ledger, not the name', () => {
  expect(groupOf({})).toMatchObject({ groupId: 'first-name', rev: 4, epoch: 2 });
});

test('the ceiling of a canary is its share, of live it is everything', () => {
  expect(groupOf({})?.ceiling).toBe(25);
  expect(groupOf({ stage: 'live', share: 25 })?.ceiling).toBe(100);
});

test('a stop is in force without the ledger', () => {
  expect(groupOf({}, 'tripped')?.stopped).toBe('tripped');
});

test('a recorded kill outranks a trip', () => {
  expect(groupOf({ killed: true }, 'tripped')?.stopped).toBe('killed');
});

test('what the ledger has and the configuration has not is not routed', () => {
  const { groups } = buildSnapshot(1, { legacy: BASE.legacy, groups: [] }, EMPTY_LEDGER, new Map());
  expect(groups.size).toBe(0);
});
