import { expect, test } from 'vitest';
import { FlagServerError } from '../../flags/admin/admin-http.ts';
import { createMemoryFlags } from '../../flags/memory.ts';
import { createWriter, GROUPS_MAX } from '../../flags/writer.ts';
import type { FlagReader, FlagWriter } from '../../router/core/ports.ts';
import { freePort, json, scripted } from './scripted.ts';
import { call, recordingLog, startReader, startServer, subject, TOKENS, writerFor } from './world.ts';

const FEATURES_PATH = '/api/admin/projects/default/features';
const SERVE = `${FEATURES_PATH}/fig.orders.serve`;
const IN_PRODUCTION = `${SERVE}/environments/production`;
const GROUP_ID = 'orders-seed';

interface World {
  readonly writer: FlagWriter;
  readonly reader: FlagReader;
  /** A person shapes the serve flag by hand. */
  tamper(): Promise<void>;
  /** A person deletes the serve flag. */
  remove(): Promise<void>;
}

async function embedded(): Promise<World> {
  const { url, server } = await startServer();
  const { reader } = startReader({ source: { kind: 'local', server } });
  return {
    writer: writerFor(url),
    reader,
    async tamper() {
      const parameters = { rollout: '50', stickiness: 'random', groupId: 'x' };
      await call(url, 'POST', `${IN_PRODUCTION}/strategies`, { name: 'flexibleRollout', parameters });
    },
    async remove() {
      await call(url, 'DELETE', SERVE);
    },
  };
}

async function memory(): Promise<World> {
  const flags = createMemoryFlags();
  return {
    ...flags,
    async tamper() {
      flags.tamper('fig.orders.serve', 'custom');
    },
    async remove() {
      flags.tamper('fig.orders.serve', 'missing');
    },
  };
}

/** One suite for the real writer on the embedded server and for its twin in memory. */
const WORLDS = [
  ['the embedded server', embedded],
  ['memory', memory],
] as const;

test.each(WORLDS)(
  '%s: ensure creates both flags at their shares, and a second time nothing',
  async (_name, world) => {
    const { writer, reader } = await world();
    const shares = { serve: 0, shadow: 100 };
    expect(await writer.ensure('orders', GROUP_ID, shares)).toBe('written');
    expect(reader.intent('orders')).toEqual(shares);
    const { revision } = reader.status();
    expect(await writer.ensure('orders', GROUP_ID, { serve: 50, shadow: 50 })).toBe('unchanged');
    expect(reader.intent('orders')).toEqual(shares);
    expect(reader.status().revision).toBe(revision);
  },
);

test.each(WORLDS)(
  '%s: a share is written, read back, and written again is unchanged',
  async (_name, world) => {
    const { writer, reader } = await world();
    await writer.ensure('orders', GROUP_ID, { serve: 0, shadow: 0 });
    expect(await writer.setServeShare('orders', 25, 0, '17')).toBe('written');
    expect(await writer.setServeShare('orders', 25, 0, '17')).toBe('unchanged');
    expect(await writer.setShadowShare('orders', 5, null, '18')).toBe('written');
    expect(reader.intent('orders')).toEqual({ serve: 25, shadow: 5 });
  },
);

test.each(WORLDS)('%s: a share that moved since is a conflict', async (_name, world) => {
  const { writer, reader } = await world();
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  expect(await writer.setServeShare('orders', 25, 5, '17')).toBe('conflict');
  expect(reader.intent('orders').serve).toBe(10);
});

test.each(WORLDS)(
  '%s: a flag that a person shaped stays as it is, also for share 0',
  async (_name, world) => {
    const { writer, reader, tamper } = await world();
    await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
    await tamper();
    expect(await writer.setServeShare('orders', 0, null, '17')).toBe('foreign');
    expect(await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 })).toBe('foreign');
    expect(reader.intent('orders').serve).toBe('custom');
  },
);

test.each(WORLDS)(
  '%s: a flag that is not there is foreign, and unknown to the reader',
  async (_name, world) => {
    const { writer, reader, remove } = await world();
    await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
    await remove();
    expect(await writer.setServeShare('orders', 0, null, '17')).toBe('foreign');
    expect(reader.read('orders', subject('a'.repeat(32))).serve).toBe('unknown');
  },
);

test.each(WORLDS)('%s: a flag of another hash seed is foreign', async (_name, world) => {
  const { writer } = await world();
  await writer.ensure('orders', 'seed-1', { serve: 10, shadow: 0 });
  expect(await writer.ensure('orders', 'seed-2', { serve: 10, shadow: 0 })).toBe('foreign');
});

test.each(WORLDS)('%s: a share that is no whole percent is refused', async (_name, world) => {
  const { writer } = await world();
  for (const share of [-1, 12.5, 101, Number.NaN]) {
    await expect(writer.setServeShare('orders', share, null, '1')).rejects.toThrow(RangeError);
  }
});

test.each(WORLDS)('%s: 100, 0 and 50 % of units get the same answers', async (_name, world) => {
  const { writer, reader } = await world();
  await writer.ensure('orders', 'orders', { serve: 100, shadow: 0 });
  // Bucket 34 in the group `orders`, 40 in `orders.shadow`.
  const unit = '6d894aa3ee802549d7f340e7c1cf0d1c';
  const serve = () => reader.read('orders', subject(unit)).serve;
  expect(serve()).toBe('on');
  for (const [share, answer] of [
    [0, 'off'],
    [33, 'off'],
    [34, 'on'],
  ] as const) {
    await writer.setServeShare('orders', share, null, '1');
    expect(serve()).toBe(answer);
  }
});

test('one share is one event, and its reference is in the title of the strategy', async () => {
  const { url, server } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  const before = server.revision();
  await writer.setServeShare('orders', 25, 10, '4711');
  expect(server.revision()).toBe(before + 1);
  const { body } = await call(url, 'GET', `${IN_PRODUCTION}/strategies`);
  expect(body).toMatchObject([
    { title: 'fig:4711', parameters: { rollout: '25', stickiness: 'figUnit', groupId: GROUP_ID } },
  ]);
});

test('a flag that somebody switched off is foreign and is not switched on again', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  await writer.setServeShare('orders', 25, 10, '1');
  await call(url, 'POST', `${IN_PRODUCTION}/off`);
  expect(await writer.ensure('orders', GROUP_ID, { serve: 25, shadow: 0 })).toBe('foreign');
  expect(await writer.setServeShare('orders', 50, 25, '2')).toBe('foreign');
});

test('an ensure that was cut off after any step is finished by the next one', async () => {
  for (const steps of [1, 2]) {
    const { url, server } = await startServer();
    const { reader } = startReader({ source: { kind: 'local', server } });
    await call(url, 'POST', FEATURES_PATH, { name: 'fig.orders.serve', type: 'release' });
    if (steps === 2) {
      const parameters = { rollout: '10', stickiness: 'figUnit', groupId: GROUP_ID };
      const strategy = { name: 'flexibleRollout', title: 'fig:new', parameters };
      await call(url, 'POST', `${IN_PRODUCTION}/strategies`, strategy);
    }
    expect(await writerFor(url).ensure('orders', GROUP_ID, { serve: 10, shadow: 0 })).toBe('written');
    expect(reader.intent('orders')).toEqual({ serve: 10, shadow: 0 });
  }
});

test('an archived flag is an error that says what to do', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  await call(url, 'DELETE', SERVE);
  await expect(writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 })).rejects.toThrow(/revive/);
});

test('a seed that a person changed is foreign to a writer that knows it', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  const { body } = await call(url, 'GET', `${IN_PRODUCTION}/strategies`);
  const [{ id }] = body as [{ id: string }];
  await call(url, 'PATCH', `${IN_PRODUCTION}/strategies/${id}`, [
    { op: 'replace', path: '/parameters/groupId', value: 'fig.orders.serve' },
  ]);
  expect(await writer.setServeShare('orders', 25, 10, '1')).toBe('foreign');
});

test('of two writers that saw the same share one wins and the other learns of it', async () => {
  const { url } = await startServer();
  await writerFor(url).ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  const results = await Promise.all(
    [20, 30].map((share) => writerFor(url).setServeShare('orders', share, 10, String(share))),
  );
  expect(results.toSorted()).toEqual(['conflict', 'written']);
});

test("Unleash's own answer to a failed test, a 500, is a conflict too", async () => {
  const { url } = await startServer();
  await writerFor(url).ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  const failing: typeof fetch = (input, init) =>
    init?.method === 'PATCH'
      ? Promise.resolve(Response.json({ message: 'Test operation failed' }, { status: 500 }))
      : fetch(input, init);
  const deps = { url, token: TOKENS.admin, environment: 'production', project: 'default' };
  const writer = createWriter({ ...deps, fetch: failing, log: recordingLog() });
  expect(await writer.setServeShare('orders', 25, 10, '1')).toBe('conflict');
});

test.each([
  ['a wrong token', 401, null],
  ['a gateway page', 502, null],
  ['a redirect', 302, { location: 'http://127.0.0.1:1/' }],
])('%s is an error without address or secret', async (_name, status, headers) => {
  const server = await scripted((_request, response) => json(response, status, '<html>', headers ?? {}));
  const error = await writerFor(server.url)
    .setServeShare('orders', 1, null, '1')
    .catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(FlagServerError);
  expect(String(error)).not.toContain('127.0.0.1');
  expect(String(error)).not.toContain(TOKENS.admin);
});

test('no server at all is an error, not a result', async () => {
  const writer = writerFor(`http://127.0.0.1:${await freePort()}`);
  await expect(writer.setServeShare('orders', 1, null, '1')).rejects.toBeInstanceOf(FlagServerError);
});

test('an answer that never ends is cut at its limit', async () => {
  const server = await scripted((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(Buffer.alloc(5 * 1024 * 1024, ' '));
  });
  await expect(writerFor(server.url).setServeShare('orders', 1, null, '1')).rejects.toThrow(/too long/);
});

test('a writer remembers its greatest number of groups and refuses one more', async () => {
  const refusing = () => Promise.reject(new TypeError('no network'));
  const deps = { url: 'http://127.0.0.1:1', token: 't', environment: 'production', project: 'default' };
  const writer = createWriter({ ...deps, fetch: refusing, log: recordingLog() });
  const ensure = (i: number) => writer.ensure(`g-${i}`, `g-${i}`, { serve: 0, shadow: 0 });
  for (let i = 0; i < GROUPS_MAX; i += 1) await expect(ensure(i)).rejects.toBeInstanceOf(FlagServerError);
  await expect(ensure(GROUPS_MAX)).rejects.toBeInstanceOf(RangeError);
  await expect(ensure(0)).rejects.toBeInstanceOf(FlagServerError);
});

test.each(['', 'A', 'a.b', '../x'])('the group %j is refused before anything is sent', async (group) => {
  const writer = writerFor('http://127.0.0.1:1');
  await expect(async () => writer.setServeShare(group, 1, null, '1')).rejects.toBeInstanceOf(RangeError);
});

/** A writer whose calls of a kind reach the server, and whose answers do not come back once. */
function losing(url: string, lost: 'cut' | 'gateway', which: (method: string, path: string) => boolean) {
  const left = { losses: 1 };
  const fetching: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (left.losses === 0 || !which(init?.method ?? 'GET', String(input))) return response;
    left.losses -= 1;
    await response.arrayBuffer();
    if (lost === 'cut') throw new TypeError('fetch failed');
    return Response.json({ message: 'bad gateway' }, { status: 502 });
  };
  const deps = { url, token: TOKENS.admin, environment: 'production', project: 'default' };
  return createWriter({ ...deps, fetch: fetching, log: recordingLog() });
}

test.each(['cut', 'gateway'] as const)(
  'a share whose answer was lost (%s) and that is written again is unchanged, and one event',
  async (lost) => {
    const { url, server } = await startServer();
    await writerFor(url).ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
    const before = server.revision();
    const writer = losing(url, lost, (method) => method === 'PATCH');
    await expect(writer.setServeShare('orders', 25, 10, '7')).rejects.toBeInstanceOf(FlagServerError);
    expect(await writer.setServeShare('orders', 25, 10, '7')).toBe('unchanged');
    expect(server.revision()).toBe(before + 1);
  },
);

test.each([
  ['the flag', (method: string, path: string) => method === 'POST' && path.endsWith('/features')],
  ['the strategy', (method: string, path: string) => method === 'POST' && path.endsWith('/strategies')],
  ['the switch', (method: string, path: string) => method === 'POST' && path.endsWith('/on')],
])(
  'an ensure that lost the answer about %s goes on where it was, also to another share',
  async (_name, which) => {
    const { url, server } = await startServer();
    const { reader } = startReader({ source: { kind: 'local', server } });
    const writer = losing(url, 'cut', which);
    const ensured = writer.ensure(
      'orders',
      GROUP_ID,
      { serve: 10, shadow: 0 },
      { serve: '3', shadow: 'new' },
    );
    await expect(ensured).rejects.toBeInstanceOf(FlagServerError);
    await writer.ensure('orders', GROUP_ID, { serve: 20, shadow: 0 }, { serve: '4', shadow: 'new' });
    const { serve } = await writer.look('orders', GROUP_ID);
    expect(serve.what).toBeNull();
    expect([serve.share, serve.ref]).toEqual(serve.share === 10 ? [10, '3'] : [20, '4']);
    expect(reader.intent('orders').shadow).toBe(0);
  },
);

test('a flag that was emptied by hand is not filled again by ensure', async () => {
  const { url } = await startServer();
  const writer = writerFor(url);
  await writer.ensure('orders', GROUP_ID, { serve: 0, shadow: 0 });
  const { body } = await call(url, 'GET', `${IN_PRODUCTION}/strategies`);
  const [{ id }] = body as [{ id: string }];
  await call(url, 'DELETE', `${IN_PRODUCTION}/strategies/${id}`);
  expect(await writer.ensure('orders', GROUP_ID, { serve: 0, shadow: 0 })).toBe('foreign');
  expect((await writer.look('orders', GROUP_ID)).serve).toMatchObject({
    share: 0,
    what: 'switched off, no strategy',
  });
});

test('one flag that somebody shaped does not keep the other from being made', async () => {
  const { url } = await startServer();
  await call(url, 'POST', FEATURES_PATH, { name: 'fig.orders.serve', type: 'release' });
  const strategy = { name: 'default', parameters: {} };
  await call(url, 'POST', `${IN_PRODUCTION}/strategies`, strategy);
  const writer = writerFor(url);
  expect(await writer.ensure('orders', GROUP_ID, { serve: 0, shadow: 5 })).toBe('foreign');
  expect((await writer.look('orders', GROUP_ID)).shadow).toMatchObject({ share: 5, what: null });
});

test.each(WORLDS)(
  '%s: what a person shaped is put back on request, and a second time unchanged',
  async (_name, world) => {
    const { writer, reader, tamper } = await world();
    await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
    await tamper();
    expect(await writer.restore('orders', 'serve', GROUP_ID, 10, '9')).toBe('written');
    expect(reader.intent('orders').serve).toBe(10);
    expect(await writer.restore('orders', 'serve', GROUP_ID, 10, '9')).toBe('unchanged');
  },
);

test('a restore that loses any of its answers is finished by the next one', async () => {
  for (const method of ['PUT', 'DELETE']) {
    const { url } = await startServer();
    await writerFor(url).ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
    const parameters = { rollout: '50', stickiness: 'random', groupId: 'x' };
    await call(url, 'POST', `${IN_PRODUCTION}/strategies`, { name: 'flexibleRollout', parameters });
    const writer = losing(url, 'cut', (sent) => sent === method);
    const restored = () => writer.restore('orders', 'serve', GROUP_ID, 10, '9');
    await expect(restored()).rejects.toBeInstanceOf(FlagServerError);
    await restored();
    expect((await writer.look('orders', GROUP_ID)).serve).toMatchObject({ share: 10, what: null, ref: '9' });
  }
});

test.each(WORLDS)('%s: retired flags are archived, a second time nothing happens', async (_name, world) => {
  const { writer, reader } = await world();
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  await writer.retire('orders');
  const { revision } = reader.status();
  await writer.retire('orders');
  expect(reader.status().revision).toBe(revision);
  expect(reader.intent('orders')).toEqual({ serve: 'missing', shadow: 'missing' });
  expect((await writer.look('orders', GROUP_ID)).serve).toMatchObject({ what: 'archived', archived: true });
});

test('a flag that the server hides because it is archived is told from one that never was', async () => {
  const { url } = await startServer();
  const deps = { url, token: TOKENS.admin, environment: 'production', project: 'default' };
  const writer = createWriter({ ...deps, fetch, log: recordingLog() });
  expect((await writer.look('orders', GROUP_ID)).serve).toMatchObject({ what: 'not there', archived: false });
  await writer.ensure('orders', GROUP_ID, { serve: 10, shadow: 0 });
  await writer.retire('orders');
  expect((await writer.look('orders', GROUP_ID)).serve).toMatchObject({ what: 'archived', archived: true });
  expect(await writer.restore('orders', 'serve', GROUP_ID, 10, '9')).toBe('written');
});

test('fifty writers at once: each is told truly, every write is one event, and no revision is used twice', async () => {
  const { url, server } = await startServer();
  await writerFor(url).ensure('orders', GROUP_ID, { serve: 0, shadow: 0 });
  const before = server.revision();
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, i) => writerFor(url).setServeShare('orders', 1 + i, null, String(i))),
  );
  const query = '?feature=IS:fig.orders.serve&type=IS:feature-strategy-update&limit=1000';
  const { body } = await call(url, 'GET', `/api/admin/search/events${query}`);
  const { events } = body as {
    events: { id: number; data: { title: string }; preData: { title: string } }[];
  };
  const titles = events.map(({ data }) => data.title);
  expect(new Set(titles).size).toBe(titles.length);
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  // Newest first: each begins where the one before it ended, so none was lost between them.
  expect(events.slice(0, -1).map(({ preData }) => preData.title)).toEqual(titles.slice(1));
  expect(server.revision()).toBe(before + events.length);
  const written = results.flatMap((result, i) => (result === 'written' ? [`fig:${i}`] : []));
  expect(written.length).toBeGreaterThan(0);
  expect(written.filter((title) => !titles.includes(title))).toEqual([]);
});
