import { expect, test } from 'vitest';
import type { Sample } from '../../../router/core/compare/comparison.ts';
import { flagThreshold, NOISE_POLICY } from '../../../router/core/noise/path-verdict.ts';
import { MISSING, readingOf } from '../../../router/core/noise/reading.ts';
import { createValueTally, type Surroundings } from '../../../router/core/noise/values.ts';
import { digestOf } from '../../helpers/triples.ts';

const AROUND: Surroundings = {
  asked: new Set(),
  windows: null,
  toleranceMs: 1000,
  broken: { baseline: false, service: false },
};

function reading(text: string, type: Sample['type'] = 'string') {
  return readingOf({ type, text, length: text.length }, digestOf);
}

function observed(legacy: string, baseline: string, service: string) {
  const tally = createValueTally();
  const place = { legacy: reading(legacy), baseline: reading(baseline), service: reading(service) };
  tally.observe([place], AROUND);
  return tally;
}

test.each([
  ['2026-01-01T12:00:00+02:00', Date.UTC(2026, 0, 1, 10)],
  ['2026-01-01T12:00:00.250Z', Date.UTC(2026, 0, 1, 12, 0, 0, 250)],
  ['Thu, 01 Jan 2026 12:00:00 GMT', Date.UTC(2026, 0, 1, 12)],
  ['1767268800', Date.UTC(2026, 0, 1, 12)],
  ['1767268800123', Date.UTC(2026, 0, 1, 12, 0, 0, 123)],
  ['2026-01-01T12:00:00', null],
  ['noon', null],
])('%s as an instant', (text, atMs) => expect(reading(text).atMs).toBe(atMs));

test('an instant is as large in any zone', () => {
  const { amount, scale } = reading('2026-01-01T12:00:00+02:00');
  expect([amount, scale]).toEqual([Date.UTC(2026, 0, 1, 10), 'instant']);
});

test.each([
  ['2026-01-01T12:00:00Z', '2026-01-01T12:00:00.1Z'],
  ['2026-01-01T12:00:00Z', '2026-01-01T12:00:00+00:00'],
  ['2026-01-01T12:00:00Z', '2026-01-01T12:00:00'],
  ['01234567-89ab-4000-8000-000000000000', '01234567-89ab-7000-8000-000000000000'],
  ['http://a.example/x', 'http://b.example/x'],
  ['12', '12.5'],
])('%s and %s are of two makes', (one, other) => expect(reading(one).make).not.toBe(reading(other).make));

test('a text of 100 MB is looked at in part only', () => {
  const long = 'a'.repeat(100_000_000);
  expect(reading(long).digest).toBe(reading('a'.repeat(1024)).digest);
});

test('a time and a number are neither above nor below each other', () => {
  expect(observed('5', '2026-01-01T12:00:00Z', '7').counts('shift')).toEqual([0, 0, 0]);
  expect(observed('5', '6', '7').counts('shift')).toEqual([1, 0, 0]);
});

test('a time that nobody had before is nothing new, a name is', () => {
  const [seen, fresh] = ['2026-01-01T12:00:00', '2026-01-01T12:00:09'];
  expect(observed(seen, seen, fresh).counts('pool')).toEqual([0, 0, 0]);
  expect(observed('1767268800', '1767268800', '1767268809').counts('pool')).toEqual([0, 0, 0]);
  expect(observed('oak', 'oak', 'elm').counts('pool')).toEqual([1, 0, 0]);
});

test('one question weighs a little less than it would alone, since eleven are asked', () => {
  const tally = createValueTally();
  const place = { legacy: reading('x'), baseline: reading('y'), service: MISSING };
  for (let i = 0; i < 22; i += 1) tally.observe([place], AROUND);
  const { lnE, lnFeatureE } = tally.evidence();
  expect(lnFeatureE).toBeGreaterThan(flagThreshold(NOISE_POLICY));
  expect(lnE).toBeLessThan(lnFeatureE);
});
