import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBatch, parseChunk, ROWS_MAX, WireFault } from '../../new-services/chassis/wire.ts';

const EVENT = { seq: 1, table: 'products', pk: '7', row: { name: 'x', views: 3, ean: null } };
const BATCH = { source: 's', from: 0, to: 1, events: [EVENT] };

test('a batch and a chunk are read as they were sent', () => {
  expect(parseBatch(BATCH)).toEqual(BATCH);
  const chunk = { source: 's', table: 'products', watermark: 4, rows: [{ pk: '7', row: { name: 'x' } }] };
  expect(parseChunk(chunk)).toEqual(chunk);
});

test('a list at the limit is taken, one more is refused', () => {
  const of = (count: number) => ({ ...BATCH, events: Array.from({ length: count }, () => EVENT) });
  expect(parseBatch(of(ROWS_MAX)).events).toHaveLength(ROWS_MAX);
  expect(() => parseBatch(of(ROWS_MAX + 1))).toThrow(/at most 500/);
});

test.each([
  { ...BATCH, from: -1 },
  { ...BATCH, to: 1.5 },
  { ...BATCH, source: 7 },
  { ...BATCH, events: {} },
  { ...BATCH, events: [{ ...EVENT, pk: '7; DROP TABLE' }] },
  { ...BATCH, events: [{ ...EVENT, row: { name: { nested: true } } }] },
  { ...BATCH, events: [{ ...EVENT, row: undefined }] },
])('a malformed batch is refused: %j', (batch) => {
  expect(() => parseBatch(batch)).toThrow(WireFault);
});

test('nothing but a batch gets through', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(() => parseBatch(value)).toThrow(WireFault);
    }),
    { seed: 1969, numRuns: 200 },
  );
});
