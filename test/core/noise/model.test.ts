import { describe, expect, test } from 'vitest';
import { compare, STEPS_MAX } from '../../../router/core/compare/compare.ts';
import type { Difference } from '../../../router/core/compare/comparison.ts';
import { compileRules } from '../../../router/core/compare/rules.ts';
import { templateOf } from '../../../router/core/compare/trail.ts';
import {
  findingsOf,
  type NoiseModel,
  type Triple,
  withLegacyAsService,
} from '../../../router/core/noise/model.ts';
import { explains, worstOf } from '../../../router/core/noise/path-verdict.ts';
import { FEATURES, type Feature } from '../../../router/core/noise/values.ts';
import type { Captured } from '../../../router/core/types.ts';
import { createReaders } from '../../../router/shadow/decode.ts';
import { type Random, randomOf } from '../../helpers/random.ts';
import { modelOf, ROUTE, type Scalar, type Three, tripleOf } from '../../helpers/triples.ts';

test('22 answers that only the service gives differently are a regression, 21 are not yet', () => {
  const model = modelOf();
  for (let i = 0; i < 21; i += 1) model.fold(tripleOf({ price: ['1', '1', '2'] }));
  expect(model.verdictOf(ROUTE, '/body/price', 'value')).toBe('UNKNOWN');
  model.fold(tripleOf({ price: ['1', '1', '2'] }));
  expect(model.verdictOf(ROUTE, '/body/price', 'value')).toBe('REGRESSION');
});

test('a path counts once per answer, however many places of it differ, and each kind by itself', () => {
  const model = modelOf();
  model.fold(
    tripleOf({ 'items/0/p': ['1', '2', '3'], 'items/1/p': ['1', '1', '3'], 'items/2/p': ['1', '1', null] }),
  );
  expect(countsOf(model.reports())).toEqual([
    ['/body/items/*/p value', 1, 1, 0, 0],
    ['/body/items/*/p type', 1, 0, 1, 0],
  ]);
});

test('n of a path is every triple of its route, those before it was first seen too', () => {
  const model = modelOf();
  for (let i = 0; i < 10; i += 1) model.fold(tripleOf({}));
  model.fold(tripleOf({ late: ['a', 'b', 'a'] }));
  expect(countsOf(model.reports())).toEqual([['/body/late value', 11, 0, 0, 1]]);
});

test('a path that never drifts is clean once the bound is within the budget, and not before', () => {
  const model = modelOf();
  for (let i = 0; i < 3677; i += 1) model.fold(tripleOf({}));
  expect(model.verdictOf(ROUTE, '/body/any', 'value')).toBe('UNKNOWN');
  model.fold(tripleOf({}));
  expect(model.verdictOf(ROUTE, '/body/any', 'value')).toBe('CLEAN');
  expect(model.verdictOf('GET /other', '/body/any', 'value')).toBeNull();
});

test('an id that always differs is noise after the first look, for its own kind only', () => {
  const random = randomOf(1);
  const model = modelOf();
  for (let i = 0; i < 499; i += 1) model.fold(tripleOf({ id: uuids(random) }));
  expect(model.verdictOf(ROUTE, '/body/id', 'value')).toBe('UNKNOWN');
  model.fold(tripleOf({ id: uuids(random) }));
  expect(model.verdictOf(ROUTE, '/body/id', 'value')).toBe('NOISE');
  expect(model.verdictOf(ROUTE, '/body/id', 'missing')).toBe('UNKNOWN');
});

test('a regression that is certain but too small to matter is not one, and is noise where legacy drifts', () => {
  const random = randomOf(2);
  const model = modelOf({ effectMin: 0.2, noiseBudget: 0.5 });
  for (let i = 0; i < 4000; i += 1) model.fold(reordered(random(5) === 0, random(10) === 0));
  const [report] = model.reports();
  expect(report?.lnE).toBeGreaterThan(13);
  expect(report?.verdict).toBe('NOISE');
});

test('what begins after a look is not excused by it, and is judged at the next one', () => {
  const model = modelOf();
  const verdict = () => model.verdictOf(ROUTE, '/body/list', 'order');
  for (let i = 0; i < 2000; i += 1) model.fold(reordered(i % 50 === 0, i % 50 === 0));
  expect(verdict()).toBe('NOISE');
  for (let i = 0; i < 60; i += 1) model.fold(reordered(true, false));
  expect(verdict()).toBe('UNKNOWN');
  for (let i = 0; i < 1940; i += 1) model.fold(reordered(i % 20 === 0, false));
  expect(verdict()).toBe('REGRESSION');
});

describe('on a path that always differs, the values tell', () => {
  const cases: readonly (readonly [
    string,
    string,
    (random: Random) => Scalar,
    (random: Random) => Scalar,
  ])[] = [
    ['another format', 'make', uuid, (random) => `01H${digits(random, 23)}`],
    ['another version of UUID', 'make', uuid, (random) => uuid(random).replace('-4', '-7')],
    ['another host', 'make', (random) => `http://a/${random(1e9)}`, (random) => `http://b/${random(1e9)}`],
    [
      'an instant with another precision',
      'make',
      isoSeconds,
      (random) => isoSeconds(random).replace('Z', '.000Z'),
    ],
    ['another length', 'length', (random) => letters(random, 9), (random) => letters(random, 5)],
    ['null', 'null', uuid, (random) => (random(4) === 0 ? null : uuid(random))],
    ['nothing', 'missing', uuid, (random) => (random(4) === 0 ? undefined : uuid(random))],
    ['an empty text', 'empty', uuid, (random) => (random(4) === 0 ? '' : uuid(random))],
    [
      'an hour more',
      'shift',
      (random) => isoAt(random(600_000)),
      (random) => isoAt(3_600_000 + random(600_000)),
    ],
    ['a little less', 'shift', (random) => random(1000), (random) => random(700)],
    ['a constant', 'repeats', (random) => letters(random, 12), () => 'xyzxyzxyzxyz'],
    ['what was asked for', 'request', (random) => letters(random, 8), () => 'question'],
    [
      'a member of another set',
      'pool',
      (random) => `shop ${'abcdef'[random(6)]}`,
      (random) => `shop ${'abcxyz'[random(6)]}`,
    ],
  ];
  test.each(cases)('%s', (_, feature, legacy, service) => {
    const random = randomOf(3);
    const model = modelOf();
    for (let i = 0; i < 600; i += 1)
      model.fold(tripleOf({ x: [legacy(random), legacy(random), service(random)] }, { asked: ['question'] }));
    const found = model.reports().filter(({ verdict }) => verdict === 'REGRESSION');
    expect(found.length).toBeGreaterThan(0);
    expect(found.map((report) => report.feature)).toContain(feature);
  });
  test.each(cases)('%s: not when legacy does it too', (_, __, legacy, service) => {
    const random = randomOf(4);
    const model = modelOf();
    const any = () => (random(2) === 0 ? legacy(random) : service(random));
    for (let i = 0; i < 600; i += 1)
      model.fold(tripleOf({ x: [any(), any(), any()] }, { asked: ['question'] }));
    expect(model.reports().filter(({ verdict }) => verdict === 'REGRESSION')).toEqual([]);
  });
});

test('an instant outside of the call that made it tells', () => {
  const random = randomOf(5);
  const model = modelOf();
  for (let i = 0; i < 200; i += 1) {
    const startMs = 1_700_000_000_000 + i * 60_000;
    const call = { startMs, endMs: startMs + 100 };
    const now = () => new Date(startMs + random(100)).toISOString();
    const stale = new Date(startMs - 5000 - random(100)).toISOString();
    model.fold(
      tripleOf(
        { at: [now(), now(), random(2) === 0 ? stale : now()] },
        { calls: { baseline: call, service: call } },
      ),
    );
  }
  const [report] = model.reports();
  expect(report?.verdict).toBe('REGRESSION');
});

test('ids that are one in all of legacy’s answers are one group, and an answer that tears them apart is a regression', () => {
  const random = randomOf(6);
  const model = modelOf();
  const order = (together: boolean): readonly [Scalar, Scalar, Scalar] => {
    const [id, other] = [uuid(random), uuid(random)];
    return [id, together ? id : other, other];
  };
  for (let i = 0; i < 600; i += 1) {
    const three = [order(true), order(true), order(i % 2 === 0)];
    const field = (at: number): Three => [three[0]?.[at], three[1]?.[at], three[2]?.[at]];
    model.fold(tripleOf({ id: field(0), 'lines/0/orderId': field(1), 'lines/0/id': field(2) }));
  }
  expect(model.ids(ROUTE)).toEqual(
    new Map([
      ['/body/id', '/body/id'],
      ['/body/lines/*/orderId', '/body/id'],
      ['/body/lines/*/id', '/body/lines/*/id'],
    ]),
  );
  const found = model.reports().filter(({ verdict }) => verdict === 'REGRESSION');
  expect(found.map(({ template, feature }) => [template, feature])).toEqual([
    ['/body/lines/*/orderId', 'renaming'],
  ]);
});

test('the number of different values is shown beside a path', () => {
  const random = randomOf(7);
  const model = modelOf();
  for (let i = 0; i < 1001; i += 1)
    model.fold(tripleOf({ x: [uuid(random), uuid(random), `same ${random(3)}`] }));
  const [report] = model.reports();
  expect(report?.distinct?.service).toBeCloseTo(3, 0);
  expect(Math.abs((report?.distinct?.baseline ?? 0) - 1000)).toBeLessThan(400);
});

test('endless distinct paths keep the model within its bound; the least hit go first and are counted', () => {
  const model = modelOf({ pathsMax: 100 });
  for (let i = 0; i < 5000; i += 1) {
    model.fold(tripleOf({ often: ['a', 'a', 'b'], [`k${i}`]: ['a', 'a', 'b'], [`m${i}`]: ['a', 'b', 'a'] }));
    expect(model.tracked).toBeLessThanOrEqual(100);
  }
  expect(model.evicted + model.tracked).toBe(10_001);
  expect(model.reports().find(({ template }) => template === '/body/often')).toMatchObject({
    n: 5000,
    b: 5000,
  });
});

test('a path that was dropped begins again, and a triple of more paths than there is room for is survived', () => {
  const model = modelOf({ pathsMax: 8 });
  const many = (prefix: string): Record<string, Three> =>
    Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${prefix}${i}`, ['a', 'a', 'b']]));
  model.fold(tripleOf(many('a')));
  model.fold(tripleOf(many('b')));
  model.fold(tripleOf(many('a')));
  expect(model.tracked).toBe(8);
  for (const { n, b } of model.reports()) expect([n, b]).toEqual([1, 1]);
});

test('of a path that was dropped only the triples since then are counted', () => {
  const model = modelOf({ pathsMax: 8 });
  model.fold(tripleOf({ x: ['a', 'a', 'b'] }));
  for (let i = 0; i < 20; i += 1) model.fold(tripleOf({ [`k${i}`]: ['a', 'a', 'b'] }));
  model.fold(tripleOf({ x: ['a', 'a', 'b'] }));
  const x = model.reports().find(({ template }) => template === '/body/x');
  expect(x?.b).toBe(1);
  expect(x?.n).toBeLessThan(22);
});

test('where an answer shows no difference it has legacy’s value', () => {
  const model = modelOf();
  model.fold(tripleOf({ x: ['a', 'b', 'a'] }));
  for (let i = 0; i < 30; i += 1) model.fold(tripleOf({ x: ['a', 'a', 'b'] }));
  for (let i = 0; i < 30; i += 1) model.fold(tripleOf({ x: ['a', 'b', 'a'] }));
  expect(valueCounts(model, 'missing')).toEqual([0, 0, 0]);
  expect(valueCounts(model, 'make')).toEqual([0, 0, 0]);
});

test('what only one answer has stands beside what legacy has at that index', () => {
  const model = modelOf();
  model.fold(tripleOf({ 'x/1': ['u', 'v', 'u'] }));
  const [inserted] = tripleOf({ 'x/1': [undefined, undefined, 'w'] }).service;
  const changed = tripleOf({ 'x/1': ['u', 'v', 'u'] });
  model.fold({ ...changed, service: inserted === undefined ? [] : [inserted] });
  expect(valueCounts(model, 'missing')).toEqual([1, 0, 0]);
});

test('what is not always there, or not always of one make, is no id', () => {
  const random = randomOf(14);
  const model = modelOf();
  for (let i = 0; i < 200; i += 1) {
    const other = i % 2 === 0 ? uuid(random) : uuid(random).replaceAll('-', '');
    const sometimes: Record<string, Three> = i % 2 === 0 ? { sometimes: uuids(random) } : {};
    model.fold(tripleOf({ id: uuids(random), changing: [uuid(random), other, uuid(random)], ...sometimes }));
  }
  expect([...model.ids(ROUTE).keys()]).toEqual(['/body/id']);
});

test('triples of another process count for a path that it never saw', () => {
  const [left, right] = [modelOf(), modelOf()];
  left.fold(tripleOf({ x: ['a', 'a', 'b'] }));
  for (let i = 0; i < 5; i += 1) right.fold(tripleOf({}));
  left.merge(right.content());
  expect(countsOf(left.reports())).toEqual([['/body/x value', 6, 0, 1, 0]]);
});

test('kept as JSON and folded on, a model says what it would have said', () => {
  const triples = shop(8, 1200);
  const whole = modelOf();
  for (const triple of triples) whole.fold(triple);
  let resumed = modelOf();
  for (const [i, triple] of triples.entries()) {
    if (i % 101 === 100) resumed = modelOf({}, JSON.parse(JSON.stringify(resumed.content())));
    resumed.fold(triple);
  }
  expect(resumed.content()).toEqual(whole.content());
  for (const [i, report] of whole.reports().entries())
    expect(Math.abs((resumed.reports()[i]?.lnE ?? Number.NaN) - report.lnE)).toBeLessThan(1e-9);
});

test('two models merge to the counts of one that saw everything', () => {
  const triples = shop(9, 1200);
  const [whole, left, right] = [modelOf(), modelOf(), modelOf()];
  for (const [i, triple] of triples.entries()) {
    whole.fold(triple);
    (i < 700 ? left : right).fold(triple);
  }
  left.merge(right.content());
  const verdicts = (model: typeof whole) =>
    model
      .reports()
      .map(({ template, kind, n, both, b, c, verdict }) => [template, kind, n, both, b, c, verdict].join(' '))
      .sort();
  expect(verdicts(left)).toEqual(verdicts(whole));
});

test('legacy’s second answer in the service’s place flags nothing', () => {
  const model = modelOf();
  for (const triple of shop(10, 1200)) model.fold(withLegacyAsService(triple));
  expect(model.reports().filter(({ verdict, b, c }) => verdict === 'REGRESSION' || b !== c)).toEqual([]);
});

test('what is kept holds no value', () => {
  const model = modelOf();
  const mail = (i: number) => `a${i}@secret.example`;
  const url = (i: number) => `https://secret.example/${i}`;
  for (let i = 0; i < 150; i += 3)
    model.fold(
      tripleOf({ mail: [mail(i), mail(i + 1), mail(i + 2)], url: [url(i), url(i + 1), url(i + 2)] }),
    );
  expect(model.reports()).toHaveLength(2);
  expect(JSON.stringify(model.content())).not.toMatch(/secret/);
});

test('differences as the comparer gives them are folded by template, with their values', () => {
  const random = randomOf(13);
  const model = modelOf();
  const answer = (names: readonly Scalar[]) =>
    answerOf({ id: uuid(random), items: names.map((name) => ({ name })) });
  for (let i = 0; i < 40; i += 1) {
    const legacy = answer(['a', 'b']);
    model.fold({
      route: ROUTE,
      baseline: findingsOf(differencesOf(legacy, answer(['a', 'b'])), templateOf),
      service: findingsOf(differencesOf(legacy, answer(['a', null])), templateOf),
      asked: new Set(),
      calls: null,
    });
  }
  expect(countsOf(model.reports())).toEqual([
    ['/body/id value', 40, 40, 0, 0],
    ['/body/items/*/name type', 40, 0, 40, 0],
  ]);
  expect([...model.ids(ROUTE).keys()]).toEqual(['/body/id']);
});

test('the verdict of a group is that of its worst path', () => {
  expect(worstOf(['CLEAN', 'NOISE', 'REGRESSION', 'UNKNOWN'])).toBe('REGRESSION');
  expect(worstOf(['CLEAN', 'UNKNOWN', 'NOISE'])).toBe('UNKNOWN');
  expect(worstOf(['CLEAN', 'NOISE'])).toBe('NOISE');
  expect(worstOf([])).toBe('CLEAN');
});

test('only noise explains a difference', () => {
  const explaining = (['REGRESSION', 'CLEAN', 'NOISE', 'UNKNOWN'] as const).filter(explains);
  expect(explaining).toEqual(['NOISE']);
});

test('times that differ by less than the tolerance are no shift, since one side is always the slower one', () => {
  const random = randomOf(12);
  const model = modelOf();
  const at = (i: number, late: number) => isoAt(i * 60_000 + late + random(100));
  const three = (i: number, late: number): Three => [at(i, 0), at(i, 0), at(i, late)];
  for (let i = 0; i < 300; i += 1) model.fold(tripleOf({ at: three(i, 800) }));
  expect(model.verdictOf(ROUTE, '/body/at', 'value')).toBe('UNKNOWN');
  for (let i = 0; i < 300; i += 1) model.fold(tripleOf({ at: three(i, 1200) }));
  expect(model.verdictOf(ROUTE, '/body/at', 'value')).toBe('REGRESSION');
});

function answerOf(body: unknown): Captured {
  return {
    status: 200,
    fields: ['content-type', 'application/json'],
    body: new TextEncoder().encode(JSON.stringify(body)),
    truncated: false,
  };
}

function differencesOf(legacy: Captured, other: Captured): readonly Difference[] {
  const comparison = compare(
    legacy,
    { kind: 'answer', answer: other, oversize: false },
    {
      request: { method: 'GET', url: 'http://legacy.example/' },
      rules: compileRules([], { route: null, status: 200, today: null }),
      ...createReaders(1024 * 1024),
      internalHosts: [],
      stepsMax: STEPS_MAX,
    },
  );
  return comparison.outcome === 'skipped' ? [] : comparison.differences;
}

/** A list in another order: a difference without a value. */
function reordered(byService: boolean, byLegacy: boolean): Triple {
  const list = {
    template: '/body/list',
    path: '/body/list',
    kind: 'order',
    legacy: null,
    other: null,
  } as const;
  return {
    route: ROUTE,
    service: byService ? [list] : [],
    baseline: byLegacy ? [list] : [],
    asked: new Set(),
    calls: null,
  };
}

/** Some of everything: ids, times of calls one after the other, a flaky field, a regression. */
function shop(seed: number, count: number): readonly Triple[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, () => {
    const flaky = () => (random(20) === 0 ? 'b' : 'a');
    const call = (ms: number) => ({ startMs: 1_700_000_000_000 + ms, endMs: 1_700_000_001_000 + ms });
    const fields: Record<string, Three> = {
      id: uuids(random),
      at: [isoAt(random(1000)), isoAt(random(1000)), isoAt(5000 + random(1000))],
      flaky: [flaky(), flaky(), flaky()],
      broken: ['a', 'a', random(10) === 0 ? null : 'a'],
    };
    return tripleOf(fields, { calls: { baseline: call(0), service: call(5000) } });
  });
}

function valueCounts(model: NoiseModel, feature: Feature): readonly number[] | undefined {
  const at = 3 * FEATURES.indexOf(feature);
  return model.content().routes[0]?.paths[0]?.values?.counts.slice(at, at + 3);
}

function countsOf(reports: ReturnType<ReturnType<typeof modelOf>['reports']>) {
  return reports.map(({ template, kind, n, both, b, c }) => [`${template} ${kind}`, n, both, b, c]);
}

function uuids(random: Random): Three {
  return [uuid(random), uuid(random), uuid(random)];
}

function uuid(random: Random): string {
  const hex = (length: number) => Array.from({ length }, () => random(16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}

function digits(random: Random, length: number): string {
  return Array.from({ length }, () => random(10)).join('');
}

function letters(random: Random, length: number): string {
  return Array.from({ length }, () => String.fromCharCode(97 + random(26))).join('');
}

function isoAt(ms: number): string {
  return new Date(1_700_000_000_000 + ms).toISOString();
}

function isoSeconds(random: Random): string {
  return isoAt(random(1e9)).replace(/\.\d+Z/, 'Z');
}
