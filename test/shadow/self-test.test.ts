import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { FaultKind } from '../../router/core/mutants.ts';
import type { Captured, CompareRule } from '../../router/core/types.ts';
import { createJudge, type SelfTest } from '../../router/shadow/judge.ts';
import { ignoring, ok } from './jobs.ts';

const judge = createJudge({ key: Buffer.alloc(32, 7), decodedBytesMax: 65_536 });

/** All that self-tests of one pair say over many seeds. */
function tested(
  legacy: Captured,
  service: Captured,
  rules: readonly CompareRule[] = [],
): readonly SelfTest[] {
  return Array.from({ length: 60 }, (_, seed) => {
    const judged = judge.judge(
      {
        meta: {
          group: 'catalog',
          route: { label: 'GET /', segments: [] },
          request: {
            method: 'GET',
            target: '/',
            url: 'http://shop.example/',
            fields: [],
            hasBody: false,
            bytes: 1,
          },
          internalHosts: [],
          today: '2026-01-01',
          showValues: [],
          selfTest: seed,
        },
        legacy,
        service: { kind: 'answer', answer: service, oversize: false },
      },
      rules,
      rules.length,
    );
    return judged.outcome === 'same' || judged.outcome === 'ignored' ? (judged.selfTests ?? []) : [];
  }).flat();
}

const BODY = '{"id":7,"name":"oak","price":19.9,"sale":true,"tags":["a","b"],"at":{"city":"Kiel"}}';
const FIELDS = [
  'Content-Type',
  'application/json',
  'Cache-Control',
  'private',
  'Set-Cookie',
  'a=1; Path=/; HttpOnly',
];
const ALL: readonly FaultKind[] = [
  'cookie-attribute-lost',
  'field-dropped',
  'header-lost',
  'null',
  'off-by-one',
  'reordered',
  'stale',
  'status',
  'truncated',
  'wrong-type',
];

const kindsOf = (found: readonly SelfTest[]) => [...new Set(found.map(({ fault }) => fault))].sort();

test('without rules every fault is found wherever it is put', () => {
  const found = tested(ok(BODY, FIELDS), ok(BODY, FIELDS));
  expect(kindsOf(found)).toEqual(ALL);
  expect(found.filter(({ caught }) => !caught)).toEqual([]);
  expect(
    new Set(found.filter(({ fault }) => fault === 'null').map(({ template }) => template)).size,
  ).toBeGreaterThan(5);
});

test('what a rule hides escapes, and the rule is named', () => {
  const rules = [ignoring('/body/name'), { ...ignoring('/body/price'), action: 'number', abs: 5 }];
  const found = tested(ok(BODY, FIELDS), ok(BODY, FIELDS), rules);
  const escaped = found.filter(({ caught }) => !caught);
  expect(
    [...new Set(escaped.map(({ fault, template, hiddenBy }) => `${fault} ${template} ${hiddenBy}`))].sort(),
  ).toEqual([
    'field-dropped /body/name 0',
    'null /body/name 0',
    'off-by-one /body/price 1',
    'stale /body/name 0',
    'wrong-type /body/name 0',
  ]);
});

test('coded answers are tested as well, and texts by a letter', () => {
  const packed = { ...ok('', [...FIELDS, 'Content-Encoding', 'gzip']), body: gzipSync(BODY) };
  expect(kindsOf(tested(ok(BODY, FIELDS), packed))).toEqual(ALL);
  const page = ok('<p>oak</p>', ['Content-Type', 'text/html']);
  const found = tested(page, page).filter(({ fault }) => fault === 'text-changed');
  expect(found.every(({ caught }) => caught)).toBe(true);
  expect(found.length).toBeGreaterThan(0);
});

test('answers that differ are not tested: their faults are real', () => {
  expect(tested(ok('{"a":1}'), ok('{"a":2}'))).toEqual([]);
});

test('a name that may not be written down is not in the path', () => {
  const body = '{"canary.person@example.org":{"x":1},"tok_canary_99887766554433":2}';
  const found = tested(ok(body), ok(body));
  expect(JSON.stringify(found)).not.toContain('canary');
});
