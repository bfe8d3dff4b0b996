import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../router/core/errors.ts';
import { createMeter, type Meter, type MeterGroup, seriesOf } from '../../router/core/meter.ts';
import { OUTCOMES } from '../../router/core/outcome.ts';
import type { Observation, SkipReason } from '../../router/core/types.ts';
import { counted } from '../helpers/counted.ts';

const GROUPS: readonly MeterGroup[] = [
  { name: 'orders', routes: ['GET /orders/:id', 'POST /orders'] },
  { name: 'catalog', routes: ['GET /products'] },
];

const SERVED: Observation = {
  group: 'orders',
  route: 'GET /orders/:id',
  unit: 'a',
  role: 'primary',
  reason: 'flag',
  assigned: 'service',
  served: 'service',
  outcome: 'OK',
  status: 200,
  durationMs: 12,
  upstreamMs: 11,
  unsafe: false,
};

const UNROUTED: Observation = {
  ...SERVED,
  group: null,
  route: null,
  unit: null,
  reason: 'no-route',
  assigned: 'legacy',
  served: 'legacy',
};

function countsOf(...observations: readonly Partial<Observation>[]): Record<string, number> {
  const meter = createMeter(GROUPS);
  for (const each of observations) meter.observed({ ...SERVED, ...each });
  return counted(meter);
}

describe('a request', () => {
  test('that the service answered is counted for client, side, status, decision and overhead', () => {
    expect(countsOf({})).toEqual({
      'requests_total{orders,GET /orders/:id,service,ok}': 1,
      'request_duration_seconds{orders,service}': 1,
      'upstream_requests_total{orders,service,primary,ok}': 1,
      'upstream_duration_seconds{orders,service,primary}': 1,
      'responses_total{orders,service,200}': 1,
      'overhead_seconds{}': 1,
      'decisions_total{orders,flag}': 1,
    });
  });

  test('that legacy answered for a failed service counts one failure of the service and one success of legacy', () => {
    expect(countsOf({ served: 'legacy', outcome: 'UPSTREAM_RESET' })).toEqual({
      'requests_total{orders,GET /orders/:id,legacy,ok}': 1,
      'request_duration_seconds{orders,legacy}': 1,
      'upstream_requests_total{orders,service,primary,transport}': 1,
      'upstream_requests_total{orders,legacy,primary,ok}': 1,
      'upstream_duration_seconds{orders,service,primary}': 1,
      'responses_total{orders,legacy,200}': 1,
      'fallbacks_total{orders,UPSTREAM_RESET}': 1,
      'overhead_seconds{}': 1,
      'decisions_total{orders,flag}': 1,
    });
  });

  test('that was refused at the door has no side, no decision and no overhead', () => {
    const refused = { served: null, outcome: 'CLIENT_PATH', status: 400, upstreamMs: null } as const;
    expect(countsOf({ ...UNROUTED, ...refused })).toEqual({
      'requests_total{_none,unmatched,none,rejected}': 1,
      'request_duration_seconds{_none,none}': 1,
      'responses_total{_none,none,400}': 1,
    });
  });

  test('of no group goes to legacy as unmatched, and nobody misses its unit', () => {
    const counts = countsOf(UNROUTED);
    expect(counts).toMatchObject({
      'requests_total{_none,unmatched,legacy,ok}': 1,
      'decisions_total{_none,no-route}': 1,
    });
    expect(Object.keys(counts).filter((name) => name.startsWith('requests_without_unit'))).toEqual([]);
  });

  test('without a unit is counted as such', () => {
    expect(countsOf({ unit: null })).toMatchObject({ 'requests_without_unit_total{orders}': 1 });
  });

  test('whose client left does not count as a failure of the side', () => {
    expect(countsOf({ outcome: 'CLIENT_GONE', status: 499, served: null })).toMatchObject({
      'requests_total{orders,GET /orders/:id,none,aborted}': 1,
      'upstream_requests_total{orders,service,primary,aborted}': 1,
    });
  });

  test.each([
    [100, '100'],
    [599, '599'],
    [99, 'other'],
    [600, 'other'],
    [0, 'other'],
    [200.5, 'other'],
    [Number.NaN, 'other'],
  ])('with status %d is a %s', (status, code) => {
    expect(countsOf({ status })).toMatchObject({ [`responses_total{orders,service,${code}}`]: 1 });
  });
});

describe('a histogram', () => {
  const bucketsOf = (durationMs: number): readonly number[] => {
    const meter = createMeter(GROUPS);
    meter.observed({ ...SERVED, durationMs });
    const family = meter.families.find(({ name }) => name === 'fig_request_duration_seconds');
    if (family === undefined) throw new Error('there is no such family');
    const wanted = 'group,orders,side,service';
    const series = [...seriesOf(family, meter.value)].find(({ labels }) => labels.join() === wanted);
    return Array.from({ length: 16 }, (_, i) => meter.value((series?.at ?? 0) + i));
  };

  test.each([
    [0, 0, 0],
    [5, 0, 5_000],
    [5.001, 1, 5_001],
    [75, 4, 75_000],
    [10_000, 13, 10_000_000],
    [10_001, 14, 10_001_000],
    [-1, 0, 0],
  ])('puts %d ms into bucket %d and adds %d us', (ms, bucket, us) => {
    const cells = bucketsOf(ms);
    expect(cells.slice(0, 15).indexOf(1)).toBe(bucket);
    expect(cells[15]).toBe(us);
  });
});

describe('a copy', () => {
  test('that was sent and compared', () => {
    const meter = createMeter(GROUPS);
    meter.replayed('orders', 'service', 'ok', true, 3);
    meter.compared('orders', 'same', null);
    expect(counted(meter)).toEqual({
      'upstream_requests_total{orders,service,shadow,ok}': 1,
      'upstream_duration_seconds{orders,service,shadow}': 1,
      'shadow_total{orders,sent}': 1,
      'comparisons_total{orders,same}': 1,
    });
  });

  test('that was sent in vain', () => {
    const meter = createMeter(GROUPS);
    meter.replayed('orders', 'legacy', 'timeout', false, 3);
    meter.compared('orders', 'skipped', 'timeout');
    expect(counted(meter)).toEqual({
      'upstream_requests_total{orders,legacy,shadow,timeout}': 1,
      'upstream_duration_seconds{orders,legacy,shadow}': 1,
      'shadow_total{orders,failed}': 1,
      'shadow_skipped_total{orders,timeout}': 1,
      'comparisons_total{orders,skipped}': 1,
    });
  });

  test.each<[SkipReason, string]>([
    ['queue-full', 'shed'],
    ['unsafe-method', 'skipped'],
  ])('that was never made because of %s is %s', (reason, result) => {
    const meter = createMeter(GROUPS);
    meter.eligible('orders', reason);
    expect(counted(meter)).toEqual({
      [`shadow_total{orders,${result}}`]: 1,
      [`shadow_skipped_total{orders,${reason}}`]: 1,
      'comparisons_total{orders,skipped}': 1,
    });
  });

  test('that was offered is counted when it is settled', () => {
    const meter = createMeter(GROUPS);
    meter.eligible('orders', null);
    expect(counted(meter)).toEqual({});
  });

  test('reported as an observation touches only the side', () => {
    expect(countsOf({ role: 'shadow' })).toEqual({
      'upstream_requests_total{orders,service,shadow,ok}': 1,
      'upstream_duration_seconds{orders,service,shadow}': 1,
    });
  });
});

describe('the limit of series', () => {
  const any = () => 1;
  const many = (groups: number, routes: number): readonly MeterGroup[] =>
    Array.from({ length: groups }, (_, g) => ({
      name: `g${g}`,
      routes: Array.from({ length: routes }, (__, r) => `GET /g${g}/r${r}`),
    }));
  /** Lines that a meter can come to, status codes apart: `any` makes every series worth its lines. */
  const lines = (meter: Meter) =>
    meter.families
      .filter(({ name }) => name !== 'fig_responses_total')
      .reduce(
        (sum, family) =>
          sum + [...seriesOf(family, any)].length * (family.bounds === null ? 1 : family.bounds.length + 3),
        0,
      );

  test.each([
    [1, 2_000],
    [40, 40],
    [400, 3],
  ])('holds for %d groups of %d routes', (groups, routes) => {
    const meter = createMeter(many(groups, routes));
    expect(lines(meter)).toBeGreaterThan(19_000);
    expect(lines(meter)).toBeLessThanOrEqual(20_000);
  });

  test('a route over it is counted as _overflow of its group', () => {
    const meter = createMeter(many(1, 2_000));
    meter.observed({ ...SERVED, group: 'g0', route: 'GET /g0/r1999' });
    meter.observed({ ...SERVED, group: 'g0', route: 'GET /g0/r0' });
    expect(counted(meter)).toMatchObject({
      'requests_total{g0,_overflow,service,ok}': 1,
      'requests_total{g0,GET /g0/r0,service,ok}': 1,
      'metrics_overflow_total{}': 1,
    });
  });

  test('a group over it is counted as _overflow, with its copies', () => {
    const meter = createMeter(many(400, 3));
    meter.observed({ ...SERVED, group: 'g399', route: 'GET /g399/r0' });
    meter.eligible('g399', 'rate');
    expect(counted(meter)).toMatchObject({
      'requests_total{_overflow,_overflow,service,ok}': 1,
      'shadow_total{_overflow,shed}': 1,
      'metrics_overflow_total{}': 2,
    });
  });

  test('a limit without room for a group is refused', () => {
    expect(() => createMeter(GROUPS, 100)).toThrow(RangeError);
  });

  test.each([[['a', 'a']], [['_none']]])('groups named %j are refused', (names) => {
    expect(() => createMeter(names.map((name) => ({ name, routes: [] })))).toThrow(RangeError);
  });
});

describe('several meters', () => {
  const isCode = (text: string): text is ErrorCode => text in ERRORS;
  const codes: readonly ('OK' | ErrorCode)[] = ['OK', ...Object.keys(ERRORS).filter(isCode)];
  const observation: fc.Arbitrary<Observation> = fc.record({
    group: fc.constantFrom('orders', 'catalog', 'unheard', null),
    route: fc.constantFrom('GET /orders/:id', 'GET /products', null),
    unit: fc.constantFrom('a', null),
    role: fc.constantFrom('primary', 'shadow'),
    reason: fc.constantFrom('no-route', 'stage', 'flag', 'flag-unknown', 'killed', 'tripped'),
    assigned: fc.constantFrom('legacy', 'service'),
    served: fc.constantFrom('legacy', 'service', null),
    outcome: fc.constantFrom(...codes),
    status: fc.integer({ min: 0, max: 700 }),
    durationMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
    upstreamMs: fc.option(fc.double({ min: 0, max: 20_000, noNaN: true })),
    unsafe: fc.boolean(),
  });
  type Step =
    | { readonly kind: 'count'; readonly at: number; readonly count: (meter: Meter) => void }
    | { readonly kind: 'send'; readonly from: number };
  const group = fc.constantFrom('orders', 'catalog');
  const count: fc.Arbitrary<(meter: Meter) => void> = fc.oneof(
    observation.map((each) => (meter: Meter) => meter.observed(each)),
    group.map((name) => (meter: Meter) => meter.eligible(name, 'rate')),
    fc
      .tuple(group, fc.constantFrom(...OUTCOMES), fc.boolean(), fc.double({ min: 0, max: 50, noNaN: true }))
      .map(
        ([name, outcome, answered, ms]) =>
          (meter: Meter) =>
            meter.replayed(name, 'service', outcome, answered, ms),
      ),
    group.map((name) => (meter: Meter) => meter.compared(name, 'different', null)),
  );
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('count'), at: fc.nat(2), count }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('send'), from: fc.integer({ min: 1, max: 2 }) }) },
  );
  const totals = (meter: Meter) => {
    let cells = 0;
    for (const family of meter.families)
      for (const { at } of seriesOf(family, () => 1))
        cells = Math.max(cells, at + (family.bounds === null ? 1 : family.bounds.length + 2));
    return Array.from({ length: cells }, (_, at) => meter.value(at));
  };

  test('have the totals of one, however counting and sending are interleaved', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const one = createMeter(GROUPS);
        const control = createMeter(GROUPS);
        const meters = [control, createMeter(GROUPS), createMeter(GROUPS)] as const;
        const send = (from: number) => {
          const changes = meters[from]?.drain() ?? null;
          if (changes !== null) control.add(changes);
        };
        for (const each of steps) {
          if (each.kind === 'send') send(each.from);
          else for (const meter of [one, meters[each.at]]) if (meter !== undefined) each.count(meter);
        }
        send(1);
        send(2);
        expect(totals(control)).toEqual(totals(one));
      }),
      { numRuns: 200 },
    );
  });

  test('what was added is not drained again, what was counted here is, once', () => {
    const worker = createMeter(GROUPS);
    const control = createMeter(GROUPS);
    worker.observed(SERVED);
    const changes = worker.drain();
    expect(changes).not.toBeNull();
    control.add(changes ?? new Float64Array());
    expect(control.drain()).toBeNull();
    control.observed(SERVED);
    expect(control.drain()).toEqual(changes);
    expect(worker.drain()).toBeNull();
  });

  test.each([
    ['an index beyond the layout', [1_000_000, 1]],
    ['a negative index', [0, 1, -1, 1]],
    ['half a pair', [0]],
    ['an index that is none', [Number.NaN, 1]],
  ])('%s is refused and adds nothing', (_, changes) => {
    const meter = createMeter(GROUPS);
    expect(() => meter.add(Float64Array.from(changes))).toThrow(RangeError);
    expect(counted(meter)).toEqual({});
  });
});
