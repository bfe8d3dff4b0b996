import { describe, expect, test } from 'vitest';
import type { Framing } from '../../router/core/admit.ts';
import {
  answerFields,
  type Hop,
  publicOriginOf,
  receivedRequestId,
  requestFields,
  shadowFields,
  valuesOf,
} from '../../router/core/headers.ts';
import { PLAIN_TARGET } from '../../router/core/snapshot.ts';
import type { Admitted, Fields } from '../../router/core/types.ts';

const HOP: Hop = {
  viaName: 'fig',
  version: '1.1',
  peer: '9.8.7.6',
  peerTrusted: false,
  scheme: 'http',
  requestId: 'id-1',
  host: null,
  forwarded: false,
  interim: false,
};
const OWN = [
  ...['Via', '1.1 fig', 'X-Forwarded-For', '9.8.7.6', 'X-Forwarded-Proto', 'http'],
  ...['X-Forwarded-Host', 'app.test', 'X-Request-Id', 'id-1'],
];

function admitted(fields: Fields, more: Partial<Admitted> = {}): Admitted {
  return {
    method: 'GET',
    target: '/x',
    path: '/x',
    host: 'app.test',
    fields,
    upgrade: false,
    marked: false,
    hasBody: false,
    continues: false,
    closes: false,
    ...more,
  };
}

function sent(fields: Fields, hop: Partial<Hop> = {}, framing: Framing = { kind: 'none' }): Fields {
  return requestFields(admitted(fields), framing, { ...HOP, ...hop });
}

function answer(status: number, fields: Fields): Fields {
  return answerFields(
    status,
    fields,
    { ...PLAIN_TARGET, rewriteLocation: [['http://legacy:3000', 'public']] },
    'https://shop.test',
  );
}

describe('towards the upstream', () => {
  test('order, case and duplicates of end-to-end fields survive', () => {
    const fields = ['Host', 'app.test', 'X-Dup', '1', 'x-other', '2', 'x-dup', '3', '__proto__', 'p'];
    expect(sent(fields)).toEqual([...fields, ...OWN]);
  });

  test.each([
    ['Connection', 'keep-alive'],
    ['Keep-Alive', 'timeout=5'],
    ['Proxy-Connection', 'close'],
    ['TE', 'trailers'],
    ['Trailer', 'X-Sum'],
    ['Transfer-Encoding', 'chunked'],
    ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
    ['Proxy-Authorization', 'Basic eA=='],
    ['Expect', '100-continue'],
    ['Fig-Shadow', '1'],
    ['FIG-Anything', '1'],
    ['fig_shadow', '1'],
    ['Forwarded', 'for=6.6.6.6'],
    ['X-Forwarded-For', '6.6.6.6'],
    ['X_Forwarded_For', '6.6.6.6'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'evil.test'],
    ['X-Forwarded-Port', '1'],
    ['X-Forwarded-Prefix', '/x'],
    ['X-Real-IP', '6.6.6.6'],
    ['X-Request-Id', 'theirs'],
  ])('%s of an unknown client is not passed on', (name, value) => {
    expect(sent(['Host', 'app.test', name, value])).toEqual(['Host', 'app.test', ...OWN]);
  });

  test('nominated fields are removed, over several lines and odd commas', () => {
    const fields = [
      'Connection',
      ',X-A ,, x-b',
      'connection',
      'X-C',
      'X-A',
      '1',
      'X-B',
      '2',
      'X-C',
      '3',
      'X-D',
      '4',
    ];
    expect(sent(['Host', 'app.test', ...fields])).toEqual(['Host', 'app.test', 'X-D', '4', ...OWN]);
  });

  test('routing, framing and security fields cannot be nominated away', () => {
    const kept = [
      'Host',
      'app.test',
      'Authorization',
      'B',
      'Cookie',
      'c',
      'Content-Type',
      't',
      'Cache-Control',
      'x',
    ];
    const nominated = 'host, authorization, cookie, content-type, cache-control, content-length';
    const fields = sent(
      ['Connection', nominated, ...kept, 'Content-Length', '5'],
      {},
      { kind: 'length', bytes: 5 },
    );
    expect(fields).toEqual([...kept, ...OWN, 'Content-Length', '5']);
  });

  test('our own fields cannot be nominated away', () => {
    const nominated = 'via, x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-request-id';
    expect(sent(['Host', 'app.test', 'Connection', nominated])).toEqual(['Host', 'app.test', ...OWN]);
  });

  test('a trusted proxy may say who the client is, and is added to the list', () => {
    const fields = ['X-Forwarded-For', '1.1.1.1', 'x-forwarded-for', '2.2.2.2', 'X-Forwarded-Proto', 'https'];
    const out = sent(['Host', 'app.test', ...fields, 'X-Forwarded-Host', 'shop.test'], { peerTrusted: true });
    expect(valuesOf(out, 'x-forwarded-for')).toEqual(['1.1.1.1, 2.2.2.2, 9.8.7.6']);
    expect(valuesOf(out, 'x-forwarded-proto')).toEqual(['https']);
    expect(valuesOf(out, 'x-forwarded-host')).toEqual(['shop.test']);
  });

  test('Forwarded of a trusted proxy is appended to, IPv6 in brackets and quotes', () => {
    const out = sent(['Host', 'app.test', 'Forwarded', 'for=1.1.1.1'], {
      peerTrusted: true,
      peer: '2001:db8::1',
    });
    expect(valuesOf(out, 'forwarded')).toEqual([
      'for=1.1.1.1, for="[2001:db8::1]";host="app.test";proto=http',
    ]);
  });

  test('received Via lines stay in front of ours, which names the version of the client', () => {
    const out = sent(['Host', 'app.test', 'Via', '1.1 a', 'Via', '1.0 b'], { version: '1.0' });
    expect(valuesOf(out, 'via')).toEqual(['1.1 a', '1.0 b', '1.0 fig']);
  });

  test('a request without Host gets the one admission chose, in front', () => {
    expect(sent([]).slice(0, 2)).toEqual(['Host', 'app.test']);
  });

  test.each(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'POST', 'PATCH'])('a chunked %s stays chunked', (method) => {
    const fields = ['Host', 'app.test', 'Transfer-Encoding', 'chunked'];
    const out = requestFields(admitted(fields, { method }), { kind: 'chunked' }, HOP);
    expect(valuesOf(out, 'transfer-encoding')).toEqual(['chunked']);
    expect(valuesOf(out, 'content-length')).toEqual([]);
  });

  test.each([
    ['POST', ['0']],
    ['PUT', ['0']],
    ['PATCH', ['0']],
    ['GET', []],
    ['DELETE', []],
  ])('%s without a body says Content-Length %j', (method, expected) => {
    const out = requestFields(admitted(['Host', 'app.test'], { method }), { kind: 'none' }, HOP);
    expect(valuesOf(out, 'content-length')).toEqual(expected);
  });

  test('an admitted upgrade is asked for again', () => {
    const fields = ['Host', 'app.test', 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
    const out = requestFields(admitted(fields, { upgrade: true }), { kind: 'none' }, HOP);
    expect(out.slice(-4)).toEqual(['Connection', 'Upgrade', 'Upgrade', 'websocket']);
  });
});

describe('towards the client', () => {
  test.each([
    ['Connection', 'close'],
    ['Keep-Alive', 'timeout=5'],
    ['Transfer-Encoding', 'chunked'],
    ['Trailer', 'X-Sum'],
    ['Upgrade', 'h2'],
    ['Proxy-Authenticate', 'Basic'],
    ['Alt-Svc', 'h3=":443"'],
    ['Fig-Side', 'service'],
    ['Fig_Side', 'service'],
  ])('%s is not passed on', (name, value) => {
    expect(answer(200, ['A', '1', name, value])).toEqual(['A', '1']);
  });

  test('a nominated field is removed, Set-Cookie cannot be', () => {
    const fields = [
      'Connection',
      'X-Hop, Set-Cookie',
      'X-Hop',
      '1',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
    ];
    expect(answer(200, fields)).toEqual(['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
  });

  test.each([
    [200, ['7']],
    [304, ['7']],
    [204, []],
    [205, ['0']],
  ])('%i carries Content-Length %j', (status, expected) => {
    expect(valuesOf(answer(status, ['Content-Length', '7']), 'content-length')).toEqual(expected);
  });

  test.each([201, 301, 302, 303, 307, 308])('%i has its Location rewritten', (status) => {
    const fields = ['Location', 'http://legacy:3000/a?b', 'Content-Location', 'http://LEGACY:3000'];
    const expected = ['Location', 'https://shop.test/a?b', 'Content-Location', 'https://shop.test'];
    expect(answer(status, fields)).toEqual(expected);
  });

  test('200 keeps its Location', () => {
    const fields = ['Location', 'http://legacy:3000/a'];
    expect(answer(200, fields)).toEqual(fields);
  });
});

test('a copy carries neither validators nor framing nor Via, and is forwarded for whom the request is', () => {
  const fields = sent([
    'Host',
    'app.test',
    'Cookie',
    'a=1',
    'If-None-Match',
    '"a"',
    'If-Modified-Since',
    'x',
  ]);
  expect(shadowFields(fields)).toEqual([
    ...['Host', 'app.test', 'Cookie', 'a=1'],
    ...['X-Forwarded-For', '9.8.7.6', 'X-Forwarded-Proto', 'http', 'X-Forwarded-Host', 'app.test'],
    ...['X-Request-Id', 'id-1'],
  ]);
});

test.each([
  { fields: ['X-Request-Id', 'abc-1'], id: 'abc-1' },
  { fields: ['X-Request-Id', 'a'.repeat(128)], id: 'a'.repeat(128) },
  { fields: ['X-Request-Id', 'a'.repeat(129)], id: null },
  { fields: ['X-Request-Id', 'a b'], id: null },
  { fields: ['X-Request-Id', 'a', 'x-request-id', 'a'], id: null },
  { fields: [], id: null },
])('the request id of $fields is $id', ({ fields, id }) => {
  expect(receivedRequestId(fields)).toBe(id);
});

test('the public origin is what the client wrote, or what our own proxy says it wrote', () => {
  const request = admitted(['X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'shop.test, inner.test']);
  expect(publicOriginOf(request, { peerTrusted: false, scheme: 'http' })).toBe('http://app.test');
  expect(publicOriginOf(request, { peerTrusted: true, scheme: 'http' })).toBe('https://shop.test');
});
