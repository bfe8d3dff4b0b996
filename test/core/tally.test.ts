import { describe, expect, test } from 'vitest';
import { createTraffic } from '../../router/control/traffic.ts';
import { createTally, type Tally } from '../../router/core/tally.ts';
import type { Observation } from '../../router/core/types.ts';
import { manualClock } from '../helpers/clock.ts';

const SERVED: Observation = {
  group: 'orders',
  route: 'GET /orders/:id',
  unit: null,
  role: 'primary',
  reason: 'flag',
  assigned: 'service',
  served: 'service',
  outcome: 'OK',
  status: 200,
  durationMs: 10,
  upstreamMs: 9,
  unsafe: false,
};

/** Key of the `i`th unit, spread over all leading bits. */
const unit = (i: number) => (Math.imul(i, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');

/** As a pipe hands it on. */
const sent = (tally: Tally) => structuredClone(tally.drain());

describe('a tally', () => {
  test('hands everything on once', () => {
    const clock = manualClock();
    clock.advance(100);
    const tally = createTally(clock);
    tally.observed({ ...SERVED, unit: unit(1), unsafe: true });
    tally.observed({ ...SERVED, served: 'legacy', outcome: 'UPSTREAM_RESET' });
    tally.observed({ ...SERVED, group: null });
    const { groups, ungrouped } = sent(tally);
    expect(ungrouped).toBe(1);
    expect(groups).toMatchObject([
      {
        group: 'orders',
        withoutUnit: 1,
        fallbacks: 1,
        unsafeByService: 1,
        lastServiceAgeMs: 10,
        legacy: { requests: 0 },
        service: { requests: 2, failures: 1, units: { keys: [unit(1)] } },
      },
    ]);
    expect(sent(tally)).toEqual({ groups: [], ungrouped: 0 });
  });

  test('keeps no more units than its bound, and their number can still be told', () => {
    const tally = createTally(manualClock());
    for (let i = 0; i < 50_000; i += 1) tally.observed({ ...SERVED, unit: unit(i) });
    const delta = sent(tally);
    expect(delta.groups[0]?.service.units.keys.length).toBeLessThanOrEqual(16_384);
    const traffic = createTraffic({ groups: () => ['orders'], clock: manualClock() });
    traffic.add(delta);
    expect(traffic.of('orders').service.units / 50_000).toBeCloseTo(1, 1);
  });
});

describe('the sum of several tallies', () => {
  test('is what one would have counted', () => {
    const clock = manualClock();
    const [first, second, one] = [createTally(clock), createTally(clock), createTally(clock)];
    const sum = createTraffic({ groups: () => ['orders'], clock });
    const whole = createTraffic({ groups: () => ['orders'], clock });
    for (let i = 0; i < 100; i += 1) {
      const observation = { ...SERVED, unit: unit(i % 30), status: i % 7 === 0 ? 500 : 200 };
      (i % 2 === 0 ? first : second).observed(observation);
      one.observed(observation);
      if (i % 10 === 0) sum.add(sent(first));
    }
    for (const tally of [first, second]) sum.add(sent(tally));
    whole.add(sent(one));
    expect(sum.of('orders')).toEqual(whole.of('orders'));
    expect(sum.of('orders').service).toEqual({ requests: 100, failures: 15, units: 30 });
  });

  test('knows when the newest request to the service began, whatever clock its process has', () => {
    const here = manualClock();
    const there = manualClock();
    there.advance(1_000_000);
    here.advance(500);
    const tally = createTally(there);
    tally.observed({ ...SERVED, durationMs: 40 });
    there.advance(60);
    const traffic = createTraffic({ groups: () => ['orders'], clock: here });
    traffic.add(sent(tally));
    expect(traffic.of('orders').lastServiceAt).toBe(400);
  });

  test('forgets a group that left the configuration, and begins anew when it returns', () => {
    const clock = manualClock();
    let groups = ['orders'];
    const traffic = createTraffic({ groups: () => groups, clock });
    const tally = createTally(clock);
    tally.observed(SERVED);
    traffic.add(sent(tally));
    groups = [];
    tally.observed(SERVED);
    traffic.add(sent(tally));
    expect(traffic.ungrouped).toBe(1);
    groups = ['orders'];
    expect(traffic.of('orders').service.requests).toBe(0);
  });
});
