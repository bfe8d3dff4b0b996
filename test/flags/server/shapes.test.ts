import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { newTokens } from '../../../flags/server/auth.ts';
import { createIds } from '../../../flags/server/ids.ts';
import { openStore } from '../../../flags/server/store.ts';
import { BODIES_MAX, createView } from '../../../flags/server/view.ts';
import { call, clock, recordingLog, startServer, TOKENS, tempDir } from '../world.ts';

/** Answers of unleash-server 7.5.1, recorded on an empty server. */
interface Recorded {
  readonly step: number;
  readonly status: number;
  readonly body: unknown;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

const RECORDED = new Map<number, Recorded>(
  (JSON.parse(readFileSync(new URL('unleash.golden.json', import.meta.url), 'utf8')) as Recorded[]).map(
    (one) => [one.step, one],
  ),
);

const FEATURES = '/api/admin/projects/default/features';
const FLAG = `${FEATURES}/route.orders`;
const PLACE = `${FLAG}/environments/development`;
/** What an answer may leave out: texts for a UI, statistics, and what a later version brings. */
const OPTIONAL = new Set(['lifecycle', 'collaborators', 'createdBy', 'collaborators']);
const CLIENT = { ...TOKENS, client: `default:development.${'c'.repeat(32)}` };

/** Names and types of a value at every depth; lists by their first item. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? ['*'] : [shapeOf(value[0])];
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !OPTIONAL.has(name))
      .map(([name, inner]) => [name, shapeOf(inner)]),
  );
}

/** A list that is empty on one side says nothing about its items. */
function agree(ours: unknown, theirs: unknown): unknown {
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    return ours[0] === '*' || theirs[0] === '*' ? theirs : [agree(ours[0], theirs[0])];
  }
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) return ours;
  const other = theirs as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(ours).map(([name, inner]) => [name, name in other ? agree(inner, other[name]) : inner]),
  );
}

function recordedType({ type }: Readonly<Record<string, unknown>>): unknown {
  return type;
}

interface Step {
  readonly step: number;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string | null;
}

test('answers and events have the shape that Unleash gives them', async () => {
  const { url } = await startServer({ tokens: CLIENT });
  const strategy = {
    name: 'flexibleRollout',
    parameters: { rollout: '10', stickiness: 'default', groupId: 'route.orders' },
    constraints: [{ contextName: 'tenant', operator: 'IN', values: ['acme'] }],
  };
  const lastEvent = async () => {
    const { body } = await call(url, 'GET', '/api/admin/search/events?limit=1');
    return (body as { events: Record<string, unknown>[] }).events[0] ?? {};
  };
  const run = async ({ step, method, path, body, token = TOKENS.admin }: Step) => {
    const recorded = RECORDED.get(step);
    if (recorded === undefined) throw new Error(`step ${step} was not recorded`);
    const answer = await call(url, method, path, body, token);
    expect(answer.status, `status of step ${step}`).toBe(recorded.status);
    const theirs = shapeOf(recorded.body);
    expect(agree(shapeOf(answer.body), theirs), `body of step ${step}`).toEqual(theirs);
    const event = recorded.events.at(-1);
    if (event !== undefined) {
      const { summary: _summary, ...ours } = await lastEvent();
      const expected = shapeOf(event);
      expect(agree(shapeOf(ours), expected), `event of step ${step}`).toEqual(expected);
      expect({ ...ours }).toMatchObject({ type: recordedType(event) });
    }
    return answer.body;
  };

  await run({ step: 7, method: 'POST', path: FEATURES, body: { name: 'route.orders', description: 'd' } });
  await run({ step: 8, method: 'POST', path: FEATURES, body: { name: 'route.orders' } });
  await run({ step: 9, method: 'POST', path: FEATURES, body: { name: 'bad name' } });
  await run({ step: 10, method: 'POST', path: FEATURES, body: { type: 'release' } });
  await run({ step: 11, method: 'GET', path: `${FEATURES}/nope` });
  await run({ step: 12, method: 'GET', path: FEATURES });
  const { id } = (await run({ step: 13, method: 'POST', path: `${PLACE}/strategies`, body: strategy })) as {
    id: string;
  };
  await run({
    step: 14,
    method: 'POST',
    path: `${PLACE}/strategies`,
    body: { name: 'nosuch', parameters: {} },
  });
  await call(url, 'POST', `${PLACE}/on`);
  await run({ step: 18, method: 'POST', path: `${PLACE}/on` });
  await run({ step: 19, method: 'POST', path: `${FLAG}/environments/nope/on` });
  const put = { ...strategy, constraints: [], parameters: { ...strategy.parameters, rollout: '25' } };
  await run({ step: 20, method: 'PUT', path: `${PLACE}/strategies/${id}`, body: put });
  const patch = [{ op: 'replace', path: '/parameters/rollout', value: '50' }];
  await run({ step: 21, method: 'PATCH', path: `${PLACE}/strategies/${id}`, body: patch });
  await run({ step: 22, method: 'GET', path: `${PLACE}/strategies` });
  await run({ step: 23, method: 'GET', path: PLACE });
  await run({ step: 40, method: 'GET', path: FLAG });
  await run({ step: 44, method: 'GET', path: '/api/client/features', token: CLIENT.client });
  await run({ step: 47, method: 'GET', path: '/api/client/features/route.orders', token: CLIENT.client });
  await run({
    step: 48,
    method: 'POST',
    path: '/api/client/register',
    body: { appName: 'p' },
    token: CLIENT.client,
  });
  await run({ step: 49, method: 'POST', path: '/api/client/register', body: {}, token: CLIENT.client });
  await run({ step: 41, method: 'POST', path: `${PLACE}/off` });
  await run({ step: 42, method: 'DELETE', path: `${PLACE}/strategies/${id}` });
  await run({ step: 57, method: 'DELETE', path: FLAG });
  await run({ step: 58, method: 'POST', path: '/api/admin/archive/revive/route.orders' });
  await run({ step: 4, method: 'GET', path: '/api/admin/context' });
  await run({ step: 64, method: 'GET', path: FEATURES, token: CLIENT.client });
  await run({ step: 65, method: 'GET', path: FEATURES, token: null });
  await run({ step: 67, method: 'GET', path: '/health', token: null });
  await run({ step: 68, method: 'GET', path: '/ready', token: null });
});

test.each([8, 9, 10, 11, 14, 19, 49, 64, 65])(
  'the words of refusal %i are those of Unleash',
  async (step) => {
    const { url } = await startServer({ tokens: CLIENT });
    await call(url, 'POST', FEATURES, { name: 'route.orders' });
    const requests: Record<number, Omit<Step, 'step'>> = {
      8: { method: 'POST', path: FEATURES, body: { name: 'route.orders', type: 'release' } },
      9: { method: 'POST', path: FEATURES, body: { name: 'bad name', type: 'release' } },
      10: { method: 'POST', path: FEATURES, body: { type: 'release' } },
      11: { method: 'GET', path: `${FEATURES}/nope` },
      14: { method: 'POST', path: `${PLACE}/strategies`, body: { name: 'nosuch', parameters: {} } },
      19: { method: 'POST', path: `${FLAG}/environments/nope/on` },
      49: { method: 'POST', path: '/api/client/register', body: {}, token: CLIENT.client },
      64: { method: 'GET', path: FEATURES, token: CLIENT.client },
      65: { method: 'GET', path: FEATURES, token: null },
    };
    const { method = '', path = '', body, token = TOKENS.admin } = requests[step] ?? {};
    const answer = await call(url, method, path, body, token);
    const { id: _ours, ...ours } = answer.body as Record<string, unknown>;
    const { id: _theirs, ...theirs } = (RECORDED.get(step)?.body ?? {}) as Record<string, unknown>;
    expect(ours).toEqual(theirs);
  },
);

test('fresh tokens start a server', async () => {
  const tokens = newTokens('production');
  const { url } = await startServer({ tokens });
  expect((await call(url, 'GET', FEATURES, undefined, tokens.admin)).status).toBe(200);
  expect(newTokens('production').admin).not.toBe(tokens.admin);
});

test.each([
  ['an admin token with an environment', { ...TOKENS, admin: `default:production.${'a'.repeat(32)}` }],
  ['a client token of no environment', { ...TOKENS, client: `default:*.${'a'.repeat(32)}` }],
  ['a short secret', { ...TOKENS, client: 'default:production.short' }],
])('%s is refused at the start', async (_name, tokens) => {
  await expect(startServer({ tokens })).rejects.toThrow(TypeError);
});

test('the greatest number of queries is kept; one more drops the oldest', () => {
  const ids = createIds(clock);
  const store = openStore({ file: `${tempDir()}/flags.db`, clock, ids, log: recordingLog() });
  const view = createView(store, 'e');
  const body = (i: number) =>
    view
      .body({
        environment: 'production',
        projects: null,
        namePrefix: `p${i}`,
        tags: null,
        inlineSegments: false,
      })
      .bytes();
  const first = body(0);
  for (let i = 1; i < BODIES_MAX; i += 1) body(i);
  expect(body(0)).toBe(first);
  body(BODIES_MAX);
  expect(body(0)).not.toBe(first);
  store.close();
});
