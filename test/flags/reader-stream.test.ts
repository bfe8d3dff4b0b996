import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createReader } from '../../flags/reader.ts';
import { FEATURE, FEATURES, frame, HYDRATION, json, scripted } from './scripted.ts';
import {
  clock,
  fakeTime,
  fresh,
  recordingLog,
  startReader,
  subject,
  TOKENS,
  tempDir,
  until,
} from './world.ts';

const UNIT = '6d894aa3ee802549d7f340e7c1cf0d1c';
const token = TOKENS.client;
/** A storm is thousands of connections in a second. */
const STORM_WATCH_MS = 1000;

test('a malformed stream event causes no reconnect storm and is healed by polling', async () => {
  const server = await scripted((request, response) => {
    if (request.url?.includes('streaming') !== true) return json(response, 200, FEATURES);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: unleash-connected\ndata: {"events":[{\n\n');
  });
  const { reader } = startReader({ source: { kind: 'stream', url: server.url, token } });
  await fresh(reader);
  await delay(STORM_WATCH_MS);
  expect(server.count('streaming')).toBe(1);
  expect(reader.status().transport).toBe('poll');
  expect(reader.read('orders', subject(UNIT)).serve).toBe('on');
});

test('a listener that throws costs neither connections nor the other listeners', async () => {
  const server = await scripted((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(HYDRATION);
    for (let i = 1; i <= 20; i += 1) {
      const feature = { ...FEATURE, description: String(i) };
      response.write(frame('unleash-updated', [{ type: 'feature-updated', eventId: 1 + i, feature }]));
    }
  });
  const log = recordingLog();
  const source = { kind: 'stream', url: server.url, token } as const;
  const reader = createReader({ source, environment: 'production', backupDir: tempDir(), clock, log });
  const revisions: number[] = [];
  reader.onChange(() => {
    throw new Error('a listener of ours is broken');
  });
  reader.onChange((revision) => revisions.push(revision));
  onTestFinished(() => reader.stop());
  reader.start();
  await delay(STORM_WATCH_MS);
  expect(server.count('streaming')).toBe(1);
  expect(revisions.at(-1)).toBe(reader.status().revision);
  expect(reader.counts().listenerFailures).toBe(revisions.length);
  expect(log.lines.filter(({ event }) => event === 'flags.listener-failed')).toHaveLength(1);
});

test('heartbeats prove freshness but are no new table', async () => {
  const time = fakeTime();
  const beats: (() => void)[] = [];
  const server = await scripted((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(HYDRATION);
    beats.push(() => response.write(frame('unleash-updated', [])));
  });
  const { reader } = startReader({ source: { kind: 'stream', url: server.url, token }, clock: time.clock });
  await fresh(reader);
  const { revision } = reader.status();
  time.advance(45_001);
  expect(reader.status().stale).toBe(true);
  for (const beat of beats) beat();
  await until(() => !reader.status().stale);
  expect(reader.status()).toMatchObject({ revision, ageMs: 0 });
});

test('a stream that is refused polls, and is tried again within six minutes', async () => {
  const time = fakeTime();
  const server = await scripted((request, response, nth) => {
    if (request.url?.includes('streaming') !== true) return json(response, 200, FEATURES);
    if (nth === 1) return json(response, 404, '{}');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(HYDRATION);
  });
  const source = { kind: 'stream', url: server.url, token } as const;
  const { reader, log } = startReader({ source, timer: time.timer, clock: time.clock });
  await until(() => log.lines.some(({ event }) => event === 'flags.transport'));
  await fresh(reader);
  expect(reader.status().transport).toBe('poll');
  time.advance(6 * 60_000);
  await until(() => server.count('streaming') === 2);
  await until(() => reader.status().transport === 'stream');
});
