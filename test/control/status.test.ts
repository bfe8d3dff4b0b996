import { describe, expect, test } from 'vitest';
import type { Comparisons } from '../../router/control/api.ts';
import { wantedShare } from '../../router/control/shares.ts';
import { effectiveShare, groupStatus } from '../../router/control/status.ts';
import { measuredShare } from '../../router/control/traffic.ts';
import type { FlagShare } from '../../router/core/ports.ts';
import type { Observation, Stage, Stop } from '../../router/core/types.ts';
import { type ControlPlane, controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';

const NOTHING: Comparisons = { eligible: 0, same: 0, ignored: 0, different: 0, skipped: {}, causes: 0 };

function statusOf(plane: ControlPlane, comparisons: Comparisons = NOTHING) {
  const group = plane.routing.get().groups.get('orders');
  if (group === undefined) throw new Error('there is no group orders');
  const { ledger, traffic, converge, flags } = plane;
  return groupStatus(group, {
    ledger,
    traffic,
    reader: flags.reader,
    comparisons: () => comparisons,
    findings: () => [],
    noise: () => null,
    causes: () => [],
    trouble: converge.trouble,
  });
}

const SERVED: Observation = {
  group: 'orders',
  route: 'GET /orders/:id',
  unit: null,
  role: 'primary',
  reason: 'flag',
  assigned: 'legacy',
  served: 'legacy',
  outcome: 'OK',
  status: 200,
  durationMs: 1,
  upstreamMs: 1,
  unsafe: false,
};

describe('the share that is really given', () => {
  const CASES: readonly (readonly [Stage, Stop | null, number, FlagShare, number])[] = [
    ['legacy', null, 0, 100, 0],
    ['shadow', null, 0, 100, 0],
    ['canary', null, 25, 100, 25],
    ['canary', null, 25, 10, 10],
    ['canary', null, 25, 'missing', 0],
    ['canary', null, 25, 'custom', 25],
    ['canary', 'killed', 25, 100, 0],
    ['canary', 'tripped', 25, 100, 0],
    ['live', null, 100, 40, 40],
    ['live', null, 100, 'missing', 100],
    ['live', 'killed', 100, 100, 0],
    ['live', 'tripped', 100, 'missing', 0],
    ['sealed', 'killed', 100, 0, 100],
    ['retired', null, 100, 'missing', 100],
  ];
  test.each(CASES)('in %s, stopped %s, ceiling %d, flag %s is %d', (stage, stopped, ceiling, flag, share) => {
    expect(effectiveShare({ stage, stopped, ceiling }, flag)).toBe(share);
  });

  test('the flag of a group is its share rounded up, and 100 from live on', async () => {
    const { moved, ledger } = controlPlane();
    await moved(shadowOn);
    await moved(shiftTo(0.01));
    const group = ledger.state().groups.get('orders');
    if (group === undefined) throw new Error('there is no group orders');
    expect(wantedShare(group, 'serve')).toBe(1);
    expect(wantedShare({ ...group, stage: 'live', share: 0 }, 'serve')).toBe(100);
  });
});

describe('the share that was measured', () => {
  test('is nothing before the first unit', () => {
    const plane = controlPlane();
    plane.observe(SERVED);
    expect(statusOf(plane).share.measured).toBeNull();
    expect(statusOf(plane).traffic).toMatchObject({ withoutUnit: 1, legacy: { requests: 1, units: 0 } });
  });

  test('counts units, not requests, and gives its interval', () => {
    const { observe, traffic } = controlPlane();
    for (let i = 0; i < 100; i += 1) {
      const assigned = i < 25 ? 'service' : 'legacy';
      for (let again = 0; again < 3; again += 1)
        observe({ ...SERVED, unit: `u${i}`, assigned, served: assigned });
    }
    const measured = measuredShare(traffic.of('orders'));
    expect(measured).toMatchObject({ percent: 25, units: 100 });
    expect(measured?.lower).toBeCloseTo(17.55, 1);
    expect(measured?.upper).toBeCloseTo(34.3, 1);
  });

  test('a fallback counts against the service and is no unit of legacy', () => {
    const { observe, traffic } = controlPlane();
    observe({ ...SERVED, unit: 'u', assigned: 'service', served: 'legacy' });
    expect(traffic.of('orders')).toMatchObject({ fallbacks: 1, service: { units: 1 }, legacy: { units: 0 } });
  });

  test('a client that leaves makes no side look sick, a side that fails does', () => {
    const { observe, traffic } = controlPlane();
    observe({ ...SERVED, outcome: 'CLIENT_GONE', status: 499 });
    observe({ ...SERVED, outcome: 'UPSTREAM_RESET', status: 502 });
    observe({ ...SERVED, status: 500 });
    expect(traffic.of('orders').legacy).toMatchObject({ requests: 3, failures: 2 });
  });

  test('requests outside every group are counted apart', () => {
    const { observe, traffic } = controlPlane();
    observe({ ...SERVED, group: null });
    observe({ ...SERVED, group: 'gone' });
    expect(traffic.ungrouped).toBe(2);
  });

  test('only writes that succeeded on the service are its debt', () => {
    const { observe, traffic } = controlPlane();
    const write = { ...SERVED, unsafe: true, assigned: 'service', served: 'service' } as const;
    observe(write);
    observe({ ...write, status: 422 });
    observe({ ...write, served: 'legacy' });
    expect(traffic.of('orders').unsafeByService).toBe(1);
  });
});

describe('what is waited for', () => {
  test('nothing, on the first day', () => {
    expect(statusOf(controlPlane())).toMatchObject({ waiting: [], next: 'fig shadow orders on', back: null });
  });

  test('flags that were never read are said first', () => {
    const plane = controlPlane();
    plane.flags.setData('none');
    expect(statusOf(plane).waiting).toEqual([
      'no flag was ever read: every unit is on its safe side (legacy)',
    ]);
  });

  test('flags of an earlier run and stale flags are told apart', () => {
    const plane = controlPlane();
    plane.flags.setData('backup');
    expect(statusOf(plane).waiting.join()).toContain('earlier run');
    plane.flags.setData('fresh', true);
    expect(statusOf(plane).waiting.join()).toContain('last heard');
  });

  test('nothing compared names the reason that held most requests back', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    const comparisons = { ...NOTHING, eligible: 10, skipped: { 'no-unit': 7, rate: 3 } };
    expect(statusOf(plane, comparisons).waiting).toEqual([
      'nothing compared yet: 7 of 10 requests skipped as no-unit',
    ]);
  });

  test('nothing compared without a request says that', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    expect(statusOf(plane).waiting).toEqual(['nothing compared yet: no request that could be compared']);
  });

  test('a killed group waits for its release', async () => {
    const plane = controlPlane();
    await plane.moved({ kind: 'kill', reason: null });
    expect(statusOf(plane)).toMatchObject({ next: 'fig kill orders --release', stopped: 'killed' });
    expect(statusOf(plane).waiting.join()).toContain('until it is released');
  });

  test('a flag that somebody set is said until it is ours again', async () => {
    const plane = controlPlane();
    plane.converge.start();
    await plane.moved(shadowOn);
    await plane.moved(shiftTo(10));
    plane.flags.tamper('fig.orders.serve', 40);
    await plane.converge.settle('orders', 0);
    expect(statusOf(plane).waiting.join()).toContain('somebody set the serve flag to 40');
    plane.flags.tamper('fig.orders.serve', 10);
    await plane.converge.settle('orders', 0);
    expect(statusOf(plane).waiting.join()).not.toContain('somebody');
  });

  test('the next command climbs the steps and ends in live', async () => {
    const plane = controlPlane();
    await plane.moved(shadowOn);
    const next: (string | null)[] = [];
    for (const share of [1, 10, 12, 50, 100]) {
      await plane.moved(shiftTo(share));
      next.push(statusOf(plane).next);
    }
    expect(next).toEqual([
      'fig shift orders 5%',
      'fig shift orders 25%',
      'fig shift orders 25%',
      'fig shift orders 100%',
      'fig stage orders live',
    ]);
    expect(statusOf(plane).back).toBe('fig rollback orders');
  });
});
