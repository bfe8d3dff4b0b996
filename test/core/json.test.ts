import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalOf } from '../../router/core/compare/canonical.ts';
import {
  JsonMap,
  type JsonReading,
  readExactJson,
  readJsonPair,
  readPlainJson,
} from '../../router/core/json.ts';

const SEED = 20_260_501;
const free = () => {};
const canonical = (reading: JsonReading | null) =>
  reading?.kind === 'value' ? canonicalOf(reading.value, null, free) : (reading?.kind ?? null);

test('both readers give the same value for every JSON text', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const plain = readPlainJson(text);
      return plain === null || canonical(plain) === canonical(readExactJson(text));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

/** Texts that are almost JSON: pieces of its grammar in any order. */
const pieces = fc
  .array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"\\u00e9"',
      '"\\x"',
      '"\n"',
      '1',
      '-0',
      '01',
      '1.',
      '.5',
      '1e5',
      '1E+',
      '-',
      'true',
      'nul',
      'null',
      ' ',
      '\t',
      '\u00a0',
      '"',
      '\\',
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

test('the exact reader accepts exactly what JSON.parse accepts', () => {
  fc.assert(
    fc.property(fc.oneof(pieces, fc.json(), fc.string()), (text) => {
      const ours = readExactJson(text).kind === 'value';
      return ours === accepted(text);
    }),
    { seed: SEED, numRuns: 3000 },
  );
});

function accepted(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test.each([
  ['a number with more than 15 digits', '[9007199254740993]'],
  ['an exponent', '[1e2]'],
  ['a repeated member', '{"a":1,"a":1}'],
  ['nesting over 512', '['.repeat(513) + ']'.repeat(513)],
])('the plain reader refuses %s', (_what, text) => {
  expect(readPlainJson(text)).toBeNull();
});

test('a colon, a digit or an exponent inside a string does not matter to the guard', () => {
  expect(readPlainJson('{"a:b":"1e5 12345678901234567890 \\" : "}')?.kind).toBe('value');
});

test('__proto__ is an ordinary key of either reader', () => {
  const [plain] = readJsonPair('{"__proto__":1}', '{}', false);
  const [exact] = readJsonPair('{"__proto__":1}', '{}', true);
  expect(canonical(plain)).toBe('{"__proto__":1e0,}');
  expect(canonical(exact)).toBe(canonical(plain));
});

test('every value of a repeated member is kept', () => {
  const reading = readExactJson('{"a":1,"b":2,"a":3}');
  const map = reading.kind === 'value' && reading.value instanceof JsonMap ? reading.value : null;
  expect(map?.repeated?.get('a')).toHaveLength(2);
});

test('100,000 levels are read without a stack', () => {
  const text = '['.repeat(100_000) + ']'.repeat(100_000);
  expect(canonical(readExactJson(text))).toHaveLength(300_000 - 1);
});

test('more than a million values are refused, not read', () => {
  const text = `[${'1,'.repeat(1_000_000)}1]`;
  expect(readJsonPair(text, '1', false)[0]).toEqual({ kind: 'too-many' });
});
