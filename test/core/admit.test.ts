import { describe, expect, test } from 'vitest';
import { type Admission, type AdmitPolicy, admit, type Head, isLastHop } from '../../router/core/admit.ts';
import type { ErrorCode } from '../../router/core/errors.ts';

const POLICY: AdmitPolicy = {
  viaName: 'fig',
  fieldsMax: 8,
  targetBytesMax: 64,
  requestBodyBytesMax: 100,
  peerTrusted: false,
  defaultHost: 'legacy.test:3000',
  hosts: [],
  strict: false,
};

function ask(head: Partial<Head> = {}, policy: Partial<AdmitPolicy> = {}): Admission {
  const whole: Head = { method: 'GET', target: '/x', version: '1.1', fields: ['Host', 'app.test'], ...head };
  return admit(whole, { ...POLICY, ...policy });
}

function fields(...more: string[]): string[] {
  return ['Host', 'app.test', ...more];
}

interface Refusal {
  readonly name: string;
  readonly code: ErrorCode;
  readonly head: Partial<Head>;
  readonly policy?: Partial<AdmitPolicy>;
}

const REFUSALS: readonly Refusal[] = [
  { name: 'a target over the limit', code: 'CLIENT_TARGET_LONG', head: { target: `/${'a'.repeat(64)}` } },
  {
    name: 'one field line too many',
    code: 'CLIENT_HEAD_LARGE',
    head: { fields: fields(...Array.from({ length: 8 }, () => ['A', '']).flat()) },
  },
  { name: 'a field name that is no token', code: 'CLIENT_SYNTAX', head: { fields: fields('X Y', '1') } },
  { name: 'a control byte in a value', code: 'CLIENT_SYNTAX', head: { fields: fields('X', 'a\x01b') } },
  { name: 'DEL in a value', code: 'CLIENT_SYNTAX', head: { fields: fields('X', 'a\x7f') } },
  { name: 'Transfer_Encoding', code: 'CLIENT_SYNTAX', head: { fields: fields('Transfer_Encoding', 'x') } },
  { name: 'content_length', code: 'CLIENT_SYNTAX', head: { fields: fields('content_length', '1') } },
  { name: 'HTTP/2.0', code: 'CLIENT_VERSION', head: { version: '2.0' } },
  { name: 'HTTP/0.9', code: 'CLIENT_VERSION', head: { version: '0.9' } },
  { name: 'a fragment', code: 'CLIENT_TARGET', head: { target: '/a#b' } },
  { name: 'raw octets over 0x7E', code: 'CLIENT_TARGET', head: { target: '/caf\xe9' } },
  { name: 'a target without a slash', code: 'CLIENT_TARGET', head: { target: '@evil.test/x' } },
  { name: 'an asterisk with GET', code: 'CLIENT_TARGET', head: { target: '*' } },
  { name: 'a foreign scheme', code: 'CLIENT_TARGET', head: { target: 'ftp://app.test/x' } },
  { name: 'user information', code: 'CLIENT_TARGET', head: { target: 'http://u:p@app.test/x' } },
  { name: 'an authority that is not Host', code: 'CLIENT_TARGET', head: { target: 'http://evil.test/x' } },
  { name: 'CONNECT', code: 'CLIENT_METHOD', head: { method: 'CONNECT' } },
  { name: 'TRACE', code: 'CLIENT_METHOD', head: { method: 'TRACE' } },
  { name: 'SOURCE, which may have come as ICE/1.0', code: 'CLIENT_METHOD', head: { method: 'SOURCE' } },
  { name: 'a method that is no token', code: 'CLIENT_SYNTAX', head: { method: 'G@T' } },
  { name: 'no Host', code: 'CLIENT_HOST', head: { fields: [] } },
  { name: 'two equal Hosts', code: 'CLIENT_HOST', head: { fields: fields('host', 'app.test') } },
  { name: 'an empty Host', code: 'CLIENT_HOST', head: { fields: ['Host', ''] } },
  { name: 'a Host with a space', code: 'CLIENT_HOST', head: { fields: ['Host', 'a b'] } },
  { name: 'a Host with a path', code: 'CLIENT_HOST', head: { fields: ['Host', 'a/b'] } },
  { name: 'a Host with a user', code: 'CLIENT_HOST', head: { fields: ['Host', 'u@a'] } },
  { name: 'a Host with an odd port', code: 'CLIENT_HOST', head: { fields: ['Host', 'a:8x'] } },
  { name: 'a length list', code: 'CLIENT_FRAMING', head: { fields: fields('Content-Length', '5, 5') } },
  {
    name: 'two equal lengths',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Content-Length', '5', 'Content-Length', '5') },
  },
  { name: 'a signed length', code: 'CLIENT_FRAMING', head: { fields: fields('Content-Length', '+5') } },
  {
    name: 'a length over 2^53-1',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Content-Length', '9007199254740992') },
  },
  {
    name: 'length and coding',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Content-Length', '5', 'Transfer-Encoding', 'chunked') },
  },
  {
    name: 'gzip, chunked',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Transfer-Encoding', 'gzip, chunked') },
  },
  {
    name: 'chunked twice',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked') },
  },
  {
    name: 'a coding in HTTP/1.0',
    code: 'CLIENT_FRAMING',
    head: { version: '1.0', fields: fields('Transfer-Encoding', 'chunked') },
  },
  { name: 'another coding', code: 'CLIENT_CODING', head: { fields: fields('Transfer-Encoding', 'gzip') } },
  {
    name: 'the coding identity',
    code: 'CLIENT_CODING',
    head: { fields: fields('Transfer-Encoding', 'identity') },
  },
  {
    name: 'another coding and a length',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Transfer-Encoding', 'gzip', 'Content-Length', '5') },
  },
  { name: 'an empty coding', code: 'CLIENT_FRAMING', head: { fields: fields('Transfer-Encoding', '') } },
  {
    name: 'a coding with a parameter',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Transfer-Encoding', 'chunked;q=1') },
  },
  {
    name: '0xA0 before a coding',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Transfer-Encoding', '\xa0chunked') },
  },
  {
    name: '0xA0 before a length',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Content-Length', '\xa05') },
  },
  { name: 'an empty length', code: 'CLIENT_FRAMING', head: { fields: fields('Content-Length', '') } },
  {
    name: '0xA0 before an expectation',
    code: 'CLIENT_EXPECT',
    head: { fields: fields('Expect', '\xa0100-continue') },
  },
  { name: 'an empty expectation', code: 'CLIENT_EXPECT', head: { fields: fields('Expect', '') } },
  {
    name: 'a second, unknown expectation',
    code: 'CLIENT_EXPECT',
    head: { fields: fields('Expect', '100-continue', 'Expect', 'x') },
  },
  {
    name: 'a host that is not served',
    code: 'CLIENT_HOST_UNKNOWN',
    head: {},
    policy: { hosts: ['shop.test'] },
  },
  {
    name: 'a host below one that is served',
    code: 'CLIENT_HOST_UNKNOWN',
    head: { fields: ['Host', 'x.app.test'] },
    policy: { hosts: ['app.test'] },
  },
  {
    name: 'legacy as the host of HTTP/1.0, not served',
    code: 'CLIENT_HOST_UNKNOWN',
    head: { version: '1.0', fields: [] },
    policy: { hosts: ['app.test'] },
  },
  { name: 'a target that is empty', code: 'CLIENT_TARGET', head: { target: '' } },
  { name: 'an absolute target without a host', code: 'CLIENT_TARGET', head: { target: 'http:///x' } },
  { name: 'a method over 32 bytes', code: 'CLIENT_SYNTAX', head: { method: 'M'.repeat(33) } },
  { name: 'an encoded NUL before a query', code: 'CLIENT_PATH', head: { target: '/a%00?b' } },
  { name: 'an unknown expectation', code: 'CLIENT_EXPECT', head: { fields: fields('Expect', 'pigs-fly') } },
  {
    name: 'an upgrade with a body',
    code: 'CLIENT_FRAMING',
    head: { fields: fields('Connection', 'upgrade', 'Upgrade', 'websocket', 'Content-Length', '0') },
  },
  { name: 'our own Via', code: 'LOOP', head: { fields: fields('Via', '1.0 other, 1.1 FIG (x)') } },
  { name: 'an encoded NUL', code: 'CLIENT_PATH', head: { target: '/a%00b' } },
  {
    name: 'an unsafe request that claims to be a copy',
    code: 'CLIENT_SYNTAX',
    head: { method: 'POST', fields: fields('Fig-Shadow', '1') },
  },
  {
    name: 'a body over the limit',
    code: 'CLIENT_BODY_LARGE',
    head: { fields: fields('Content-Length', '101') },
  },
];

describe('admission refuses', () => {
  test.each(REFUSALS)('$name', ({ code, head, policy }) => {
    expect(ask(head, policy)).toEqual({ ok: false, code });
  });
});

describe('admission admits', () => {
  test.each([
    { name: 'a target at the limit', head: { target: `/${'a'.repeat(63)}` } },
    { name: 'as many field lines as allowed', head: { fields: fields(...Array(14).fill('a')) } },
    { name: 'OPTIONS *', head: { method: 'OPTIONS', target: '*' } },
    { name: 'an IPv6 Host', head: { fields: ['Host', '[2001:db8::1]:8080'] } },
    { name: 'obs-text in a value', head: { fields: fields('X', '\xe9\t') } },
    { name: 'a body at the limit', head: { fields: fields('Content-Length', '100') } },
    { name: 'an encoded NUL in the query', head: { target: '/a?b=%00' } },
    { name: 'another proxy in Via', head: { fields: fields('Via', '1.1 figaro') } },
    { name: 'an underscore name of no meaning', head: { fields: fields('X_Y', '1') } },
    { name: 'any expectation in HTTP/1.0', head: { version: '1.0', fields: fields('Expect', 'pigs-fly') } },
  ])('$name', ({ head }) => {
    expect(ask(head).ok).toBe(true);
  });

  test('an unsafe copy from one of our own proxies', () => {
    const head = { method: 'POST', fields: fields('Fig-Shadow', '1') };
    expect(ask(head, { peerTrusted: true })).toMatchObject({ ok: true, admitted: { marked: true } });
  });
});

describe('a host that is served', () => {
  const hosts = ['app.test', '[::1]', 'legacy.test'];
  test.each(['app.test', 'APP.Test:8080', '[::1]', '[::1]:80'])('%s', (host) => {
    expect(ask({ fields: ['Host', host] }, { hosts })).toMatchObject({ ok: true, admitted: { host } });
  });

  test('legacy, for HTTP/1.0', () => {
    expect(ask({ version: '1.0', fields: [] }, { hosts }).ok).toBe(true);
  });
});

describe('a head that our own parser has read', () => {
  test('has its bytes taken as read', () => {
    expect(ask({ fields: fields('X', 'a\x01') }, { strict: true }).ok).toBe(true);
  });

  test('may have the method SOURCE', () => {
    expect(ask({ method: 'SOURCE' }, { strict: true }).ok).toBe(true);
  });

  test.each<[ErrorCode, Partial<Head>]>([
    ['CLIENT_HEAD_LARGE', { fields: fields(...Array.from({ length: 8 }, () => ['A', '']).flat()) }],
    ['CLIENT_SYNTAX', { fields: fields('Transfer_Encoding', 'x') }],
    ['CLIENT_TARGET', { target: '/a#b' }],
    ['CLIENT_VERSION', { version: '2.0' }],
  ])('is refused all the same as %s', (code, head) => {
    expect(ask(head, { strict: true })).toEqual({ ok: false, code });
  });
});

describe('the body is waited for', () => {
  test.each([
    { version: '1.1', more: ['Expect', '100-Continue', 'Content-Length', '5'], continues: true },
    { version: '1.1', more: ['Expect', '100-continue', 'Transfer-Encoding', 'chunked'], continues: true },
    { version: '1.1', more: ['Expect', '100-continue', 'Content-Length', '0'], continues: false },
    { version: '1.1', more: ['Expect', '100-continue'], continues: false },
    { version: '1.1', more: ['Content-Length', '5'], continues: false },
    { version: '1.0', more: ['Expect', '100-continue', 'Content-Length', '5'], continues: false },
  ])('HTTP/$version $more: $continues', ({ version, more, continues }) => {
    const admission = ask({ method: 'POST', version, fields: fields(...more) });
    expect(admission).toMatchObject({ ok: true, admitted: { continues } });
  });
});

describe('a last hop', () => {
  test.each([
    ['OPTIONS', ['Max-Forwards', '0'], true],
    ['OPTIONS', ['max-forwards', '000'], true],
    ['OPTIONS', ['Max-Forwards', '1'], false],
    ['OPTIONS', ['Max-Forwards', ''], false],
    ['OPTIONS', ['X', 'max-forwards', 'Y', '0'], false],
    ['GET', ['Max-Forwards', '0'], false],
  ])('%s with %j: %s', (method, lines, expected) => {
    expect(isLastHop({ method, fields: lines })).toBe(expected);
  });
});

describe('what admission reads', () => {
  test.each([
    { target: 'http://app.test/a?b', to: '/a?b' },
    { target: 'HTTP://APP.test:80/a', to: '/a' },
    { target: 'http://app.test?q=1', to: '/?q=1' },
    { target: 'http://app.test', to: '/' },
    { target: '/http://evil.test/x', to: '/http://evil.test/x' },
    { target: '//evil.test/x', to: '//evil.test/x' },
  ])('$target becomes $to', ({ target, to }) => {
    expect(ask({ target })).toMatchObject({ ok: true, admitted: { target: to } });
  });

  test('OPTIONS in absolute form without a path asks about the server', () => {
    const admission = ask({ method: 'OPTIONS', target: 'http://app.test' });
    expect(admission).toMatchObject({ ok: true, admitted: { target: '*' } });
  });

  test('the path is the target without its query', () => {
    expect(ask({ target: '/a/b?x=/../y' })).toMatchObject({ ok: true, admitted: { path: '/a/b' } });
  });

  test('an HTTP/1.0 request without Host gets the authority of legacy', () => {
    expect(ask({ version: '1.0', fields: [] })).toMatchObject({
      ok: true,
      admitted: { host: 'legacy.test:3000' },
    });
  });

  test('a WebSocket handshake is an upgrade', () => {
    const head = { fields: fields('Connection', 'keep-alive, Upgrade', 'Upgrade', 'WebSocket') };
    expect(ask(head)).toMatchObject({ ok: true, admitted: { upgrade: true } });
  });

  test.each([
    { name: 'h2c', head: { fields: fields('Connection', 'Upgrade', 'Upgrade', 'h2c') } },
    {
      name: 'HTTP/1.0',
      head: { version: '1.0', fields: fields('Connection', 'Upgrade', 'Upgrade', 'websocket') },
    },
    {
      name: 'POST',
      head: { method: 'POST', fields: fields('Connection', 'Upgrade', 'Upgrade', 'websocket') },
    },
    { name: 'no Connection', head: { fields: fields('Upgrade', 'websocket') } },
    {
      name: '0xA0 before upgrade',
      head: { fields: fields('Connection', '\xa0upgrade', 'Upgrade', 'websocket') },
    },
    {
      name: '0xA0 before websocket',
      head: { fields: fields('Connection', 'upgrade', 'Upgrade', '\xa0websocket') },
    },
    { name: 'two protocols', head: { fields: fields('Connection', 'Upgrade', 'Upgrade', 'websocket, h2c') } },
  ])('$name is no upgrade', ({ head }) => {
    expect(ask(head)).toMatchObject({ ok: true, admitted: { upgrade: false } });
  });

  test.each([
    { line: ['Content-Length', '007'], framing: { kind: 'length', bytes: 7 }, hasBody: true },
    { line: ['Content-Length', '0'], framing: { kind: 'length', bytes: 0 }, hasBody: false },
    { line: ['transfer-ENCODING', ' Chunked '], framing: { kind: 'chunked' }, hasBody: true },
    { line: [], framing: { kind: 'none' }, hasBody: false },
  ])('$line frames the body as $framing', ({ line, framing, hasBody }) => {
    expect(ask({ method: 'POST', fields: fields(...line) })).toMatchObject({
      ok: true,
      framing,
      admitted: { hasBody },
    });
  });

  test('a field named __proto__ is a field', () => {
    const admission = ask({ fields: fields('__proto__', 'p', 'constructor', 'c') });
    expect(admission).toMatchObject({
      ok: true,
      admitted: { fields: fields('__proto__', 'p', 'constructor', 'c') },
    });
  });
});
