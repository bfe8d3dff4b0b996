import { describe, expect, test } from 'vitest';
import { snapshotOf, targetAt } from '../helpers/current.ts';
import { PLANES } from '../helpers/planes.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';

describe.each(PLANES)('%s', (_name, open) => {
  const GET = 'GET /a//b/../c?x=1?y HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n';

  test('the bytes of the target reach the upstream as they came', async () => {
    const upstream = await rawUpstream(ok('hello'));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const answer = parseMessage(await exchange(proxy.port, `${GET}\r\n`));
    expect(answer).toMatchObject({ status: 200, body: 'hello' });
    expect(upstream.heard[0]?.start).toBe('GET /a//b/../c?x=1?y HTTP/1.1');
  });

  test('order, case and duplicates of the answer survive, and Via is added', async () => {
    const upstream = await rawUpstream(
      ok('x', 'x-b: 1\r\nSet-Cookie: a\r\nX-B: 2\r\nSet-Cookie: b\r\nDate: today\r\n'),
    );
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const text = await exchange(proxy.port, `${GET}\r\n`);
    const lines =
      'Content-Length: 1\r\nx-b: 1\r\nSet-Cookie: a\r\nX-B: 2\r\nSet-Cookie: b\r\nDate: today\r\nVia: 1.1 fig\r\n';
    expect(text).toContain(`HTTP/1.1 200 OK\r\n${lines}`);
  });

  test('a chunked upload is streamed: the upstream has the first piece before the last is sent', async () => {
    const upstream = await rawUpstream(ok('done'));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send('POST /up HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    await upstream.received('hello');
    client.send('5\r\nworld\r\n0\r\n\r\n');
    expect(await client.until('done')).toContain('200 OK');
    expect(upstream.heard[0]?.body).toBe('helloworld');
  });

  test('connections to the upstream are kept and used again', async () => {
    const upstream = await rawUpstream((_, n) => ok(`answer ${n}`));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    for (let n = 1; n <= 3; n += 1) {
      client.send('GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n');
      await client.until(`answer ${n}`);
    }
    expect(upstream.connections()).toBe(1);
  });

  test('a Location of the upstream leads back to where the client is', async () => {
    const upstream = await rawUpstream(
      'HTTP/1.1 302 Found\r\nLocation: http://inner:1/a%20b?c\r\nContent-Length: 0\r\n\r\n',
    );
    const legacy = targetAt('legacy', upstream.origin, [['http://inner:1', 'public']]);
    const proxy = await open({ snapshot: snapshotOf(legacy) });
    const answer = parseMessage(await exchange(proxy.port, `${GET}\r\n`));
    expect(values(answer, 'location')).toEqual(['http://app.test/a%20b?c']);
  });

  test('an answer that ends with its connection is whole and framed anew', async () => {
    const upstream = await rawUpstream(({ socket }) => {
      socket.end('HTTP/1.1 200 OK\r\n\r\nabcdef');
      return undefined;
    });
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const answer = parseMessage(await exchange(proxy.port, `${GET}\r\n`));
    expect(answer.body).toBe('abcdef');
    expect(values(answer, 'transfer-encoding')).toEqual(['chunked']);
  });

  test('a valid request id is kept, another is replaced', async () => {
    const upstream = await rawUpstream(ok(''));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    await exchange(proxy.port, `${GET}X-Request-Id: theirs\r\n\r\n`);
    await exchange(proxy.port, `${GET}X-Request-Id: not valid\r\n\r\n`);
    expect(upstream.heard.map((heard) => values(heard, 'x-request-id'))).toEqual([['theirs'], ['test-1']]);
  });

  test('a request that expects a 100 gets it from the upstream only', async () => {
    const upstream = await rawUpstream(ok('thanks'));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const client = rawClient(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    await upstream.received('Expect: 100-continue');
    client.send('hello');
    const text = await client.until('thanks');
    expect(text).not.toContain('100 Continue');
    expect(upstream.heard[0]?.body).toBe('hello');
  });

  test('each side gets its own requests: the flag says which, the observation says why', async () => {
    const legacy = await rawUpstream(ok('legacy'));
    const service = await rawUpstream(ok('service'));
    const group = {
      name: 'g',
      service: service.origin,
      routes: ['GET /x'],
      stage: 'canary',
      ceiling: 100,
    } as const;
    const proxy = await open({
      snapshot: snapshotOf(legacy.origin, [group]),
      intent: { serve: 'on', shadow: 'off', cause: 'flag' },
    });
    const on = parseMessage(
      await exchange(proxy.port, 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    );
    const off = parseMessage(
      await exchange(proxy.port, 'GET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    );
    expect([on.body, off.body]).toEqual(['service', 'legacy']);
    const [first, second] = await proxy.ended(2);
    expect(first).toMatchObject({
      group: 'g',
      route: 'GET /x',
      reason: 'flag',
      assigned: 'service',
      served: 'service',
      outcome: 'OK',
      status: 200,
      unsafe: false,
      role: 'primary',
    });
    expect(second).toMatchObject({
      group: null,
      route: null,
      reason: 'no-route',
      assigned: 'legacy',
      served: 'legacy',
    });
  });

  test('a request holds its snapshot although the routing changes meanwhile', async () => {
    const legacy = await rawUpstream(ok('legacy'));
    const service = await rawUpstream(() => undefined);
    const group = { name: 'g', service: service.origin, routes: ['GET /x'], ceiling: 100 };
    const proxy = await open({ snapshot: snapshotOf(legacy.origin, [{ ...group, stage: 'live' }]) });
    const client = rawClient(proxy.port);
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    const held = await service.request(1);
    expect(proxy.counts().serviceInFlight.get('g')).toBe(1);
    proxy.swap(snapshotOf(legacy.origin, [{ ...group, stage: 'live', stopped: 'killed' }], 2));
    held.socket.write(ok('service'));
    await client.until('service');
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until('legacy');
    expect(proxy.counts()).toMatchObject({ serviceInFlight: new Map() });
  });

  test('205 loses the body it must not have', async () => {
    const upstream = await rawUpstream(
      'HTTP/1.1 205 Reset\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    );
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const text = await exchange(proxy.port, `${GET}\r\n`);
    expect(parseMessage(text)).toMatchObject({ status: 205, body: '' });
    expect(text).not.toContain('abc');
  });

  test('OPTIONS goes as far as Max-Forwards says', async () => {
    const upstream = await rawUpstream(ok('upstream'));
    const proxy = await open({ snapshot: snapshotOf(upstream.origin) });
    const ask = (hops: number): string =>
      `OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\nMax-Forwards: ${hops}\r\n\r\n`;
    expect(parseMessage(await exchange(proxy.port, ask(0)))).toMatchObject({ status: 200, body: '' });
    expect(parseMessage(await exchange(proxy.port, ask(10))).body).toBe('upstream');
    expect(upstream.heard.map((heard) => values(heard, 'max-forwards'))).toEqual([['9']]);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK', served: null, status: 200 }, { outcome: 'OK' }]);
  });
});
