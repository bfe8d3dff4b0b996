import { describe, expect, test } from 'vitest';
import {
  isFieldValue,
  isToken,
  tokenEnd,
  trimmed,
  trimmedSlice,
  valueEnd,
} from '../../router/core/grammar.ts';

const BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

test('a token has the bytes of RFC 9110 §5.6.2 and no other', () => {
  const allowed = "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
  expect(BYTES.filter(isToken).join('')).toBe(allowed);
  expect(isToken('')).toBe(false);
});

test('a field value has HTAB, SP, visible bytes and obs-text and no other', () => {
  const refused = BYTES.filter((byte) => !isFieldValue(byte)).map((byte) => byte.charCodeAt(0));
  const controls = Array.from({ length: 32 }, (_, code) => code).filter((code) => code !== 9);
  expect(refused).toEqual([...controls, 127]);
  expect(isFieldValue('')).toBe(true);
});

test.each(['\u0100', '\u212a', '\u{1f333}', '\udfff'])('%j is no byte', (character) => {
  expect([isToken(character), isFieldValue(character)]).toEqual([false, false]);
});

describe('the end of', () => {
  test.each([
    ['a token', tokenEnd, 'a b', 0, 1],
    ['a token further on', tokenEnd, 'a bc:', 2, 4],
    ['no token', tokenEnd, ' a', 0, 0],
    ['a token that ends the text', tokenEnd, 'abc', 1, 3],
    ['a token behind the text', tokenEnd, 'abc', 3, 3],
    ['a value', valueEnd, 'a b\r\n', 0, 3],
    ['a value further on', valueEnd, '\ra\0b', 1, 2],
    ['no value', valueEnd, '\r', 0, 0],
    ['a value that ends the text', valueEnd, 'a\xff', 0, 2],
    ['a value behind the text', valueEnd, 'abc', 3, 3],
  ] as const)('%s', (_, endOf, text, from, end) => {
    expect(endOf(text, from)).toBe(end);
  });
});

test.each([
  ['', ''],
  [' \t', ''],
  ['a', 'a'],
  ['\t a \tb\t ', 'a \tb'],
  ['\xa0a\xa0', '\xa0a\xa0'],
  ['\va\f', '\va\f'],
  ['\r\na\n', '\r\na\n'],
])('%j trimmed is %j', (text, expected) => {
  expect(trimmed(text)).toBe(expected);
  expect(trimmedSlice(`x${text}y`, 1, text.length + 1)).toBe(expected);
});
