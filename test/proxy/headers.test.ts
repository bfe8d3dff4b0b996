import { describe, expect, test } from 'vitest';
import type { Target } from '../../router/core/types.ts';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { snapshotOf, targetAt } from '../helpers/current.ts';
import { proxied } from '../helpers/proxied.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n';

async function world(script: Script, options: Partial<ProxyOptions> = {}, target: Partial<Target> = {}) {
  const upstream = await rawUpstream(script);
  const legacy = { ...targetAt('legacy', upstream.origin), ...target };
  const proxy = await proxied({ snapshot: snapshotOf(legacy), options });
  return { upstream, proxy };
}

/** What the upstream hears of a request. */
async function heardOf(request: string, options: Partial<ProxyOptions> = {}, target: Partial<Target> = {}) {
  const { upstream, proxy } = await world(ok('x'), options, target);
  await exchange(proxy.port, request);
  return upstream.request(1);
}

/** What the client hears of an answer. */
async function answerOf(
  script: Script,
  options: Partial<ProxyOptions> = {},
  target: Partial<Target> = {},
  request = `${GET}\r\n`,
): Promise<string> {
  const { proxy } = await world(script, options, target);
  return exchange(proxy.port, request);
}

describe('field lines', () => {
  test('keep order, case and duplicates on their way up', async () => {
    const { upstream, proxy } = await world(ok('x'));
    await exchange(proxy.port, `${GET}X-Dup: 1\r\n__proto__: p\r\nx-dup: 2\r\nX_Y: 3\r\n\r\n`);
    expect(upstream.bytes()).toContain(
      'Host: app.test\r\nX-Dup: 1\r\n__proto__: p\r\nx-dup: 2\r\nX_Y: 3\r\nVia: 1.1 fig\r\n',
    );
  });

  test('of one hop, and those it nominates, end here in both directions', async () => {
    const hop = [
      'Connection: X-Mine, close',
      'X-Mine: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: x',
      'Proxy-Authorization: x',
      'Proxy-Authenticate: x',
      'Proxy-Authentication-Info: x',
      'HTTP2-Settings: x',
      'Upgrade: h2c',
      'Fig-Anything: 1',
    ].join('\r\n');
    const { upstream, proxy } = await world(ok('x', `${hop}\r\nAlt-Svc: h3=":1"\r\nX-Kept: 1\r\n`));
    const text = await exchange(
      proxy.port,
      `GET /x HTTP/1.1\r\nHost: app.test\r\n${hop}\r\nX-Kept: 1\r\n\r\n`,
    );
    const gone = /^(?:x-mine|keep-alive|proxy-.*|http2-settings|upgrade|fig-.*|alt-svc):/im;
    expect(upstream.bytes()).not.toMatch(gone);
    expect(upstream.bytes()).not.toMatch(/^connection:/im);
    expect(upstream.bytes()).toContain('X-Kept: 1\r\n');
    expect(text).not.toMatch(gone);
    expect(text).toContain('X-Kept: 1\r\n');
  });

  test('that framing, routing and rights rest on cannot be nominated away', async () => {
    const heard = await heardOf(
      'POST /x HTTP/1.1\r\nHost: app.test\r\nCookie: a\r\nAuthorization: b\r\nContent-Length: 0\r\n' +
        'Connection: close, Host, Cookie, Authorization, Content-Length, Via, X-Forwarded-For\r\n\r\n',
    );
    for (const name of ['host', 'cookie', 'authorization', 'content-length', 'via', 'x-forwarded-for'])
      expect(values(heard, name)).toHaveLength(1);
  });
});

test.each(['Connection', 'Proxy-Connection'])('%s: close makes a request the last one', async (name) => {
  const { upstream, proxy } = await world(ok('x'));
  const text = await exchange(
    proxy.port,
    `GET /x HTTP/1.1\r\nHost: a\r\n${name}: close\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n`,
  );
  expect(values(parseMessage(text), 'connection')).toEqual(['close']);
  expect(upstream.heard).toHaveLength(1);
});

test('Host goes up as received, or as the target wants it', async () => {
  expect(values(await heardOf(`${GET}\r\n`), 'host')).toEqual(['app.test']);
  const own = await heardOf(`${GET}\r\n`, {}, { host: 'inner:8080' });
  expect(values(own, 'host')).toEqual(['inner:8080']);
  expect(values(own, 'x-forwarded-host')).toEqual(['app.test']);
});

describe('Via', () => {
  test('is added last on both ways, under our name, with the version received', async () => {
    const { upstream, proxy } = await world(ok('x', 'Via: 1.1 inner\r\n').replace('1.1', '1.0'), {
      viaName: 'edge',
    });
    const text = await exchange(proxy.port, 'GET /x HTTP/1.0\r\nHost: a\r\nVia: 1.1 outer\r\n\r\n');
    expect(values(await upstream.request(1), 'via')).toEqual(['1.1 outer', '1.0 edge']);
    expect(values(parseMessage(text), 'via')).toEqual(['1.1 inner', '1.0 edge']);
  });

  test('can be left out of answers, interim ones among them', async () => {
    const text = await answerOf(`HTTP/1.1 103 Early\r\nLink: x\r\n\r\n${ok('x')}`, { viaResponse: false });
    expect(text).toContain('103 Early');
    expect(text).not.toMatch(/^via:/im);
  });
});

describe('forwarding fields', () => {
  const SPOOF =
    'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\n' +
    'X-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /a\r\nX_Forwarded_For: 6.6.6.6\r\n';

  test('of a stranger are replaced', async () => {
    const heard = await heardOf(`${GET}${SPOOF}\r\n`);
    expect(values(heard, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(values(heard, 'x-forwarded-proto')).toEqual(['http']);
    expect(values(heard, 'x-forwarded-host')).toEqual(['app.test']);
    expect(heard.fields.map(([name]) => name)).not.toContain('forwarded');
    expect(JSON.stringify(heard.fields)).not.toContain('6.6.6.6');
  });

  test('of a proxy of ours are kept and continued', async () => {
    const heard = await heardOf(`${GET}${SPOOF}\r\n`, { trustedProxies: ['127.0.0.0/8'] });
    expect(values(heard, 'x-forwarded-for')).toEqual(['6.6.6.6, 127.0.0.1']);
    expect(values(heard, 'x-forwarded-proto')).toEqual(['https']);
    expect(values(heard, 'x-forwarded-host')).toEqual(['evil']);
    expect(values(heard, 'forwarded')).toEqual(['for=6.6.6.6, for=127.0.0.1;host="app.test";proto=http']);
    expect(values(heard, 'x_forwarded_for')).toEqual([]);
  });

  test('include Forwarded where it is wanted', async () => {
    const heard = await heardOf(`${GET}\r\n`, { forwarded: true });
    expect(values(heard, 'forwarded')).toEqual(['for=127.0.0.1;host="app.test";proto=http']);
  });
});

test.each([
  ['pass', 'theirs', ['theirs']],
  ['pass', 'not valid', ['test-1']],
  ['create', 'theirs', ['test-1']],
  ['off', 'theirs', []],
] as const)('with request ids on %s, %j becomes %j', async (requestId, received, sent) => {
  const heard = await heardOf(`${GET}X-Request-Id: ${received}\r\n\r\n`, { requestId });
  expect(values(heard, 'x-request-id')).toEqual(sent);
});

describe('an answer', () => {
  test('gets a Date when it has none, and never a second one', async () => {
    expect(values(parseMessage(await answerOf(ok('x'))), 'date')).toHaveLength(1);
    const dated = parseMessage(await answerOf(ok('x', 'Date: today\r\n')));
    expect(values(dated, 'date')).toEqual(['today']);
  });

  test('has its Location and cookies rewritten, each line alone', async () => {
    const text = await answerOf(
      'HTTP/1.1 302 Found\r\nLocation: http://inner:1/a?b\r\nSet-Cookie: a=1; Domain=inner; Path=/app\r\n' +
        'Set-Cookie: b=2; Path=/app; Secure\r\nContent-Length: 0\r\n\r\n',
      {},
      {
        rewriteLocation: [['http://inner:1', 'public']],
        rewriteCookieDomain: [['inner', '']],
        rewriteCookiePath: [['/app', '/']],
      },
    );
    const answer = parseMessage(text);
    expect(values(answer, 'location')).toEqual(['http://app.test/a?b']);
    expect(values(answer, 'set-cookie')).toEqual(['a=1; Path=/', 'b=2; Path=/; Secure']);
  });

  test.each([
    ['HEAD keeps its length', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 0500\r\n\r\n', ['500'], ''],
    ['304 keeps its length', 'GET', 'HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n', ['5'], ''],
    ['204 loses its length', 'GET', 'HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n', [], ''],
    ['205 loses its body', 'GET', 'HTTP/1.1 205 Reset\r\nContent-Length: 3\r\n\r\nabc', ['0'], ''],
    ['a length is written anew', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 003\r\n\r\nabc', ['3'], 'abc'],
  ])('to %s', async (_, method, bytes, lengths, body) => {
    const answer = parseMessage(await answerOf(bytes, {}, {}, `${method}${GET.slice(3)}\r\n`));
    expect(values(answer, 'content-length')).toEqual(lengths);
    expect(values(answer, 'transfer-encoding')).toEqual([]);
    expect(answer.body).toBe(body);
  });

  test('to HTTP/1.0 is never chunked, ends with its connection, and has our version', async () => {
    const text = await answerOf(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      {},
      {},
      'GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\n\r\nabc$/);
    expect(text).not.toMatch(/^(?:transfer-encoding|content-length):/im);
  });
});

test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])(
  'a %s without body is sent without framing',
  async (method) => {
    const heard = await heardOf(`${method}${GET.slice(3)}\r\n`);
    expect(heard.fields.map(([name]) => name)).not.toContain('content-length');
  },
);

test.each(['POST', 'PUT', 'PATCH'])('a %s without body says so', async (method) => {
  expect(values(await heardOf(`${method}${GET.slice(3)}\r\n`), 'content-length')).toEqual(['0']);
});

describe('interim answers', () => {
  const POST =
    'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n';

  test('are the upstream’s own: the body follows its 100', async () => {
    const { upstream, proxy } = await world(ok('thanks'));
    const client = rawClient(proxy.port);
    client.send(POST);
    await upstream.received('Expect: 100-continue');
    upstream.say('HTTP/1.1 100 Continue\r\n\r\n');
    await client.until('HTTP/1.1 100 Continue\r\nVia: 1.1 fig\r\n\r\n');
    client.send('hello');
    expect(await client.until('thanks')).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(upstream.heard[0]?.body).toBe('hello');
  });

  test('are not waited for: a body that comes anyway is sent on', async () => {
    const { upstream, proxy } = await world(ok('thanks'));
    const text = await exchange(proxy.port, `${POST}hello`);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(upstream.heard[0]?.body).toBe('hello');
  });

  test('a final answer in place of a 100 ends both connections', async () => {
    const { upstream, proxy } = await world(ok('x'));
    const client = rawClient(proxy.port);
    client.send(POST);
    await upstream.received('Expect: 100-continue');
    upstream.say('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n');
    expect(parseMessage(await client.closed()).status).toBe(417);
    await upstream.allClosed();
    expect(upstream.heard).toHaveLength(0);
  });

  test('a 100 and the answer in one packet are two messages', async () => {
    const text = await answerOf(`HTTP/1.1 100 Continue\r\n\r\n${ok('x')}`);
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\nVia: 1\.1 fig\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test('keep all their fields but those of the hop and of framing', async () => {
    const text = await answerOf(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX-Any: 1\r\nContent-Length: 3\r\nFig-X: 1\r\n' +
        `Connection: X-Gone\r\nX-Gone: 1\r\n\r\nHTTP/1.1 199 Own\r\n\r\n${ok('x')}`,
    );
    expect(text).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>; rel=preload\r\nX-Any: 1\r\nVia: 1\.1 fig\r\n\r\nHTTP\/1\.1 199 Own\r\nVia: 1\.1 fig\r\n\r\nHTTP\/1\.1 200/,
    );
  });

  test.each(['Content-Length: 2\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: gzip'])(
    'with %j are refused: some reader would look for a body',
    async (framing) => {
      const text = await answerOf(`HTTP/1.1 103 Early\r\n${framing}\r\n\r\n${ok('x')}`);
      expect(text).toMatch(/^HTTP\/1\.1 502 /);
    },
  );

  test('are not for HTTP/1.0', async () => {
    const text = await answerOf(
      `HTTP/1.1 103 Early\r\n\r\n${ok('x')}`,
      {},
      {},
      'GET /x HTTP/1.0\r\nHost: a\r\n\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test.each([
    [16, 200, 'OK'],
    [17, 502, 'UPSTREAM_SYNTAX'],
  ])('%i of them end in %i', async (count, status, outcome) => {
    const { proxy } = await world(`${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(count)}${ok('x')}`);
    const text = await exchange(proxy.port, `${GET}\r\n`);
    expect(text).toContain(`HTTP/1.1 ${status} `);
    expect(text.match(/HTTP\/1\.1 102/g)).toHaveLength(16);
    expect(proxy.observed).toMatchObject([{ outcome, status }]);
  });
});

describe('trailers', () => {
  const TRAILERS =
    'X-Sum: 1\r\nCookie: c=1\r\nHost: b\r\nX-Nominated: 1\r\nFig-X: 1\r\nX-Forwarded-For: 6\r\n';

  test('go up behind a chunked body, filtered, and announced as far as they pass', async () => {
    const { upstream, proxy } = await world(ok('x'));
    await exchange(
      proxy.port,
      'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, X-Nominated\r\n' +
        `Trailer: X-Sum, Host, X-Nominated\r\n\r\n1\r\nx\r\n0\r\n${TRAILERS}\r\n`,
    );
    expect(values(await upstream.request(1), 'trailer')).toEqual(['X-Sum']);
    expect(upstream.bytes()).toMatch(/\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });

  const CHUNKED =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Nominated\r\nTrailer: X-Sum, X-Nominated\r\n\r\n' +
    `1\r\nx\r\n0\r\n${TRAILERS}\r\n`;

  test('come down to a client that wants them', async () => {
    const { upstream, proxy } = await world(CHUNKED);
    const text = await exchange(
      proxy.port,
      'GET /x HTTP/1.1\r\nHost: a\r\nTE: deflate, trailers\r\nConnection: TE, close\r\n\r\n',
    );
    expect(values(await upstream.request(1), 'te')).toEqual(['trailers']);
    expect(values(await upstream.request(1), 'connection')).toEqual(['TE']);
    expect(values(parseMessage(text), 'trailer')).toEqual(['X-Sum']);
    expect(text).toMatch(/\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });

  test('end here for any other client', async () => {
    const text = await answerOf(CHUNKED);
    expect(text).not.toMatch(/^(?:trailer|x-sum):/im);
    expect(text).toMatch(/\r\n\r\n1\r\nx\r\n0\r\n\r\n$/);
  });
});
