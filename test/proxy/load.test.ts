import net, { type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { createAuthority } from '../helpers/certificates.ts';
import { snapshotOf, targetAt } from '../helpers/current.ts';
import { proxied } from '../helpers/proxied.ts';
import { eventually } from '../helpers/world.ts';

const CLIENTS = 40;
const ROUNDS = 3;

/** What stands at an offset of the body of an exchange: no two bodies agree for long. */
function byteAt(id: number, offset: number): number {
  return (id * 151 + offset * 7 + (offset >> 8) * 13 + (offset >> 16)) & 0xff;
}

function bodyOf(id: number): Buffer {
  const bytes = 20_000 + ((id * 7_919) % 9) * 40_000;
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) body[at] = byteAt(id, at);
  return body;
}

/** Where two bodies begin to differ, or null. */
function difference(actual: Buffer, expected: Buffer): string | null {
  if (actual.equals(expected)) return null;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at += 1;
  return `${actual.length} of ${expected.length} bytes, first difference at ${at}`;
}

/** Hands bytes over in pieces of odd sizes, each in a turn of its own. */
async function inPieces(socket: Socket, bytes: Buffer, seed: number): Promise<void> {
  let size = 1 + (seed % 5);
  for (let at = 0; at < bytes.length && !socket.destroyed; at += size, size = (size * 5 + seed) % 30_011) {
    size = Math.max(1, size);
    if (!socket.write(bytes.subarray(at, at + size))) await new Promise((done) => socket.once('drain', done));
    if (size % 3 === 0) await setImmediate();
  }
}

function chunked(body: Buffer, seed: number): Buffer {
  const parts: Buffer[] = [];
  let size = 1 + (seed % 3);
  for (let at = 0; at < body.length; at += size, size = (size * 3 + seed) % 20_011) {
    size = Math.max(1, size);
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

interface Read {
  readonly head: string;
  readonly body: Buffer;
}

/** Reads messages one after the other; `paced` stops reading now and then. */
async function* messages(socket: Socket, paced: boolean): AsyncGenerator<Read> {
  let held = Buffer.alloc(0);
  let turns = 0;
  const more = async (): Promise<boolean> => {
    turns += 1;
    if (paced && turns % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    for (;;) {
      const bytes: Buffer | null = socket.read();
      if (bytes !== null) {
        held = Buffer.concat([held, bytes]);
        return true;
      }
      if (socket.readableEnded || socket.destroyed) return false;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          for (const event of ['readable', 'end', 'close']) socket.off(event, go);
          resolve();
        };
        for (const event of ['readable', 'end', 'close']) socket.on(event, go);
      });
    }
  };
  for (;;) {
    let end = held.indexOf('\r\n\r\n');
    while (end === -1) {
      if (!(await more())) return;
      end = held.indexOf('\r\n\r\n');
    }
    const head = held.toString('latin1', 0, end + 2);
    held = held.subarray(end + 4);
    if (/\r\ntransfer-encoding: chunked\r\n/i.test(head)) {
      const parts: Buffer[] = [];
      for (;;) {
        while (held.indexOf('\r\n') === -1) if (!(await more())) return;
        const size = Number.parseInt(held.toString('latin1', 0, held.indexOf('\r\n')), 16);
        const from = held.indexOf('\r\n') + 2;
        while (held.length < from + size + 2) if (!(await more())) return;
        parts.push(held.subarray(from, from + size));
        held = held.subarray(from + size + 2);
        if (size === 0) break;
      }
      yield { head, body: Buffer.concat(parts) };
    } else {
      const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0);
      const parts = [held];
      let bytes = held.length;
      while (bytes < length) {
        held = Buffer.alloc(0);
        if (!(await more())) return;
        parts.push(held);
        bytes += held.length;
      }
      held = Buffer.concat(parts);
      yield { head, body: held.subarray(0, length) };
      held = held.subarray(length);
    }
  }
}

/** Answers each request with the body of its id, and complains about uploads that are not the id's. */
async function mirror(faults: string[]) {
  const server = net.createServer(async (socket) => {
    socket.on('error', () => {});
    for await (const { head, body } of messages(socket, true)) {
      const id = Number(/^GET \/(\d+) /.exec(head)?.[1]);
      const wrong = difference(body, bodyOf(id));
      if (wrong !== null) faults.push(`upload ${id}: ${wrong}`);
      const filler = `X-Filler: ${'f'.repeat((id % 5) * 900)}\r\n`;
      const answer =
        id % 2 === 0
          ? Buffer.concat([
              Buffer.from(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n${filler}Transfer-Encoding: chunked\r\n\r\n`),
              chunked(bodyOf(id), id),
            ])
          : Buffer.concat([
              Buffer.from(
                `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n${filler}Content-Length: ${bodyOf(id).length}\r\n\r\n`,
              ),
              bodyOf(id),
            ]);
      await inPieces(socket, answer, id);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

const authority = createAuthority();

test.each([
  ['plain', null],
  ['TLS', authority.issue('localhost')],
] as const)(
  'many bodies at once over %s, both ways and with backpressure: nobody gets a byte of another',
  async (_, material) => {
    const faults: string[] = [];
    const origin = await mirror(faults);
    const group = { name: 'g', service: origin, routes: ['* /*'], stage: 'shadow' } as const;
    const proxy = await proxied({
      snapshot: snapshotOf(origin, [
        {
          ...group,
          shadowLimits: { perSecondMax: 99, inFlightMax: 99, timeoutMs: 99, bodyBytesMax: 500_000 },
        },
      ]),
      intent: { serve: 'off', shadow: 'on', cause: 'flag' },
      options: { tls: material, upstreamConnectionsMax: 25, queueWaitMs: 60_000 },
    });
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const socket = connected(proxy.port, material !== null);
        const answers = messages(socket, client % 2 === 0);
        for (let round = 0; round < ROUNDS; round += 1) {
          const id = client * ROUNDS + round;
          const body = bodyOf(id);
          const framing = id % 3 === 0 ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
          const bytes = Buffer.concat([
            Buffer.from(`GET /${id} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`),
            id % 3 === 0 ? chunked(body, id) : body,
          ]);
          const sent = inPieces(socket, bytes, id);
          const { value } = await answers.next();
          await sent;
          if (value === undefined) faults.push(`no answer to ${id}`);
          else {
            const wrong = difference(value.body, body);
            if (wrong !== null) faults.push(`answer ${id}: ${wrong}`);
            if (!value.head.includes(`X-Id: ${id}\r\n`)) faults.push(`the head of another: ${id}`);
          }
        }
        socket.end();
      }),
    );
    expect(faults).toEqual([]);
    expect(proxy.observed).toHaveLength(CLIENTS * ROUNDS);
    expect(proxy.observed.every(({ outcome }) => outcome === 'OK')).toBe(true);
    for (const { request, answer } of proxy.jobs) {
      const body = bodyOf(Number(request.target.slice(1)));
      expect(difference(Buffer.from(request.body), body)).toBe(null);
      expect(difference(Buffer.from(answer.body), body)).toBe(null);
    }
    expect(await proxy.accounted(CLIENTS * ROUNDS)).toHaveLength(proxy.jobs.length);
    await eventually(() => proxy.counts().connections === 0);
    expect(proxy.counts()).toMatchObject({ inFlight: 0, copyBytes: 0 });
  },
);

test.each([
  ['plain', null],
  ['TLS', authority.issue('localhost')],
] as const)(
  'a large answer in pieces to a %s client that rests arrives as it was sent',
  async (_, material) => {
    const expected = Buffer.alloc(16_000_000);
    for (let at = 0; at < expected.length; at += 4) expected.writeUInt32LE(at, at);
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', async () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${expected.length}\r\n\r\n`);
        for (let at = 0; at < expected.length && !socket.destroyed; at += 20_000) {
          if (!socket.write(expected.subarray(at, at + 20_000)))
            await new Promise((done) => socket.once('drain', done));
          await setImmediate();
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
    });
    const address = server.address();
    const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const proxy = await proxied({ snapshot: snapshotOf(origin), options: { tls: material } });
    const socket = connected(proxy.port, material !== null);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    // Long enough for whatever the two kernels hold.
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { value } = await messages(socket, false).next();
    expect(value === undefined ? 'no answer' : difference(value.body, expected)).toBe(null);
  },
);

test.each([
  ['plain', null],
  ['TLS', authority.issue('127.0.0.1')],
] as const)('a large upload to a %s upstream that rests arrives as it was sent', async (_, material) => {
  const expected = Buffer.alloc(16_000_000);
  for (let at = 0; at < expected.length; at += 4) expected.writeUInt32LE(at, at);
  const arrived = Promise.withResolvers<string | null>();
  const accept = async (upstream: Socket): Promise<void> => {
    upstream.on('error', () => {});
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { value } = await messages(upstream, false).next();
    arrived.resolve(value === undefined ? 'no request' : difference(value.body, expected));
  };
  const server = material === null ? net.createServer(accept) : tls.createServer({ ...material }, accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  const authorityAt = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const target = targetAt('legacy', `${material === null ? 'http' : 'https'}://${authorityAt}`);
  const trusting = { ca: authority.cert, cert: null, key: null };
  const proxy = await proxied({
    snapshot: snapshotOf({ ...target, tls: material === null ? null : trusting }),
  });
  const socket = connected(proxy.port, false);
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${expected.length}\r\n\r\n`);
  await inPieces(socket, expected, 7);
  expect(await arrived.promise).toBe(null);
});

/** A client's connection; closed with the test. */
function connected(port: number, secure: boolean): Socket {
  const to = { port, host: '127.0.0.1' };
  const socket = secure
    ? tls.connect({ ...to, ca: authority.cert, servername: 'localhost' })
    : net.connect(to);
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}
