import { expect, test } from 'vitest';
import { createDistinct } from '../../../router/core/evidence/distinct.ts';
import { createEvidence, type EvidenceSignature } from '../../../router/core/evidence/evidence.ts';
import { digestOf } from '../../helpers/triples.ts';

const request = (i: number) => digestOf(`GET /things/${i}`);
const shape = (i: number) => digestOf(`shape ${i}`);

function signature(id: number, ...templates: readonly string[]): EvidenceSignature {
  const entries = templates.map((template) => ({ template, kind: 'value' as const }));
  return { id: digestOf(`signature ${id}`).toString(16).padStart(16, '0'), entries, complete: true };
}

test('each exact request counts once, however often it was compared', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 1000; i += 1) evidence.compared(request(i % 10), shape(0), null);
  expect(evidence.n).toBe(10);
});

test('a request that differs now and then only counts as one that differs, once per signature', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 100; i += 1)
    evidence.compared(request(i % 10), shape(0), i >= 40 && i % 10 === 3 ? signature(1, '/body/a') : null);
  expect(evidence.n).toBe(10);
  expect(evidence.unexplained(() => false)).toBe(1);
});

test('a difference is explained exactly when all of its entries are, as of the moment of asking', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 5; i += 1) evidence.compared(request(i), shape(0), signature(1, '/body/a'));
  for (let i = 5; i < 8; i += 1) evidence.compared(request(i), shape(0), signature(2, '/body/a', '/body/b'));
  expect(evidence.unexplained(() => false)).toBe(8);
  expect(evidence.unexplained((template) => template === '/body/a')).toBe(3);
  expect(evidence.unexplained(() => true)).toBe(0);
  expect(evidence.unexplained((_, kind) => kind === 'missing')).toBe(8);
});

test('a signature that was cut off is never explained', () => {
  const evidence = createEvidence();
  evidence.compared(request(1), shape(0), { ...signature(1, '/body/a'), complete: false });
  expect(evidence.unexplained(() => true)).toBe(1);
});

test('more unexplained signatures than requests are no more than the requests', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 5; i += 1) evidence.compared(request(0), shape(0), signature(i, `/body/${i}`));
  expect(evidence.unexplained(() => false)).toBe(1);
});

test('signatures that had to make room stay unexplained', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 500; i += 1) evidence.compared(request(i), shape(0), signature(i, '/body/a'));
  expect(evidence.content().signatures).toHaveLength(200);
  expect(evidence.unexplained(() => false)).toBe(500);
  expect(evidence.unexplained(() => true)).toBe(300);
});

test('with fewer entries it counts on in a filter', () => {
  const evidence = createEvidence(null, 10);
  for (let i = 0; i < 100; i += 1) evidence.compared(request(i), shape(0), signature(1, '/body/a'));
  expect([evidence.n, evidence.unexplained(() => false)]).toEqual([100, 100]);
  const { requests, shown } = evidence.content();
  expect([requests.entries.length, shown.entries.length]).toEqual([10, 10]);
});

test('shapes are counted as they come in and as they are compared', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 20; i += 1) evidence.observed(shape(i));
  for (let i = 0; i < 15; i += 1) evidence.compared(request(i), shape(i), null);
  expect(evidence.shapes()).toEqual({ observed: 20, compared: 15 });
});

test('kept as JSON it counts on where it was', () => {
  const evidence = createEvidence();
  for (let i = 0; i < 50; i += 1)
    evidence.compared(request(i), shape(i), i % 2 === 0 ? signature(i % 4, '/body/a') : null);
  const resumed = createEvidence(JSON.parse(JSON.stringify(evidence.content())));
  for (const each of [evidence, resumed])
    for (let i = 25; i < 100; i += 1) each.compared(request(i), shape(i), signature(1, '/body/a'));
  expect(resumed.content()).toEqual(evidence.content());
  expect(resumed.n).toBe(100);
});

test('beyond its entries a count goes on in fixed memory, at most a few percent too low and never too high', () => {
  const distinct = createDistinct(1000);
  for (let i = 0; i < 200_000; i += 1) distinct.add(request(i));
  for (let i = 0; i < 200_000; i += 1) expect(distinct.add(request(i))).toBe(false);
  expect(distinct.count).toBeLessThanOrEqual(200_000);
  expect(distinct.count).toBeGreaterThan(194_000);
  const { entries, later } = distinct.content();
  expect([entries.length, later?.filter.length]).toEqual([1000, 65_536]);
});

test('a count beyond its entries is kept as well', () => {
  const distinct = createDistinct(10);
  for (let i = 0; i < 100; i += 1) distinct.add(request(i));
  const resumed = createDistinct(10, JSON.parse(JSON.stringify(distinct.content())));
  expect(resumed.add(request(99))).toBe(false);
  expect(resumed.count).toBe(100);
});
