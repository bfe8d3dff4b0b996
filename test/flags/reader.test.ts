import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { PROPERTIES_MAX } from '../../flags/context.ts';
import { createReader, type FlagSource, readerFaults } from '../../flags/reader.ts';
import { createFlagServer } from '../../flags/server/app.ts';
import { FEATURES, json, scripted } from './scripted.ts';
import {
  call,
  clock,
  fresh,
  recordingLog,
  startReader,
  startServer,
  subject,
  TOKENS,
  tempDir,
  writerFor,
} from './world.ts';

const FLAG = '/api/admin/projects/default/features/fig.orders.serve';
const IN_PRODUCTION = `${FLAG}/environments/production`;

async function localReader(deps: { properties?: string[]; withoutUnit?: 'per-request' } = {}) {
  const world = await startServer();
  const writer = writerFor(world.url);
  await writer.ensure('orders', 'orders', { serve: 10, shadow: 100 });
  const { reader } = startReader({ source: { kind: 'local', server: world.server }, ...deps });
  return { ...world, writer, reader };
}

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    createHash('sha256').update(`user-${i}`).digest('hex').slice(0, 32),
  );
}

test('10 % is 9.4 to 10.6 % of 10,000 units, and raising it to 25 % moves nobody back', async () => {
  const { reader, writer } = await localReader();
  const units = keys(10_000);
  const on = () => units.filter((unit) => reader.read('orders', subject(unit)).serve === 'on');
  const tenth = on();
  expect(tenth.length / units.length).toBeGreaterThanOrEqual(0.094);
  expect(tenth.length / units.length).toBeLessThanOrEqual(0.106);
  expect(on()).toEqual(tenth);
  await writer.setServeShare('orders', 25, 10, '1');
  const quarter = new Set(on());
  expect(tenth.every((unit) => quarter.has(unit))).toBe(true);
  expect(quarter.size / units.length).toBeCloseTo(0.25, 1);
  await writer.setServeShare('orders', 10, 25, '2');
  expect(on()).toEqual(tenth);
});

test('no unit is unknown, never off', async () => {
  const { reader } = await localReader();
  const intent = reader.read('orders', subject(null));
  expect(intent).toEqual({ serve: 'unknown', shadow: 'unknown', cause: 'no-unit' });
});

test('without a unit the request itself may stand in, for the shadow flag only', async () => {
  const { reader } = await localReader({ withoutUnit: 'per-request' });
  const intent = reader.read('orders', subject(null));
  expect(intent).toEqual({ serve: 'unknown', shadow: 'on', cause: 'no-unit' });
});

test('a missing flag is unknown, never off', async () => {
  const { reader } = await localReader();
  const intent = reader.read('billing', subject('a'.repeat(32)));
  expect(intent).toEqual({ serve: 'unknown', shadow: 'unknown', cause: 'missing' });
  expect(reader.intent('billing')).toEqual({ serve: 'missing', shadow: 'missing' });
});

test('a reader that was never started knows nothing and does not throw', () => {
  const log = recordingLog();
  const server = createFlagServer({ file: 'never-opened.db', tokens: TOKENS, clock, log });
  const source = { kind: 'local', server } as const;
  const reader = createReader({ source, environment: 'production', backupDir: tempDir(), clock, log });
  expect(reader.read('orders', subject('a'.repeat(32))).cause).toBe('no-data');
  expect(reader.status().data).toBe('none');
});

test('the asked share is a number only while the flag is in our shape', async () => {
  const { reader, url } = await localReader();
  expect(reader.intent('orders')).toEqual({ serve: 10, shadow: 100 });
  const added = await call(url, 'POST', `${IN_PRODUCTION}/strategies`, {
    name: 'flexibleRollout',
    parameters: { rollout: '100', stickiness: 'random', groupId: 'x' },
  });
  expect(added.status).toBe(200);
  expect(reader.intent('orders').serve).toBe('custom');
});

test('a strategy that somebody edited to the stickiness default stays the same for each unit', async () => {
  const { reader, url } = await localReader();
  const strategies = await call(url, 'GET', `${IN_PRODUCTION}/strategies`);
  const [{ id }] = strategies.body as [{ id: string }];
  await call(url, 'PUT', `${IN_PRODUCTION}/strategies/${id}`, {
    name: 'flexibleRollout',
    parameters: { rollout: '50', stickiness: 'default', groupId: 'orders' },
  });
  const answers = () => keys(50).map((unit) => reader.read('orders', subject(unit)).serve);
  const first = answers();
  expect(new Set(first)).toEqual(new Set(['on', 'off']));
  for (let again = 0; again < 5; again += 1) expect(answers()).toEqual(first);
});

test('a flag that is switched off is off, and asks for nobody', async () => {
  const { reader, url, writer } = await localReader();
  await writer.setServeShare('orders', 100, 10, '1');
  await call(url, 'POST', `${IN_PRODUCTION}/off`);
  expect(reader.read('orders', subject('a'.repeat(32))).serve).toBe('off');
  expect(reader.intent('orders').serve).toBe(0);
});

test('an archived flag is missing at once', async () => {
  const { reader, url } = await localReader();
  await call(url, 'DELETE', FLAG);
  expect(reader.read('orders', subject('a'.repeat(32)))).toMatchObject({
    serve: 'unknown',
    cause: 'missing',
  });
});

test('a constraint sees an allowed property and no other', async () => {
  const { reader, url } = await localReader({ properties: ['tenant'] });
  const strategies = await call(url, 'GET', `${IN_PRODUCTION}/strategies`);
  const [{ id }] = strategies.body as [{ id: string }];
  const constraint = (contextName: string) => ({ contextName, operator: 'IN', values: ['acme'] });
  const parameters = { rollout: '100', stickiness: 'figUnit', groupId: 'orders' };
  const read = () =>
    reader.read('orders', {
      unit: 'a'.repeat(32),
      requestId: 'r',
      properties: { tenant: 'acme', plan: 'acme' },
    }).serve;
  for (const [name, answer] of [
    ['tenant', 'on'],
    ['plan', 'off'],
  ] as const) {
    await call(url, 'PUT', `${IN_PRODUCTION}/strategies/${id}`, {
      name: 'flexibleRollout',
      parameters,
      constraints: [constraint(name)],
    });
    expect(read()).toBe(answer);
  }
});

test.each<[string, FlagSource, string[]]>([
  ['a stream over https', { kind: 'stream', url: 'https://127.0.0.1:1', token: 't' }, ['url']],
  ['a stream to another machine', { kind: 'stream', url: 'http://10.0.0.1:1', token: 't' }, ['url']],
  ['credentials in the URL', { kind: 'poll', url: 'http://a:b@127.0.0.1:1', token: 't' }, ['url']],
  ['no URL at all', { kind: 'poll', url: 'flags', token: 't' }, ['url']],
  [
    'every fault at once',
    { kind: 'poll', url: 'ftp://h', token: '', refreshMs: 0, timeoutMs: 900 },
    ['url', 'token', 'refreshMs', 'timeoutMs'],
  ],
  ['nothing on a good source', { kind: 'poll', url: 'https://flags.example/', token: 't' }, []],
])('refused before anything is sent: %s', (_name, source, paths) => {
  expect(readerFaults({ source }).map(({ path }) => path)).toEqual(paths);
  const create = () => createReader({ source, environment: 'e', backupDir: 'b', clock, log: recordingLog() });
  if (paths.length > 0) expect(create).toThrow(TypeError);
  else expect(create).not.toThrow();
});

test('reserved or too many properties are refused', () => {
  const source = { kind: 'stream', url: 'http://127.0.0.1:1', token: 't' } as const;
  expect(readerFaults({ source, properties: ['figUnit'] })).toHaveLength(1);
  const names = Array.from({ length: PROPERTIES_MAX }, (_, i) => `p${i}`);
  expect(readerFaults({ source, properties: names })).toHaveLength(0);
  expect(readerFaults({ source, properties: [...names, 'one-more'] })).toHaveLength(1);
});

test('stopping a streaming reader lets go of its stream', async () => {
  const { url, server } = await startServer();
  const { reader } = startReader({ source: { kind: 'stream', url, token: TOKENS.client } });
  await fresh(reader);
  expect(server.streams().open).toBe(1);
  const gone = new Promise<void>((resolve) => {
    const look = () => (server.streams().open === 0 ? resolve() : setImmediate(look));
    void reader.stop().then(look);
  });
  await gone;
});

test('a local reader of an environment that does not exist fails at its start', async () => {
  const { server } = await startServer();
  expect(() => startReader({ source: { kind: 'local', server }, environment: 'moon' })).toThrow(
    /no environment/,
  );
});

test('stopping sends the last usage counts', async () => {
  const server = await scripted((_request, response) => json(response, 200, FEATURES));
  const { reader } = startReader({ source: { kind: 'poll', url: server.url, token: TOKENS.client } });
  await fresh(reader);
  reader.read('orders', subject('a'.repeat(32)));
  expect(server.count('metrics')).toBe(0);
  await reader.stop();
  expect(server.count('metrics')).toBe(1);
});
