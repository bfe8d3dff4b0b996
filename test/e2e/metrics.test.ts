import { expect, test } from 'vitest';
import { type Exposition, parseExposition } from '../helpers/exposition.ts';
import { adminClient, ordersConfig, twoSides, up } from '../helpers/fig.ts';
import { eventually } from '../helpers/world.ts';

async function scrape(admin: string | null): Promise<Exposition> {
  const answer = await fetch(`${admin}/metrics`);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parseExposition(await answer.text());
}

test('a running proxy tells what its requests and copies came to', async () => {
  const { traffic, admin, data } = await up(ordersConfig(await twoSides()));
  const { move } = adminClient(admin, data);
  await move('orders', { kind: 'shadow', sample: 100 });
  for (const user of ['ana', 'ben']) {
    await (await fetch(`${traffic}/orders/1`, { headers: { 'x-user': user } })).text();
  }
  await (await fetch(`${traffic}/orders/1`)).text();
  await (await fetch(`${traffic}/orders/1`, { method: 'POST', headers: { 'x-user': 'ana' } })).text();
  await (await fetch(`${traffic}/elsewhere`)).text();

  let values: Exposition['values'] = new Map();
  const requests = (group: string, route: string) =>
    values.get(`fig_requests_total{group="${group}",route="${route}",side="legacy",outcome="ok"}`);
  // Copies are compared, and answers counted, after the client has its bytes.
  await eventually(async () => {
    values = (await scrape(admin)).values;
    const different = values.get('fig_comparisons_total{group="orders",outcome="different"}');
    return different === 2 && requests('_none', 'unmatched') === 1;
  });
  expect(requests('orders', 'GET /orders/:id')).toBe(3);
  expect(requests('orders', 'POST /orders/:id')).toBe(1);
  const of = (name: string, labels: string) => values.get(`fig_${name}{group="orders",${labels}}`);
  expect(of('responses_total', 'side="legacy",code="200"')).toBe(4);
  expect(of('request_duration_seconds_count', 'side="legacy"')).toBe(4);
  expect(of('upstream_requests_total', 'side="legacy",role="primary",outcome="ok"')).toBe(4);
  expect(of('upstream_requests_total', 'side="service",role="shadow",outcome="ok"')).toBe(2);
  expect(of('decisions_total', 'reason="stage"')).toBe(4);
  expect(values.get('fig_requests_without_unit_total{group="orders"}')).toBe(1);
  expect(of('shadow_total', 'result="sent"')).toBe(2);
  expect(of('shadow_skipped_total', 'reason="unsafe-method"')).toBe(1);
  expect(of('shadow_skipped_total', 'reason="no-unit"')).toBe(1);
  expect(of('comparisons_total', 'outcome="skipped"')).toBe(2);
  expect(of('stage', 'stage="shadow"')).toBe(1);
  expect(values.get('fig_overhead_seconds_count')).toBe(5);
  expect(values.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
});

test('a proxy that runs is alive and says what its readiness depends on', async () => {
  const { admin } = await up(ordersConfig(await twoSides()));
  expect((await fetch(`${admin}/livez`)).status).toBe(200);
  const text = await (await fetch(`${admin}/readyz?verbose`)).text();
  expect(text).toBe('[+]config ok\n[+]snapshot ok\n[+]listening ok\n[+]draining ok\nreadyz check passed\n');
});
