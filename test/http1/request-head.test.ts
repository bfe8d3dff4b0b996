import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../router/core/errors.ts';
import { isRefusal, MORE } from '../../router/http1/refusal.ts';
import { type RequestLimits, readRequestHead } from '../../router/http1/request-head.ts';

const LIMITS: RequestLimits = { headBytesMax: 256, targetBytesMax: 64, fieldsMax: 4 };
const HEAD = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

function line(text: string): string {
  return `GET /x HTTP/1.1\r\n${text}\r\n\r\n`;
}

/** A head of exactly this many bytes. */
function headOf(bytes: number): string {
  const bare = line('X: ');
  return line(`X: ${'v'.repeat(bytes - bare.length)}`);
}

function check(text: string, method: string, target: string, version: string, fields: string[]): void {
  const end = text.length;
  // What follows is not looked at.
  expect(readRequestHead(`${text}\0\0`, LIMITS)).toEqual({ head: { method, target, version, fields }, end });
}

describe('is read', () => {
  test.each<[string, string, string, string, string, string[]]>([
    ['a plain head', HEAD, 'GET', '/x', '1.1', ['Host', 'a']],
    ['a head without fields', 'GET /x HTTP/1.0\r\n\r\n', 'GET', '/x', '1.0', []],
    ['one empty line before it', `\r\n${HEAD}`, 'GET', '/x', '1.1', ['Host', 'a']],
    ['a method in small letters', 'get /x HTTP/1.1\r\n\r\n', 'get', '/x', '1.1', []],
    [
      'a method of odd characters',
      "!#$%&'*+-.^_`|~9 /x HTTP/1.1\r\n\r\n",
      "!#$%&'*+-.^_`|~9",
      '/x',
      '1.1',
      [],
    ],
    ['a method of 32 bytes', `${'M'.repeat(32)} /x HTTP/1.1\r\n\r\n`, 'M'.repeat(32), '/x', '1.1', []],
    [
      'a target at the limit',
      `GET ${'/'.repeat(64)} HTTP/1.1\r\n\r\n`,
      ...(['GET', '/'.repeat(64), '1.1'] as const),
      [],
    ],
    ['any visible byte in a target', 'GET !"#\\^`{|}~ HTTP/1.1\r\n\r\n', 'GET', '!"#\\^`{|}~', '1.1', []],
    ['a version that is not ours', 'GET /x HTTP/2.0\r\n\r\n', 'GET', '/x', '2.0', []],
    ['an empty value', line('X:'), 'GET', '/x', '1.1', ['X', '']],
    ['a value of white space', line('X: \t '), 'GET', '/x', '1.1', ['X', '']],
    ['white space around a value', line('X:\t a \tb \t'), 'GET', '/x', '1.1', ['X', 'a \tb']],
    ['no white space before a value', line('X:a'), 'GET', '/x', '1.1', ['X', 'a']],
    ['obs-text', line('X: \x80\x85\xa0\xff'), 'GET', '/x', '1.1', ['X', '\x80\x85\xa0\xff']],
    ['0xA0 around a value as part of it', line('X: \xa0a\xa0'), 'GET', '/x', '1.1', ['X', '\xa0a\xa0']],
    ['colons in a value', line('X: :a:'), 'GET', '/x', '1.1', ['X', ':a:']],
    [
      'as many lines as allowed, in order and case',
      line('B: 1\r\na: 2\r\nb: 3\r\n__proto__: 4'),
      ...(['GET', '/x', '1.1'] as const),
      ['B', '1', 'a', '2', 'b', '3', '__proto__', '4'],
    ],
    [
      'spaces behind a transfer coding',
      line('Transfer-Encoding: chunked  '),
      'GET',
      '/x',
      '1.1',
      ['Transfer-Encoding', 'chunked'],
    ],
    [
      'a tab before a transfer coding',
      line('Transfer-Encoding:\tchunked'),
      'GET',
      '/x',
      '1.1',
      ['Transfer-Encoding', 'chunked'],
    ],
    [
      'a tab behind another value',
      line('Transfer-Encoders: a\t'),
      'GET',
      '/x',
      '1.1',
      ['Transfer-Encoders', 'a'],
    ],
  ])('%s', (_, text, method, target, version, fields) => {
    check(text, method, target, version, fields);
  });

  test('a head of exactly the limit, even with more behind it', () => {
    expect(readRequestHead(headOf(256), LIMITS)).toMatchObject({ end: 256 });
    expect(readRequestHead(`${headOf(256)}GET`, LIMITS)).toMatchObject({ end: 256 });
  });
});

describe('is refused', () => {
  test.each<[string, string, ErrorCode, string, string]>([
    [
      'two empty lines before it',
      `\r\n\r\n${HEAD}`,
      'CLIENT_SYNTAX',
      'more than one empty line before a request',
      'RFC 9112 §2.2',
    ],
    ['a bare CR before it', `\r${HEAD}`, 'CLIENT_SYNTAX', 'a request line without a method', 'RFC 9112 §3.1'],
    ['a bare LF before it', `\n${HEAD}`, 'CLIENT_SYNTAX', 'a request line without a method', 'RFC 9112 §3.1'],
    ['a space before it', ` ${HEAD}`, 'CLIENT_SYNTAX', 'a request line without a method', 'RFC 9112 §3.1'],
    [
      'a method that is no token',
      'G@T /x HTTP/1.1\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line without a method',
      'RFC 9112 §3.1',
    ],
    [
      'a method of 33 bytes',
      'M'.repeat(33),
      'CLIENT_SYNTAX',
      'a request line without a method',
      'RFC 9112 §3.1',
    ],
    [
      'a tab behind the method',
      'GET\t/x HTTP/1.1\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line without a method',
      'RFC 9112 §3.1',
    ],
    ['TLS', '\x16\x03\x01', 'CLIENT_SYNTAX', 'a request line without a method', 'RFC 9112 §3.1'],
    [
      'two spaces behind the method',
      'GET  /x HTTP/1.1\r\n\r\n',
      'CLIENT_TARGET',
      'a byte that no request target may have',
      'RFC 9112 §3.2',
    ],
    [
      'no target',
      'GET HTTP/1.1\r\n\r\n',
      'CLIENT_TARGET',
      'a byte that no request target may have',
      'RFC 9112 §3.2',
    ],
    ['HTTP/0.9', 'GET /x\r\n', 'CLIENT_TARGET', 'a byte that no request target may have', 'RFC 9112 §3.2'],
    [
      'a raw octet in the target',
      'GET /\xe9 HTTP/1.1\r\n\r\n',
      'CLIENT_TARGET',
      'a byte that no request target may have',
      'RFC 9112 §3.2',
    ],
    [
      'DEL in the target',
      'GET /\x7f HTTP/1.1\r\n\r\n',
      'CLIENT_TARGET',
      'a byte that no request target may have',
      'RFC 9112 §3.2',
    ],
    [
      'a target over the limit',
      `GET ${'/'.repeat(65)}`,
      'CLIENT_TARGET_LONG',
      'the request target is too long',
      'RFC 9112 §3',
    ],
    [
      'two spaces before the version',
      'GET /x  HTTP/1.1\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a version in small letters',
      'GET /x http/1.1\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a two-digit minor version',
      'GET /x HTTP/1.10\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a leading zero in the version',
      'GET /x HTTP/01.1\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'another protocol',
      'GET /x ICE/1.0\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a space behind the version',
      'GET /x HTTP/1.1 \r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a request line that ends in LF',
      'GET /x HTTP/1.1\nHost: a\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a request line that ends in CR',
      'GET /x HTTP/1.1\rHost: a\r\r',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'CR CR LF',
      'GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n',
      'CLIENT_SYNTAX',
      'a request line that does not end in a version',
      'RFC 9112 §2.3',
    ],
    [
      'a line that begins with a space',
      line(' X: y'),
      'CLIENT_SYNTAX',
      'a field line that begins with no name',
      'RFC 9112 §5',
    ],
    [
      'a line that begins with a tab',
      line('\tX: y'),
      'CLIENT_SYNTAX',
      'a field line that begins with no name',
      'RFC 9112 §5',
    ],
    [
      'a folded line',
      line('X: a\r\n b'),
      'CLIENT_SYNTAX',
      'a field line that begins with no name',
      'RFC 9112 §5',
    ],
    ['an empty name', line(': y'), 'CLIENT_SYNTAX', 'a field line that begins with no name', 'RFC 9112 §5'],
    [
      'an empty line that ends in CR only',
      'GET /x HTTP/1.1\r\n\rX',
      'CLIENT_SYNTAX',
      'a field line that begins with no name',
      'RFC 9112 §5',
    ],
    [
      'an empty line that ends in LF only',
      'GET /x HTTP/1.1\r\n\n',
      'CLIENT_SYNTAX',
      'a field line that begins with no name',
      'RFC 9112 §5',
    ],
    [
      'a space before the colon',
      line('X : y'),
      'CLIENT_SYNTAX',
      'a field name without a colon right behind it',
      'RFC 9112 §5.1',
    ],
    ['no colon', line('X'), 'CLIENT_SYNTAX', 'a field name without a colon right behind it', 'RFC 9112 §5.1'],
    [
      'a name that is no token',
      line('X(Y): z'),
      'CLIENT_SYNTAX',
      'a field name without a colon right behind it',
      'RFC 9112 §5.1',
    ],
    [
      'a raw octet in a name',
      line('X\xe9: z'),
      'CLIENT_SYNTAX',
      'a field name without a colon right behind it',
      'RFC 9112 §5.1',
    ],
    [
      'NUL in a name',
      line('X\0: z'),
      'CLIENT_SYNTAX',
      'a field name without a colon right behind it',
      'RFC 9112 §5.1',
    ],
    [
      'NUL in a value',
      line('X: \0'),
      'CLIENT_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    ['VT in a value', line('X: \v'), 'CLIENT_SYNTAX', 'a byte that no field value may have', 'RFC 9110 §5.5'],
    [
      'DEL in a value',
      line('X: \x7f'),
      'CLIENT_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    [
      'a bare LF in a value',
      line('X: a\nY: b'),
      'CLIENT_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    [
      'a bare CR in a value',
      line('X: a\rY: b'),
      'CLIENT_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    [
      'a tab behind a transfer coding',
      line('Transfer-Encoding: chunked\t'),
      'CLIENT_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    [
      'a tab and a space behind a transfer coding',
      line('transfer-ENCODING: chunked\t '),
      'CLIENT_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    [
      'one line too many',
      line('A:\r\nA:\r\nA:\r\nA:\r\nA:'),
      'CLIENT_HEAD_LARGE',
      'too many field lines',
      'RFC 9110 §5.4',
    ],
    [
      'a head one byte over the limit',
      headOf(257),
      'CLIENT_HEAD_LARGE',
      'the request head is too large',
      'RFC 6585 §5',
    ],
  ])('%s', (_, text, code, why, rfc) => {
    expect(readRequestHead(text, LIMITS)).toEqual({ code, why, rfc });
  });
});

test('every beginning of a head may become one', () => {
  const text = '\r\nPOST /x HTTP/1.1\r\nHost: a\r\nX:\r\nTransfer-Encoding: chunked \r\n\r\n';
  for (let end = 0; end < text.length; end += 1) {
    expect(readRequestHead(text.slice(0, end), LIMITS)).toBe(MORE);
  }
});

test('a head is not refused as too large before it is over the limit', () => {
  const text = headOf(257);
  expect(readRequestHead(text.slice(0, 256), LIMITS)).toBe(MORE);
  expect(isRefusal(readRequestHead(text, LIMITS))).toBe(true);
});

test('a head of any length is read once it is whole and not before, with more behind it or not', () => {
  const limits: RequestLimits = { ...LIMITS, headBytesMax: 4_096 };
  for (const bytes of [1_020, 1_021, 1_022, 1_023, 1_024, 1_025, 1_026, 1_027, 1_028, 2_048, 4_095, 4_096]) {
    const text = headOf(bytes);
    expect(readRequestHead(text, limits)).toMatchObject({ end: bytes });
    expect(readRequestHead(`${text}x`, limits)).toMatchObject({ end: bytes });
    expect(readRequestHead(text + HEAD.repeat(200), limits)).toMatchObject({ end: bytes });
    for (let cut = 1; cut < 8; cut += 1) expect(readRequestHead(text.slice(0, -cut), limits)).toBe(MORE);
  }
});
