import { expect, test } from 'vitest';
import { effectiveShare } from '../../router/control/status.ts';
import { createTraffic, measuredShare } from '../../router/control/traffic.ts';
import type { Observation, Stage, Stop } from '../../router/core/types.ts';

test.each<[Stage, Stop | null, number, number | 'custom' | 'missing', number]>([
  ['legacy', null, 0, 50, 0],
  ['shadow', null, 0, 50, 0],
  ['canary', null, 25, 50, 25],
  ['canary', null, 25, 10, 10],
  ['canary', null, 25, 'missing', 0],
  ['canary', null, 25, 'custom', 25],
  ['canary', 'killed', 25, 25, 0],
  ['canary', 'tripped', 25, 25, 0],
  ['live', null, 100, 100, 100],
  ['live', null, 100, 40, 40],
  ['live', null, 100, 'missing', 100],
  ['live', 'killed', 100, 100, 0],
  ['sealed', 'killed', 100, 0, 100],
  ['retired', null, 100, 'missing', 100],
])('%s, stop %s, ceiling %i, flag %s -> %i %%', (stage, stopped, ceiling, flag, expected) => {
  expect(effectiveShare({ stage, stopped, ceiling }, flag)).toBe(expected);
});

function traffic() {
  return createTraffic({ groups: ['orders'], clock: { now: () => 1_000, wall: () => 0 } });
}

function observation(overrides: Partial<Observation> = {}): Observation {
  return {
    group: 'orders',
    route: 'GET /orders',
    unit: 'a'.repeat(32),
    role: 'primary',
    reason: 'flag',
    assigned: 'legacy',
    served: 'legacy',
    outcome: 'OK',
    status: 200,
    durationMs: 10,
    unsafe: false,
    ...overrides,
  };
}

test.each<[string, Partial<Observation>, number]>([
  ['a 500 is a failure of the side', { status: 500 }, 1],
  ['a 404 is an answer', { status: 404 }, 0],
  ['a reset is a failure of the side', { outcome: 'UPSTREAM_RESET', status: 502 }, 1],
  ['a client that hangs up never counts against a side', { outcome: 'CLIENT_GONE', status: 499 }, 0],
])('%s', (_, given, failures) => {
  const counts = traffic();
  counts.observed(observation(given));
  expect(counts.of('orders').legacy).toMatchObject({ requests: 1, failures });
});

test('a fallback counts against the service although legacy answered', () => {
  const counts = traffic();
  counts.observed(observation({ assigned: 'service', served: 'legacy', outcome: 'UPSTREAM_REFUSED' }));
  expect(counts.of('orders')).toMatchObject({ service: { requests: 1, failures: 1 }, fallbacks: 1 });
});

test('a write the service answered is debt, and outlives the next move', () => {
  const counts = traffic();
  counts.observed(observation({ assigned: 'service', served: 'service', unsafe: true, status: 201 }));
  counts.restart('orders');
  expect(counts.of('orders')).toMatchObject({ unsafeByService: 1, service: { requests: 0 } });
});

test('the measured share counts units, not requests', () => {
  const counts = traffic();
  for (let i = 0; i < 30; i += 1) counts.observed(observation({ assigned: 'service', served: 'service' }));
  for (let i = 0; i < 3; i += 1) counts.observed(observation({ unit: `${i}`.repeat(32) }));
  expect(measuredShare(counts.of('orders'))).toMatchObject({ percent: 25, units: 4 });
});

test('without a unit there is no measured share', () => {
  const counts = traffic();
  counts.observed(observation({ unit: null }));
  expect(measuredShare(counts.of('orders'))).toBeNull();
  expect(counts.of('orders').withoutUnit).toBe(1);
});

test('requests outside every group are counted apart', () => {
  const counts = traffic();
  counts.observed(observation({ group: null }));
  expect(counts.ungrouped).toBe(1);
});
