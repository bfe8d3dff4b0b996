import tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Target, TargetTls } from '../../router/core/types.ts';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { snapshotOf, targetAt } from '../helpers/current.ts';
import { proxied } from '../helpers/proxied.ts';
import { exchange, parseMessage, rawClient, values } from '../helpers/raw-http.ts';
import { ok, rawUpstream } from '../helpers/upstream.ts';
import { createWatch } from '../helpers/watch.ts';

const authority = createAuthority();
const GET = 'GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n';
const LAST = 'GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** An upstream behind TLS that answers every head with what it knows of the peer. */
async function secureUpstream(options: tls.TlsOptions): Promise<{ readonly port: number }> {
  const server = tls.createServer(options, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      const { subject } = socket.getPeerCertificate();
      socket.write(ok(`peer ${subject === undefined ? 'nobody' : String(subject.CN)}`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0 };
}

async function throughTo(port: number, material: TargetTls | null, host = '127.0.0.1') {
  const target: Target = { ...targetAt('legacy', `https://${host}:${port}`), tls: material };
  const proxy = await proxied({ snapshot: snapshotOf(target) });
  const answer = parseMessage(await exchange(proxy.port, LAST));
  return { answer, proxy };
}

const trusting: TargetTls = { ca: authority.cert, cert: null, key: null };

describe('an upstream behind TLS', () => {
  test.each(['127.0.0.1', 'localhost'])('is reached as %s when its authority is known', async (host) => {
    const { port } = await secureUpstream(authority.issue('localhost', '127.0.0.1'));
    const { answer, proxy } = await throughTo(port, trusting, host);
    expect(answer).toMatchObject({ status: 200, body: 'peer nobody' });
    expect(proxy.observed).toMatchObject([{ outcome: 'OK' }]);
  });

  test.each([
    ['an authority nobody knows', null, '127.0.0.1'],
    ['another authority', { ...trusting, ca: createAuthority('other').cert }, '127.0.0.1'],
    ['another name', trusting, 'other.test'],
  ])('is not believed with %s', async (_, material, name) => {
    const { port } = await secureUpstream(authority.issue(name));
    const { answer, proxy } = await throughTo(port, material);
    expect(answer).toMatchObject({
      status: 502,
      body: 'the upstream could not be verified\nrequest test-1\n',
    });
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_TLS', served: null }]);
  });

  const demanding = {
    ...authority.issue('localhost', '127.0.0.1'),
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  };

  test('that asks who we are gets our certificate', async () => {
    const { port } = await secureUpstream(demanding);
    const { answer } = await throughTo(port, { ca: authority.cert, ...authority.issue('router.test') });
    expect(answer).toMatchObject({ status: 200, body: 'peer router.test' });
  });

  test('that asks who we are, and we have nothing to show, is a fault of whoever runs us', async () => {
    const { port } = await secureUpstream(demanding);
    const { answer, proxy } = await throughTo(port, trusting);
    expect(answer.status).toBe(502);
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_TLS' }]);
  });

  test('that speaks no TLS is one too', async () => {
    const upstream = await rawUpstream('HTTP/1.1 400 Bad Request\r\n\r\n');
    const { port } = upstream;
    const proxy = await proxied({ snapshot: snapshotOf(`https://127.0.0.1:${port}`) });
    const client = rawClient(proxy.port);
    client.send(GET);
    await upstream.received('\x16\x03');
    upstream.say('HTTP/1.1 400 No\r\n\r\n');
    await client.until('502 Bad Gateway');
    expect(proxy.observed).toMatchObject([{ outcome: 'UPSTREAM_TLS' }]);
  });
});

/** A client behind TLS that keeps what it hears, latin1. */
async function secureClient(port: number) {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert });
  const watch = createWatch();
  let text = '';
  let gone = false;
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    watch.wake();
  });
  socket.on('close', () => {
    gone = true;
    watch.wake();
  });
  onTestFinished(() => {
    socket.destroy();
  });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return {
    socket,
    name: String(socket.getPeerCertificate().subject.CN),
    async until(expected: RegExp): Promise<string> {
      await watch.until(() => expected.test(text) || gone);
      return text;
    },
  };
}

describe('a listener behind TLS', () => {
  async function listening(options: Partial<ProxyOptions> = {}) {
    const upstream = await rawUpstream((_, n) => ok(`answer ${n}`));
    const material = authority.issue('localhost', 'first.test');
    const proxy = await proxied({
      snapshot: snapshotOf(upstream.origin),
      options: { tls: material, ...options },
    });
    return { upstream, proxy };
  }

  test('serves request after request, and says upstream that it was https', async () => {
    const { upstream, proxy } = await listening();
    const client = await secureClient(proxy.port);
    client.socket.write(GET + GET);
    await client.until(/answer 1[\s\S]*answer 2$/);
    expect(values(await upstream.request(1), 'x-forwarded-proto')).toEqual(['https']);
    expect(proxy.observed).toMatchObject([{ outcome: 'OK' }, { outcome: 'OK' }]);
  });

  test('carries large bodies both ways', async () => {
    const body = Buffer.alloc(3_000_000, '0123456789abcdef');
    const upstream = await rawUpstream((heard) => ok(heard.body));
    const proxy = await proxied({
      snapshot: snapshotOf(upstream.origin),
      options: { tls: authority.issue('localhost') },
    });
    const client = await secureClient(proxy.port);
    client.socket.write(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.socket.write(body);
    const text = await client.until(/cdef$/);
    expect(parseMessage(text).body).toBe(body.toString('latin1'));
  });

  test('shows a new certificate to new clients, and keeps the old ones', async () => {
    const { proxy } = await listening();
    const old = await secureClient(proxy.port);
    old.socket.write(GET);
    await old.until(/answer 1$/);
    proxy.reconfigure({ tls: authority.issue('second.test', 'localhost') });
    const fresh = await secureClient(proxy.port);
    expect([old.name, fresh.name]).toEqual(['localhost', 'second.test']);
    old.socket.write(GET);
    fresh.socket.write(GET);
    await old.until(/answer 1[\s\S]*answer \d$/);
    await fresh.until(/answer \d$/);
    expect(proxy.observed).toHaveLength(3);
  });

  test('refuses material that is none, and goes on with what it has', async () => {
    const { proxy } = await listening();
    expect(() => proxy.reconfigure({ tls: { cert: 'none', key: 'none' } })).toThrow();
    const client = await secureClient(proxy.port);
    client.socket.write(GET);
    await client.until(/answer 1$/);
  });

  test('survives whoever speaks plain HTTP to it', async () => {
    const { proxy, upstream } = await listening();
    await exchange(proxy.port, LAST);
    const client = await secureClient(proxy.port);
    client.socket.write(GET);
    await client.until(/answer 1$/);
    expect(upstream.heard).toHaveLength(1);
  });
});
