import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { Replayed, Replayer } from '../../router/core/ports.ts';
import { PLAIN_SHADOW } from '../../router/core/snapshot.ts';
import type { ShadowJob } from '../../router/core/types.ts';
import { createReplayer } from '../../router/proxy/replayer.ts';
import { group, IMPATIENT, job, REAL_CLOCK, SILENT, target } from '../shadow/jobs.ts';
import { jsonAnswer, rawUpstream } from '../shadow/upstream.ts';

function replayer(): Replayer {
  const made = createReplayer({ clock: REAL_CLOCK, log: SILENT });
  made.start();
  onTestFinished(() => made.stop());
  return made;
}

function send(each: ShadowJob, by = replayer()): Promise<Replayed> {
  return new Promise((done) => by.replay(each, () => true, done));
}

const impatient = (origin: string) => job(origin, { group: group({ shadowLimits: IMPATIENT }) });

const bodyOf = (replayed: Replayed) =>
  replayed.kind === 'answer' ? Buffer.from(replayed.answer.body).toString('latin1') : replayed.kind;

test('the copy carries the mark and the same target, Host and credentials, without validators or Fig fields', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{}')));
  const fields = [
    'Host',
    'Shop.example',
    'Cookie',
    'a=1',
    'Authorization',
    'Bearer x',
    'If-None-Match',
    '"1"',
    'If-Modified-Since',
    'x',
    'Expect',
    '100-continue',
    'Fig-Group',
    'g',
    'Connection',
    'x',
    'X-Two',
    '1',
    'X-Two',
    '2',
  ];
  await send(
    job(upstream.origin, {
      request: { method: 'GET', target: '/a%2Fb?q=%c3', fields, body: new Uint8Array() },
    }),
  );
  expect(upstream.heads[0]?.split('\r\n')).toEqual([
    'GET /a%2Fb?q=%c3 HTTP/1.1',
    'Host: Shop.example',
    'Cookie: a=1',
    'Authorization: Bearer x',
    'X-Two: 1',
    'X-Two: 2',
    'Fig-Shadow: 1',
  ]);
});

test('a copy goes without the fields that are dropped, and may keep its validators', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{}')));
  const fields = ['Host', 'x', 'authorization', 'Bearer x', 'If-None-Match', '"1"', 'Cookie', 'a=1'];
  const shadowPolicy = {
    ...PLAIN_SHADOW,
    conditional: 'as-is',
    dropHeaders: ['authorization', 'cookie'],
  } as const;
  const request = { method: 'GET', target: '/', fields, body: new Uint8Array() };
  await send(job(upstream.origin, { request, group: group({ shadowPolicy }) }));
  expect(upstream.heads[0]?.split('\r\n').slice(1)).toEqual([
    'Host: x',
    'If-None-Match: "1"',
    'Fig-Shadow: 1',
  ]);
});

test('a copy is no part of the trace of its request', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{}')));
  const trace = [
    'traceparent',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'tracestate',
    'a=1',
  ];
  const request = { method: 'GET', target: '/', fields: ['Host', 'x', ...trace], body: new Uint8Array() };
  await send(job(upstream.origin, { request }));
  expect(upstream.heads[0]).not.toMatch(/trace/i);
});

test('with host target a copy names the side it goes to', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{}')));
  const shadowPolicy = { ...PLAIN_SHADOW, host: 'target' } as const;
  await send(job(upstream.origin, { group: group({ shadowPolicy }) }));
  expect(upstream.heads[0]).toContain(`Host: ${new URL(upstream.origin).host}`);
});

test('a copied body is sent with its own length', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{}')));
  const request = {
    method: 'GET',
    target: '/',
    fields: ['Host', 'x', 'Transfer-Encoding', 'chunked'],
    body: Buffer.from('abc'),
  };
  await send(job(upstream.origin, { request }));
  expect(upstream.heads[0]).toContain('Content-Length: 3');
  expect(upstream.heads[0]).not.toContain('Transfer-Encoding');
});

test('redirects are not followed and come back rewritten as the client would see them', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.write('HTTP/1.1 302 Found\r\nLocation: http://catalog.internal/x\r\nContent-Length: 0\r\n\r\n'),
  );
  const rewriteLocation = [['http://catalog.internal', 'public']] as const;
  const replayed = await send(job(upstream.origin, { target: target(upstream.origin, { rewriteLocation }) }));
  expect(replayed).toMatchObject({
    answer: { status: 302, fields: ['Location', 'http://shop.example/x', 'Content-Length', '0'] },
  });
  expect(upstream.heads).toHaveLength(1);
});

test('F1 a refused connection is a transport failure with its code', async () => {
  const upstream = await rawUpstream(() => {});
  upstream.server.close();
  await once(upstream.server, 'close');
  expect(await send(job(upstream.origin))).toEqual({ kind: 'transport', code: 'UPSTREAM_REFUSED' });
});

test('F3 an upstream that never reads ends at the deadline', async () => {
  const server = createServer({ pauseOnConnect: true }, (socket) =>
    onTestFinished(() => void socket.destroy()),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  expect(await send(impatient(origin))).toEqual({ kind: 'timeout', connecting: false });
});

test('F4 an upstream that never answers ends at the deadline', async () => {
  const upstream = await rawUpstream(() => {});
  expect(await send(impatient(upstream.origin))).toEqual({ kind: 'timeout', connecting: false });
});

test('F5 a body that drips ends at the deadline, not with its last byte', async () => {
  const upstream = await rawUpstream((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
    const drip = setInterval(() => socket.write('x'), 20);
    onTestFinished(() => clearInterval(drip));
    socket.on('close', () => clearInterval(drip));
  });
  expect(await send(impatient(upstream.origin))).toEqual({ kind: 'timeout', connecting: false });
});

test('F6 a reset in the middle of the head is a transport failure', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nCont', () => socket.resetAndDestroy()),
  );
  expect(await send(job(upstream.origin))).toMatchObject({ kind: 'transport' });
});

test('F6 an end in the middle of the body is an answer that was truncated', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"a":1}'),
  );
  expect(await send(job(upstream.origin))).toMatchObject({
    kind: 'answer',
    oversize: false,
    answer: { truncated: true },
  });
});

test('F7 an endless body is read up to the limit and no further', async () => {
  const upstream = await rawUpstream((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const more = () => {
      while (socket.writable && socket.write(`400\r\n${'x'.repeat(1024)}\r\n`));
    };
    socket.on('drain', more);
    more();
  });
  const each = job(upstream.origin, {
    group: group({ shadowPolicy: { ...PLAIN_SHADOW, answerBytesMax: 4000 } }),
  });
  const replayed = await send(each);
  expect(replayed).toMatchObject({ kind: 'answer', oversize: true });
  expect(bodyOf(replayed).length).toBeLessThan(4000 + 70_000);
});

test.each([
  ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['a head of 1 MB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`],
  ['a switched protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ['a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
])('F8 %s is a transport failure', async (_what, bytes) => {
  const upstream = await rawUpstream((socket) => socket.write(bytes));
  expect(await send(job(upstream.origin))).toMatchObject({ kind: 'transport' });
});

test('F9 a claimed coding is left to the comparer: bytes come back as they were', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.write(jsonAnswer('{"a":1}', '200 OK', 'Content-Encoding: gzip\r\n')),
  );
  expect(bodyOf(await send(job(upstream.origin)))).toBe('{"a":1}');
});

test('F9 a gzip bomb is small here and comes back packed', async () => {
  const bomb = gzipSync(Buffer.alloc(1024 * 1024));
  const upstream = await rawUpstream((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
    socket.write(bomb);
  });
  expect(bodyOf(await send(job(upstream.origin)))).toHaveLength(bomb.length);
});

test('F10 interim answers are not the answer', async () => {
  const upstream = await rawUpstream((socket) =>
    socket.write(`HTTP/1.1 103 Early Hints\r\n\r\n${jsonAnswer('{"a":1}')}`),
  );
  expect(bodyOf(await send(job(upstream.origin)))).toBe('{"a":1}');
});

test('a kept-alive connection that is closed as we take it is neither blamed nor repeated', async () => {
  const by = replayer();
  const upstream = await rawUpstream((socket, index) => {
    if (index === 0) socket.write(jsonAnswer('{}'));
    else socket.resetAndDestroy();
  });
  expect(bodyOf(await send(job(upstream.origin), by))).toBe('{}');
  await setImmediate(); // A connection is offered again only after the events that came with its last answer.
  expect(await send(job(upstream.origin), by)).toEqual({ kind: 'connection-reused' });
  expect(upstream.heads).toHaveLength(2);
});

test('a reused connection that is reset within the head is blamed on the service', async () => {
  const by = replayer();
  const upstream = await rawUpstream((socket, index) => {
    if (index === 0) socket.write(jsonAnswer('{}'));
    else socket.write('HTTP/1.1 2', () => socket.resetAndDestroy());
  });
  await send(job(upstream.origin), by);
  await setImmediate();
  expect(await send(job(upstream.origin), by)).toMatchObject({ kind: 'transport' });
});

test('a stop ends a running copy at once', async () => {
  const by = replayer();
  const upstream = await rawUpstream(() => by.stop());
  expect(await send(job(upstream.origin), by)).toEqual({ kind: 'aborted' });
});

test('reading stops when the memory budget is spent', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{"a":1}')));
  const by = replayer();
  const replayed = new Promise<Replayed>((done) => by.replay(job(upstream.origin), () => false, done));
  expect(await replayed).toEqual({ kind: 'memory' });
});

test('a request that cannot be written is a fault of ours, not an exception', async () => {
  const upstream = await rawUpstream(() => {});
  const request = { method: 'GET', target: '/a b', fields: ['Host', 'x'], body: new Uint8Array() };
  const replayed = await send(job(upstream.origin, { request }));
  expect(replayed).toEqual({ kind: 'transport', code: 'FIG_INTERNAL' });
});

test('a side with a Host of its own gets that, the other one the Host of the client', async () => {
  const upstream = await rawUpstream((socket) => socket.write(jsonAnswer('{}')));
  const fields = ['Host', 'legacy.internal'];
  const request = { method: 'GET', target: '/', fields, body: new Uint8Array() };
  const named = (host: string | null) => target(upstream.origin, { host });
  await send(job(upstream.origin, { request, target: named('catalog.internal') }));
  await send(job(upstream.origin, { request, target: named(null), primaryTarget: named('legacy.internal') }));
  expect(upstream.heads.map((head) => /Host: (.*)/.exec(head)?.[1])).toEqual([
    'catalog.internal',
    'shop.example',
  ]);
});
