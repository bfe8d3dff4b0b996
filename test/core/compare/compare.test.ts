import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Captured } from '../../../router/core/types.ts';
import { compared, json, text, told } from './answers.ts';

const SEED = 20_260_502;
const PLAIN = ['Content-Type', 'text/plain'];

test.each<[what: string, legacy: unknown, service: unknown, expected: readonly string[]]>([
  ['an object becomes an array', { a: {} }, { a: [] }, ['/body/a type']],
  ['null becomes a text', { a: null }, { a: '' }, ['/body/a type null']],
  ['an extra member', { a: 1 }, { a: 1, b: 2 }, ['/body/b extra']],
  [
    'differences come in the order of legacy',
    { z: 1, a: 2 },
    { a: 3, z: 4, b: 0 },
    ['/body/z value', '/body/a value', '/body/b extra'],
  ],
  ['case', { a: 'OPEN' }, { a: 'open' }, ['/body/a value case']],
  ['white space', { a: 'x ' }, { a: 'x' }, ['/body/a value whitespace']],
  ['an invisible character', { a: 'x' }, { a: 'x\u200b' }, ['/body/a value invisible']],
  [
    'a zone error of one hour',
    { a: '2024-05-01T10:00:00Z' },
    { a: '2024-05-01T09:00:00Z' },
    ['/body/a value zone-offset'],
  ],
  [
    'the same instant in another zone',
    { a: '2024-05-01T10:00:00Z' },
    { a: '2024-05-01T12:00:00+02:00' },
    ['/body/a value instant-equal'],
  ],
  ['rounding noise', { a: 0.3 }, { a: 0.30000000000000004 }, ['/body/a value numeric-close']],
  ['another host', { a: 'http://a/x' }, { a: 'http://b/x' }, ['/body/a value url-host']],
])('%s', (_what, legacy, service, expected) => {
  expect(told(compared(json(legacy), json(service)))).toEqual(['different', ...expected]);
});

test('the address of an instance in a value of the service is told apart', () => {
  const pair = [json({ a: 'http://shop.example/x' }), json({ a: 'http://127.0.0.1:4001/x' })] as const;
  expect(told(compared(...pair))).toEqual(['different', '/body/a value internal-host']);
});

test('large neighbouring ids are a plain value difference, not rounding', () => {
  const pair = [json('{"id":9007199254740992}'), json('{"id":9007199254740993}')] as const;
  expect(told(compared(...pair))).toEqual(['different', '/body/id value']);
});

test.each<
  [what: string, legacy: readonly unknown[], service: readonly unknown[], expected: readonly string[]]
>([
  ['reordered', [1, 2, 3], [3, 1, 2], ['/body order']],
  ['one more at the head', [1, 2, 3], [0, 1, 2, 3], ['/body/0 extra']],
  ['one gone in the middle', [1, 2, 3], [1, 3], ['/body/1 missing']],
  [
    'one edited in place',
    [{ a: 1 }, { a: 2 }, { a: 3 }],
    [{ a: 1 }, { a: 9 }, { a: 3 }],
    ['/body/1/a value'],
  ],
  ['one edited, one gone', [1, 2, 3, 4], [9, 2, 3], ['/body/0 value', '/body/3 missing']],
  [
    'a run replaced by a shorter one',
    [1, 2, 3, 9],
    [7, 9],
    ['/body/0 missing', '/body/1 missing', '/body/2 missing', '/body/0 extra'],
  ],
  ['emptied', [1, 2], [], ['/body/0 missing', '/body/1 missing']],
])('arrays: %s', (_what, legacy, service, expected) => {
  expect(told(compared(json(legacy), json(service)))).toEqual(['different', ...expected]);
});

test('beyond 512 elements arrays are paired by position', () => {
  const legacy = Array.from({ length: 600 }, (_, i) => i);
  const told600 = compared(json(legacy), json([-1, ...legacy.slice(0, -1).map((n) => -n - 2)]));
  expect(told600).toMatchObject({ outcome: 'different', count: 600 });
});

test('an inserted element is one extra even where a rule hides a member of every element', () => {
  const item = (id: number, at: string) => ({ id, at });
  const legacy = [item(1, 'a'), item(2, 'b')];
  const service = [item(0, 'x'), item(1, 'y'), item(2, 'z')];
  const rules = [{ path: '/body/*/at', action: 'ignore' }];
  expect(told(compared(json(legacy), json(service), rules))).toEqual(['different', '/body/0 extra']);
});

test('unordered under a tolerance finds the pairing that a greedy one misses', () => {
  const rules = [
    { path: '/body', action: 'unordered' },
    { path: '/body/*', action: 'number', abs: 1 },
  ];
  // Taking 2 for 1 first would leave 2 with nothing but 3.5; taking the equal 2 first leaves 1 alone.
  expect(told(compared(json([2, 1]), json([2, 3]), rules))).toEqual(['ignored']);
  expect(told(compared(json([1, 2]), json([2, 3.5]), rules))).toEqual([
    'different',
    '/body/1 missing',
    '/body/1 extra',
  ]);
});

test('unordered by key with a repeated key matches inside that key', () => {
  const rules = [{ path: '/body', action: 'unordered', key: 'k' }];
  const legacy = [
    { k: 1, v: 'a' },
    { k: 1, v: 'b' },
    { k: 2, v: 'c' },
  ];
  const service = [
    { k: 2, v: 'd' },
    { k: 1, v: 'b' },
    { k: 1, v: 'a' },
  ];
  expect(told(compared(json(legacy), json(service), rules))).toEqual(['different', '/body/2/v value']);
});

test('unordered arrays of more than 1,000 like elements are given up as over budget', () => {
  const rules = [
    { path: '/body', action: 'unordered' },
    { path: '/body/*', action: 'number', abs: 1 },
  ];
  const many = Array.from({ length: 1001 }, (_, i) => i);
  expect(told(compared(json(many), json(many.toReversed()), rules))).toEqual(['skipped compare-budget']);
});

test('at most 100 differences are kept and all are counted', () => {
  const legacy = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`k${i}`, 1]));
  const comparison = compared(json(legacy), json({}));
  expect(comparison).toMatchObject({ count: 150 });
  expect(comparison.outcome === 'different' && comparison.differences).toHaveLength(100);
});

const withFields = (...fields: readonly string[]): Captured => text('x', [...PLAIN, ...fields]);

test.each<[what: string, legacy: readonly string[], service: readonly string[], expected: readonly string[]]>(
  [
    [
      'private became public',
      ['Cache-Control', 'private'],
      ['Cache-Control', 'public'],
      ['/headers/cache-control value cache-widened'],
    ],
    [
      'no-store vanished',
      ['Cache-Control', 'no-store'],
      [],
      ['/headers/cache-control missing cache-widened'],
    ],
    ['Vary lost a member', ['Vary', 'Cookie, Accept'], ['Vary', 'accept'], ['/headers/vary value vary-lost']],
    [
      'CORS opened',
      [],
      ['Access-Control-Allow-Origin', '*'],
      ['/headers/access-control-allow-origin extra cors-widened'],
    ],
    [
      'a challenge vanished',
      ['WWW-Authenticate', 'Basic'],
      [],
      ['/headers/www-authenticate missing auth-challenge'],
    ],
    [
      'only the nonce differs',
      ['Content-Security-Policy', "script-src 'nonce-a'"],
      ['content-security-policy', "script-src 'nonce-b'"],
      ['/headers/content-security-policy value nonce'],
    ],
    [
      'HttpOnly lost',
      ['Set-Cookie', 's=1; HttpOnly'],
      ['Set-Cookie', 's=2'],
      ['/headers/set-cookie/s value cookie-security'],
    ],
    [
      'a wider Domain',
      ['Set-Cookie', 's=1'],
      ['Set-Cookie', 's=1; Domain=example.com'],
      ['/headers/set-cookie/s value cookie-security'],
    ],
    [
      'a cookie deleted by Max-Age',
      ['Set-Cookie', 's=1'],
      ['Set-Cookie', 's=; Max-Age=0'],
      ['/headers/set-cookie/s value cookie-deletion'],
    ],
    [
      'another lifetime',
      ['Set-Cookie', 's=1; Max-Age=60'],
      ['Set-Cookie', 's=1; Max-Age=90'],
      ['/headers/set-cookie/s value cookie-attribute'],
    ],
    [
      'one of two cookies of a name',
      ['Set-Cookie', 's=1; Path=/', 'Set-Cookie', 's=1; Path=/a'],
      ['Set-Cookie', 's=1; Path=/'],
      ['/headers/set-cookie/s value cookie-security'],
    ],
  ],
)('headers: %s', (_what, legacy, service, expected) => {
  expect(told(compared(withFields(...legacy), withFields(...service)))).toEqual(['different', ...expected]);
});

test.each<[what: string, legacy: readonly string[], service: readonly string[]]>([
  ['commas in quotes do not separate', ['X-A', '"a, b"', 'X-A', 'c'], ['X-A', '"a, b",c']],
  [
    'Expires of a cookie moves',
    ['Set-Cookie', 's=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT'],
    ['Set-Cookie', 's=2; Expires=Thu, 02 Jan 2031 00:00:00 GMT'],
  ],
  [
    'both delete the cookie, each its own way',
    ['Set-Cookie', 's=; Expires=Thu, 01-Jan-1970 00:00:00 GMT'],
    ['Set-Cookie', 's=; Expires=Fri, 02 Jan 1970 00:00:00 GMT'],
  ],
  ['another ETag', ['ETag', '"a"'], ['ETag', 'W/"b"']],
  ['parameters of the media type', ['X', 'y'], ['x', 'y']],
])('headers: %s and nothing differs', (_what, legacy, service) => {
  expect(told(compared(withFields(...legacy), withFields(...service)))).toEqual(['same']);
});

test('a cookie that expires at the Date of the answer is deleted', () => {
  const date = ['Date', 'Wed, 01 Jan 2031 00:00:00 GMT'];
  const expires = (day: string) => ['Set-Cookie', `s=1; Expires=${day} Jan 2031 00:00:00 GMT`];
  const comparison = compared(
    withFields(...date, ...expires('Thu, 02')),
    withFields(...date, ...expires('Wed, 01')),
  );
  expect(told(comparison)).toEqual(['different', '/headers/set-cookie/s value cookie-deletion']);
});

test('a service without an answer is one difference at /exchange', () => {
  const failed = { kind: 'failed', failure: 'timeout', code: 'TIMEOUT' } as const;
  expect(told(compared(json({}), failed))).toEqual(['different', '/exchange timeout']);
});

test('an answer over the limit is oversize at /body, its head is still compared', () => {
  const service = { kind: 'answer', answer: { ...json({}), status: 500 }, oversize: true } as const;
  expect(told(compared(json({}), service))).toEqual(['different', '/status status', '/body oversize']);
});

const GZIP = ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'];

test.each<[what: string, service: Captured, expected: readonly string[]]>([
  [
    'zstd',
    text(zstdCompressSync('{"a":1}'), ['Content-Type', 'application/json', 'Content-Encoding', 'zstd']),
    ['same'],
  ],
  ['several gzip members', text(Buffer.concat([gzipSync('{"a"'), gzipSync(':1}')]), GZIP), ['same']],
  [
    'bytes after the end',
    text(Buffer.concat([gzipSync('{"a":1}'), Buffer.alloc(3)]), GZIP),
    ['different', '/body encoding'],
  ],
  ['a gzip bomb', text(gzipSync(Buffer.alloc(8 * 1024 * 1024)), GZIP), ['different', '/body oversize']],
  ['nothing at all', text('', GZIP), ['different', '/body missing']],
])('a gzipped or other coded body: %s', (_what, service, expected) => {
  expect(told(compared(json({ a: 1 }), service))).toEqual(expected);
});

test('legacy that unpacks beyond the limit is skipped, not held against the service', () => {
  const legacy = text(gzipSync(Buffer.alloc(8 * 1024 * 1024)), GZIP);
  expect(told(compared(legacy, json({})))).toEqual(['skipped decoded-too-large']);
});

test('equal bytes with different codings are decoded: one side lies', () => {
  expect(told(compared(json('{"a":1}'), text('{"a":1}', GZIP)))).toEqual(['different', '/body encoding']);
});

test('one text in Latin-1 and in UTF-8 is the same', () => {
  const latin = text(Buffer.from([0x63, 0x61, 0x66, 0xe9]), [
    'Content-Type',
    'text/plain; charset=iso-8859-1',
  ]);
  expect(told(compared(latin, text('café', ['Content-Type', 'text/plain; charset=utf-8'])))).toEqual([
    'same',
  ]);
});

test('bytes that the charset does not have are an encoding difference', () => {
  const broken = text(Buffer.from([0x22, 0xff, 0x22]), ['Content-Type', 'application/json']);
  expect(told(compared(json('"a"'), broken))).toEqual(['different', '/body encoding charset']);
});

test('a charset nobody knows is compared as bytes', () => {
  const fields = ['Content-Type', 'text/plain; charset=no-such'];
  expect(told(compared(text('a', fields), text('a', fields)))).toEqual(['same']);
  expect(told(compared(text('a', fields), text('b', fields)))).toEqual([
    'different',
    '/body encoding charset',
  ]);
});

test('NDJSON lines are aligned like elements and paths carry the line', () => {
  const fields = ['Content-Type', 'application/x-ndjson'];
  const comparison = compared(text('{"a":1}\n{"a":2}\n', fields), text('\n{"a":1}\r\n{"a":3}', fields));
  expect(told(comparison)).toEqual(['different', '/body/1/a value']);
});

test('a line of two values is malformed, not two lines', () => {
  const fields = ['Content-Type', 'application/x-ndjson'];
  expect(told(compared(text('1\n2', fields), text('1\n1,2', fields)))).toEqual([
    'different',
    '/body/1 parse',
  ]);
});

const answers = fc.record({
  status: fc.constantFrom(200, 201, 204, 304, 404, 500),
  body: fc.oneof(fc.json({ maxDepth: 3 }), fc.string()),
  type: fc.constantFrom('application/json', 'text/plain', 'application/x-ndjson', 'image/png'),
  extra: fc.array(
    fc.tuple(
      fc.constantFrom('Vary', 'X-A', 'Set-Cookie', 'Cache-Control', 'ETag'),
      fc.string({ unit: 'grapheme-ascii' }),
    ),
  ),
});
const captured = answers.map(({ status, body, type, extra }) =>
  text(body, ['Content-Type', type, ...extra.flat()], status),
);

test('every answer is the same as itself', () => {
  fc.assert(
    fc.property(captured, (answer) => compared(answer, answer).outcome === 'same'),
    { seed: SEED, numRuns: 300 },
  );
});

test('whether two answers match does not depend on their order', () => {
  fc.assert(
    fc.property(captured, captured, (a, b) => compared(a, b).outcome === compared(b, a).outcome),
    { seed: SEED, numRuns: 500 },
  );
});

test('an array and any shuffle of it are equal under unordered', () => {
  const lists = fc.array(fc.oneof(fc.nat(3), fc.constantFrom('a', 'b', null)), { maxLength: 12 });
  const shuffled = lists.chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([list, other]) => {
      return (
        compared(json(list), json(other), [{ path: '/body', action: 'unordered' }]).outcome !== 'different'
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test.each([
  ['arrays', '[', ']'],
  ['objects', '{"a":', '}'],
  ['pairs', '[0,', ']'],
])('100,000 nested %s with a difference at the bottom do not overflow the stack', (_what, open, close) => {
  const deep = (bottom: string) => json(open.repeat(100_000) + bottom + close.repeat(100_000));
  expect(compared(deep('1'), deep('2'))).toMatchObject({ outcome: 'different', count: 1 });
  expect(told(compared(deep('1'), deep('1.0')))).toEqual(['same']);
});

test('nested arrays that cost more than the budget are given up', () => {
  const deep = (bottom: string) => json(`${'['.repeat(20_000)}${bottom}${',0,1]'.repeat(20_000)}`);
  expect(told(compared(deep('1,2'), deep('2,1')))).toEqual(['skipped compare-budget']);
});

test('300,000 keys that all differ are counted and 100 are kept', () => {
  const keys = (value: number) =>
    `{${Array.from({ length: 300_000 }, (_, i) => `"k${i}":${value}`).join(',')}}`;
  const comparison = compared(json(keys(1)), json(keys(2)));
  expect(comparison).toMatchObject({ outcome: 'different', count: 300_000 });
});
