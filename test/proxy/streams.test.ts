import { describe, expect, test } from 'vitest';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { snapshotOf } from '../helpers/current.ts';
import { proxied } from '../helpers/proxied.ts';
import { exchange, parseMessage, type RawClient, rawClient } from '../helpers/raw-http.ts';
import { ok, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const MEGA = 1_048_576;

async function world(script: Script, options: Partial<ProxyOptions> = {}) {
  const upstream = await rawUpstream(script);
  const proxy = await proxied({ snapshot: snapshotOf(upstream.origin), options });
  return { upstream, proxy };
}

/** Bytes of a socket's peer that are still in its own process. */
async function stalls(buffered: () => number): Promise<number> {
  let last = -1;
  await eventually(async () => {
    const before = last;
    last = buffered();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return last === before && last === buffered();
  });
  return last;
}

describe('tiny chunks', () => {
  const TINY = `Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(1_000)}0\r\n\r\n`;

  test('of a request that come together go up as one', async () => {
    const { upstream, proxy } = await world(ok('x'));
    await exchange(proxy.port, `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${TINY}`);
    expect(upstream.bytes()).toContain(`\r\n\r\n3e8\r\n${'x'.repeat(1_000)}\r\n0\r\n\r\n`);
  });

  test('of an answer that come together go down as one', async () => {
    const { proxy } = await world(`HTTP/1.1 200 OK\r\n${TINY}`);
    const text = await exchange(proxy.port, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect(text).toContain(`\r\n\r\n3e8\r\n${'x'.repeat(1_000)}\r\n0\r\n\r\n`);
  });
});

/** Bytes that are taken of a client that sends this again and again, at most 32 MiB. */
async function taken(client: RawClient, piece: string): Promise<number> {
  let sent = 0;
  while (sent < 32 * MEGA) {
    client.send(piece);
    sent += piece.length;
    for (let turn = 0; client.unsent() > 0; turn += 1) {
      if (turn === 20) return sent;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return sent;
}

describe('backpressure', () => {
  test('a client that does not read stops the upstream, and little is held in between', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(GET);
    const { socket } = await upstream.request(1);
    client.pause();
    const before = process.memoryUsage().rss;
    const body = Buffer.alloc(64 * MEGA, 'x');
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
    const left = await stalls(() => socket.writableLength);
    expect(left).toBeGreaterThan(40 * MEGA);
    // The body itself, and little more: nobody has copied it.
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MEGA + 48 * MEGA);
    client.resume();
    await client.until((text) => text.length > body.length);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK' }]);
  });

  test('an upstream that does not read stops the client', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * MEGA}\r\n\r\n`);
    await upstream.received('POST /x');
    upstream.stopReading();
    expect(await taken(client, 'u'.repeat(65_536))).toBeLessThan(24 * MEGA);
    expect(proxy.observed).toHaveLength(0);
  });

  test('requests behind one that waits are not read without end', async () => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(GET);
    await upstream.request(1);
    expect(await taken(client, GET.repeat(2_000))).toBeLessThan(20 * MEGA);
    expect(upstream.heard).toHaveLength(1);
  });

  test('both ways at once: an answer that succeeds and its upload run side by side', async () => {
    const { upstream, proxy } = await world(ok('x'));
    const client = rawClient(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nup1\r\n');
    await upstream.received('up1');
    upstream.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndown1\r\n');
    await client.until('down1');
    client.send('3\r\nup2\r\n');
    await upstream.received('up2');
    upstream.say('5\r\ndown2\r\n');
    await client.until('down2');
    client.send('0\r\n\r\n');
    expect((await upstream.request(1)).body).toBe('up1up2');
    // The script of the upstream answers here, which is behind the end of its own first answer.
    await upstream.received('0\r\n\r\n');
  });
});

describe('a client', () => {
  test('that resets while waiting, or inside an answer, ends the upstream transfer at once', async () => {
    const { upstream, proxy } = await world(({ start }) =>
      start.includes('/half') ? 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc' : undefined,
    );
    const [waiting, reading] = [rawClient(proxy.port), rawClient(proxy.port)];
    waiting.send(GET);
    await upstream.request(1);
    reading.send(GET.replace('/x', '/half'));
    await reading.until('abc');
    waiting.reset();
    reading.reset();
    await upstream.allClosed();
    const ended = await proxy.ended(2);
    expect(ended.map(({ outcome, status }) => `${outcome} ${status}`).sort()).toEqual([
      'CLIENT_GONE 200',
      'CLIENT_GONE 499',
    ]);
    await eventually(() => proxy.counts().upstreamConnections === 0);
    expect(proxy.counts()).toMatchObject({ inFlight: 0, connections: 0 });
  });

  test('that resets inside a head is counted too', async () => {
    const { proxy } = await world(ok('x'));
    const client = rawClient(proxy.port);
    client.send('GET / HT');
    await eventually(() => proxy.counts().connections === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.reset();
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'CLIENT_GONE', status: 499, served: null }]);
  });

  test('that ends inside a head is told', async () => {
    const { proxy } = await world(ok('x'));
    const client = rawClient(proxy.port);
    client.send('GET / HTTP/1.1\r\nHo');
    client.end();
    expect(parseMessage(await client.closed()).status).toBe(400);
    expect(proxy.observed).toMatchObject([{ outcome: 'CLIENT_SYNTAX' }]);
  });

  test('that half-closes inside an answer gets the rest', async () => {
    const { upstream, proxy } = await world('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc');
    const client = rawClient(proxy.port);
    client.send(GET);
    await client.until('abc');
    client.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    upstream.say('def');
    expect(parseMessage(await client.closed()).body).toBe('abcdef');
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK' }]);
  });

  test('that half-closes behind several requests gets all answers', async () => {
    const { proxy } = await world((_, n) => ok(`answer ${n}`));
    const client = rawClient(proxy.port);
    const options = 'OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n';
    client.send(`${GET}${options}${GET}${GET}`);
    client.end();
    expect((await client.closed()).match(/answer \d/g)).toEqual(['answer 1', 'answer 2', 'answer 3']);
    expect(await proxy.ended(4)).toHaveLength(4);
  });

  test.each([
    ['inside the next head', 'GET /y HTTP/1.1\r\nHo', 'CLIENT_SYNTAX'],
    ['inside the next body', 'POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab', 'CLIENT_BODY_CUT'],
  ])('that ends %s, while it waits for an answer, is told when it has that', async (_, rest, outcome) => {
    const { upstream, proxy } = await world(() => undefined);
    const client = rawClient(proxy.port);
    client.send(`${GET}${rest}`);
    client.end();
    const first = await upstream.request(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    first.socket.write(ok('first'));
    expect(await client.closed()).toMatch(/first(?:.|\r\n)*HTTP\/1\.1 400/);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK' }, { outcome }]);
    expect(upstream.heard).toHaveLength(1);
  });

  test('that reads slowly gets the whole answer although its connection ends behind it', async () => {
    const body = 'x'.repeat(8 * MEGA);
    const { proxy } = await world(ok(body), { lingerMs: 1 });
    const client = rawClient(proxy.port);
    client.send(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    await client.until('200 OK');
    client.pause();
    await new Promise((resolve) => setTimeout(resolve, 400));
    client.resume();
    expect(parseMessage(await client.closed()).body).toHaveLength(body.length);
  });
});

describe('an upstream that dies inside an answer', () => {
  const CASES: readonly (readonly [string, string, string, RegExp])[] = [
    ['a length', GET, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', /\r\n\r\nabc$/],
    [
      'chunks',
      GET,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
      /\r\n\r\n3\r\nabc\r\n$/,
    ],
    ['until close, by a reset', GET, 'HTTP/1.1 200 OK\r\n\r\nabc', /\r\n\r\n3\r\nabc\r\n$/],
  ];
  test.each(CASES)('%s: the client sees that it is not whole', async (_, request, bytes, expected) => {
    const { upstream, proxy } = await world(bytes);
    const client = rawClient(proxy.port);
    client.send(request);
    await client.until('abc');
    (await upstream.request(1)).socket.resetAndDestroy();
    expect(await client.closed()).toMatch(expected);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_BODY_CUT', status: 200 }]);
  });

  test('to HTTP/1.0: by a reset, because FIN would look complete', async () => {
    const { upstream, proxy } = await world(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    );
    const client = rawClient(proxy.port);
    client.send('GET /x HTTP/1.0\r\nHost: a\r\n\r\n');
    await client.until('abc');
    (await upstream.request(1)).socket.resetAndDestroy();
    await client.closed();
    expect(client.error()).toBe('ECONNRESET');
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_BODY_CUT' }]);
  });

  test('or stops making sense, cuts the client too', async () => {
    const { proxy } = await world('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n');
    const text = await exchange(proxy.port, GET);
    expect(text).toMatch(/\r\n\r\n3\r\nabc\r\n$/);
    expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_BODY_SYNTAX' }]);
  });
});

test.each([
  ['two codings', 'Transfer-Encoding: gzip, chunked', 'UPSTREAM_FRAMING'],
  ['a length and a coding', 'Content-Length: 1\r\nTransfer-Encoding: chunked', 'UPSTREAM_FRAMING'],
  ['two lengths', 'Content-Length: 1\r\nContent-Length: 1', 'UPSTREAM_FRAMING'],
  ['a length that is none', 'Content-Length: 1x', 'UPSTREAM_FRAMING'],
  ['a fold', 'X: 1\r\n 2', 'UPSTREAM_SYNTAX'],
  ['a head over the limit', `X: ${'x'.repeat(65_536)}`, 'UPSTREAM_HEAD_LARGE'],
  ['513 lines', 'X: 1\r\n'.repeat(513).trim(), 'UPSTREAM_HEAD_LARGE'],
])('an answer with %s is a 502, and its connection ends', async (_, fields, outcome) => {
  const { upstream, proxy } = await world(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\nx`);
  const client = rawClient(proxy.port);
  client.send(GET);
  await client.until('502 Bad Gateway');
  await upstream.allClosed();
  expect(proxy.observed).toMatchObject([{ outcome, served: null }]);
});

test('an answer head of 64 KiB passes, byte for byte', async () => {
  const value = Array.from({ length: 650 }, (_, i) => String(i).padStart(100, '.')).join('');
  const { proxy } = await world(ok('x', `X: ${value}\r\n`));
  const client = rawClient(proxy.port);
  client.send(GET);
  expect(await client.until(/\r\n\r\nx$/)).toContain(value);
});

test('a whole exchange works when both sides come byte by byte', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n';
  const { upstream, proxy } = await world(({ socket }) => {
    const drip = (at: number): void => {
      if (at === answer.length) return;
      socket.write(answer.charAt(at));
      setImmediate(drip, at + 1);
    };
    drip(0);
    return undefined;
  });
  const client = rawClient(proxy.port);
  const request = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
  for (const byte of request) {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.until('0\r\n\r\n');
  expect(parseMessage(client.text()).body).toBe('abc');
  expect((await upstream.request(1)).body).toBe('abc');
});

test('a chunked upload cut at any byte never looks complete', async () => {
  const { upstream, proxy } = await world(ok('x'));
  const request = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
  const answers = await Promise.all(
    Array.from({ length: request.length - 1 }, async (_, i) => {
      const client = rawClient(proxy.port);
      client.send(request.slice(0, i + 1));
      client.end();
      return parseMessage(await client.closed()).status;
    }),
  );
  expect(new Set(answers)).toEqual(new Set([400]));
  expect(upstream.heard).toHaveLength(0);
  expect(proxy.observed).toHaveLength(request.length - 1);
  await eventually(() => proxy.counts().upstreamConnections === 0);
});

test('bytes beyond the length of a body are the next request', async () => {
  const { upstream, proxy } = await world((_, n) => ok(`answer ${n}`));
  const client = rawClient(proxy.port);
  client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi${GET}`);
  await client.until('answer 2');
  expect(upstream.heard.map(({ body }) => body)).toEqual(['hi', '']);
  const bad = rawClient(proxy.port);
  bad.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi there\r\n\r\n');
  expect(await bad.closed()).toMatch(/answer 3HTTP\/1\.1 400 /);
});

test('requests in a row keep their order, and one that fails takes no other with it', async () => {
  const { proxy } = await world(
    ({ start, socket }) => {
      if (start.includes('/dies')) socket.resetAndDestroy();
      else if (start.includes('/odd')) return 'HTTP/1.1 099 No\r\n\r\n';
      else if (!start.includes('/never')) return ok(start.split(' ')[1] ?? '');
      return undefined;
    },
    { upstreamHeadMs: 1 },
  );
  const client = rawClient(proxy.port);
  const paths = ['/1', '/dies', '/2', '/odd', '/never', '/3'];
  client.send(paths.map((path) => GET.replace('/x', path)).join(''));
  await client.until('/3');
  expect(client.text().match(/HTTP\/1\.1 (\d+)/g)).toEqual(
    [200, 502, 200, 502, 504, 200].map((status) => `HTTP/1.1 ${status}`),
  );
  expect(client.text()).toMatch(/\/1HTTP[\s\S]*\/2HTTP[\s\S]*\/3$/);
});

test('a connection serves so many requests and then says so', async () => {
  const { proxy } = await world(ok('x'), { requestsPerConnectionMax: 2 });
  const text = await exchange(proxy.port, `${GET}${GET}${GET}`);
  expect(text.match(/200 OK/g)).toHaveLength(2);
  expect(text.match(/Connection: close/g)).toHaveLength(1);
});

test('a final answer and a reset behind it, before the upload is complete, still reach the client', async () => {
  const { proxy } = await world(ok('x'));
  const early = await rawUpstream(ok('x'));
  proxy.swap(snapshotOf(early.origin));
  const client = rawClient(proxy.port);
  client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\nabc');
  await early.received('abc');
  early.say('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig');
  early.destroyAll();
  client.send('u'.repeat(200_000));
  expect(parseMessage(await client.closed())).toMatchObject({ status: 413, body: 'big' });
  expect(await proxy.ended(1)).toMatchObject([{ outcome: 'OK', status: 413 }]);
});

test('an empty answer that ends with the connection is whole', async () => {
  const { proxy } = await world(({ socket }) => {
    socket.end('HTTP/1.1 200 OK\r\n\r\n');
    return undefined;
  });
  const client = rawClient(proxy.port);
  client.send(GET);
  expect(await client.until('0\r\n\r\n')).toContain('Transfer-Encoding: chunked');
});

test('an upstream that ends right after the head of a longer answer cuts the client', async () => {
  const { proxy } = await world(({ socket }) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    return undefined;
  });
  await exchange(proxy.port, GET);
  expect(await proxy.ended(1)).toMatchObject([{ outcome: 'UPSTREAM_BODY_CUT' }]);
});
