import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { createMeter } from '../../router/core/meter.ts';
import { COMPARED_AS_EVERYWHERE } from '../../router/core/snapshot.ts';
import type { ShadowJob, SkipReason } from '../../router/core/types.ts';
import { createShadow, SHADOW_OPTIONS, type Shadow, type ShadowDeps } from '../../router/shadow/shadow.ts';
import { createComparisonStore } from '../../router/store/comparisons.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { realClock } from '../helpers/clock.ts';
import { counted } from '../helpers/counted.ts';
import { group, IMPATIENT, ignoring, job, LIMITS, memoryStore, ok, shadowDeps, target } from './jobs.ts';
import { jsonAnswer, rawUpstream } from './upstream.ts';

/** Patient with a busy machine: what ends by the watchdog says so itself, and batches end when a test says so. */
const PATIENT = {
  ...SHADOW_OPTIONS,
  comparer: { ...SHADOW_OPTIONS.comparer, budgetMs: 15_000 },
  flushMs: 3_600_000,
};

function started(more: Partial<ShadowDeps> = {}, options = PATIENT): Shadow {
  const shadow = createShadow({ ...shadowDeps(), ...more }, options);
  shadow.start();
  onTestFinished(() => shadow.stop());
  return shadow;
}

/** Offers as the data plane does: a refusal is counted by the caller. */
function offer(shadow: Shadow, each: ShadowJob): SkipReason | null {
  const refused = shadow.offer(each);
  shadow.eligible(each.group.name, refused);
  return refused;
}

async function upstreamOf(...answers: readonly string[]) {
  return await rawUpstream((socket, index) =>
    socket.write(answers[Math.min(index, answers.length - 1)] ?? ''),
  );
}

function identity({ eligible, same, ignored, different, skipped }: ReturnType<Shadow['counts']>): boolean {
  const skips = Object.values(skipped).reduce((sum, n) => sum + n, 0);
  return eligible === same + ignored + different + skips;
}

test('equal, ignored and different answers are counted as such', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":1.0}'), jsonAnswer('{"a":2}'));
  const shadow = started();
  offer(shadow, job(upstream.origin));
  await shadow.idle();
  offer(shadow, job(upstream.origin, { group: group({ rules: [ignoring('/body/a')] }) }));
  await shadow.idle();
  offer(shadow, job(upstream.origin));
  await shadow.idle();
  expect(shadow.counts('catalog')).toEqual({
    eligible: 3,
    same: 1,
    ignored: 1,
    different: 1,
    skipped: {},
    pending: 0,
  });
});

test('a rule stops by itself on the day after its last, and what it hid is evidence of other rules', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":2}'));
  const store = memoryStore();
  let wall = Date.UTC(2026, 5, 30, 23, 59);
  const shadow = started({ store, clock: { now: realClock.now, wall: () => wall } });
  const catalog = group({ rules: [{ ...ignoring('/body/a'), expires: '2026-06-30' }] });
  offer(shadow, job(upstream.origin, { group: catalog }));
  await shadow.idle();
  wall += 60_000;
  offer(shadow, job(upstream.origin, { group: catalog }));
  await shadow.idle();
  shadow.flush();
  const [batch] = store.batches;
  expect(batch?.counts.map(({ outcome }) => outcome)).toEqual(['ignored', 'different']);
  expect(new Set(batch?.counts.map(({ rules }) => rules)).size).toBe(2);
  expect(batch?.hits?.map(({ count }) => count)).toEqual([1]);
});

test.each<[what: string, bytes: string, kind: string]>([
  ['answers nothing', '', 'timeout'],
  ['speaks no HTTP', 'x\r\n\r\n', 'transport'],
  ['sends too much', jsonAnswer('x'.repeat(LIMITS.bodyBytesMax * 4 + 1)), 'oversize'],
])('a service that %s is different, never skipped', async (_what, bytes, kind) => {
  const upstream = await upstreamOf(bytes);
  const store = memoryStore();
  const shadow = started({ store });
  offer(shadow, job(upstream.origin, { group: group({ shadowLimits: IMPATIENT }) }));
  await shadow.idle();
  shadow.flush();
  expect(shadow.counts('catalog')).toMatchObject({ eligible: 1, different: 1, skipped: {} });
  expect(store.batches[0]?.causes[0]?.entries.map((entry) => entry.kind)).toEqual([kind]);
});

test('a service that ends its answer early is different: truncated', async () => {
  const store = memoryStore();
  const cut = await rawUpstream((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}'));
  const shadow = started({ store });
  offer(shadow, job(cut.origin));
  await shadow.idle();
  shadow.flush();
  expect(store.batches[0]?.causes[0]?.entries).toMatchObject([{ template: '/body', kind: 'truncated' }]);
});

test.each<[what: string, bytes: string, reason: SkipReason]>([
  ['answers nothing', '', 'timeout'],
  ['speaks no HTTP', 'x\r\n\r\n', 'legacy-failed'],
  ['sends too much', jsonAnswer('x'.repeat(LIMITS.bodyBytesMax * 4 + 1)), 'too-large'],
])(
  'in reverse, legacy that %s is a skip and never held against the service',
  async (_what, bytes, reason) => {
    const upstream = await upstreamOf(bytes);
    const shadow = started();
    offer(shadow, job(upstream.origin, { primary: 'service', group: group({ shadowLimits: IMPATIENT }) }));
    await shadow.idle();
    expect(shadow.counts('catalog')).toMatchObject({ eligible: 1, different: 0, skipped: { [reason]: 1 } });
  },
);

test('in reverse a member that only the service has is still extra', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":1}'));
  const store = memoryStore();
  const shadow = started({ store });
  offer(shadow, job(upstream.origin, { primary: 'service', answer: ok('{"a":1,"b":2}') }));
  await shadow.idle();
  shadow.flush();
  const [cause] = store.batches[0]?.causes ?? [];
  expect(cause).toMatchObject({
    places: [{ shadowed: 'legacy' }],
    entries: [{ template: '/body/b', kind: 'extra' }],
  });
});

test('the counting identity holds at every moment, whatever happens to the copies', async () => {
  const upstream = await rawUpstream((socket, index) => {
    if (index % 4 === 0) socket.resetAndDestroy();
    else socket.write(jsonAnswer(index % 4 === 1 ? '{"a":1}' : '{"a":2}'));
  });
  const shadow = started();
  const limits = { ...LIMITS, inFlightMax: 2, perSecondMax: 25 };
  let offered = 0;
  for (let i = 0; i < 40; i += 1) {
    offer(shadow, job(upstream.origin, { group: group({ shadowLimits: limits }) }));
    offered += 1;
    expect(identity(shadow.counts('catalog'))).toBe(true);
    if (i % 5 === 0) await shadow.idle();
  }
  shadow.eligible('catalog', 'unsafe-method');
  await shadow.idle();
  const counts = shadow.counts('catalog');
  expect(identity(counts)).toBe(true);
  expect(counts).toMatchObject({ eligible: offered + 1, pending: 0 });
  expect(counts.skipped.rate).toBeGreaterThan(0);
  expect(shadow.health()).toMatchObject({ waiting: 0, inFlight: 0, bytes: 0 });
});

test('after five refused connections in a row copies are skipped as breaker-open', async () => {
  const shadow = started();
  for (let i = 0; i < 7; i += 1) {
    offer(shadow, job('http://127.0.0.1:1'));
    await shadow.idle();
  }
  expect(shadow.counts('catalog')).toMatchObject({ different: 5, skipped: { 'breaker-open': 2 } });
});

test('after five answers without end in a row copies are skipped as breaker-open', async () => {
  const endless = await upstreamOf(jsonAnswer('x'.repeat(LIMITS.bodyBytesMax * 4 + 1)));
  const shadow = started();
  for (let i = 0; i < 7; i += 1) {
    offer(shadow, job(endless.origin));
    await shadow.idle();
  }
  expect(shadow.counts('catalog')).toMatchObject({ different: 5, skipped: { 'breaker-open': 2 } });
});

test('an overloaded process takes no copies', () => {
  const shadow = started({ overloaded: () => true });
  expect(offer(shadow, job('http://127.0.0.1:1'))).toBe('overload');
});

test('before start and after stop every offer is refused as draining', async () => {
  const shadow = started();
  await shadow.stop();
  expect(offer(shadow, job('http://127.0.0.1:1'))).toBe('draining');
});

test('stop aborts what is running and settles what is waiting', async () => {
  const upstream = await upstreamOf('');
  const shadow = started();
  const limits = { ...LIMITS, inFlightMax: 1, timeoutMs: 30_000 };
  const each = job(upstream.origin, { group: group({ shadowLimits: limits }) });
  offer(shadow, each);
  offer(shadow, each);
  await shadow.stop();
  expect(shadow.counts('catalog')).toMatchObject({ eligible: 2, pending: 0, skipped: { draining: 2 } });
});

const SLOW_REGEX = [{ ...ignoring('/body/a'), action: 'pattern', regex: '^(a+)+$' }];

test('F11 a regular expression that explodes costs one pair; the next one is compared', async () => {
  const hostile = `{"a":"${'a'.repeat(64)}!"}`;
  const upstream = await upstreamOf(jsonAnswer(hostile), jsonAnswer('{"a":1}'));
  // Long enough to compare a small pair on a busy machine, far too short for the regular expression.
  const comparer = { ...PATIENT.comparer, budgetMs: 1000 };
  const shadow = started({}, { ...PATIENT, comparer });
  offer(shadow, job(upstream.origin, { group: group({ rules: SLOW_REGEX }), answer: ok('{"a":"aaaa"}') }));
  offer(shadow, job(upstream.origin));
  await shadow.idle();
  expect(shadow.counts('catalog')).toMatchObject({ same: 1, skipped: { 'compare-budget': 1 } });
  expect(shadow.health().comparersReplaced).toBe(1);
});

test('F11 JSON 100,000 levels deep is compared', async () => {
  const deep = '['.repeat(30_000) + ']'.repeat(30_000);
  const upstream = await upstreamOf(jsonAnswer(deep));
  const shadow = started();
  offer(shadow, job(upstream.origin, { answer: ok(`${deep} `) }));
  await shadow.idle();
  expect(shadow.counts('catalog')).toMatchObject({ same: 1 });
});

test('F12 a comparer that runs out of memory costs one pair and is replaced', async () => {
  // Small on the wire, some hundred thousand exact numbers in the thread.
  const packed = gzipSync(`[${'1e1,'.repeat(700_000)}1]`);
  const fields = ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'];
  const upstream = await upstreamOf(jsonAnswer('[1]'), jsonAnswer('{"a":1}'));
  const comparer = { ...PATIENT.comparer, heapMbMax: 16 };
  const shadow = started({}, { ...PATIENT, comparer });
  offer(shadow, job(upstream.origin, { answer: { ...ok('', fields), body: packed } }));
  await shadow.idle();
  offer(shadow, job(upstream.origin));
  await shadow.idle();
  expect(shadow.counts('catalog')).toMatchObject({ same: 1, skipped: { 'compare-budget': 1 } });
  expect(shadow.health().comparersReplaced).toBe(1);
});

test('what was counted reaches the store by itself, in batches', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":1}'));
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const shadow = started({ store: { flush: resolve } }, { ...PATIENT, flushMs: 20 });
  offer(shadow, job(upstream.origin));
  expect(await promise).toMatchObject({ counts: [{ outcome: 'same', count: 1 }] });
});

test('F13 a store that refuses loses nothing: the next flush has it all', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":2}'));
  const kept = memoryStore();
  let locked = true;
  const store = {
    flush(batch: Parameters<typeof kept.flush>[0]) {
      if (locked) throw new Error('database is locked');
      kept.flush(batch);
    },
  };
  const shadow = started({ store });
  offer(shadow, job(upstream.origin));
  await shadow.idle();
  shadow.flush();
  expect(shadow.health().failedFlushes).toBe(1);
  locked = false;
  shadow.flush();
  expect(kept.batches).toMatchObject([
    { counts: [{ outcome: 'different', count: 1 }], causes: [{ count: 1 }] },
  ]);
});

test('evidence is kept per build of the service, and a failure belongs to the build seen before it', async () => {
  const upstream = await rawUpstream((socket, index) => {
    if (index === 1) socket.end('x');
    else socket.write(jsonAnswer('{"a":2}', '200 OK', 'X-Build: b7\r\n'));
  });
  const store = memoryStore();
  const shadow = started({ store });
  const each = job(upstream.origin, { target: target(upstream.origin, { buildHeader: 'x-build' }) });
  for (let i = 0; i < 2; i += 1) {
    offer(shadow, each);
    await shadow.idle();
  }
  shadow.flush();
  const causes = store.batches[0]?.causes ?? [];
  expect(causes.map(({ places, entries }) => [places[0]?.build, entries[0]?.template])).toEqual([
    ['b7', '/body/a'],
    ['b7', '/exchange'],
  ]);
});

test('values are shown in examples only below the paths that the group names', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"price":"19.91","mail":"x"}'));
  const store = memoryStore();
  const shadow = started({ store });
  const comparing = { ...COMPARED_AS_EVERYWHERE, showValues: ['/body/price'] };
  const answer = ok('{"price":"19.90","mail":"y"}');
  offer(shadow, job(upstream.origin, { group: group({ comparing }), answer }));
  await shadow.idle();
  shadow.flush();
  const example: { differences: readonly { path: string; legacy: object; service: object }[] } = JSON.parse(
    store.batches[0]?.causes[0]?.examples[0] ?? '{}',
  );
  expect(example.differences).toMatchObject([
    { path: '/body/price', legacy: { value: '19.90' }, service: { value: '19.91' } },
    { path: '/body/mail' },
  ]);
  expect(JSON.stringify(example.differences[1])).not.toContain('"value":');
});

test('a request counts for the part of the traffic it is of, with both builds and its kind', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":1}', '200 OK', 'X-Build: b7\r\n'));
  const store = memoryStore();
  const shadow = started({ store });
  const primaryTarget = target('http://127.0.0.1:2', { buildHeader: 'x-legacy-build' });
  const each = job(upstream.origin, {
    target: target(upstream.origin, { buildHeader: 'x-build' }),
    primaryTarget,
    unit: 'u1',
    answer: ok('{"a":1}', ['Content-Type', 'application/json; charset=utf-8', 'X-Legacy-Build', 'l3']),
  });
  const request = { ...each.request, target: '/api/products/17?q=oak&page=2' };
  for (const asked of [each.request, request, request]) {
    offer(shadow, { ...each, request: asked });
    await shadow.idle();
  }
  shadow.flush();
  const evidence = store.batches[0]?.evidence ?? [];
  expect(
    evidence.map(({ scope, same, pairs }) => [
      scope.stratum,
      scope.build,
      scope.legacyBuild,
      same,
      pairs.length,
    ]),
  ).toEqual([
    ['2xx application/json GET unit', 'b7', 'l3', 1, 1],
    ['2xx application/json GET?page&q unit', 'b7', 'l3', 2, 1],
  ]);
});

test('now and then faults are put into an answer that is the same, and that counts for nothing', async () => {
  const upstream = await upstreamOf(jsonAnswer('{"a":1}'));
  const store = memoryStore();
  const shadow = started({ store });
  for (let i = 0; i < 3; i += 1) {
    offer(shadow, job(upstream.origin));
    await shadow.idle();
  }
  while (store.batches.every(({ selfTests }) => selfTests.length === 0)) {
    shadow.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const tests = store.batches.flatMap(({ selfTests }) => selfTests);
  expect(tests.map(({ fault, tried, caught }) => [fault, tried, caught])).toContainEqual([
    'field-dropped',
    1,
    1,
  ]);
  expect(shadow.counts('catalog')).toMatchObject({ eligible: 3, same: 3, different: 0, skipped: {} });
});

const CANARIES = {
  bearer: 'Bearer-canary-2f7d1c9e0b8a4455',
  cookie: 'cookiecanary81726354',
  mail: 'canary.person@example.org',
  card: '4111111111111111',
  query: 'querycanary55443322',
  key: 'tok_canary_99887766554433',
  path: 'pathcanary7788990011',
  text: 'The secret words of canary',
};

test('no value of a request or an answer reaches the data folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fig-canary-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const db = openDatabase(join(folder, 'fig.db'), MIGRATIONS);
  onTestFinished(() => void db.close());
  const { bearer, cookie, mail, card, query, key, path, text } = CANARIES;
  const body = (n: number) =>
    JSON.stringify({
      mail: n === 0 ? mail : `x${mail}`,
      card: n === 0 ? card : `${card}1`,
      [key]: n,
      [mail]: n,
      list: [{ text: `${text} ${n}` }],
    });
  const fields = `X-Auth-Token: ${bearer}\r\nSet-Cookie: ${cookie}=${cookie}; Path=/${cookie}\r\nX-Other: ${text}\r\nWWW-Authenticate: ${bearer}\r\n`;
  const upstream = await upstreamOf(jsonAnswer(body(1), '200 OK', fields));
  const shadow = started({ store: createComparisonStore(db) });
  offer(
    shadow,
    job(upstream.origin, {
      request: {
        method: 'GET',
        target: `/api/products/${path}?${query}=${query}&email=${mail}`,
        fields: ['Host', 'x', 'Authorization', bearer, 'Cookie', `a=${cookie}`],
        body: new Uint8Array(),
      },
      answer: ok(body(0)),
    }),
  );
  await shadow.idle();
  shadow.flush();
  const stored = createComparisonStore(db).causes('catalog');
  expect(stored).toHaveLength(1);
  expect(stored[0]?.examples[0]).toContain('"request":"GET /api/products/{id}?');
  db.pragma('wal_checkpoint(TRUNCATE)');
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  for (const canary of Object.values(CANARIES)) {
    expect(
      files.some((content) => content.includes(canary)),
      canary,
    ).toBe(false);
  }
  expect(existsSync(join(folder, 'fig.db'))).toBe(true);
});

test.each<[what: string, answer: string, outcome: string, result: string, compared: string]>([
  ['an equal answer', jsonAnswer('{"a":1}'), 'ok', 'sent', 'same'],
  ['an error', jsonAnswer('{"a":1}').replace('200 OK', '500 No'), 'server_error', 'sent', 'different'],
  ['no HTTP', 'x\r\n\r\n', 'transport', 'failed', 'different'],
  ['nothing in time', '', 'timeout', 'failed', 'different'],
])('a copy that got %s is metered for its side, once', async (_what, answer, outcome, result, compared) => {
  const upstream = await upstreamOf(answer);
  const meter = createMeter([{ name: 'catalog', routes: [] }]);
  const shadow = started({ meter });
  offer(shadow, job(upstream.origin, { group: group({ shadowLimits: IMPATIENT }) }));
  await shadow.idle();
  expect(counted(meter)).toEqual({
    [`upstream_requests_total{catalog,service,shadow,${outcome}}`]: 1,
    'upstream_duration_seconds{catalog,service,shadow}': 1,
    [`shadow_total{catalog,${result}}`]: 1,
    [`comparisons_total{catalog,${compared}}`]: 1,
  });
});

test('a copy that was not made is metered with its reason', async () => {
  const meter = createMeter([{ name: 'catalog', routes: [] }]);
  const shadow = started({ meter, overloaded: () => true });
  offer(shadow, job('http://127.0.0.1:1'));
  expect(counted(meter)).toEqual({
    'shadow_total{catalog,shed}': 1,
    'shadow_skipped_total{catalog,overload}': 1,
    'comparisons_total{catalog,skipped}': 1,
  });
});
