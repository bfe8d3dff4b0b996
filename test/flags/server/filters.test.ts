import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createIds } from '../../../flags/server/ids.ts';
import { replaceState } from '../../../flags/server/state.ts';
import { openStore } from '../../../flags/server/store.ts';
import { clock, recordingLog, startServer, TOKENS, tempDir } from '../world.ts';

const ACTOR = { name: 'test', userId: 1 };
const SPEC = { 'unleash-client-spec': '4.2.0' };
const OWN = { contextName: 'userId', operator: 'IN', values: ['1'] };
const FIRST = { contextName: 'tenant', operator: 'IN', values: ['acme'] };
const SECOND = { contextName: 'tenant', operator: 'NOT_IN', values: ['globex'] };
const STATE = {
  features: [
    {
      name: 'fig.a',
      enabled: true,
      strategies: [
        { name: 'default', constraints: [OWN], segments: [2, 1, 99] },
        { name: 'default', segments: [1] },
      ],
    },
    { name: 'fig.b', enabled: true, strategies: [{ name: 'default', constraints: [] }] },
    { name: 'route_c', enabled: true, strategies: [] },
  ],
  segments: [
    { id: 1, name: 'alpha', constraints: [FIRST] },
    { id: 2, name: 'beta', constraints: [SECOND] },
  ],
};
const TAGS = [
  ['fig.a', { type: 'simple', value: 'wave1' }],
  ['fig.b', { type: 'simple', value: 'wave2' }],
  ['fig.b', { type: 'team', value: 'red:blue' }],
] as const;

async function start(tokens = TOKENS) {
  const file = join(tempDir(), 'flags.db');
  const store = openStore({ file, clock, ids: createIds(clock), log: recordingLog() });
  replaceState(store, ACTOR, 'production', STATE);
  store.change(ACTOR, (changes) => {
    for (const [name, tag] of TAGS) {
      changes.insertTag(tag);
      changes.tagFeature(name, tag);
    }
  });
  store.close();
  const { url } = await startServer({ file, tokens });
  return async (path: string, headers: Record<string, string> = SPEC) => {
    const response = await fetch(`${url}/api/client/features${path}`, {
      headers: { authorization: tokens.client, ...headers },
    });
    const text = await response.text();
    const body = text === '' ? null : JSON.parse(text);
    return { status: response.status, etag: response.headers.get('etag') ?? '', body };
  };
}

function names({ body }: { body: { features: { name: string }[] } }): string[] {
  return body.features.map(({ name }) => name);
}

test.each([
  ['', ['fig.a', 'fig.b', 'route_c']],
  ['?namePrefix=fig.', ['fig.a', 'fig.b']],
  ['?namePrefix=FIG.', []],
  ['?namePrefix=route%25', []],
  ['?tag=simple:wave1', ['fig.a']],
  ['?tag=simple:wave1&tag=simple:wave2', ['fig.a', 'fig.b']],
  ['?tag=team:red:blue', ['fig.b']],
  ['?tag=team:red', []],
  ['?tag=simple:wave2&namePrefix=fig.a', []],
  ['?project=default&project=other', ['fig.a', 'fig.b', 'route_c']],
])('features%s gives %j', async (query, expected) => {
  const get = await start();
  expect(names(await get(query))).toEqual(expected);
});

test.each([
  ['?project=default', 3],
  ['?project=other', 0],
  ['?project=other&project=default', 3],
  ['?project=*', 3],
])('with a token of all projects %s gives %d flags', async (query, count) => {
  const get = await start({ ...TOKENS, client: `*:production.${'c'.repeat(32)}` });
  expect(names(await get(query))).toHaveLength(count);
});

test('the answer repeats the query', async () => {
  const get = await start();
  const { body } = await get('?project=other&namePrefix=fig.&tag=simple:wave1');
  expect(body.query).toEqual({
    tag: [['simple', 'wave1']],
    project: ['default'],
    namePrefix: 'fig.',
    environment: 'production',
    inlineSegmentConstraints: false,
  });
});

test.each([
  ['?tag=wave1'],
  ['?tag=:x'],
  ['?tag=simple:'],
  ['?namePrefix=a&namePrefix=b'],
  [`?${'tag=a:b&'.repeat(101)}`],
])('features%s is refused', async (query) => {
  const get = await start();
  expect(await get(query)).toMatchObject({ status: 400, body: { name: 'BadDataError' } });
});

test('each query has its own tag, and each its own 304', async () => {
  const get = await start();
  const queries = ['', '?namePrefix=fig.', '?tag=simple:wave1', '?namePrefix=fig.a'];
  const etags = await Promise.all(queries.map(async (query) => (await get(query)).etag));
  etags.push((await get('', {})).etag);
  expect(new Set(etags).size).toBe(5);
  for (const [index, query] of queries.entries()) {
    const etag = etags[index] ?? '';
    expect((await get(query, { ...SPEC, 'if-none-match': `"x", W/${etag}` })).status).toBe(304);
    const other = etags[(index + 1) % queries.length] ?? '';
    expect((await get(query, { ...SPEC, 'if-none-match': other })).status).toBe(200);
  }
});

test.each([['4.2.0'], ['4.3.0-beta.1'], ['4.10.0'], ['5.2.0'], ['10.0.0']])(
  'a client of specification %s is given segments',
  async (version) => {
    const get = await start();
    const { body } = await get('', { 'unleash-client-spec': version });
    expect(body.segments).toEqual(STATE.segments);
    expect(body.features).toEqual(STATE.features);
  },
);

test.each([['4.1.9'], ['4.2.0-beta.1'], ['3.0.0'], ['']])(
  'a client of specification "%s" is given the constraints of segments after its own',
  async (version) => {
    const get = await start();
    const { body } = await get('', { 'unleash-client-spec': version });
    expect(body).not.toHaveProperty('segments');
    expect(body.features[0].strategies).toEqual([
      { name: 'default', constraints: [OWN, SECOND, FIRST] },
      { name: 'default', constraints: [FIRST] },
    ]);
    expect(body.features.slice(1)).toEqual(STATE.features.slice(1));
  },
);

test.each([['v4.2.0'], ['4.2'], ['04.2.0'], ['4.2.0+build'], ['nonsense']])(
  'the specification version %s is refused, as Unleash does',
  async (version) => {
    const get = await start();
    const { status, body } = await get('', { 'unleash-client-spec': version });
    expect(status).toBe(400);
    expect(body.message).toMatch(/^Invalid (SemVer|prefix) in the Unleash-Client-Spec header: "/);
  },
);

test('one flag obeys the same query and version', async () => {
  const get = await start();
  expect((await get('/fig.a')).body).toEqual(STATE.features[0]);
  expect((await get('/fig.a', {})).body.strategies[1]).toEqual({ name: 'default', constraints: [FIRST] });
  expect((await get('/fig.a?tag=simple:wave2')).status).toBe(404);
});
