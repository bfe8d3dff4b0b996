import { expect, test } from 'vitest';
import { lnPairedE } from '../../../router/core/noise/paired.ts';
import { flagThreshold, NOISE_POLICY } from '../../../router/core/noise/path-verdict.ts';
import { diffyFlags } from '../../helpers/diffy.ts';
import { type Random, randomOf } from '../../helpers/random.ts';
import { modelOf, type Scalar, type Three, tripleOf } from '../../helpers/triples.ts';

const { alpha } = NOISE_POLICY;

test('of 2,000 groups of 100 exchangeable paths, read after every pair, at most the share α is ever flagged', () => {
  const [groups, paths, pairs] = [2000, 100, 250];
  const random = randomOf(11);
  const needed = flaggedFrom(flagThreshold({ ...NOISE_POLICY, pathsMax: paths }), pairs);
  let flagged = 0;
  for (let group = 0; group < groups; group += 1) {
    let any = false;
    for (let path = 0; path < paths; path += 1) any = everFlagged(random, needed, pairs) || any;
    if (any) flagged += 1;
  }
  expect(flagged).toBeLessThanOrEqual(alpha * groups);
  // A test that never flags anything would pass as well.
  expect(flagged).toBeGreaterThan(0);
});

test('legacy against itself, with everything that may drift, flags nothing in 60 groups', () => {
  let flagged = 0;
  for (let group = 0; group < 60; group += 1) {
    const random = randomOf(1000 + group);
    const model = modelOf({ pathsMax: 24 });
    for (let i = 0; i < 250; i += 1) model.fold(tripleOf(drifting(random), { asked: ['q 1', '3'] }));
    if (model.reports().some(({ verdict }) => verdict === 'REGRESSION')) flagged += 1;
  }
  expect(flagged).toBeLessThanOrEqual(1);
});

test('a wrong member in 5 % of the answers, where half of them differ anyway, is flagged within 1,500 pairs; Diffy misses it', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const random = randomOf(seed);
    const model = modelOf();
    const flaky = (): Scalar => (random(2) === 0 ? 'shelf a' : `shelf ${'bcd'[random(3)]}`);
    for (let i = 0; i < 1500; i += 1)
      model.fold(tripleOf({ x: [flaky(), flaky(), random(20) === 0 ? 'shelf x' : flaky()] }));
    const [report] = model.reports();
    expect(report).toMatchObject({ verdict: 'REGRESSION', feature: 'pool' });
    expect(misses(report)).toBe(true);
  }
});

test('the same where only the count can tell, the path differing in 5 % more of the answers: within 60,000 pairs', () => {
  for (const seed of [6, 7, 8]) {
    const random = randomOf(seed);
    const model = modelOf();
    for (let i = 0; i < 60_000; i += 1) {
      const [service, baseline] = [random(20) === 0 || random(2) === 0, random(2) === 0];
      const list = {
        template: '/body/list',
        path: '/body/list',
        kind: 'order',
        legacy: null,
        other: null,
      } as const;
      model.fold({
        route: 'GET /things',
        service: service ? [list] : [],
        baseline: baseline ? [list] : [],
        asked: new Set(),
        calls: null,
      });
    }
    const [report] = model.reports();
    expect(report?.verdict).toBe('REGRESSION');
    expect(misses(report)).toBe(true);
  }
});

/** Whether Diffy sees nothing in the same counts. */
function misses(
  report: { readonly n: number; readonly both: number; readonly b: number; readonly c: number } | undefined,
) {
  if (report === undefined) return false;
  const { n, both, b, c } = report;
  return !diffyFlags(both + b, both + c, n);
}

/** For every c the first b that is flagged. */
function flaggedFrom(threshold: number, pairs: number): Uint32Array {
  const needed = new Uint32Array(pairs + 1);
  let b = 0;
  for (let c = 0; c <= pairs; c += 1) {
    while (lnPairedE(b, c) < threshold) b += 1;
    needed[c] = b;
  }
  return needed;
}

function everFlagged(random: Random, needed: Uint32Array, pairs: number): boolean {
  let [b, c] = [0, 0];
  for (let pair = 0; pair < pairs; pair += 1) {
    if (random(2) === 0) c += 1;
    else {
      b += 1;
      if (b >= (needed[c] ?? 0)) return true;
    }
  }
  return false;
}

/** Twelve fields, three answers by the same hand. */
function drifting(random: Random): Readonly<Record<string, Three>> {
  const makers: readonly (() => Scalar)[] = [
    () =>
      `${random(1e9).toString(16).padStart(8, '0')}-0000-4000-a000-${String(random(1e9)).padStart(12, '0')}`,
    () => new Date(1_700_000_000_000 + random(100_000)).toISOString(),
    () => random(100),
    () => random(1e9) / 100,
    () => (random(3) === 0 ? null : 'x'),
    () => (random(3) === 0 ? undefined : `y${random(3)}`),
    () => (random(3) === 0 ? '' : `q ${random(4)}`),
    // A rare value and a frequent one.
    () => (random(20) === 0 ? 'rare' : 'frequent'),
    () => 'ab'.repeat(1 + random(20)),
    () => `http://host-${random(3)}/`,
  ];
  const fields = makers.map((make, i) => [`f${i}`, [make(), make(), make()]] as const);
  const element = (): Scalar => `m ${random(6)}`;
  const elements = [0, 1].map((i) => [`list/${i}`, [element(), element(), element()]] as const);
  return Object.fromEntries([...fields, ...elements]);
}
