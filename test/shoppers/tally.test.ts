import { expect, test } from 'vitest';
import { createTally } from '../../bench/shoppers/tally.ts';

test('percentiles are values that occurred', () => {
  const tally = createTally();
  for (let ms = 1; ms <= 200; ms += 1) tally.answered('GET /', 200, 200, ms);
  expect(tally.summary()).toMatchObject({ p50Ms: 100, p95Ms: 190, p99Ms: 198, requests: 200, unexpected: 0 });
});

test('at most 20 kinds of unexpected answers are named, all are counted', () => {
  const tally = createTally();
  for (let index = 0; index < 30; index += 1) tally.answered(`GET /${index}`, 500, 200, 1);
  const { unexpected, unexpectedBy } = tally.summary();
  expect([unexpected, Object.keys(unexpectedBy).length]).toEqual([30, 20]);
});

test('an answer that never came is called failed', () => {
  const tally = createTally();
  tally.answered('GET /', 0, 200, 1);
  expect(tally.summary()).toMatchObject({ statuses: { failed: 1 }, unexpected: 1 });
});
