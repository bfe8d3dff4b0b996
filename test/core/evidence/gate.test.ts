import { describe, expect, test } from 'vitest';
import {
  GATE_POLICY,
  type GateEvidence,
  judgeGate,
  type StratumEvidence,
} from '../../../router/core/evidence/gate.ts';

function stratum(part: Partial<StratumEvidence> = {}): StratumEvidence {
  return { stratum: '2xx', requests: 10_000, n: 3678, k: 0, perHour: 1000, ...part };
}

function evidence(part: Partial<GateEvidence> = {}): GateEvidence {
  return {
    strata: [stratum()],
    eligible: 10_000,
    compared: 9500,
    compareFailed: 0,
    shapes: { observed: 100, compared: 95 },
    regressions: [],
    buildsKnown: true,
    selfTestClean: true,
    readable: true,
    ...part,
  };
}

const judge = (part: Partial<GateEvidence>) => judgeGate(evidence(part), GATE_POLICY);

test('enough of everything is a Pass, without a word', () => {
  expect(judge({})).toMatchObject({ verdict: 'Pass', reasons: [], waitMs: 0 });
});

describe('each of these alone keeps it from passing, and is said', () => {
  test.each<[Partial<GateEvidence>, RegExp]>([
    [
      { strata: [stratum({ n: 3677 })] },
      /^2xx: 3677 requests compared, none differs; 1 more are needed for 0\.1 %, about 1 min/,
    ],
    [{ compared: 9499 }, /^9499 of 10000 eligible requests were compared; 95 % are needed\.$/],
    [{ shapes: { observed: 100, compared: 94 } }, /^94 of 100 kinds of request/],
    [{ buildsKnown: false }, /builds/],
    [{ selfTestClean: null }, /self-test .* has not run/],
    [{ selfTestClean: false }, /self-test .* finds differences/],
  ])('%j', (part, sentence) => {
    const { verdict, reasons } = judge(part);
    expect(verdict).toBe('Inconclusive');
    expect(reasons).toEqual([expect.stringMatching(sentence)]);
  });
});

test('nothing compared is NoData', () => {
  expect(judge({ strata: [] }).verdict).toBe('NoData');
  expect(judge({ strata: [stratum({ n: 0 })] }).verdict).toBe('NoData');
});

test('a regression fails, whatever the counts say', () => {
  expect(judge({ regressions: ['GET /things /body/price value'] })).toMatchObject({
    verdict: 'Fail',
    reasons: ['GET /things /body/price value is a regression.'],
  });
});

test('more differences than the budget allows fail once that is certain, and not before', () => {
  expect(judge({ strata: [stratum({ n: 1000, k: 3 })] }).verdict).toBe('Inconclusive');
  const { verdict, reasons } = judge({ strata: [stratum({ n: 1000, k: 30 })] });
  expect(verdict).toBe('Fail');
  expect(reasons).toEqual([
    expect.stringMatching(/^2xx: 30 of 1000 requests differ, at least 1\.\d+ %; 0\.1 % may\.$/),
  ]);
});

test('faults of the comparer beyond 0.1 % and a store that cannot be read are an Error', () => {
  expect(judge({ compareFailed: 9 }).verdict).toBe('Pass');
  expect(judge({ compareFailed: 10 }).verdict).toBe('Error');
  expect(judge({ readable: false })).toMatchObject({
    verdict: 'Error',
    reasons: ['The store cannot be read.'],
  });
});

test('what is certain is not hidden by faults of the comparer', () => {
  expect(judge({ compareFailed: 10, regressions: ['x'] }).verdict).toBe('Fail');
});

test('the time that is missing is that of the slowest stratum', () => {
  const strata = [stratum({ n: 678 }), stratum({ stratum: '4xx', n: 3578, perHour: 10 })];
  const { waitMs, reasons } = judge({ strata });
  expect(waitMs).toBe(10 * 3_600_000);
  expect(reasons).toEqual([
    expect.stringMatching(/about 3 h|about 180 min/),
    expect.stringMatching(/about 10 h/),
  ]);
});

test('without a rate the time is not known', () => {
  expect(judge({ strata: [stratum({ n: 1, perHour: null })] })).toMatchObject({
    waitMs: null,
    reasons: [expect.stringMatching(/at an unknown rate/)],
  });
});

test('the strata under 1 % of the traffic are judged together', () => {
  const small = Array.from({ length: 20 }, (_, i) =>
    stratum({ stratum: `small ${i}`, requests: 50, n: 184, perHour: 1 }),
  );
  const { verdict, strata } = judge({ strata: [stratum(), ...small] });
  expect(strata.map(({ stratum: name, n, perHour }) => [name, n, perHour])).toEqual([
    ['2xx', 3678, 1000],
    ['all other requests', 3680, 20],
  ]);
  expect(verdict).toBe('Pass');
});

test('a large stratum that is bad is not hidden by a larger one that is good', () => {
  const strata = [
    stratum({ n: 1_000_000, requests: 1_000_000 }),
    stratum({ stratum: '4xx', requests: 20_000, n: 100, k: 20 }),
  ];
  expect(judge({ strata }).verdict).toBe('Fail');
});

test('differences above the budget are said to be more than may be', () => {
  const { reasons } = judge({ strata: [stratum({ n: 1000, k: 2 })] });
  expect(reasons[0]).toMatch(
    /2 differ, more than 0\.1 %; if no more did, 13\d\d\d further requests would do/,
  );
});
