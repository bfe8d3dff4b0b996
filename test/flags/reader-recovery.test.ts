import { copyFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ANSWER_BYTES_MAX } from '../../flags/agent.ts';
import { makeCertificate } from '../helpers/certificates.ts';
import { fastTime } from './fast-time.ts';
import { FEATURE, FEATURES, frame, HYDRATION, json, scripted } from './scripted.ts';
import {
  fakeTime,
  fresh,
  startReader,
  startServer,
  subject,
  TOKENS,
  tempDir,
  until,
  writerFor,
} from './world.ts';

const UNIT = '6d894aa3ee802549d7f340e7c1cf0d1c';
const token = TOKENS.client;

/** What stands between a reader and its server: passes polls on, and streams as long as it is told to. */
async function gateway(url: string, etagOf: (etag: string) => string = (etag) => etag) {
  const state = { streams: true };
  const statuses: number[] = [];
  const open = new Set<() => void>();
  const server = await scripted(async (request, response) => {
    const streaming = request.url?.includes('streaming') === true;
    if (streaming && !state.streams) return json(response, 404, '{}');
    const { authorization = '', 'if-none-match': known } = request.headers;
    const aborting = new AbortController();
    const headers = {
      authorization,
      'unleash-client-spec': '5.2.0',
      ...(known === undefined ? {} : { 'if-none-match': known }),
    };
    const answer = await fetch(`${url}${request.url}`, { headers, signal: aborting.signal });
    if (!streaming) {
      statuses.push(answer.status);
      const etag = answer.headers.get('etag') ?? '';
      response.writeHead(answer.status, { 'content-type': 'application/json', etag: etagOf(etag) });
      response.end(await answer.text());
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const hint = () => void response.write('event: fetch-mode\ndata: polling\n\n');
    open.add(hint);
    response.once('close', () => {
      open.delete(hint);
      aborting.abort();
    });
    try {
      for await (const chunk of answer.body ?? []) response.write(chunk);
    } catch {
      response.destroy();
    }
  });
  const toPolling = () => {
    for (const send of open) send();
  };
  return { url: server.url, state, statuses, toPolling };
}

test('A, B, A over stream and poll of one client ends with the flags of the server', async () => {
  const time = fakeTime();
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 100, shadow: 0 });
  const between = await gateway(url);
  between.state.streams = false;
  const source = { kind: 'stream', url: between.url, token } as const;
  const { reader } = startReader({ source, timer: time.timer, clock: time.clock });
  const serve = () => reader.intent('orders').serve;
  await until(() => reader.status().transport === 'poll' && serve() === 100);
  between.state.streams = true;
  time.advance(6 * 60_000);
  await until(() => reader.status().transport === 'stream');
  await writer.setServeShare('orders', 0, 100, '1');
  await until(() => serve() === 0);
  between.state.streams = false;
  between.toPolling();
  await writer.setServeShare('orders', 100, 0, '2');
  await until(() => serve() === 100);
  expect(reader.status().transport).toBe('poll');
});

test('a flag server that comes back with an older data file is believed', async () => {
  const before = await startServer();
  await writerFor(before.url).ensure('orders', 'orders', { serve: 10, shadow: 0 });
  await before.server.close();
  const older = join(tempDir(), 'flags.db');
  copyFileSync(before.file, older);
  const { url, server, port } = await startServer({ file: before.file });
  const { reader } = startReader({ source: { kind: 'poll', url, token, refreshMs: 250 } });
  await writerFor(url).setServeShare('orders', 50, 10, '1');
  await until(() => reader.intent('orders').serve === 50);
  await server.close();
  await startServer({ file: older, port });
  await until(() => reader.intent('orders').serve === 10);
});

test('a gateway that weakens the ETag costs no body: 304 still works', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 10, shadow: 0 });
  const between = await gateway(url, (etag) => `W/${etag.replace(/^W\//, '')}`);
  const { reader } = startReader({ source: { kind: 'poll', url: between.url, token, refreshMs: 250 } });
  await until(() => between.statuses.length >= 3);
  expect(between.statuses.slice(0, 3)).toEqual([200, 304, 304]);
  await writer.setServeShare('orders', 20, 10, '1');
  await until(() => reader.intent('orders').serve === 20);
});

test('a stream that is cut five times polls, and is tried again within six minutes', async () => {
  const time = fakeTime();
  const fast = fastTime();
  onTestFinished(fast.end);
  const server = await scripted((request, response, nth) => {
    if (request.url?.includes('streaming') !== true) return json(response, 200, FEATURES);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(HYDRATION);
    if (nth <= 5) setImmediate(() => response.destroy());
  });
  const source = { kind: 'stream', url: server.url, token } as const;
  const { reader } = startReader({ source, timer: time.timer, clock: fast.clock });
  expect(await fast.until(() => reader.status().transport === 'poll', 60_000)).toBe(true);
  expect(server.count('streaming')).toBe(5);
  await fast.pass(5_000);
  expect(server.count('streaming')).toBe(5);
  time.advance(6 * 60_000);
  expect(await fast.until(() => reader.status().transport === 'stream', 5_000)).toBe(true);
  await fast.pass(5_000);
  expect(server.count('streaming')).toBe(6);
  expect(reader.read('orders', subject(UNIT)).serve).toBe('on');
});

test('going back to the stream leaves no second polling loop behind, also when the stream is refused', async () => {
  const time = fakeTime();
  const fast = fastTime();
  onTestFinished(fast.end);
  const held: (() => void)[] = [];
  let hold = false;
  const server = await scripted((request, response) => {
    if (request.url?.includes('streaming') === true) return json(response, 404, '{}');
    if (hold) held.push(() => json(response, 200, FEATURES));
    else json(response, 200, FEATURES);
  });
  const source = { kind: 'stream', url: server.url, token } as const;
  const { reader } = startReader({ source, timer: time.timer, clock: fast.clock });
  expect(await fast.until(() => reader.status().data === 'fresh', 5_000)).toBe(true);
  hold = true;
  expect(await fast.until(() => held.length > 0, 5_000)).toBe(true);
  time.advance(6 * 60_000);
  await fast.pass(500);
  hold = false;
  for (const answer of held) answer();
  expect(await fast.until(() => server.count('streaming') === 2, 5_000)).toBe(true);
  await fast.pass(2_000);
  const before = server.count('features');
  await fast.pass(10_000);
  expect(server.count('features') - before).toBeLessThanOrEqual(10);
});

test('a stream that says nothing of flags for 45 s is left for polling', async () => {
  const time = fakeTime();
  const server = await scripted((request, response) => {
    if (request.url?.includes('streaming') !== true) return json(response, 200, FEATURES);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(
      frame('unleash-connected', [{ type: 'hydration', eventId: 1, features: [], segments: [] }]),
    );
    const comments = setInterval(() => response.write(':\n\n'), 10);
    response.once('close', () => clearInterval(comments));
  });
  const source = { kind: 'stream', url: server.url, token } as const;
  const { reader } = startReader({ source, timer: time.timer, clock: time.clock });
  await fresh(reader);
  time.advance(45_001);
  await until(() => reader.read('orders', subject(UNIT)).serve === 'on');
  expect(reader.status()).toMatchObject({ transport: 'poll', stale: false });
});

test.concurrent('a server that asks for a stream is polled all the same', async ({
  onTestFinished: finish,
}) => {
  const server = await scripted(
    (_request, response) => json(response, 200, FEATURES, { 'fetch-mode': 'streaming' }),
    0,
    finish,
  );
  const { reader } = startReader(
    { source: { kind: 'poll', url: server.url, token, refreshMs: 250 } },
    finish,
  );
  await fresh(reader);
  await until(() => server.count('features') >= 3);
  expect(server.count('streaming')).toBe(0);
  expect(reader.status().transport).toBe('poll');
});

test.concurrent('an answer that never ends is cut at its bound', async ({ onTestFinished: finish }) => {
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  let endless = true;
  let read = 0;
  const server = await scripted(
    (_request, response) => {
      if (!endless) return json(response, 200, FEATURES);
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = () => {
        while (!response.destroyed && response.write(chunk)) read += chunk.length;
      };
      response.on('drain', () => {
        read += chunk.length;
        more();
      });
      response.once('close', () => {
        endless = false;
      });
      more();
    },
    0,
    finish,
  );
  const { reader } = startReader(
    { source: { kind: 'poll', url: server.url, token, refreshMs: 250 } },
    finish,
  );
  await until(() => !endless);
  expect(read).toBeGreaterThan(ANSWER_BYTES_MAX / 2);
  expect(read).toBeLessThan(ANSWER_BYTES_MAX + 16 * chunk.length);
  await until(() => reader.status().lastError === 'the flag server sent an answer that is too large');
  await fresh(reader);
});

test.concurrent('a server nobody vouches for is refused, and the token is not sent', async ({
  onTestFinished: finish,
}) => {
  const folder = tempDir(finish);
  const certified = makeCertificate(folder);
  const tokens: unknown[] = [];
  const server = createServer(certified, (request, response) => {
    tokens.push(request.headers.authorization);
    if (request.method === 'POST') response.writeHead(202).end();
    else json(response, 200, FEATURES);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  finish(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const refused = new Promise((resolve) => server.once('tlsClientError', resolve));
  const { reader } = startReader({ source: { kind: 'poll', url, token, refreshMs: 250 } }, finish);
  await refused;
  await until(() => reader.status().lastError === 'the flag server could not be verified');
  expect(reader.status().data).toBe('none');
  expect(tokens).toEqual([]);
  const trusting = startReader({ source: { kind: 'poll', url, token, ca: certified.cert } }, finish);
  await fresh(trusting.reader);
  expect(tokens).toContain(token);
});

test.concurrent('a flag that cannot be evaluated is unknown, never off, and the others are as they are', async ({
  onTestFinished: finish,
}) => {
  const sound = { ...FEATURE, name: 'fig.billing.serve' };
  const broken = { name: 'fig.orders.serve', enabled: true, strategies: [null] };
  const shadowless = { name: 'fig.orders.shadow', enabled: true };
  const body = JSON.stringify({ version: 2, features: [broken, shadowless, 'none', sound] });
  const server = await scripted(
    (request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else json(response, 200, body, { etag: '"1"' });
    },
    0,
    finish,
  );
  const { reader, log } = startReader(
    { source: { kind: 'poll', url: server.url, token, refreshMs: 250 } },
    finish,
  );
  await fresh(reader);
  expect(reader.read('orders', subject(UNIT))).toEqual({
    serve: 'unknown',
    shadow: 'unknown',
    cause: 'missing',
  });
  expect(reader.intent('orders')).toEqual({ serve: 'missing', shadow: 'missing' });
  expect(reader.read('billing', subject(UNIT)).serve).toBe('on');
  expect(reader.counts().malformedFlags).toBe(3);
  await until(() => server.count('features') >= 4);
  expect(log.lines.filter(({ event }) => event === 'flags.malformed').map(({ fields }) => fields)).toEqual([
    { flags: 3 },
  ]);
});

test.concurrent('a list of more than 100 values is warned of once', async ({ onTestFinished: finish }) => {
  const values = Array.from({ length: 101 }, (_, i) => `u${i}`);
  const constraint = { contextName: 'tenant', operator: 'IN', values };
  const inStrategy = { ...FEATURE, strategies: [{ ...FEATURE.strategies[0], constraints: [constraint] }] };
  const inSegment = {
    ...FEATURE,
    name: 'fig.billing.serve',
    strategies: [{ ...FEATURE.strategies[0], segments: [1] }],
  };
  const short = { ...FEATURE, name: 'fig.catalog.serve' };
  const segments = [{ id: 1, name: 's', constraints: [constraint] }];
  const body = JSON.stringify({ version: 2, features: [inStrategy, inSegment, short], segments });
  const server = await scripted((_request, response) => json(response, 200, body), 0, finish);
  const { log } = startReader({ source: { kind: 'poll', url: server.url, token, refreshMs: 250 } }, finish);
  await until(() => server.count('features') >= 3);
  const warned = log.lines
    .filter(({ event }) => event === 'flags.long-list')
    .map(({ fields }) => fields['flag']);
  expect(warned).toEqual(['fig.orders.serve', 'fig.billing.serve']);
});
