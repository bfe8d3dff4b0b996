import diagnostics from 'node:diagnostics_channel';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientRequest, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReader, type FlagSource } from '../../flags/reader.ts';
import { fastTime } from './fast-time.ts';
import { FEATURE, FEATURES, frame, HYDRATION, json } from './scripted.ts';
import { recordingLog, subject } from './world.ts';

/** How a flag server can be sick, in every answer it gives. */
const SICK: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'that is down': (response) => response.socket?.resetAndDestroy(),
  'that answers 500': (response) => json(response, 500, '{}'),
  'that answers 503': (response) => json(response, 503, '{}'),
  'that answers 401': (response) => json(response, 401, '{}'),
  'that answers 404': (response) => json(response, 404, '{}'),
  'that answers 418': (response) => json(response, 418, '{}'),
  'that sends other JSON': (response) => json(response, 200, '{"service":"gateway"}', { etag: '"1"' }),
  'that sends no JSON': (response) => json(response, 200, '{"features":[', { etag: '"1"' }),
  'that sends a page': (response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>\n\n'),
  'that sends half a gzip': (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
    response.end(gzipSync(FEATURES).subarray(0, 40));
  },
  'whose answer never ends': (response) => drip(response, 'x'.repeat(1024)),
  'whose compressed answer never ends': (response) => {
    response.setHeader('content-encoding', 'gzip');
    drip(response, gzipSync('x'));
  },
  'that drips': (response) => drip(response, '{'),
  'that accepts and says nothing': () => undefined,
  'that sends malformed events': (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: unleash-connected\ndata: {"events":[{\n\n');
  },
};
const SECONDS = 30;
/** What SDK and reader may send besides: the registration, and a fetch or two when a transport changes. */
const BESIDES = 4;
const WAYS = ['poll', 'poll at 250 ms', 'stream'] as const;
const CASES = Object.keys(SICK).flatMap((sickness) => WAYS.map((way) => ({ sickness, way })));

const UNIT = '6d894aa3ee802549d7f340e7c1cf0d1c';
const CURED = {
  ...FEATURE,
  strategies: FEATURE.strategies.map((one) => ({ ...one, parameters: parameters('0') })),
};
const ends: (() => unknown)[] = [];
const results = new Map<
  string,
  { asked: number; answers: Set<string>; stale: boolean; said: string | null; recovered: boolean }
>();

function parameters(rollout: string) {
  return { rollout, stickiness: 'figUnit', groupId: 'orders' };
}

function drip(response: ServerResponse, bytes: string | Buffer): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const dripping = setInterval(() => response.write(bytes), 5);
  response.once('close', () => clearInterval(dripping));
}

function healthy(request: IncomingMessage, response: ServerResponse, feature: typeof FEATURE): void {
  if (request.method === 'POST') response.writeHead(202).end();
  else if (request.url?.includes('streaming') === true) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const whole = { type: 'hydration', eventId: 1, features: [feature], segments: [] };
    response.write(feature === FEATURE ? HYDRATION : frame('unleash-connected', [whole]));
  } else json(response, 200, JSON.stringify({ version: 2, features: [feature], segments: [] }));
}

/** All of them at once: a reader each, in one time. */
beforeAll(async () => {
  const time = fastTime();
  const asked = new Map<string, number>();
  const count = (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    const host = String(request.getHeader('host'));
    asked.set(host, (asked.get(host) ?? 0) + 1);
  };
  diagnostics.subscribe('http.client.request.start', count);
  ends.push(() => diagnostics.unsubscribe('http.client.request.start', count), time.end);
  const backupDir = mkdtempSync(join(tmpdir(), 'fig-storms-'));
  ends.push(() => rmSync(backupDir, { recursive: true }));
  let state: 'well' | 'sick' | 'cured' = 'well';

  const worlds = await Promise.all(
    CASES.map(async ({ sickness, way }) => {
      const server = createServer((request, response) => {
        if (state === 'sick') SICK[sickness]?.(response);
        else healthy(request, response, state === 'well' ? FEATURE : CURED);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
      const source: FlagSource =
        way === 'stream'
          ? { kind: 'stream', url: `http://${host}`, token: 't' }
          : { kind: 'poll', url: `http://${host}`, token: 't', refreshMs: way === 'poll' ? 1000 : 250 };
      const log = recordingLog();
      const reader = createReader({ source, environment: 'production', backupDir, clock: time.clock, log });
      ends.push(
        () => server.closeAllConnections(),
        () => server.close(),
        () => reader.stop(),
      );
      reader.start();
      const answer = () => reader.read('orders', subject(UNIT)).serve;
      return { name: `${sickness}, ${way}`, host, server, reader, answer, answers: new Set<string>() };
    }),
  );
  expect(await time.until(() => worlds.every(({ answer }) => answer() === 'on'), 5_000)).toBe(true);

  state = 'sick';
  asked.clear();
  for (const { server } of worlds) server.closeAllConnections();
  await time.pass(SECONDS * 1000, () => {
    for (const { answer, answers } of worlds) answers.add(answer());
  });
  const sick = new Map(asked);
  await time.pass(15_100);
  const status = new Map(worlds.map(({ name, reader }) => [name, reader.status()]));

  state = 'cured';
  for (const { server } of worlds) server.closeAllConnections();
  await time.until(() => worlds.every(({ answer }) => answer() === 'off'), 75_000);
  for (const { name, host, answer, answers } of worlds) {
    results.set(name, {
      asked: sick.get(host) ?? 0,
      answers,
      stale: status.get(name)?.stale === true,
      said: status.get(name)?.lastError ?? null,
      recovered: answer() === 'off',
    });
  }
}, 60_000);

afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

function resultsOf(sickness: string) {
  return WAYS.map((way) => ({ way, ...results.get(`${sickness}, ${way}`) }));
}

test.each(Object.keys(SICK))(
  'a flag server %s is asked at most once a second, or at its refresh interval',
  (sickness) => {
    for (const { way, asked } of resultsOf(sickness)) {
      const perSecond = way === 'poll at 250 ms' ? 4 : 1;
      expect(asked, way).toBeGreaterThan(0);
      expect(asked, way).toBeLessThanOrEqual(SECONDS * perSecond + BESIDES);
    }
  },
);

test.each(Object.keys(SICK))(
  'with a flag server %s the last flags hold, and it is said that they are stale, and why',
  (sickness) => {
    for (const { way, answers, stale, said } of resultsOf(sickness)) {
      expect(answers, way).toEqual(new Set(['on']));
      expect(stale, way).toBe(true);
      expect(said, way).toMatch(/^the flag server /);
    }
  },
);

test.each(Object.keys(SICK))(
  'a flag server %s is read again when it recovers, without a restart',
  (sickness) => {
    const recovered = resultsOf(sickness).map(({ way, recovered }) => [way, recovered]);
    expect(recovered).toEqual(WAYS.map((way) => [way, true]));
  },
);
