import { expect, test } from 'vitest';
import { checkRules, compileRules } from '../../../router/core/compare/rules.ts';
import { compared, json, type RuleText, ruleOf, text, told } from './answers.ts';

type Row = readonly [
  what: string,
  legacy: unknown,
  service: unknown,
  rule: RuleText,
  expected: readonly string[],
];

const at = (action: string, more: object = {}) => ({ path: '/body/a', action, ...more });
const jwt = (claims: object) =>
  ['{"alg":"none"}', JSON.stringify(claims), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
const IGNORED = ['ignored'];
const VALUE = ['different', '/body/a value'];
const LONDON = { pattern: 'DD/MM/YYYY HH:mm:ss.ffffff', zone: 'Europe/London', toleranceMs: 0 };

test.each<Row>([
  ['ignore silences a missing member', { a: 1 }, {}, at('ignore'), IGNORED],
  ['ignore silences everything below', { a: { b: [1, 2] } }, { a: { b: [2] } }, at('ignore'), IGNORED],
  ['ignore-value keeps the type', { a: '1' }, { a: 1 }, at('ignore-value'), ['different', '/body/a type']],
  ['ignore-value keeps presence', { a: '1' }, {}, at('ignore-value'), ['different', '/body/a missing']],
  [
    'ignore-value covers what is in a container',
    { a: { b: 1 } },
    { a: { c: 1 } },
    at('ignore-value'),
    IGNORED,
  ],
  ['number-lexeme excuses no other text', { a: 'x' }, { a: 'y' }, at('number-lexeme'), VALUE],
  ['number is inclusive', { a: 1.01 }, { a: 1 }, at('number', { abs: 0.01 }), IGNORED],
  ['number takes a relative limit', { a: 100 }, { a: 101 }, at('number', { rel: 0.01 }), IGNORED],
  ['number ends at its limit', { a: 1.02 }, { a: 1 }, at('number', { abs: 0.01 }), VALUE],
  [
    'timestamp without a zone equals only its like',
    { a: '2024-05-01T10:00:00' },
    { a: '2024-05-01T10:00:00Z' },
    at('timestamp', { toleranceMs: 0 }),
    ['different', '/body/a value instant-equal'],
  ],
  [
    'timestamp reads numbers only with a unit',
    { a: 1710072000 },
    { a: 1710072001 },
    at('timestamp', { toleranceMs: 1000, unit: 's' }),
    IGNORED,
  ],
  [
    'timestamp in milliseconds',
    { a: 1710072000000 },
    { a: 1710072000011 },
    at('timestamp', { toleranceMs: 10, unit: 'ms' }),
    VALUE,
  ],
  [
    'timestamp reads HTTP dates',
    { a: 'Sun, 10 Mar 2024 12:00:00 GMT' },
    { a: '2024-03-10T12:00:00Z' },
    at('timestamp', { toleranceMs: 0 }),
    IGNORED,
  ],
  [
    'timestamp reads a pattern in a zone, in summer',
    { a: '01/07/2025 13:00:00.000001' },
    { a: '2025-07-01T12:00:00.000001Z' },
    at('timestamp', LONDON),
    IGNORED,
  ],
  [
    'timestamp reads a pattern in a zone, in winter',
    { a: '01/01/2025 12:00:00.000001' },
    { a: '2025-01-01T12:00:00.000001Z' },
    at('timestamp', LONDON),
    IGNORED,
  ],
  [
    'timestamp sees one microsecond',
    { a: '01/01/2025 12:00:00.000001' },
    { a: '01/01/2025 12:00:00.000002' },
    at('timestamp', LONDON),
    VALUE,
  ],
  [
    'timestamp sees an hour of summer time',
    { a: '01/07/2025 13:00:00.000000' },
    { a: '01/07/2025 12:00:00.000000' },
    at('timestamp', { ...LONDON, toleranceMs: 2000 }),
    VALUE,
  ],
  [
    'timestamp refuses a time that the zone skips',
    { a: '30/03/2025 01:30:00.000000' },
    { a: '30/03/2025 02:30:00.000000' },
    at('timestamp', { ...LONDON, toleranceMs: 86_400_000 }),
    VALUE,
  ],
  [
    'uuid asks for the version',
    { a: '0f8fad5b-d9cb-469f-a165-70867728950e' },
    { a: '0f8fad5b-d9cb-169f-a165-70867728950f' },
    at('uuid', { version: 4 }),
    ['different', '/body/a value uuid'],
  ],
  ['pattern needs both', { a: 'abc' }, { a: 'ab1' }, at('pattern', { regex: '^[a-z]+$' }), VALUE],
  ['null-equals-missing, legacy null', { a: null }, {}, at('null-equals-missing'), IGNORED],
  ['null-equals-missing, service null', {}, { a: null }, at('null-equals-missing'), IGNORED],
  [
    'null-equals-missing does not cover a value',
    { a: 0 },
    {},
    at('null-equals-missing'),
    ['different', '/body/a missing'],
  ],
  ['allow-extra by the parent', { a: {} }, { a: { b: 1 } }, at('allow-extra'), IGNORED],
  ['allow-extra by the member', {}, { a: 1 }, at('allow-extra'), IGNORED],
  [
    'allow-extra never covers array elements',
    { a: [1] },
    { a: [1, 2] },
    at('allow-extra'),
    ['different', '/body/a/1 extra'],
  ],
  [
    'allow-extra never covers a missing member',
    { a: 1 },
    {},
    at('allow-extra'),
    ['different', '/body/a missing'],
  ],
  [
    'equivalent in the listed direction, type and all',
    { a: 'Y' },
    { a: true },
    at('equivalent', { pairs: [['Y', true]] }),
    IGNORED,
  ],
  [
    'equivalent not in the other direction',
    { a: true },
    { a: 'Y' },
    at('equivalent', { pairs: [['Y', true]] }),
    ['different', '/body/a type'],
  ],
  [
    'mask replaces on both sides',
    { a: 'id=1;x' },
    { a: 'id=22;x' },
    at('mask', { regex: 'id=\\d+' }),
    IGNORED,
  ],
  [
    'mask leaves the rest to be compared',
    { a: 'id=1;x' },
    { a: 'id=2;y' },
    at('mask', { regex: 'id=\\d+' }),
    VALUE,
  ],
  ['newlines', { a: 'x\r\ny\rz' }, { a: 'x\ny\nz' }, at('newlines'), IGNORED],
  ['unicode NFKC', { a: '\ufb01' }, { a: 'fi' }, at('unicode', { form: 'NFKC' }), IGNORED],
  [
    'url without host',
    { a: 'http://a/x?q=1' },
    { a: 'https://b:8/x?q=1' },
    at('url', { ignore: ['scheme', 'host', 'port'] }),
    IGNORED,
  ],
  [
    'url keeps the order of one parameter',
    { a: '/x?q=1&q=2' },
    { a: '/x?q=2&q=1' },
    at('url', { ignore: ['query-order'] }),
    VALUE,
  ],
  [
    'url without one parameter',
    { a: '/x?q=1&ts=5' },
    { a: '/x?q=1&ts=6' },
    at('url', { ignore: ['query:ts'] }),
    IGNORED,
  ],
  [
    'embedded-json compares what the text holds',
    { a: '{"x":1,"y":2}' },
    { a: '{"y":2.0,"x":1}' },
    at('embedded-json'),
    IGNORED,
  ],
  [
    'embedded-json paths continue below',
    { a: '{"x":[1]}' },
    { a: '{"x":[2]}' },
    at('embedded-json'),
    ['different', '/body/a/x/0 value'],
  ],
  ['embedded-json leaves other texts alone', { a: '{x' }, { a: '{"x":1}' }, at('embedded-json'), VALUE],
  [
    'jwt compares claims by name',
    { a: jwt({ sub: '1', iat: 1 }) },
    { a: jwt({ iat: 2, sub: '2' }) },
    at('jwt', { ignoreClaims: ['iat'] }),
    ['different', '/body/a/claims/sub value'],
  ],
  [
    'rename accepts a one-to-one map',
    { a: ['x', 'y', 'x'] },
    { a: ['p', 'q', 'p'] },
    { path: '/body/a/*', action: 'rename', group: 'g' },
    IGNORED,
  ],
  [
    'rename refuses a second image, even where the values are equal',
    { a: ['x', 'y'] },
    { a: ['y', 'y'] },
    { path: '/body/a/*', action: 'rename', group: 'g' },
    ['different', '/body/a/1 value'],
  ],
  [
    'number-lexeme is stricter',
    '{"a":10.5}',
    '{"a":10.50}',
    at('number-lexeme'),
    ['different', '/body/a value number-lexeme'],
  ],
])('%s', (_what, legacy, service, rule, expected) => {
  expect(told(compared(json(legacy), json(service), [rule]))).toEqual(expected);
});

test('number-lexeme looks into array elements that are equal by value', () => {
  const rule = { path: '/body/**/p', action: 'number-lexeme' };
  const comparison = compared(json('[{"p":1.5},{"p":2}]'), json('[{"p":1.50},{"p":2}]'), [rule]);
  expect(told(comparison)).toEqual(['different', '/body/0/p value number-lexeme']);
});

test('normalising rules all apply before the first rule of the rest', () => {
  const rules = [
    { path: '/body/a', action: 'pattern', regex: '^x \uFFFC$' },
    { path: '/body/a', action: 'mask', regex: '\\d+' },
    { path: '/body/a', action: 'newlines' },
  ];
  expect(told(compared(json({ a: 'x 1' }), json({ a: 'x 22' }), rules))).toEqual(IGNORED);
});

test('of several rules of the rest only the first counts', () => {
  const rules = [at('pattern', { regex: '^z' }), at('ignore-value')];
  expect(told(compared(json({ a: 'x' }), json({ a: 'y' }), rules))).toEqual(VALUE);
});

test('rule paths match whole segments, ** any number of them and ~2 a literal star', () => {
  const legacy = { id: 1, id_token: 1, user: { id: 1 }, '*': { x: 1 }, k: { x: 1 } };
  const service = { id: 2, id_token: 2, user: { id: 2 }, '*': { x: 2 }, k: { x: 2 } };
  const rules = [
    { path: '/body/**/id', action: 'ignore' },
    { path: '/body/~2/x', action: 'ignore' },
  ];
  expect(told(compared(json(legacy), json(service), rules))).toEqual([
    'different',
    '/body/id_token value',
    '/body/k/x value',
  ]);
});

test('silenced differences are counted per rule', () => {
  const comparison = compared(json({ a: 1, b: 1 }), json({ a: 2, b: 2 }), [
    { path: '/body/b', action: 'ignore' },
    { path: '/body/*', action: 'ignore' },
  ]);
  expect(comparison).toMatchObject({ outcome: 'ignored', count: 0, ignoredCount: 2 });
  expect(comparison.outcome !== 'skipped' && [...comparison.silencedBy]).toEqual([
    [1, 1],
    [0, 1],
  ]);
});

test('a rule applies on the day it expires and not on the next', () => {
  const rules = [{ path: '/body/a', action: 'ignore', expires: '2026-06-30' }];
  const pair = [json({ a: 1 }), json({ a: 2 })] as const;
  expect(compared(...pair, rules, '2026-06-30').outcome).toBe('ignored');
  expect(compared(...pair, rules, '2026-07-01').outcome).toBe('different');
});

test('a rule for other routes or statuses does not apply', () => {
  const pair = [json({ a: 1 }), json({ a: 2 })] as const;
  const rule = { path: '/body/a', action: 'ignore' };
  expect(compared(...pair, [{ ...rule, routes: ['GET /x'] }]).outcome).toBe('ignored');
  expect(compared(...pair, [{ ...rule, routes: ['GET /y'] }]).outcome).toBe('different');
  expect(compared(...pair, [{ ...rule, statuses: [404] }]).outcome).toBe('different');
});

test('rules reach headers, cookies and the status', () => {
  const legacy = {
    ...json({}),
    status: 200,
    fields: ['Content-Type', 'application/json', 'X-A', '1', 'Set-Cookie', 'a=1; Path=/'],
  };
  const service = {
    ...json({}),
    status: 201,
    fields: ['Content-Type', 'application/json', 'X-A', '2', 'X-B', '1'],
  };
  const rules = [
    { path: '/headers/x-a', action: 'ignore-value' },
    { path: '/headers', action: 'allow-extra' },
    { path: '/headers/set-cookie/a', action: 'ignore' },
    { path: '/status', action: 'equivalent', pairs: [[200, 201]] },
  ];
  expect(told(compared(legacy, service, rules))).toEqual(IGNORED);
});

test.each([
  [{ path: '/body', action: 'ignroe' }, 'rules[0].action: unknown action "ignroe"'],
  [{ path: '/body', action: 'ignore', deep: true }, 'rules[0].deep: unknown parameter of "ignore"'],
  [{ path: 'body', action: 'ignore' }, 'rules[0].path: must be a pointer'],
  [{ path: '/body/~3', action: 'ignore' }, 'rules[0].path: must be a pointer'],
  [{ path: '/body', action: 'pattern' }, 'rules[0].regex: is required'],
  [{ path: '/body', action: 'pattern', regex: '(' }, 'rules[0].regex: is not a regular expression'],
  [{ path: '/body', action: 'number', abs: -1 }, 'rules[0].abs: must be a number from 0'],
  [
    { path: '/body', action: 'timestamp', toleranceMs: 0, zone: 'Mars/Olympus' },
    'rules[0].zone: must be an IANA zone',
  ],
  [
    { path: '/body', action: 'timestamp', toleranceMs: 0, pattern: 'HH:mm' },
    'rules[0].pattern: must name YYYY',
  ],
  [{ path: '/body', action: 'url', ignore: ['path'] }, 'rules[0].ignore: must list scheme'],
  [{ path: '/body', action: 'equivalent', pairs: [[{}, 1]] }, 'rules[0].pairs: must list'],
  [{ path: '/body/a', action: 'html' }, 'rules[0].path: must be /body for "html"'],
  [{ path: '/headers/x', action: 'parse-as', as: 'json' }, 'rules[0].path: must be /body for "parse-as"'],
  [{ path: '/body', action: 'html', ignore: [{ attribute: 'x' }] }, 'rules[0].ignore: must list { selector'],
  [{ path: '/body', action: 'html', ignore: ['p'] }, 'rules[0].ignore: must list { selector'],
  [{ path: '/body', action: 'parse-as', as: 'csv' }, 'rules[0].as: must be one of json, ndjson, xml'],
  [7, 'rules[0]: must be an object'],
])('%j is a fault', (rule, expected) => {
  const faults = checkRules([rule], null).map(({ path, text }) => `${path}: ${text}`);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(expected);
});

test('every fault of every rule is told, with its paperwork', () => {
  const rules = [
    { path: '/body', action: 'ignore', owner: 'a', reason: ' ', expires: '2026-02-30' },
    ruleOf({ path: '/body', action: 'ignore', expires: '2026-12-31' }),
  ];
  expect(checkRules(rules, '2026-10-01').map(({ path }) => path)).toEqual([
    'rules[0].reason',
    'rules[0].expires',
    'rules[1].expires',
  ]);
  expect(checkRules(rules.slice(1), '2026-10-02')).toEqual([]);
});

test('compiling a faulty rule throws its name instead of leaving it out', () => {
  const rule = ruleOf({ path: '/body', action: 'csv' });
  expect(() => compileRules([rule], { route: null, status: 200, today: null })).toThrow('csv');
});

const EVENTS = ['Content-Type', 'text/event-stream'];

test('sse compares events: comments, line ends and the order of fields are free', () => {
  const legacy = text('id: 1\ndata: a\ndata: b\n\n', EVENTS);
  const rules = [{ path: '/body', action: 'sse' }];
  expect(told(compared(legacy, text(': hi\r\ndata:a\r\ndata: b\r\nid: 1\r\n\r\n', EVENTS), rules))).toEqual(
    IGNORED,
  );
  expect(told(compared(legacy, text('id: 1\ndata: a\nb\n\n', EVENTS), rules))).toEqual([
    'different',
    '/body/0/data value length',
  ]);
});

const multipart = (boundary: string, ...parts: readonly string[]) =>
  text(`${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`, [
    'Content-Type',
    `multipart/mixed; boundary=${boundary}`,
  ]);

test('multipart compares parts in order, JSON parts as JSON', () => {
  const rules = [{ path: '/body', action: 'multipart' }];
  const part = (body: string) => `Content-Type: application/json\r\n\r\n${body}`;
  const legacy = multipart('A', part('{"a":1,"b":2}'), '\r\nx');
  expect(told(compared(legacy, multipart('B', part('{"b":2,"a":1.0}'), '\r\nx'), rules))).toEqual(IGNORED);
  expect(told(compared(legacy, multipart('B', part('{"b":3,"a":1}'), '\r\nx'), rules))).toEqual([
    'different',
    '/body/0/content/b value',
  ]);
  expect(told(compared(legacy, text('x', ['Content-Type', 'multipart/mixed']), rules))).toEqual([
    'different',
    '/body parse',
  ]);
});
