import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { FEATURES, freePort, json, scripted } from './scripted.ts';
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

test.concurrent('without a server the reader knows nothing, says so once, and recovers by itself', async ({
  onTestFinished: finish,
}) => {
  const port = await freePort(finish);
  const url = `http://127.0.0.1:${port}`;
  const { reader, log } = startReader(
    {
      source: { kind: 'poll', url, token, refreshMs: 250, timeoutMs: 1000 },
    },
    finish,
  );
  await until(() => reader.counts().errors >= 1);
  const { warnings } = reader.counts();
  for (let i = 0; i < 100; i += 1) {
    expect(reader.read('orders', subject(UNIT)).cause).toBe('no-data');
  }
  expect(reader.counts().warnings).toBe(warnings);
  expect(reader.status()).toMatchObject({ data: 'none', ageMs: null });
  expect(reader.status().lastError).not.toContain(String(port));
  expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  const startedMs = performance.now();
  await scripted((_request, response) => json(response, 200, FEATURES), port, finish);
  await fresh(reader);
  expect(performance.now() - startedMs).toBeLessThan(250 + 3250);
  expect(reader.read('orders', subject(UNIT)).serve).toBe('on');
  expect(reader.status().lastError).toBeNull();
});

test.concurrent('a server that dies leaves the last flags in force, and they become stale', async ({
  onTestFinished: finish,
}) => {
  const time = fakeTime();
  const server = await scripted((_request, response) => json(response, 200, FEATURES), 0, finish);
  const source = { kind: 'poll', url: server.url, token, refreshMs: 250 } as const;
  const { reader } = startReader({ source, clock: time.clock }, finish);
  await fresh(reader);
  await server.close();
  await until(() => reader.status().lastError !== null);
  expect(reader.status()).toMatchObject({ data: 'fresh', stale: false });
  time.advance(30_001);
  expect(reader.status()).toMatchObject({ data: 'fresh', stale: true, ageMs: 30_001 });
  expect(reader.read('orders', subject(UNIT)).serve).toBe('on');
});

test.concurrent('a server that answers 503 for a while is asked again until it recovers', async ({
  onTestFinished: finish,
}) => {
  const server = await scripted(
    (_request, response, nth) => (nth <= 3 ? json(response, 503, '{}') : json(response, 200, FEATURES)),
    0,
    finish,
  );
  const { reader, log } = startReader(
    { source: { kind: 'poll', url: server.url, token, refreshMs: 250 } },
    finish,
  );
  await until(() => reader.status().lastError !== null);
  expect(reader.status().lastError).toBe('the flag server answered 503');
  await fresh(reader);
  expect(reader.status().lastError).toBeNull();
  expect(log.lines.map(({ event }) => event)).toEqual(['flags.unreachable', 'flags.reachable']);
});

test.concurrent('one 401 stops the SDK for ever, and us for a minute', async ({ onTestFinished: finish }) => {
  const time = fakeTime();
  const server = await scripted(
    (_request, response, nth) => (nth === 1 ? json(response, 401, '{}') : json(response, 200, FEATURES)),
    0,
    finish,
  );
  const source = { kind: 'poll', url: server.url, token, refreshMs: 250 } as const;
  const { reader } = startReader({ source, timer: time.timer, clock: time.clock }, finish);
  await until(() => reader.status().lastError !== null);
  expect(reader.status().lastError).toBe('the flag server refused the token (401)');
  await delay(300);
  expect(server.count('features')).toBe(1);
  time.advance(60_000);
  await fresh(reader);
  await until(() => server.count('features') >= 3);
});

test.concurrent('stopping while a later fetch fails ends the process with 0, and asks nobody any more', async ({
  onTestFinished: finish,
}) => {
  // The second fetch hangs until `stop` cuts it; the SDK repeats it twice, and fails when nobody listens any more.
  const server = await scripted(
    (_request, response, nth) => {
      if (nth === 1) json(response, 200, FEATURES);
    },
    0,
    finish,
  );
  const script = `
    import { createReader } from ${JSON.stringify(new URL('../../flags/reader.ts', import.meta.url).href)};
    const quiet = () => {};
    const reader = createReader({
      source: { kind: 'poll', url: '${server.url}', token: 't', refreshMs: 250 },
      environment: 'production', backupDir: ${JSON.stringify(tempDir(finish))},
      clock: { now: () => performance.now(), wall: () => Date.now() },
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    reader.onChange(() => setTimeout(() => reader.stop(), 400));
    reader.start();
    setTimeout(() => {}, 4500);`;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  await expect(run).resolves.toMatchObject({ stderr: '' });
  expect(server.count('features')).toBe(2);
});

test('an answer of the wrong shape with an ETag does not freeze the flags', async () => {
  const server = await scripted((request, response, nth) => {
    if (nth === 1) json(response, 200, '{"service":"gateway"}', { etag: '"gateway"' });
    else if (request.headers['if-none-match'] !== undefined) response.writeHead(304).end();
    else json(response, 200, FEATURES, { etag: '"1"' });
  });
  const { reader } = startReader({ source: { kind: 'poll', url: server.url, token, refreshMs: 250 } });
  await until(() => reader.status().lastError !== null);
  expect(reader.status().lastError).toBe('the flag server sent an answer of another shape');
  await until(() => reader.status().data === 'fresh', 1000);
});

test('A, B, A across stream and poll ends with the flags of the server', async () => {
  const { url, server } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', 'orders', { serve: 0, shadow: 0 });
  const polled = startReader({ source: { kind: 'poll', url, token, refreshMs: 250 } }).reader;
  const streamed = startReader({ source: { kind: 'stream', url, token } }).reader;
  await Promise.all([fresh(polled), fresh(streamed)]);
  const before = server.revision();
  await writer.setServeShare('orders', 100, 0, '1');
  await writer.setServeShare('orders', 0, 100, '1');
  expect(server.revision()).toBe(before + 2);
  await writer.setServeShare('orders', 100, 0, '1');
  for (const reader of [polled, streamed])
    await until(() => reader.read('orders', subject(UNIT)).serve === 'on');
});

test('a proxy in the environment does not capture loopback requests', async () => {
  const { url } = await startServer();
  vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${await freePort()}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const { reader } = startReader({ source: { kind: 'poll', url, token, refreshMs: 250 } });
  await fresh(reader);
});
