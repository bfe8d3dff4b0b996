import { describe, expect, test } from 'vitest';
import type { Framing } from '../../router/core/admit.ts';
import {
  acceptsTrailers,
  answerFields,
  type Hop,
  publicOriginOf,
  receivedRequestId,
  requestFields,
  shadowFields,
  trailerAnnouncement,
  trailerFields,
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
  expect(shadowFields(fields, new Set(['if-none-match', 'if-modified-since']))).toEqual([
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

describe('trailers', () => {
  const CHUNKED = { kind: 'chunked' } as const;
  const STEERING = [
    ...[
      'Content-Length',
      'Transfer-Encoding',
      'Host',
      'Connection',
      'Trailer',
      'TE',
      'Upgrade',
      'Keep-Alive',
    ],
    ...['Authorization', 'Cookie', 'Set-Cookie', 'WWW-Authenticate', 'Proxy-Authenticate', 'Cache-Control'],
    ...['Content-Type', 'Content-Encoding', 'Content-Range', 'Location', 'Expect', 'Max-Forwards', 'Range'],
    ...['Via', 'Forwarded', 'X-Forwarded-For', 'X_Forwarded_For', 'X-Real-IP', 'X-Request-Id', 'Fig-Side'],
    ...['Content_Length', 'Date', 'Age', 'Vary', 'Expires', 'Alt-Svc', 'fig_side'],
  ];

  test.each(STEERING)('%s is not passed on', (name) => {
    expect(trailerFields([name, 'x', 'X-Sum', '1'], [])).toEqual(['X-Sum', '1']);
  });

  test('nominated ones are not passed on, in order and case the rest is', () => {
    const trailers = ['X-A', '1', 'x-t', '2', 'X-A', '3', 'Server-Timing', 'a;dur=1'];
    const expected = ['X-A', '1', 'X-A', '3', 'Server-Timing', 'a;dur=1'];
    expect(trailerFields(trailers, ['Connection', 'close, X-T'])).toEqual(expected);
    expect(trailerFields([], ['Connection', 'X-T'])).toEqual([]);
  });

  test.each<[readonly string[], boolean]>([
    [['TE', 'trailers'], true],
    [['te', 'gzip;q=0.5, Trailers'], true],
    [['TE', 'gzip', 'TE', 'trailers'], true],
    [['TE', 'trailers;q=0'], false],
    [['TE', '\xa0trailers'], false],
    [['TE', 'gzip'], false],
    [['X-TE', 'trailers'], false],
    [[], false],
  ])('a client that sent %j takes them: %s', (fields, expected) => {
    expect(acceptsTrailers(fields)).toBe(expected);
  });

  test('are announced as far as they pass', () => {
    const fields = ['Trailer', 'X-A, Content-Length,, X-T', 'trailer', 'bad name, X-B', 'Connection', 'x-t'];
    expect(trailerAnnouncement(fields)).toEqual(['Trailer', 'X-A, X-B']);
    expect(trailerAnnouncement(['Trailer', 'Host'])).toEqual([]);
    expect(trailerAnnouncement([])).toEqual([]);
  });

  test('are announced upstream only for chunks that we pass on whole', () => {
    const fields = ['Host', 'app.test', 'Trailer', 'X-Sum, Host'];
    expect(valuesOf(sent(fields, { interim: true }, CHUNKED), 'trailer')).toEqual(['X-Sum']);
    expect(valuesOf(sent(fields, { interim: false }, CHUNKED), 'trailer')).toEqual([]);
    expect(valuesOf(sent(fields, { interim: true }, { kind: 'length', bytes: 1 }), 'trailer')).toEqual([]);
  });
});

describe('what a data plane of our own passes on', () => {
  test('TE: trailers, with Connection: TE, and nothing else of TE', () => {
    const fields = ['Host', 'app.test', 'TE', 'gzip, trailers', 'te', 'deflate'];
    expect(sent(fields, { interim: true })).toEqual([
      ...['Host', 'app.test', ...OWN],
      ...['TE', 'trailers', 'Connection', 'TE'],
    ]);
    expect(sent(['Host', 'app.test', 'TE', 'gzip'], { interim: true })).toEqual(['Host', 'app.test', ...OWN]);
  });

  test('no TE with an upgrade', () => {
    const fields = ['Host', 'app.test', 'TE', 'trailers'];
    const out = requestFields(
      admitted(fields, { upgrade: true }),
      { kind: 'none' },
      { ...HOP, interim: true },
    );
    expect(valuesOf(out, 'te')).toEqual([]);
    expect(valuesOf(out, 'connection')).toEqual(['Upgrade']);
  });

  test.each([
    { interim: true, continues: true, expected: ['100-continue'] },
    { interim: true, continues: false, expected: [] },
    { interim: false, continues: true, expected: [] },
  ])('Expect: $expected for interim $interim and a client that waits: $continues', (row) => {
    const request = admitted(['Host', 'app.test', 'expect', '100-CONTINUE'], { continues: row.continues });
    const out = requestFields(request, { kind: 'length', bytes: 5 }, { ...HOP, interim: row.interim });
    expect(valuesOf(out, 'expect')).toEqual(row.expected);
  });
});

describe('the Host', () => {
  test('is another one where the target says so, and X-Forwarded-Host keeps the one received', () => {
    const out = sent(['X', '1', 'host', 'app.test'], { host: 'legacy.test:3000' });
    expect(out.slice(0, 4)).toEqual(['X', '1', 'host', 'legacy.test:3000']);
    expect(valuesOf(out, 'x-forwarded-host')).toEqual(['app.test']);
  });

  test('is another one for a request without', () => {
    expect(sent([], { host: 'legacy.test' }).slice(0, 2)).toEqual(['Host', 'legacy.test']);
  });
});

describe('Forwarded', () => {
  test('is sent where wanted', () => {
    const out = sent(['Host', 'app.test', 'Forwarded', 'for=6.6.6.6'], { forwarded: true });
    expect(valuesOf(out, 'forwarded')).toEqual(['for=9.8.7.6;host="app.test";proto=http']);
  });

  test('is not sent where nobody wants it', () => {
    expect(valuesOf(sent(['Host', 'app.test']), 'forwarded')).toEqual([]);
  });
});

test.each([
  ['OPTIONS', '7', '6'],
  ['OPTIONS', '1', '0'],
  ['OPTIONS', '007', '007'],
  ['OPTIONS', 'x', 'x'],
  ['GET', '7', '7'],
])('Max-Forwards of %s: %s becomes %s', (method, value, expected) => {
  const out = requestFields(admitted(['Max-Forwards', value], { method }), { kind: 'none' }, HOP);
  expect(valuesOf(out, 'max-forwards')).toEqual([expected]);
});

describe('an answer', () => {
  test('has its cookies rewritten, line by line', () => {
    const fields = [
      'Set-Cookie',
      'a=1; Domain=legacy',
      'set-cookie',
      'b=2; Path=/app; Domain=x',
      'X',
      'Domain=legacy',
    ];
    const target = {
      ...PLAIN_TARGET,
      rewriteCookieDomain: [['legacy', 'shop.test']],
      rewriteCookiePath: [['/app', '/']],
    } as const;
    expect(answerFields(200, fields, target, 'https://shop.test')).toEqual([
      ...['Set-Cookie', 'a=1; Domain=shop.test', 'set-cookie', 'b=2; Path=/; Domain=x', 'X', 'Domain=legacy'],
    ]);
  });

  test('has its length written anew', () => {
    expect(answer(200, ['content-length', '0007'])).toEqual(['content-length', '7']);
  });

  test.each([100, 101, 103])('%i has no length', (status) => {
    expect(answer(status, ['Content-Length', '7', 'Link', 'x'])).toEqual(['Link', 'x']);
  });

  test('keeps what 0xA0 makes another name than the nominated one', () => {
    expect(answer(200, ['Connection', '\xa0X-A', 'X-A', '1'])).toEqual(['X-A', '1']);
  });
});
