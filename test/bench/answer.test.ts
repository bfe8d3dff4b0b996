import { expect, test } from 'vitest';
import { createAnswerReader, WrongAnswer } from '../../bench/answer.ts';
import { piece } from '../../bench/body.ts';

const BODY = Buffer.concat(Array.from({ length: 10 }, (_, n) => piece(n * 1_024, 1_024)));
const CHUNKED = Buffer.concat([
  Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
  ...[0, 5_000, 10_000].flatMap((at) => {
    const part = BODY.subarray(at, Math.min(at + 5_000, BODY.length));
    return [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')];
  }),
  Buffer.from('0\r\n\r\n'),
]);

function plain(body: Buffer, more = ''): Buffer {
  const head = `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

test.each([1, 7, 1_000, 100_000])(
  'an answer that comes in pieces of %i bytes ends with its last byte',
  (size) => {
    const plainReader = createAnswerReader(2_048);
    const chunkedReader = createAnswerReader('chunked');
    for (const [reader, bytes] of [
      [plainReader, plain(BODY.subarray(0, 2_048))],
      [chunkedReader, CHUNKED],
      [chunkedReader, CHUNKED],
    ] as const) {
      const ended: boolean[] = [];
      for (let at = 0; at < bytes.length; at += size) ended.push(reader.read(bytes.subarray(at, at + size)));
      expect(ended.indexOf(true)).toBe(ended.length - 1);
    }
  },
);

test.each([
  ['another status', Buffer.from('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')],
  ['another length', plain(BODY.subarray(0, 1_000))],
  ['one byte that differs', plain(Buffer.concat([BODY.subarray(0, 1_023), Buffer.from(' ')]))],
  ['bytes behind the body', Buffer.concat([plain(BODY.subarray(0, 1_024)), Buffer.from('x')])],
  ['another framing', CHUNKED],
])('an answer with %s is wrong', (_, bytes) => {
  expect(() => createAnswerReader(1_024).read(bytes)).toThrow(WrongAnswer);
});

test('a chunked answer that ends early is wrong', () => {
  const short = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  expect(() => createAnswerReader('chunked').read(short)).toThrow(WrongAnswer);
});

test('the last answer before the server closes is told apart', () => {
  const reader = createAnswerReader(1_024);
  reader.read(plain(BODY.subarray(0, 1_024)));
  expect(reader.last()).toBe(false);
  reader.read(plain(BODY.subarray(0, 1_024), 'Connection: close\r\n'));
  expect(reader.last()).toBe(true);
});
