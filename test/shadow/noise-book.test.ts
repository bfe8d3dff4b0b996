import { expect, test } from 'vitest';
import type { Finding } from '../../router/core/noise/model.ts';
import type { NoiseRow } from '../../router/core/ports.ts';
import { createNoiseBook, NOISE_LIMITS } from '../../router/shadow/noise-book.ts';
import { groupNoise } from '../../router/shadow/noise-report.ts';
import { ASKED_NOTHING } from '../helpers/batches.ts';

const KEY = Buffer.alloc(32, 3);
const NEVER = { asked: [], calls: null } as const;
const ROUTE = 'GET /a/:id';

function metaOf(target = '/a/1') {
  return {
    route: { label: ROUTE, segments: [] },
    request: { method: 'GET', target, url: `http://a${target}`, ...ASKED_NOTHING },
  };
}

function sample(text: string) {
  return { type: 'string', text, length: text.length } as const;
}

function finding(template: string, legacy: string, other: string): Finding {
  return { template, path: template, kind: 'value', legacy: sample(legacy), other: sample(other) };
}

const about = (group: string, build = 'b1') => ({ group, build, rules: 'r' });

test('builds and rules of one group have models of their own, and only the newest of them', () => {
  const book = createNoiseBook(KEY, { ...NOISE_LIMITS, perGroupMax: 2 });
  for (const build of ['b1', 'b2', 'b3']) book.same(about('g', build), ROUTE);
  book.same(about('other'), ROUTE);
  expect(book.changed().map(({ group, build }) => `${group} ${build}`)).toEqual(['g b2', 'g b3', 'other b1']);
  expect(book.dropped()).toEqual({ models: 1, contents: 0 });
});

test('over the bound of paths the model used longest ago goes', () => {
  const book = createNoiseBook(KEY, { ...NOISE_LIMITS, pathsMax: 3 });
  const fold = (group: string, paths: number) =>
    book.fold(
      metaOf(),
      { ...NEVER, key: about(group) },
      {
        service: Array.from({ length: paths }, (_, i) => finding(`/body/p${i}`, 'a', 'b')),
        baseline: [],
      },
    );
  fold('old', 2);
  fold('new', 2);
  expect(book.changed().map(({ group }) => group)).toEqual(['new']);
  expect(book.dropped().models).toBe(1);
});

test('endless distinct paths stay within the bounds, in memory and packed', () => {
  const book = createNoiseBook(KEY);
  for (let i = 0; i < 12_000; i += 1)
    book.fold(
      metaOf(),
      { ...NEVER, key: about('g') },
      {
        service: [finding(`/body/p${i}`, 'a', `b${i}`)],
        baseline: [finding(`/body/p${i}`, 'a', `c${i}`)],
      },
    );
  const [row] = book.changed();
  expect(row?.reports.length).toBeLessThanOrEqual(2_000);
  expect(row?.content.length).toBeGreaterThan(0);
  expect(row?.content.length).toBeLessThan(NOISE_LIMITS.contentBytesMax);
});

test('a packed model over the bound is reported, not kept, and counted', () => {
  const book = createNoiseBook(KEY, { ...NOISE_LIMITS, contentBytesMax: 10 });
  book.same(about('g'), ROUTE);
  expect(book.changed()).toMatchObject([{ content: new Uint8Array(), triples: 1 }]);
  expect(book.dropped().contents).toBe(1);
});

test('a model that has not changed is not handed out again', () => {
  const book = createNoiseBook(KEY);
  book.same(about('g'), ROUTE);
  expect(book.changed()).toHaveLength(1);
  expect(book.changed()).toEqual([]);
});

/** Legacy draws a token anew each time; the service gives back what `echo` says. */
function echoed(target: string, asked: readonly string[], echo: string): readonly NoiseRow[] {
  const book = createNoiseBook(KEY);
  for (let i = 0; i < 600; i += 1)
    book.fold(
      metaOf(target),
      { key: about('g'), calls: null, asked },
      {
        service: [finding('/body/token', `drawn-one-${i}`, echo)],
        baseline: [finding('/body/token', `drawn-one-${i}`, `drawn-two-${i}`)],
      },
    );
  return book.changed();
}

test.each([
  ['the path', '/a/echo%2Dvalue-77', [], 'echo-value-77'],
  ['the query', '/a/1?q=echo-value-77', [], 'echo-value-77'],
  ['a field', '/a/1', ['X-Trace', 'echo-value-77'], 'echo-value-77'],
  ['a cookie', '/a/1', ['Cookie', 'a=1;b=echo-value-77'], 'echo-value-77'],
])('a service that gives back what %s carried, where legacy draws anew, is a regression', (...given) => {
  const [, target, asked, echo] = given;
  const noise = groupNoise(0, echoed(target, asked, echo));
  expect(noise).toMatchObject({ verdict: 'REGRESSION', reports: [{ b: 0, c: 0, both: 600 }] });
});

test('a path that drifts in legacy alike is noise, and explains its own kind only', () => {
  const book = createNoiseBook(KEY);
  for (let i = 0; i < 600; i += 1) {
    const service = [finding('/body/rid', `drawn-${i}-1`, `drawn-${i}-2`)];
    if (i % 4 === 0)
      service.push({ ...finding('/body/rid', `drawn-${i}-1`, ''), kind: 'missing', other: null });
    book.fold(
      metaOf(),
      { ...NEVER, key: about('g') },
      { service, baseline: [finding('/body/rid', `drawn-${i}-1`, `drawn-${i}-3`)] },
    );
  }
  const noise = groupNoise(0, book.changed());
  const verdict = (kind: string) => noise?.reports.find((report) => report.kind === kind)?.verdict;
  expect(verdict('missing')).toBe('REGRESSION');
});

test('what several data planes have learned is read as one', () => {
  const rows = [1, 2].flatMap(() => {
    const book = createNoiseBook(KEY);
    for (let i = 0; i < 300; i += 1) book.same(about('g'), ROUTE);
    return book.changed();
  });
  expect(groupNoise(7, rows)).toMatchObject({ group: 'g', triples: 600, at: 7, verdict: 'CLEAN' });
  expect(groupNoise(7, rows.slice(1))).toMatchObject({ triples: 300, verdict: 'UNKNOWN' });
  expect(groupNoise(7, [])).toBeNull();
});

test('a service that regresses is flagged, and legacy against itself is not', () => {
  const book = createNoiseBook(KEY);
  for (let i = 0; i < 60; i += 1)
    book.fold(
      metaOf(),
      { ...NEVER, key: about('g') },
      {
        service: [finding('/body/stock', '1', '0')],
        baseline: i % 10 === 0 ? [finding('/body/at', 'a', `b${i}`)] : [],
      },
    );
  const [row] = book.changed();
  expect(row?.reports.filter(({ verdict }) => verdict === 'REGRESSION')).toMatchObject([
    { template: '/body/stock' },
  ]);
  expect(row?.flaggedItself).toBe(0);
});
