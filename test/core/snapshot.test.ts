import { expect, test } from 'vitest';
import { EMPTY_LEDGER, type GroupState } from '../../router/core/rollout.ts';
import {
  buildSnapshot,
  keepIdentity,
  type RoutingPlan,
  shadowPart,
  withKilled,
} from '../../router/core/snapshot.ts';
import type { Stop } from '../../router/core/types.ts';
import { snapshotOf } from '../helpers/current.ts';

const BASE = snapshotOf('http://127.0.0.1:1', [
  { name: 'orders', service: 'http://127.0.0.1:2', routes: ['GET /orders'] },
]);
const PLAN: RoutingPlan = { legacy: BASE.legacy, groups: [...BASE.groups.values()] };

function groupOf(recorded: Partial<GroupState>, stop: Stop | null = null) {
  const unwritten = { readBack: 0, ever: false, replaced: [] };
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
    rules: [],
    rulesAdded: 0,
    pendingServe: null,
    pendingShadow: null,
    written: { serve: unwritten, shadow: unwritten },
    restoring: { serve: false, shadow: false },
    foreign: { serve: null, shadow: null },
    marks: new Map(),
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

test('what says the same stays the same object, also after a way over a pipe', () => {
  const copy = structuredClone({ ...BASE, revision: 2 });
  const kept = keepIdentity(BASE, copy);
  expect(kept.revision).toBe(2);
  expect(kept.legacy).toBe(BASE.legacy);
  expect(kept.groups.get('orders')?.service).toBe(BASE.groups.get('orders')?.service);
  expect(kept.groups.get('orders')?.rules).toBe(BASE.groups.get('orders')?.rules);
});

test('an upstream that moved is another object', () => {
  const moved = snapshotOf('http://127.0.0.1:9', [
    { name: 'orders', service: 'http://127.0.0.1:2', routes: ['GET /orders'] },
  ]);
  const kept = keepIdentity(BASE, moved);
  expect(kept.legacy.origin).toBe('http://127.0.0.1:9');
  expect(kept.groups.get('orders')?.service).toBe(BASE.groups.get('orders')?.service);
});

test.each([
  [1, { perSecondMax: 50, inFlightMax: 8 }],
  [3, { perSecondMax: 16, inFlightMax: 2 }],
  [64, { perSecondMax: 1, inFlightMax: 1 }],
])('one of %d workers makes its part of the copies, and at least one', (workers, limits) => {
  const { shadowLimits } = shadowPart(BASE, workers).groups.get('orders') ?? {};
  expect(shadowLimits).toEqual({ ...BASE.groups.get('orders')?.shadowLimits, ...limits });
});

test('killed are the groups that were asked for, but never one without a legacy to return to', () => {
  const snapshot = snapshotOf('http://127.0.0.1:1', [
    { name: 'orders', service: 'http://127.0.0.1:2', routes: ['GET /orders'] },
    { name: 'carts', service: 'http://127.0.0.1:2', routes: ['GET /carts'] },
    { name: 'old', service: 'http://127.0.0.1:2', routes: ['GET /old'], stage: 'sealed' },
  ]);
  const stopped = (asked: 'all' | Set<string>) =>
    [...withKilled(snapshot, asked).groups.values()].map((group) => group.stopped);
  expect(stopped(new Set(['carts', 'old']))).toEqual([null, 'killed', null]);
  expect(stopped('all')).toEqual(['killed', 'killed', null]);
});
