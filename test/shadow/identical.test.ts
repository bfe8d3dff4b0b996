import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Captured, Fields } from '../../router/core/types.ts';
import { areIdentical } from '../../router/shadow/identical.ts';
import { createJudge } from '../../router/shadow/judge.ts';

function answer(more: Partial<Captured> = {}): Captured {
  return { status: 200, fields: ['A', '1'], body: Buffer.from('{"a":1}'), truncated: false, ...more };
}

test.each<[string, Partial<Captured>]>([
  ['a status', { status: 201 }],
  ['a value', { fields: ['A', '2'] }],
  ['the case of a name', { fields: ['a', '1'] }],
  ['one more line', { fields: ['A', '1', 'B', '1'] }],
  ['a byte of the body', { body: Buffer.from('{"a":2}') }],
  ['the length of the body', { body: Buffer.from('{"a":1} ') }],
  ['an end that came too early', { truncated: true }],
])('%s makes two answers differ', (_what, more) => {
  expect(areIdentical(answer(), answer())).toBe(true);
  expect(areIdentical(answer(), answer(more))).toBe(false);
  expect(areIdentical(answer(more), answer())).toBe(false);
});

test('only Date may differ, and not beside a cookie, whose expiry is read against it', () => {
  const at = (date: string, ...more: string[]): Captured => answer({ fields: ['Date', date, ...more] });
  expect(areIdentical(at('one'), at('two'))).toBe(true);
  expect(areIdentical(at('one', 'Set-Cookie', 'a=1'), at('one', 'Set-Cookie', 'a=1'))).toBe(true);
  expect(areIdentical(at('one', 'Set-Cookie', 'a=1'), at('two', 'Set-Cookie', 'a=1'))).toBe(false);
});

test('what is identical is the same to the comparer too, whatever the answers hold', () => {
  const { judge } = createJudge({ key: Buffer.alloc(32, 7), decodedBytesMax: 65_536 });
  const meta = {
    group: 'g',
    route: { label: 'GET /', segments: [] },
    request: {
      method: 'GET',
      target: '/',
      url: 'http://shop.example/',
      fields: [],
      hasBody: false,
      bytes: 1,
    },
    internalHosts: ['catalog.internal:80'],
    today: '2026-01-01',
    showValues: [],
    selfTest: null,
  };
  const line = fc.oneof(
    fc.constantFrom<[string, string]>(
      ['Content-Type', 'application/json'],
      ['Content-Type', 'text/html; charset=utf-8'],
      ['Content-Type', 'text/csv'],
      ['Content-Encoding', 'gzip'],
      ['Set-Cookie', 'a=1; Max-Age=60'],
      ['Location', 'http://catalog.internal:80/x'],
      ['ETag', '"1"'],
      ['Vary', 'a, b'],
    ),
    fc.tuple(fc.constant('X-Any'), fc.string({ unit: 'grapheme-ascii' })),
  );
  const fields = fc.array(line, { maxLength: 6 }).map((lines): Fields => lines.flat());
  const body = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  const status = fc.constantFrom(200, 201, 204, 302, 304, 404, 500);
  fc.assert(
    fc.property(status, fields, body, fc.string(), (code, lines, bytes, date) => {
      const legacy = answer({
        status: code,
        fields: [...lines, 'Date', 'Thu, 01 Jan 2026 00:00:00 GMT'],
        body: bytes,
      });
      const service = answer({ status: code, fields: [...lines, 'Date', date], body: Buffer.from(bytes) });
      if (!areIdentical(legacy, service)) return;
      const reply = { kind: 'answer', answer: service, oversize: false } as const;
      expect(judge({ meta, legacy, service: reply }, [], 1)).toEqual({ outcome: 'same', silencedBy: [] });
    }),
    { seed: 20_260_101, numRuns: 1_000 },
  );
});
