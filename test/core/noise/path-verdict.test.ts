import { expect, test } from 'vitest';
import { newcombe, type PairedCounts } from '../../../router/core/noise/paired.ts';
import {
  flagThreshold,
  judgePath,
  lookBefore,
  NOISE_POLICY,
  type PathVerdict,
} from '../../../router/core/noise/path-verdict.ts';
import { normalQuantile } from '../../../router/core/noise/special.ts';

const { alpha } = NOISE_POLICY;

function counts(n: number, both: number, b: number, c: number): PairedCounts {
  return { n, both, b, c };
}

/** As if the last look had just been taken. */
function verdictOf(at: PairedCounts, values: number | null = null): PathVerdict {
  const evidence = values === null ? null : ({ lnE: values, feature: 'make' } as const);
  return judgePath(at, at.n < 500 ? null : at, evidence, NOISE_POLICY).verdict;
}

test.each<[string, PairedCounts, number | null, PathVerdict]>([
  ['an excess before the first look', counts(22, 0, 22, 0), null, 'REGRESSION'],
  ['an excess too small before the first look', counts(21, 0, 21, 0), null, 'UNKNOWN'],
  ['an excess at a look', counts(1000, 100, 90, 5), null, 'REGRESSION'],
  ['certain, but under 0.1 % of the answers', counts(256_000, 1000, 120, 20), null, 'NOISE'],
  ['never different, not often enough', counts(3677, 0, 0, 0), null, 'UNKNOWN'],
  ['never different', counts(3678, 0, 0, 0), null, 'CLEAN'],
  ['different now and then, legacy never', counts(30_000, 0, 20, 0), null, 'UNKNOWN'],
  ['always different', counts(500, 500, 0, 0), null, 'NOISE'],
  ['always different, before the first look', counts(499, 499, 0, 0), null, 'UNKNOWN'],
  ['half of the time different: a regression of 5 % could hide', counts(500, 125, 125, 125), null, 'UNKNOWN'],
  ['half of the time different, seen often', counts(8000, 2000, 2000, 2000), null, 'NOISE'],
  ['values that tell', counts(100, 100, 0, 0), flagThreshold(NOISE_POLICY), 'REGRESSION'],
  ['values that tell not enough', counts(500, 500, 0, 0), flagThreshold(NOISE_POLICY) - 0.1, 'NOISE'],
  ['values where legacy never differs', counts(100, 0, 3, 0), 100, 'UNKNOWN'],
])('%s', (_, at, values, verdict) => expect(verdictOf(at, values)).toBe(verdict));

test('the effect is looked at after 500, 1,000, 2,000 … pairs', () => {
  expect([499, 500, 999, 1000, 1999, 2000, 70_000].map(lookBefore)).toEqual([
    null,
    500,
    500,
    1000,
    1000,
    2000,
    64_000,
  ]);
});

test.each([
  [500, 2],
  [1000, 6],
  [2000, 12],
])('the look at %d pairs has 1/%d of the allowed error', (n, share) => {
  const at = counts(n, 100, 60, 40);
  const { effect } = judgePath(at, at, null, NOISE_POLICY);
  expect(effect).toEqual(newcombe(at, normalQuantile(1 - alpha / share)));
});

test('all looks together have no more than the allowed error', () => {
  let sum = 0;
  for (let j = 1; j < 10_000; j += 1) sum += alpha / (j * (j + 1));
  expect(sum).toBeLessThan(alpha);
});
