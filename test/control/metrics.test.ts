import { describe, expect, test } from 'vitest';
import { exposition } from '../../router/control/exposition.ts';
import { createMetrics, type MetricsDeps } from '../../router/control/metrics.ts';
import { createMeter, type Meter } from '../../router/core/meter.ts';
import type { Observation } from '../../router/core/types.ts';
import { controlPlane, shadowOn, shiftTo } from '../helpers/control.ts';
import { parseExposition } from '../helpers/exposition.ts';

const SERVED: Observation = {
  group: 'orders',
  route: 'GET /orders/:id',
  unit: 'a0000000',
  role: 'primary',
  reason: 'flag',
  assigned: 'service',
  served: 'service',
  outcome: 'OK',
  status: 200,
  durationMs: 80,
  upstreamMs: 79.5,
  unsafe: false,
};

function world(more: Partial<MetricsDeps> = {}) {
  const plane = controlPlane({ groups: ['orders', 'catalog'] });
  const meter: Meter = createMeter(
    plane.plan.groups.map(({ name, routes }) => ({ name, routes: routes.map((route) => route.label) })),
  );
  const metrics = createMetrics({
    meter,
    current: plane.routing,
    ledger: plane.ledger,
    reader: plane.flags.reader,
    traffic: plane.traffic,
    clock: plane.clock,
    version: '1.2.3',
    flagFailures: () => ({ contact: 2 }),
    inFlight: () => [{ group: 'orders', side: 'service', role: 'primary', requests: 3 }],
    shadowQueue: () => ({
      waiting: 4,
      bytes: 512,
      baseline: { started: 9, judged: 6, lost: 1, shed: 2 },
    }),
    loopLagMs: () => 2.5,
    config: () => ({ ok: false, since: 5_000 }),
    ...more,
  });
  const seen = async () => parseExposition(await metrics.render());
  return {
    ...plane,
    meter,
    metrics,
    seen,
    read: async (series: string) => (await seen()).values.get(series),
  };
}

describe('the text', () => {
  test('obeys every rule of the format, before and after the first request', async () => {
    const { meter, seen } = world();
    expect((await seen()).values.size).toBeGreaterThan(500);
    meter.observed(SERVED);
    meter.observed({
      ...SERVED,
      group: null,
      route: null,
      status: 404,
      assigned: 'legacy',
      served: 'legacy',
    });
    meter.eligible('orders', 'rate');
    expect((await seen()).types.get('fig_request_duration_seconds')).toBe('histogram');
  });

  test('has quotes, backslashes and line ends escaped', () => {
    const labels = [['route', 'GET /"a\\b\nc"']] as const;
    const samples = [{ name: 'x', labels, value: 1 }];
    expect(exposition([{ name: 'x', type: 'gauge', help: 'a\\b\n"c"', samples }])).toBe(
      '# HELP x a\\\\b\\n"c"\n# TYPE x gauge\nx{route="GET /\\"a\\\\b\\nc\\""} 1\n',
    );
  });

  test('says how many lines of values it has', async () => {
    const { values } = await world().seen();
    expect(values.get('fig_metrics_series')).toBe(values.size);
  });

  test('has durations in seconds, in cumulative buckets', async () => {
    const { meter, seen } = world();
    meter.observed(SERVED);
    meter.observed({ ...SERVED, durationMs: 3 });
    meter.observed({ ...SERVED, durationMs: 60_000 });
    const { values } = await seen();
    const of = (part: string, le = '') =>
      values.get(`fig_request_duration_seconds_${part}{group="orders",side="service"${le}}`);
    expect(of('bucket', ',le="0.005"')).toBe(1);
    expect(of('bucket', ',le="0.075"')).toBe(1);
    expect(of('bucket', ',le="0.1"')).toBe(2);
    expect(of('bucket', ',le="10"')).toBe(2);
    expect(of('bucket', ',le="+Inf"')).toBe(3);
    expect([of('count'), of('sum')]).toEqual([3, 60.083]);
    expect(values.get('fig_overhead_seconds_bucket{le="0.00005"}')).toBe(1);
  });

  test('has every known group at 0 from the start, status codes only once they were seen', async () => {
    const { meter, seen } = world();
    const before = (await seen()).values;
    const errors =
      'fig_upstream_requests_total{group="catalog",side="service",role="primary",outcome="server_error"}';
    expect(before.get(errors)).toBe(0);
    expect(before.get('fig_requests_total{group="_none",route="unmatched",side="legacy",outcome="ok"}')).toBe(
      0,
    );
    const code = 'fig_responses_total{group="orders",side="service",code="200"}';
    expect(before.has(code)).toBe(false);
    meter.observed(SERVED);
    expect((await seen()).values.get(code)).toBe(1);
  });

  test('says nothing of _overflow while nothing overflowed', async () => {
    expect(
      [...(await world().seen()).values.keys()].filter((series) => series.includes('_overflow"')),
    ).toEqual([]);
  });
});

describe('how things stand', () => {
  test('the stage of a group is the one that is 1', async () => {
    const { moved, read } = world();
    await moved(shadowOn);
    expect(await read('fig_stage{group="orders",stage="shadow"}')).toBe(1);
    expect(await read('fig_stage{group="orders",stage="legacy"}')).toBe(0);
    expect(await read('fig_stage{group="catalog",stage="legacy"}')).toBe(1);
  });

  test('a killed group is stopped by kill, and its effective share is 0', async () => {
    const { moved, read } = world();
    await moved(shadowOn);
    await moved(shiftTo(25));
    expect(await read('fig_stopped{group="orders",kind="kill"}')).toBe(0);
    expect(await read('fig_share_effective_ratio{group="orders"}')).toBe(0.25);
    await moved({ kind: 'kill', reason: null });
    expect(await read('fig_stopped{group="orders",kind="kill"}')).toBe(1);
    expect(await read('fig_stopped{group="orders",kind="trip"}')).toBe(0);
    expect(await read('fig_share_effective_ratio{group="orders"}')).toBe(0);
  });

  test('shares are ratios; the measured one is there once a unit was seen', async () => {
    const { moved, read, observe } = world();
    await moved(shadowOn);
    await moved(shiftTo(25));
    expect(await read('fig_share_asked_ratio{group="orders"}')).toBe(0.25);
    expect(await read('fig_share_shadow_ratio{group="orders"}')).toBe(1);
    expect(await read('fig_share_measured_ratio{group="orders"}')).toBeUndefined();
    expect(await read('fig_share_measured_units{group="orders"}')).toBe(0);
    observe(SERVED);
    observe({ ...SERVED, unit: 'b0000000', assigned: 'legacy', served: 'legacy' });
    expect(await read('fig_share_measured_ratio{group="orders"}')).toBe(0.5);
    expect(await read('fig_share_measured_units{group="orders"}')).toBe(2);
  });

  test('the snapshot, the configuration, the flags, the queue and what is in flight are told', async () => {
    const { seen, routing, clock, flags } = world();
    const { values } = await seen();
    expect(values.get('fig_snapshot_revision')).toBe(routing.get().revision);
    expect(values.get('fig_flags_sync_failures_total{cause="contact"}')).toBe(2);
    const { ageMs } = flags.reader.status();
    const synced = ageMs === null ? 0 : (clock.wall() - ageMs) / 1000;
    expect(values.get('fig_flags_last_sync_timestamp_seconds')).toBe(synced);
    expect(values.get('fig_config_last_reload_successful')).toBe(0);
    expect(values.get('fig_config_last_reload_success_timestamp_seconds')).toBe(5);
    expect(values.get('fig_shadow_queue_requests')).toBe(4);
    expect(values.get('fig_shadow_queue_bytes')).toBe(512);
    expect(values.get('fig_shadow_second_calls{result="judged"}')).toBe(6);
    expect(values.get('fig_inflight_requests{group="orders",side="service",role="primary"}')).toBe(3);
  });

  test('flags that were never read were last read in 1970', async () => {
    const never = {
      data: 'none',
      stale: true,
      ageMs: null,
      transport: 'poll',
      revision: 0,
      lastError: null,
    } as const;
    const reader = { intent: () => ({ serve: 'missing', shadow: 'missing' }) as const, status: () => never };
    expect(await world({ reader }).read('fig_flags_last_sync_timestamp_seconds')).toBe(0);
  });

  test('the process is told', async () => {
    const { values } = await world().seen();
    expect(values.get(`fig_build_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1);
    expect(values.get('nodejs_eventloop_lag_p99_seconds')).toBe(0.0025);
    expect(values.get('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
    const age = Date.now() / 1000 - (values.get('process_start_time_seconds') ?? 0);
    expect(Math.abs(age - process.uptime())).toBeLessThan(5);
  });
});
