import { expect, test } from 'vitest';
import { startServer, TOKENS } from '../world.ts';

const ENVIRONMENT = 'production';

function flag(name: string, description: string | null = null) {
  return { name, enabled: true, strategies: [{ name: 'default' }], description };
}

async function get(url: string, etag: string | null, query = '') {
  const response = await fetch(`${url}/api/client/delta${query}`, {
    headers: {
      authorization: TOKENS.client,
      'unleash-client-spec': '5.2.0',
      ...(etag === null ? {} : { 'if-none-match': etag }),
    },
  });
  const text = await response.text();
  const body: { events: Record<string, unknown>[] } = text === '' ? { events: [] } : JSON.parse(text);
  return { status: response.status, etag: response.headers.get('etag') ?? '', events: body.events };
}

async function withFlags(...names: string[]) {
  const { server, url } = await startServer();
  server.replaceState(ENVIRONMENT, { features: names.map((name) => flag(name)) });
  return { server, url };
}

test('the first delta is the whole table, with the revision as its tag', async () => {
  const { server, url } = await withFlags('a', 'b');
  const segments = [{ id: 3, name: 'beta', constraints: [] }];
  server.replaceState(ENVIRONMENT, { features: [flag('a'), flag('b')], segments });
  const { status, etag, events } = await get(url, null);
  expect(status).toBe(200);
  expect(etag).toMatch(new RegExp(`^"[0-9a-f]{8}\\.${server.revision()}"$`));
  expect(events).toEqual([
    { type: 'hydration', eventId: server.revision(), features: [flag('a'), flag('b')], segments },
  ]);
});

test('a client that has the newest revision gets 304, however its tag is written', async () => {
  const { url } = await withFlags('a');
  const { etag } = await get(url, null);
  for (const known of [etag, `W/${etag}`, `"x", W/${etag}`, '*']) {
    expect(await get(url, known)).toMatchObject({ status: 304, etag, events: [] });
  }
});

test('a client gets what changed since its revision, the newest definition once', async () => {
  const { server, url } = await withFlags('a', 'b', 'c');
  const first = await get(url, null);
  server.replaceState(ENVIRONMENT, { features: [flag('a', '1'), flag('b'), flag('c')] });
  server.replaceState(ENVIRONMENT, { features: [flag('a', '2'), flag('b')] });
  const eventId = server.revision();
  const second = await get(url, `"x", W/${first.etag}`);
  expect(second.events).toEqual([
    { type: 'feature-removed', eventId, featureName: 'c', project: 'default' },
    { type: 'feature-updated', eventId, feature: flag('a', '2') },
  ]);
  expect((await get(url, second.etag)).status).toBe(304);
});

test.each([
  ['malformed', () => '"nonsense"'],
  ['not quoted', (etag: string) => etag.slice(1, -1)],
  ['of a features answer', (etag: string) => etag.replace('.', '.00000000:')],
  ['of another start', (etag: string) => etag.replace(/"[0-9a-f]{8}/, '"00000000')],
  ['of the future', (etag: string) => etag.replace(/"$/, '9"')],
  ['with more behind it', (etag: string) => etag.replace(/"$/, '.1"')],
])('a tag that is %s is answered with the whole table', async (_name, change) => {
  const { url } = await withFlags('a');
  const { etag } = await get(url, null);
  const { status, events } = await get(url, change(etag));
  expect(status).toBe(200);
  expect(events).toMatchObject([{ type: 'hydration' }]);
});

test('a client that missed more than 100 flags, or more than is remembered, gets the whole table', async () => {
  const { server, url } = await withFlags('a');
  const { etag } = await get(url, null);
  const many = (count: number) => Array.from({ length: count }, (_, i) => flag(`f${i}`));
  server.replaceState(ENVIRONMENT, { features: [flag('a'), ...many(100)] });
  expect((await get(url, etag)).events).toHaveLength(100);
  server.replaceState(ENVIRONMENT, { features: [flag('a'), ...many(101)] });
  expect((await get(url, etag)).events).toMatchObject([{ type: 'hydration' }]);
  const later = await get(url, null);
  server.replaceState(ENVIRONMENT, { features: many(1200) });
  expect((await get(url, later.etag)).events).toMatchObject([{ type: 'hydration' }]);
});

test('a prefix narrows deltas; nothing in it is a 304', async () => {
  const { server, url } = await withFlags('fig.a', 'other');
  const query = '?namePrefix=fig.';
  const first = await get(url, null, query);
  expect(first.events).toMatchObject([{ features: [{ name: 'fig.a' }] }]);
  server.replaceState(ENVIRONMENT, { features: [flag('fig.a')] });
  expect(await get(url, first.etag, query)).toMatchObject({ status: 304 });
  server.replaceState(ENVIRONMENT, { features: [flag('fig.a', 'new')] });
  expect((await get(url, first.etag, query)).events).toMatchObject([
    { type: 'feature-updated', feature: { name: 'fig.a', description: 'new' } },
  ]);
});
