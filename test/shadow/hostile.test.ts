import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { CompareRule } from '../../router/core/types.ts';
import { COMPARER_LIMITS, type Comparer, createComparer } from '../../router/shadow/comparer.ts';
import type { Judged } from '../../router/shadow/judge.ts';
import { ASKED_NOTHING } from '../helpers/batches.ts';

const DECODED_BYTES_MAX = 4 * 1024 * 1024;
/** Watchdog and a new thread, on a machine that does other things as well. */
const BOUND_MS = 5_000;
const MIB = 1024 * 1024;

type Body = string | Buffer;
const rule = (action: string, more: object = {}): CompareRule => ({
  path: '/body',
  action,
  owner: 'team',
  reason: 'test',
  expires: '2099-12-31',
  ...more,
});

function comparer(): Comparer {
  const made = createComparer({ key: Buffer.alloc(32), decodedBytesMax: DECODED_BYTES_MAX }, COMPARER_LIMITS);
  made.start();
  onTestFinished(() => made.stop());
  return made;
}

function judge(
  made: Comparer,
  type: string,
  [legacy, service]: readonly [Body, Body],
  rules: readonly CompareRule[],
  coding: string | null,
): Promise<Judged> {
  const answer = (body: Body) => ({
    status: 200,
    fields: ['Content-Type', type, ...(coding === null ? [] : ['Content-Encoding', coding])],
    body: Buffer.from(body),
    truncated: false,
  });
  const meta = {
    group: 'catalog',
    route: { label: 'GET /', segments: [] },
    request: { method: 'GET', target: '/', url: 'http://shop.example/', ...ASKED_NOTHING },
    internalHosts: [],
    today: '2026-06-01',
    showValues: [],
    selfTest: null,
  };
  return made.judge(
    { meta, legacy: answer(legacy), service: { kind: 'answer', answer: answer(service), oversize: false } },
    rules,
  );
}

const said = (judged: Judged) => (judged.outcome === 'skipped' ? judged.reason : judged.outcome);
const twice = (make: (last: string) => Body): readonly [Body, Body] => [make('1'), make('2')];
const JSON_TYPE = 'application/json';
const keys = (count: number, last: string) =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join(',')},"last":${last}}`;
const laughs = (last: string) =>
  `<!DOCTYPE a [<!ENTITY l0 "lol">${Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('')}]><a>&l9;${last}</a>`;
const HTML = [rule('html')];
const EXPLODING = 'a'.repeat(40);

/** `judged` lists every outcome that is right: a faster machine may get through what a slower one gives up. */
test.each<
  [
    what: string,
    type: string,
    pair: () => readonly [Body, Body],
    rules: readonly CompareRule[],
    judged: readonly string[],
    coding?: string,
  ]
>([
  ['50 MB', JSON_TYPE, () => twice((last) => Buffer.alloc(50 * MIB, last)), [], ['decoded-too-large']],
  [
    'JSON of 100,000 levels',
    JSON_TYPE,
    () => twice((last) => '['.repeat(1e5) + last + ']'.repeat(1e5)),
    [],
    ['different', 'compare-budget'],
  ],
  [
    'JSON of 300,000 keys',
    JSON_TYPE,
    () => twice((last) => keys(300_000, last)),
    [],
    ['different', 'compare-budget', 'decoded-too-large'],
  ],
  [
    'JSON of a million keys',
    JSON_TYPE,
    () => twice((last) => keys(1e6, last)),
    [],
    ['decoded-too-large', 'compare-budget'],
  ],
  [
    'JSON of a million values',
    JSON_TYPE,
    () => twice((last) => `[${'1,'.repeat(1_100_000)}${last}]`),
    [],
    ['compare-budget'],
  ],
  ['entities that laugh a billion times', 'text/xml', () => twice(laughs), [], ['different']],
  [
    'a gzip bomb',
    JSON_TYPE,
    () => [gzipSync(Buffer.alloc(64 * MIB)), gzipSync(Buffer.alloc(65 * MIB))],
    [],
    ['decoded-too-large'],
    'gzip',
  ],
  [
    'a bomb in a bomb',
    JSON_TYPE,
    () => twice((last) => gzipSync(gzipSync(Buffer.alloc(64 * MIB, last)))),
    [],
    ['decoded-too-large'],
    'gzip, gzip',
  ],
  [
    'a regular expression that explodes',
    'text/plain',
    () => [`${EXPLODING}!`, `${EXPLODING}?`],
    [rule('pattern', { regex: '^(a+)+$' })],
    ['compare-budget'],
  ],
  [
    'a mask that explodes',
    'text/plain',
    () => [`${EXPLODING}!`, `${EXPLODING}?`],
    [rule('mask', { regex: '(a|aa)+$' })],
    ['compare-budget'],
  ],
  [
    'arrays that have nothing in common',
    JSON_TYPE,
    () => [
      JSON.stringify(Array.from({ length: 2e5 }, (_, i) => i)),
      JSON.stringify(Array.from({ length: 2e5 }, (_, i) => -i - 1)),
    ],
    [],
    ['different', 'compare-budget'],
  ],
  [
    'arrays that all fit each other',
    JSON_TYPE,
    () => [JSON.stringify(new Array(1000).fill(1)), JSON.stringify(new Array(1000).fill(2))],
    [rule('unordered'), rule('number', { path: '/body/*', abs: 1 })],
    ['ignored', 'compare-budget'],
  ],
  [
    'HTML of a million nested tags',
    'text/html',
    () => twice((last) => '<b>'.repeat(1e6) + last),
    HTML,
    ['compare-budget'],
  ],
  [
    'HTML whose formatting is rebuilt again and again',
    'text/html',
    () =>
      twice(
        (last) =>
          `${Array.from({ length: 2000 }, (_, i) => `<b id=${i}>`).join('')}${'<p>x'.repeat(2000)}${last}`,
      ),
    HTML,
    ['different', 'compare-budget'],
  ],
  [
    'XML of a million nested elements',
    'text/xml',
    () => twice((last) => '<a>'.repeat(1e6) + last),
    [],
    ['compare-budget'],
  ],
  [
    'XML of 100,000 attributes',
    'text/xml',
    () => twice((last) => `<a ${Array.from({ length: 1e5 }, (_, i) => `a${i}="1"`).join(' ')}>${last}</a>`),
    [],
    ['different', 'compare-budget'],
  ],
  [
    'a multipart message of 100,000 parts',
    'multipart/mixed; boundary=A',
    () => twice((last) => `${'--A\r\n\r\nx\r\n'.repeat(1e5)}--A\r\n\r\n${last}\r\n--A--\r\n`),
    [rule('multipart')],
    ['different', 'compare-budget'],
  ],
  [
    'messages in messages',
    'multipart/mixed; boundary=A',
    () =>
      twice(
        (last) =>
          `${'--A\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n'.repeat(10_000)}${last}\r\n--A--`,
      ),
    [rule('multipart')],
    ['different', 'compare-budget'],
  ],
  [
    'a stream of a million events',
    'text/event-stream',
    () => twice((last) => `${'id\n\n'.repeat(1e6)}data:${last}\n\n`),
    [rule('sse')],
    ['different', 'compare-budget'],
  ],
  [
    'a stream of 400,000 lines of one event',
    'text/event-stream',
    () => twice((last) => `${'data:x\n'.repeat(4e5)}data:${last}\n\n`),
    [rule('sse')],
    ['different', 'compare-budget'],
  ],
])(
  '%s is bounded in time, and the next pair is judged',
  async (_what, type, pair, rules, outcomes, coding) => {
    const made = comparer();
    const bodies = pair();
    await judge(made, JSON_TYPE, ['1', '2'], [], null);
    const startedMs = performance.now();
    const outcome = said(await judge(made, type, bodies, rules, coding ?? null));
    expect(outcomes).toContain(outcome);
    expect(said(await judge(made, JSON_TYPE, ['1', '2'], [], null))).toBe('different');
    expect(performance.now() - startedMs).toBeLessThan(BOUND_MS);
  },
);
