import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../router/core/errors.ts';
import { MORE } from '../../router/http1/refusal.ts';
import { type ResponseLimits, readResponseHead } from '../../router/http1/response-head.ts';

const LIMITS: ResponseLimits = { upstreamHeadBytesMax: 128, upstreamFieldsMax: 2 };

function headOf(bytes: number): string {
  const bare = 'HTTP/1.1 200 OK\r\nX: \r\n\r\n';
  return bare.replace('X: ', `X: ${'v'.repeat(bytes - bare.length)}`);
}

describe('is read', () => {
  test.each<[string, string, '0' | '1', number, string, string[]]>([
    ['a plain head', 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n', '1', 200, 'OK', ['A', 'b']],
    ['HTTP/1.0', 'HTTP/1.0 404 Not Found\r\n\r\n', '0', 404, 'Not Found', []],
    ['no reason', 'HTTP/1.1 200 \r\n\r\n', '1', 200, '', []],
    ['no reason and no space before it', 'HTTP/1.1 200\r\n\r\n', '1', 200, '', []],
    ['obs-text and tabs in a reason', 'HTTP/1.1 200 O\xe9\tK \r\n\r\n', '1', 200, 'O\xe9\tK ', []],
    ['the lowest status', 'HTTP/1.1 100 Continue\r\n\r\n', '1', 100, 'Continue', []],
    ['the highest status', 'HTTP/1.1 999 Odd\r\n\r\n', '1', 999, 'Odd', []],
    [
      'an interim answer with framing fields',
      'HTTP/1.1 103 H\r\nContent-Length: 5\r\n\r\n',
      '1',
      103,
      'H',
      ['Content-Length', '5'],
    ],
  ])('%s', (_, text, minor, status, reason, fields) => {
    const expected = { head: { status, reason, fields }, minor, end: text.length };
    expect(readResponseHead(`${text}\0`, LIMITS)).toEqual(expected);
  });

  test('a head of exactly the limit', () => {
    expect(readResponseHead(headOf(128), LIMITS)).toMatchObject({ end: 128 });
  });
});

describe('is refused', () => {
  const LINE = ['UPSTREAM_SYNTAX', 'a status line that is none', 'RFC 9112 §4'] as const;
  const CLOSING = [
    'UPSTREAM_SYNTAX',
    'an interim answer behind which no final one can come',
    'RFC 9110 §15.2',
  ] as const;
  test.each<[string, string, ErrorCode, string, string]>([
    ['an empty line before it', '\r\nHTTP/1.1 200 OK\r\n\r\n', ...LINE],
    ['another protocol', 'ICY 200 OK\r\n\r\n', ...LINE],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n', ...LINE],
    ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', ...LINE],
    ['small letters', 'http/1.1 200 OK\r\n\r\n', ...LINE],
    ['two spaces', 'HTTP/1.1  200 OK\r\n\r\n', ...LINE],
    ['a status of letters', 'HTTP/1.1 abc OK\r\n\r\n', ...LINE],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', ...LINE],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', ...LINE],
    ['a tab before the reason', 'HTTP/1.1 200\tOK\r\n\r\n', ...LINE],
    ['a control byte in the reason', 'HTTP/1.1 200 O\x01\r\n\r\n', ...LINE],
    ['DEL in the reason', 'HTTP/1.1 200 O\x7f\r\n\r\n', ...LINE],
    ['a status line that ends in LF', 'HTTP/1.1 200 OK\nA: b\r\n\r\n', ...LINE],
    ['a status line that ends in CR', 'HTTP/1.1 200 OK\rA: b\r\n\r\n', ...LINE],
    ['status 099', 'HTTP/1.1 099 Odd\r\n\r\n', 'UPSTREAM_SYNTAX', 'a status below 100', 'RFC 9110 §15'],
    ['an interim answer that closes', 'HTTP/1.1 103 H\r\nConnection: close\r\n\r\n', ...CLOSING],
    ['an interim answer in HTTP/1.0', 'HTTP/1.0 100 Continue\r\n\r\n', ...CLOSING],
    [
      'a space before a colon',
      'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
      'UPSTREAM_SYNTAX',
      'a field name without a colon right behind it',
      'RFC 9112 §5.1',
    ],
    [
      'a folded line',
      'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n',
      'UPSTREAM_SYNTAX',
      'a field line that begins with no name',
      'RFC 9112 §5',
    ],
    [
      'a bare CR in a value',
      'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n',
      'UPSTREAM_SYNTAX',
      'a byte that no field value may have',
      'RFC 9110 §5.5',
    ],
    [
      'one line too many',
      'HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\n\r\n',
      'UPSTREAM_HEAD_LARGE',
      'too many field lines',
      'RFC 9110 §5.4',
    ],
    [
      'a head one byte over the limit',
      headOf(129),
      'UPSTREAM_HEAD_LARGE',
      'the head of the answer is too large',
      'RFC 9112 §2.3',
    ],
  ])('%s', (_, text, code, why, rfc) => {
    expect(readResponseHead(text, LIMITS)).toEqual({ code, why, rfc });
  });
});

test('every beginning of a head may become one', () => {
  const text = 'HTTP/1.1 200 OK\r\nA: b\r\nB:\r\n\r\n';
  for (let end = 0; end < text.length; end += 1)
    expect(readResponseHead(text.slice(0, end), LIMITS)).toBe(MORE);
});
