import { describe, expect, test } from 'vitest';
import { answerFraming, persists } from '../../router/http1/framing.ts';

const LENGTH = ['Content-Length', '5'];
const CHUNKED = ['transfer-encoding', 'Chunked'];

describe('an answer ends', () => {
  test.each<[string, string, number, '0' | '1', string[], object]>([
    ['when the connection does', 'GET', 200, '1', [], { kind: 'until-close' }],
    ['when the connection does (HTTP/1.0)', 'GET', 200, '0', [], { kind: 'until-close' }],
    ['after its length', 'GET', 200, '1', LENGTH, { kind: 'length', bytes: 5 }],
    ['after its length (HTTP/1.0)', 'POST', 200, '0', LENGTH, { kind: 'length', bytes: 5 }],
    ['after a length of zeros', 'GET', 200, '1', ['CONTENT-LENGTH', '000'], { kind: 'length', bytes: 0 }],
    [
      'after a length with leading zeros',
      'GET',
      200,
      '1',
      ['Content-Length', '0005'],
      { kind: 'length', bytes: 5 },
    ],
    [
      'after the largest length',
      'GET',
      200,
      '1',
      ['Content-Length', '9007199254740991'],
      { kind: 'length', bytes: Number.MAX_SAFE_INTEGER },
    ],
    ['with the last chunk', 'GET', 200, '1', CHUNKED, { kind: 'chunked' }],
    ['with its head: HEAD', 'HEAD', 200, '1', LENGTH, { kind: 'none' }],
    ['with its head: HEAD, chunked', 'HEAD', 200, '1', CHUNKED, { kind: 'none' }],
    ['with its head: 204', 'GET', 204, '1', LENGTH, { kind: 'none' }],
    ['with its head: 304', 'GET', 304, '1', LENGTH, { kind: 'none' }],
    ['with its head: 100', 'GET', 100, '1', [], { kind: 'none' }],
    ['with its head: 103 with a length', 'GET', 103, '1', LENGTH, { kind: 'none' }],
    ['with its head: 101', 'GET', 101, '1', CHUNKED, { kind: 'none' }],
    [
      'when the connection does: an underscore twin is no length',
      'GET',
      200,
      '1',
      ['Content_Length', '5'],
      { kind: 'until-close' },
    ],
  ])('%s', (_, method, status, minor, fields, framing) => {
    expect(answerFraming(method, status, minor, fields)).toEqual(framing);
  });
});

describe('an answer is refused with', () => {
  const BOTH = ['a length and a transfer coding', 'RFC 9112 §6.3'] as const;
  const ONE = ['not exactly one valid Content-Length', 'RFC 9112 §6.3'] as const;
  const CODING = ['a transfer coding other than one chunked', 'RFC 9112 §6.1'] as const;
  test.each<[string, '0' | '1', string[], string, string]>([
    ['a length and a coding', '1', [...LENGTH, ...CHUNKED], ...BOTH],
    ['a coding and a length', '1', [...CHUNKED, ...LENGTH], ...BOTH],
    ['two equal lengths', '1', [...LENGTH, ...LENGTH], ...ONE],
    ['a list of lengths', '1', ['Content-Length', '5, 5'], ...ONE],
    ['a negative length', '1', ['Content-Length', '-2'], ...ONE],
    ['a length with a sign', '1', ['Content-Length', '+2'], ...ONE],
    ['a length with 0xA0 before it', '1', ['Content-Length', '\xa05'], ...ONE],
    ['an empty length', '1', ['Content-Length', ''], ...ONE],
    ['a length over 2^53-1', '1', ['Content-Length', '9007199254740992'], ...ONE],
    ['two codings', '1', [...CHUNKED, ...CHUNKED], ...CODING],
    ['another coding', '1', ['Transfer-Encoding', 'gzip'], ...CODING],
    ['a list of codings', '1', ['Transfer-Encoding', 'gzip, chunked'], ...CODING],
    ['an empty coding', '1', ['Transfer-Encoding', ''], ...CODING],
    ['a coding with 0xA0 before it', '1', ['Transfer-Encoding', '\xa0chunked'], ...CODING],
    ['a coding in HTTP/1.0', '0', CHUNKED, ...CODING],
  ])('%s, whatever the method and the status', (_, minor, fields, why, rfc) => {
    const refusal = { code: 'UPSTREAM_FRAMING', why, rfc };
    expect(answerFraming('GET', 200, minor, fields)).toEqual(refusal);
    expect(answerFraming('HEAD', 200, minor, fields)).toEqual(refusal);
    expect(answerFraming('GET', 304, minor, fields)).toEqual(refusal);
  });
});

describe('a connection', () => {
  test.each<[string, boolean, string, string[]]>([
    ['without a word persists', true, '1.1', []],
    ['with other options persists', true, '1.1', ['Connection', 'keep-alive, X-Close, closed']],
    ['that closes does not', false, '1.1', ['Connection', 'close']],
    ['that closes in capitals, somewhere, does not', false, '1.1', ['connection', 'x ,\tCLOSE\t, y']],
    [
      'that closes on a second line does not',
      false,
      '1.1',
      ['Connection', 'keep-alive', 'Connection', 'close'],
    ],
    ['that closes as of a proxy does not', false, '1.1', ['Proxy-Connection', 'close']],
    ['of HTTP/1.0 does not', false, '1.0', ['Connection', 'keep-alive']],
    ['with close as another field persists', true, '1.1', ['Keep-Alive', 'close']],
  ])('%s', (_, expected, version, fields) => {
    expect(persists(version, fields)).toBe(expected);
  });
});
