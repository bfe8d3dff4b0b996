import { describe, expect, test } from 'vitest';
import { BodyReader, type BodySink } from '../../router/http1/body-reader.ts';
import type { AnswerFraming } from '../../router/http1/framing.ts';

const CHUNKED: AnswerFraming = { kind: 'chunked' };

interface Read {
  readonly data: string;
  readonly rest: string;
  readonly reader: BodyReader;
}

function read(framing: AnswerFraming, text: string, sender: 'client' | 'upstream' = 'client'): Read {
  const reader = new BodyReader(sender);
  reader.start(framing);
  let data = '';
  const bytes = Buffer.from(text, 'latin1');
  const end = reader.read(bytes, 0, {
    data(slice, from, to) {
      data += slice.toString('latin1', from, to);
    },
  });
  return { data, rest: text.slice(end), reader };
}

describe('a body without chunks', () => {
  test('of no length is done at once and takes nothing', () => {
    const { reader, rest } = read({ kind: 'none' }, 'GET');
    expect([reader.done, rest]).toEqual([true, 'GET']);
  });

  test('of length 0 is done at once and takes nothing', () => {
    const { reader, rest } = read({ kind: 'length', bytes: 0 }, 'GET');
    expect([reader.done, rest]).toEqual([true, 'GET']);
  });

  test('takes its length and no more', () => {
    const { reader, data, rest } = read({ kind: 'length', bytes: 5 }, 'helloGET');
    expect([reader.done, data, rest]).toEqual([true, 'hello', 'GET']);
  });

  test('is not done before its last byte', () => {
    const { reader, data } = read({ kind: 'length', bytes: 6 }, 'hello');
    expect([reader.done, data]).toEqual([false, 'hello']);
  });

  test('until the close is never done', () => {
    const { reader, data } = read({ kind: 'until-close' }, 'hello');
    expect([reader.done, data, reader.fault]).toEqual([false, 'hello', null]);
  });
});

describe('a chunked body is read', () => {
  test.each<[string, string, string, string[]]>([
    ['empty', '0\r\n\r\n', '', []],
    ['in chunks', '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n', 'hello!', []],
    ['with line ends in the data', '4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n', []],
    ['with hex in any case', 'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n', '01234567890123456789', []],
    ['with leading zeros', '0000000000000000000001\r\na\r\n000\r\n\r\n', 'a', []],
    ['with a size line of 1,024 zeros', `${'0'.repeat(1_024)}\r\n\r\n`, '', []],
    ['with extensions', '1;a;b=c;d="e;\\"\xe9\t"\r\nx\r\n0;f\r\n\r\n', 'x', []],
    ['with a quote and a semicolon in quotes', '1;a="\\";b"\r\nx\r\n0\r\n\r\n', 'x', []],
    ['with an empty quoted extension', '0;a=""\r\n\r\n', '', []],
    ['with an extension of 1,024 bytes', `0;${'a'.repeat(1_024)}\r\n\r\n`, '', []],
    [
      'with extensions of 16 KiB in all',
      `${`1;${'a'.repeat(1_024)}\r\nx\r\n`.repeat(16)}0\r\n\r\n`,
      'x'.repeat(16),
      [],
    ],
    ['with trailers', '0\r\nX-Sum: 1 \r\nX-Sum:\r\n\r\n', '', ['X-Sum', '1', 'X-Sum', '']],
    [
      'with 32 trailers',
      `0\r\n${'A:\r\n'.repeat(32)}\r\n`,
      '',
      Array.from({ length: 32 }, () => ['A', '']).flat(),
    ],
    ['with 8 KiB of trailers', `0\r\nA:${'b'.repeat(8_186)}\r\n\r\n`, '', ['A', 'b'.repeat(8_186)]],
  ])('%s', (_, text, body, trailers) => {
    const { reader, data, rest } = read(CHUNKED, `${text}GET`);
    expect({ done: reader.done, fault: reader.fault, data, trailers: reader.trailers, rest }).toEqual({
      ...{ done: true, fault: null, data: body, trailers, rest: 'GET' },
    });
  });
});

const SIZE = ['a chunk size that is none', 'RFC 9112 §7.1'] as const;
const EXTENSION = ['a chunk extension that is none, or too long', 'RFC 9112 §7.1.1'] as const;
const END = ['chunk data that does not end in CRLF', 'RFC 9112 §7.1'] as const;
const LARGE = ['the trailers are too large', 'RFC 9112 §7.1.2'] as const;
const FRAMING = ['a trailer that frames a message or closes a connection', 'RFC 9110 §6.5.1'] as const;
const NAME = ['a field line that begins with no name', 'RFC 9112 §5'] as const;

describe('a chunked body is refused', () => {
  test.each<[string, string, string, string]>([
    ['no size', '\r\n', ...SIZE],
    ['an extension in place of a size', ';a\r\n', ...SIZE],
    ['no hex digit', 'g\r\n', ...SIZE],
    ['0x', '0x5\r\n', ...SIZE],
    ['a sign', '-1\r\n', ...SIZE],
    ['an underscore', '5_0\r\n', ...SIZE],
    ['two sizes', '5 5\r\n', ...SIZE],
    ['a space before the size', ' 5\r\n', ...SIZE],
    ['a space behind the size', '5 \r\n', ...SIZE],
    ['a tab behind the size', '5\t\r\n', ...SIZE],
    ['NUL in the size', '5\0\r\n', ...SIZE],
    ['14 digits', '10000000000000\r\n', ...SIZE],
    ['a size that wraps around', '10000000000000005\r\n', ...SIZE],
    ['1,025 zeros', '0'.repeat(1_025), ...SIZE],
    ['LF behind the size', '5\nhello\r\n0\r\n\r\n', ...SIZE],
    ['CR and no LF behind the size', '5\rX', ...SIZE],
    ['an empty extension', '5;\r\n', ...EXTENSION],
    ['two semicolons', '5;;a\r\n', ...EXTENSION],
    ['white space before an extension', '5; a\r\n', ...EXTENSION],
    ['white space behind an extension', '5;a \r\n', ...EXTENSION],
    ['white space around the equals sign', '5;a =b\r\n', ...EXTENSION],
    ['no value behind the equals sign', '5;a=\r\n', ...EXTENSION],
    ['no name before the equals sign', '5;=b\r\n', ...EXTENSION],
    ['an open quote', '5;a="b\r\n', ...EXTENSION],
    ['something behind a quote', '5;a="b"c\r\n', ...EXTENSION],
    ['a control byte in an extension', '5;a\x01\r\n', ...EXTENSION],
    ['a control byte in a quote', '5;a="\x01"\r\n', ...EXTENSION],
    ['an escaped control byte', '5;a="\\\x01"\r\n', ...EXTENSION],
    ['LF in an extension', '5;a\n', ...EXTENSION],
    ['LF in a quote', '5;a="\n', ...EXTENSION],
    ['CR in an extension', '5;a\rb\r\n', ...SIZE],
    ['an extension of 1,025 bytes', `5;${'a'.repeat(1_025)}`, ...EXTENSION],
    [
      'extensions of more than 16 KiB',
      `${`1;${'a'.repeat(1_024)}\r\nx\r\n`.repeat(16)}0;a\r\n`,
      ...EXTENSION,
    ],
    ['LF behind the data', '1\r\na\n0\r\n\r\n', ...END],
    ['nothing behind the data', '1\r\nab\r\n', ...END],
    ['CR and no LF behind the data', '1\r\na\r0', ...END],
    ['an empty line before the data', '5\r\n\r\nhello\r\n', ...END],
    ['a bare LF for the last line', '0\r\n\n', ...NAME],
    ['a trailer that begins with a space', '0\r\n X: y\r\n\r\n', ...NAME],
    [
      'a trailer without a colon',
      '0\r\nBad Trailer\r\n\r\n',
      'a field name without a colon right behind it',
      'RFC 9112 §5.1',
    ],
    ['LF in a trailer', '0\r\nX: y\n\r\n', 'a byte that no field value may have', 'RFC 9110 §5.5'],
    ['33 trailers', `0\r\n${'A:\r\n'.repeat(33)}\r\n`, 'too many field lines', 'RFC 9110 §5.4'],
    ['trailers of a byte over 8 KiB', `0\r\nA:${'b'.repeat(8_187)}\r\n\r\n`, ...LARGE],
    ['a length as a trailer', '0\r\nCONTENT-LENGTH: 5\r\n\r\n', ...FRAMING],
    ['a coding as a trailer', '0\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n', ...FRAMING],
    ['Connection as a trailer', '0\r\nConnection: close\r\n\r\n', ...FRAMING],
    ['Proxy-Connection as a trailer', '0\r\nproxy-connection: close\r\n\r\n', ...FRAMING],
  ])('%s', (_, text, why, rfc) => {
    const { reader } = read(CHUNKED, text);
    expect({ done: reader.done, fault: reader.fault }).toEqual({
      done: false,
      fault: { code: 'CLIENT_BODY_SYNTAX', why, rfc },
    });
  });

  test('and blames the upstream for what it sent', () => {
    expect(read(CHUNKED, 'g', 'upstream').reader.fault?.code).toBe('UPSTREAM_BODY_SYNTAX');
  });

  test('and nothing behind the fault is read', () => {
    const { reader, data } = read(CHUNKED, '1\r\na\r\ng\r\n');
    const again = reader.read(Buffer.from('1\r\nb\r\n'), 2, { data: () => expect.unreachable() });
    expect([data, again]).toEqual(['a', 2]);
  });
});

test.each([
  ['a whole body', '1;a=b\r\nx\r\n0\r\nX: y\r\n\r\n'],
  ['a fault', 'g'],
  ['half a size', '5'],
  ['half an extension', '5;a'],
  ['half a trailer', '0\r\nX: '],
  ['as many extensions as allowed', `${`1;${'a'.repeat(1_024)}\r\nx\r\n`.repeat(16)}0\r\n\r\n`],
])('nothing of %s is left for the next body', (_, before) => {
  const reader = new BodyReader('client');
  let data = '';
  const sink: BodySink = {
    data(bytes, from, to) {
      data += bytes.toString('latin1', from, to);
    },
  };
  reader.start(CHUNKED);
  reader.read(Buffer.from(before), 0, sink);
  reader.start(CHUNKED);
  data = '';
  reader.read(Buffer.from('1;a=b\r\nx\r\n0\r\n\r\n'), 0, sink);
  expect([data, reader.done, reader.fault, reader.trailers]).toEqual(['x', true, null, []]);
});
