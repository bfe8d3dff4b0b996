import net, { type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type RunningFig, startFigProxy } from '../helpers/fig.ts';
import { ON_LINUX, peakBytesOf, socketsOf } from '../helpers/process-use.ts';
import { parseMessage } from '../helpers/raw-http.ts';
import { eventually } from '../helpers/world.ts';
import { type Behaviour, type RecordingUpstream, recordingUpstream } from './recording-upstream.ts';
import { talk } from './talk.ts';

/** Twice of what any of these floods takes. */
const GROWN_BYTES_MAX = 128 * 1_048_576;
const HEALTHY = 'GET /healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
/** For a machine that does other things as well; alone it takes a millisecond. */
const HEALTHY_MS_MAX = 5_000;

interface World {
  readonly upstream: RecordingUpstream;
  readonly fig: RunningFig;
  /** Memory that the proxy has needed so far beyond what it began with, at its worst. */
  grownBytes(): number;
  /** Somebody else is answered, soon. */
  healthy(): Promise<void>;
  /** Resolves when the proxy holds no socket more than at the beginning. */
  quiet(): Promise<void>;
}

async function world(behaviour?: Behaviour): Promise<World> {
  const upstream = await recordingUpstream(behaviour);
  const fig = await startFigProxy(upstream.origin);
  await ask(fig.port, HEALTHY);
  const [peak, sockets] = [peakBytesOf(fig.pid), socketsOf(fig.pid) - upstream.open()];
  return {
    upstream,
    fig,
    grownBytes: () => peakBytesOf(fig.pid) - peak,
    async healthy() {
      const startedAt = performance.now();
      expect(parseMessage(await ask(fig.port, HEALTHY)).body).toContain('GET /healthy');
      expect(performance.now() - startedAt).toBeLessThan(HEALTHY_MS_MAX);
    },
    quiet: () => eventually(() => socketsOf(fig.pid) - upstream.open() <= sockets),
  };
}

/** Everything that is answered to these bytes until the connection is closed. */
function ask(port: number, bytes: string): Promise<string> {
  return talk(port, '127.0.0.1', [bytes]).heard;
}

/** A connection that hears nothing of what is said to it unless it is resumed; gone with the test. */
async function connection(port: number): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => socket.destroy());
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return socket;
}

function connections(port: number, count: number): Promise<Socket[]> {
  return Promise.all(Array.from({ length: count }, () => connection(port)));
}

describe.runIf(ON_LINUX)('a healthy client is answered, and nothing grows without bound, while', () => {
  test('2,000 connections say one byte and stay, and 500 say a head byte by byte', async () => {
    const { fig, grownBytes, healthy, quiet } = await world();
    const idle = await connections(fig.port, 2_000);
    for (const socket of idle) socket.write('G');
    const slow = await connections(fig.port, 500);
    for (const byte of `GET /slow HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(30)}`) {
      for (const socket of slow) socket.write(byte);
      await setImmediate();
    }
    await healthy();
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    for (const socket of [...idle, ...slow]) socket.destroy();
    await quiet();
  });

  test('clients send 10,000 requests each and read no answer', async () => {
    const page = 'x'.repeat(65_536);
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${page.length}\r\n\r\n${page}`;
    const { fig, upstream, grownBytes, healthy, quiet } = await world(({ target }) =>
      target === '/page' ? answer : null,
    );
    const greedy = await connections(fig.port, 40);
    for (const socket of greedy) socket.write('GET /page HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10_000));
    await upstream.until(() => upstream.of('127.0.0.1').length > 400);
    await healthy();
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    for (const socket of greedy) socket.destroy();
    await quiet();
  });

  test('an upstream sends interim answers without end', async () => {
    const { fig, grownBytes, healthy, quiet } = await world(({ target }) =>
      target === '/flood' ? `HTTP/1.1 103 Early\r\nLink: ${'x'.repeat(1_000)}\r\n\r\n`.repeat(10_000) : null,
    );
    const asks = Array.from({ length: 20 }, () =>
      ask(fig.port, 'GET /flood HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    );
    await healthy();
    for (const text of await Promise.all(asks)) expect(text).toMatch(/HTTP\/1\.1 502 /);
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    await quiet();
  });

  test('more tunnels are asked for than there may be', async () => {
    const { fig, grownBytes, healthy, quiet } = await world(({ target }) =>
      target === '/ws' ? 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n' : null,
    );
    const sockets = await connections(fig.port, 1_200);
    let refused = 0;
    let opened = 0;
    for (const socket of sockets) {
      socket.once('data', (bytes) => {
        if (bytes.toString('latin1').startsWith('HTTP/1.1 101')) opened += 1;
        else refused += 1;
      });
      socket.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    }
    await eventually(() => opened + refused === sockets.length);
    // More than connections to the upstream; some ask while as many are being made as there may be.
    expect(opened).toBeGreaterThan(512);
    expect(opened).toBeLessThanOrEqual(1_000);
    await healthy();
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    for (const socket of sockets) socket.destroy();
    await quiet();
  });

  test('connections come, ask and are reset', async () => {
    const { fig, grownBytes, healthy, quiet } = await world(({ target }) => (target === '/hang' ? '' : null));
    for (let round = 0; round < 30; round += 1) {
      const sockets = await connections(fig.port, 100);
      for (const [i, socket] of sockets.entries()) {
        socket.write(`GET ${i % 2 === 0 ? '/hang' : '/x'} HTTP/1.1\r\nHost: a\r\n\r\n`, () =>
          socket.resetAndDestroy(),
        );
      }
    }
    await healthy();
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    await quiet();
  });

  test('an upstream answers byte by byte', async () => {
    const { fig, grownBytes, healthy, quiet } = await world(({ target }, socket) => {
      if (target !== '/drip') return null;
      const drip = async (): Promise<void> => {
        for (const byte of `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(500)}0\r\n\r\n`) {
          socket.write(byte);
          await setImmediate();
        }
      };
      void drip();
      return '';
    });
    const asks = Array.from({ length: 20 }, () =>
      ask(fig.port, 'GET /drip HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    );
    await healthy();
    for (const text of await Promise.all(asks)) expect(parseMessage(text).body).toBe('x'.repeat(500));
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    await quiet();
  });

  test('chunk extensions and header bombs come', async () => {
    const { fig, grownBytes, healthy, quiet } = await world();
    const body = `1;${'a'.repeat(1_000)}\r\nx\r\n`.repeat(100);
    const asks = Array.from({ length: 100 }, (_, i) =>
      ask(
        fig.port,
        i % 2 === 0
          ? `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
          : `GET /x HTTP/1.1\r\nHost: a\r\n${`X: ${'x'.repeat(100)}\r\n`.repeat(2_000)}\r\n`,
      ),
    );
    await healthy();
    for (const [i, text] of (await Promise.all(asks)).entries())
      expect(parseMessage(text).status).toBe(i % 2 === 0 ? 400 : 431);
    expect(grownBytes()).toBeLessThan(GROWN_BYTES_MAX);
    await quiet();
  });
});
