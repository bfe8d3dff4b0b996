import { readFileSync } from 'node:fs';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { checkRules } from '../../../router/core/compare/rules.ts';
import type { Captured } from '../../../router/core/types.ts';
import { type Random, randomOf } from '../../helpers/random.ts';
import { compared, type RuleText } from './answers.ts';

interface Saved {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly bodyEncoding?: 'base64';
}
interface Case {
  readonly primary: Saved;
  readonly candidate: Saved;
  readonly rules?: readonly RuleText[];
}

const SEED = 20_261_125;
const MUTANTS = 20_000;
const BODY_BYTES_MAX = 4_096;

const folder = new URL('../../conformance/', import.meta.url);
const cases: readonly Case[] = ['comparison-cases.json', 'comparison-more.json'].flatMap((name) =>
  JSON.parse(readFileSync(new URL(name, folder), 'utf8')),
);
const seeds = cases
  .flatMap(({ primary, candidate }) => [primary, candidate])
  .map(captured)
  .filter(({ body }) => body.length <= BODY_BYTES_MAX);
const rules = cases.flatMap((each) => each.rules ?? []);

function captured({ status, headers, body = '', bodyEncoding }: Saved): Captured {
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().flatMap((line) => [name, line]),
  );
  return { status, fields, body: Buffer.from(body, bodyEncoding ?? 'utf8'), truncated: false };
}

const CODERS = [gzipSync, deflateSync, brotliCompressSync, zstdCompressSync] as const;
const NAMES = ['gzip', 'deflate', 'br', 'zstd', 'x-gzip', 'identity', 'nope', 'gzip, br', ''];
const CHARSETS = [
  'utf-8',
  'utf-16',
  'utf-16be',
  'iso-8859-1',
  'shift_jis',
  'x-user-defined',
  'nope',
  '"',
  'utf-7',
];
const TYPES = [
  'application/json',
  'application/x-ndjson',
  'application/xml',
  'text/html',
  'text/plain',
  'text/event-stream',
  'multipart/mixed; boundary=AAA',
  'image/png',
  '',
  ';;=',
];
const PIECES = [
  '{',
  '[',
  '"',
  '<',
  '>',
  '&',
  '&#0;',
  '\r\n',
  '--AAA',
  '\ufeff',
  '\u0000',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  ']]>',
  '<![CDATA[',
  '1e9',
  '\\u',
  'data:',
];

function pick<T>(random: Random, list: readonly T[]): T {
  const one = list[random(list.length)];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
}

function mutant(seed: Captured, random: Random): Captured {
  let { status, fields, body } = seed;
  for (let n = random(4); n >= 0; n -= 1) {
    const at = random(body.length + 1);
    switch (random(9)) {
      case 0:
        body = Buffer.concat([body.subarray(0, at), Buffer.from(pick(random, PIECES)), body.subarray(at)]);
        break;
      case 1:
        body = body.subarray(0, at);
        break;
      case 2:
        body = Buffer.from(body);
        if (at < body.length) body[at] = random(256);
        break;
      case 3:
        body = pick(random, CODERS)(body);
        break;
      case 4:
        fields = [...fields, 'Content-Encoding', pick(random, NAMES)];
        break;
      case 5:
        fields = ['Content-Type', `${pick(random, TYPES)}; charset=${pick(random, CHARSETS)}`];
        break;
      case 6:
        body = Buffer.concat([body.subarray(at), body.subarray(0, at)]);
        break;
      case 7:
        fields = [
          ...fields,
          pick(random, ['Set-Cookie', 'Vary', '', 'X\u0000', '__proto__']),
          pick(random, PIECES),
        ];
        break;
      default:
        status = pick(random, [200, 201, 204, 205, 206, 304, 404, 500]);
    }
  }
  return { status, fields, body, truncated: random(40) === 0 };
}

/** Rules where they were meant to be, and where they were not. */
function someRules(random: Random): readonly RuleText[] {
  const path = () =>
    pick(random, ['/body', '/body/**', '/body/*', '/headers/*', '/status', '/body/a', '/body/**/text()']);
  return Array.from({ length: random(4) }, () => {
    const rule = pick(random, rules);
    const moved = { ...rule, path: path() };
    return random(2) === 0 || checkRules([moved], null).length > 0 ? rule : moved;
  });
}

test(`${MUTANTS.toLocaleString('en-US')} mutants of answers and rules are compared and none makes it fail`, () => {
  const random = randomOf(SEED);
  const outcomes = new Map<string, number>();
  for (let n = 0; n < MUTANTS; n += 1) {
    const seed = pick(random, seeds);
    const legacy = random(3) === 0 ? seed : mutant(seed, random);
    const service = mutant(random(8) === 0 ? pick(random, seeds) : seed, random);
    const applied = someRules(random);
    const comparison = compared(legacy, service, applied);
    const outcome = comparison.outcome === 'skipped' ? comparison.reason : comparison.outcome;
    if (outcome === 'compare-failed')
      expect.fail(`mutant ${n}: ${JSON.stringify({ legacy, service, applied })}`);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // It is a test of all of them only if all of them occur.
  for (const outcome of ['same', 'ignored', 'different']) expect(outcomes.get(outcome)).toBeGreaterThan(200);
}, 120_000);
