import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { ComparisonBatch, GroupNoise } from '../../router/core/ports.ts';
import type { ShadowPolicy } from '../../router/core/types.ts';
import { createBaselines } from '../../router/shadow/baseline.ts';
import { unpack } from '../../router/shadow/noise-book.ts';
import { groupNoise } from '../../router/shadow/noise-report.ts';
import { createShadow, SHADOW_OPTIONS, type Shadow, type ShadowDeps } from '../../router/shadow/shadow.ts';
import { group, job, memoryStore, ok, shadowDeps, target, WITHOUT_BASELINE } from './jobs.ts';
import { jsonAnswer, rawUpstream } from './upstream.ts';

const EVERY: ShadowPolicy = {
  ...WITHOUT_BASELINE,
  baseline: { first: 1_000_000, rate: 1, perSecondMax: 1_000 },
};
const OPTIONS = {
  ...SHADOW_OPTIONS,
  comparer: { ...SHADOW_OPTIONS.comparer, budgetMs: 15_000 },
  flushMs: 3_600_000,
  noiseMs: 0,
};

function started(more: Partial<ShadowDeps> = {}, options = OPTIONS): Shadow {
  const shadow = createShadow({ ...shadowDeps(), ...more }, options);
  shadow.start();
  onTestFinished(() => shadow.stop());
  return shadow;
}

/** What the store has of noise after a stop. */
function noiseIn(batches: readonly ComparisonBatch[]): GroupNoise | null {
  const rows = batches.flatMap(({ noise }) => noise?.rows ?? []);
  return groupNoise(0, rows.slice(-1));
}

const answers = (body: (n: number) => string) =>
  rawUpstream((socket, index) => socket.write(jsonAnswer(body(index))));

async function sides(legacy: (n: number) => string, service: (n: number) => string) {
  const [old, fresh] = [await answers(legacy), await answers(service)];
  const each = (body: string) =>
    job(fresh.origin, {
      group: group({ shadowPolicy: EVERY }),
      primaryTarget: target(old.origin, { name: 'legacy' }),
      answer: ok(body),
    });
  return { old, fresh, each };
}

test('legacy is asked a second time with the mark, and the answer is judged beside the copy', async () => {
  const { old, fresh, each } = await sides(
    (n) => `{"a":1,"rid":"${n}"}`,
    () => '{"a":2,"rid":"x"}',
  );
  const store = memoryStore();
  const shadow = started({ store });
  shadow.offer(each('{"a":1,"rid":"first"}'));
  await shadow.idle();
  await shadow.stop();
  expect(old.heads).toHaveLength(1);
  expect(old.heads[0]).toContain('Fig-Shadow: 1');
  expect(fresh.heads).toHaveLength(1);
  const noise = noiseIn(store.batches);
  expect(noise).toMatchObject({ group: 'catalog', triples: 1, verdict: 'UNKNOWN' });
  const at = (template: string) => noise?.reports.find((report) => report.template === template);
  expect(at('/body/a')).toMatchObject({ kind: 'value', b: 1, c: 0, both: 0 });
  expect(at('/body/rid')).toMatchObject({ kind: 'value', b: 0, c: 0, both: 1 });
  expect(shadow.health().baseline).toEqual({ started: 1, judged: 1, lost: 0, shed: 0 });
});

test('three answers that are the same count as a request asked three times', async () => {
  const { each } = await sides(
    () => '{"a":1}',
    () => '{"a":1}',
  );
  const store = memoryStore();
  const shadow = started({ store });
  for (let i = 0; i < 3; i += 1) shadow.offer(each('{"a":1}'));
  await shadow.idle();
  await shadow.stop();
  expect(noiseIn(store.batches)).toMatchObject({ triples: 3, reports: [], verdict: 'UNKNOWN' });
  expect(shadow.counts('catalog')).toMatchObject({ eligible: 3, same: 3 });
});

test.each([
  [0.2, ['service', 'legacy']],
  [0.8, ['legacy', 'service']],
])('chance %f starts the calls in the order %j', async (chance, order) => {
  const asked: string[] = [];
  const replayer: ShadowDeps['replayer'] = {
    replay(each, _grow, done) {
      asked.push(each.target.name);
      done({ kind: 'aborted' });
    },
    start: () => undefined,
    stop: () => undefined,
  };
  const shadow = started({ replayer, random: () => chance });
  const service = target('http://127.0.0.1:1', { name: 'service' });
  shadow.offer(
    job('', {
      target: service,
      primaryTarget: target('http://127.0.0.1:2', { name: 'legacy' }),
      group: group({ shadowPolicy: EVERY }),
    }),
  );
  await shadow.idle();
  expect(asked).toEqual(order);
});

test('a failure of the second call is counted on its side, as one of the service is on the other', async () => {
  const fresh = await answers(() => '{"a":1}');
  const store = memoryStore();
  const shadow = started({ store });
  shadow.offer(
    job(fresh.origin, {
      group: group({ shadowPolicy: EVERY }),
      primaryTarget: target('http://127.0.0.1:1', { name: 'legacy' }),
    }),
  );
  await shadow.idle();
  await shadow.stop();
  expect(shadow.counts('catalog')).toMatchObject({ same: 1, different: 0 });
  expect(noiseIn(store.batches)?.reports).toMatchObject([
    { template: '/exchange', kind: 'transport', b: 0, c: 1 },
  ]);
});

test('what was learned is handed on, and a thread that replaces another begins with it', async () => {
  const { each } = await sides(
    (n) => `{"rid":"${n}"}`,
    () => '{"rid":"x"}',
  );
  const store = memoryStore();
  const shadow = started({ store });
  shadow.offer(each('{"rid":"first"}'));
  await shadow.idle();
  await shadow.stop();
  const learned = store.batches.flatMap(({ noise }) => noise?.rows ?? []);
  const later = memoryStore();
  const next = started({ store: later, learned });
  next.offer(each('{"rid":"second"}'));
  await next.idle();
  await next.stop();
  expect(noiseIn(later.batches)).toMatchObject({ triples: 2, reports: [{ n: 2, both: 2 }] });
});

test('with no time left the second call is given up before the copy', async () => {
  const { old, fresh, each } = await sides(
    () => '{"a":1}',
    () => '{"a":1}',
  );
  let late = false;
  const shadow = started({ overloaded: () => late });
  shadow.offer(each('{"a":1}'));
  late = true;
  await shadow.idle();
  expect(shadow.counts('catalog')).toMatchObject({ same: 1, skipped: {} });
  expect([old.heads.length, fresh.heads.length]).toEqual([0, 1]);
  expect(shadow.health().baseline).toEqual({ started: 0, judged: 0, lost: 0, shed: 1 });
});

test('with half of the queue waiting no second call is made', async () => {
  const { old, each } = await sides(
    () => '{"a":1}',
    () => '{"a":1}',
  );
  const shadow = started({}, { ...OPTIONS, queue: { ...OPTIONS.queue, requestsMax: 4 } });
  for (let i = 0; i < 4; i += 1) shadow.offer(each('{"a":1}'));
  await shadow.idle();
  expect(shadow.counts('catalog').same).toBe(4);
  // Behind the first there were three of four places taken.
  expect(old.heads).toHaveLength(3);
  expect(shadow.health().baseline).toMatchObject({ started: 3, shed: 1 });
});

test('a legacy that cannot be reached is left alone after five second calls', async () => {
  const fresh = await answers(() => '{"a":1}');
  const shadow = started();
  const each = job(fresh.origin, {
    group: group({ shadowPolicy: EVERY }),
    primaryTarget: target('http://127.0.0.1:1', { name: 'legacy' }),
  });
  for (let i = 0; i < 7; i += 1) {
    shadow.offer(each);
    await shadow.idle();
  }
  expect(shadow.counts('catalog').same).toBe(7);
  expect(shadow.health().baseline).toMatchObject({ started: 5, shed: 2 });
});

test('a store that takes no noise gets it again', async () => {
  const { each } = await sides(
    () => '{"a":1}',
    () => '{"a":1}',
  );
  const kept = memoryStore();
  let locked = true;
  const store = {
    flush(batch: ComparisonBatch) {
      if (locked && batch.noise !== undefined) throw new Error('database is locked');
      kept.flush(batch);
    },
  };
  const shadow = started({ store });
  shadow.offer(each('{"a":1}'));
  await shadow.idle();
  await shadow.stop();
  expect(noiseIn(kept.batches)).toBeNull();
  locked = false;
  shadow.flush();
  await shadow.idle();
  expect(noiseIn(kept.batches)).toMatchObject({ triples: 1 });
});

test('a model that is damaged on disk is learned anew', async () => {
  const { each } = await sides(
    () => '{"a":1}',
    () => '{"a":1}',
  );
  const store = memoryStore();
  const learned = [
    {
      group: 'catalog',
      build: '',
      rules: '',
      content: Buffer.from('no'),
      reports: [],
      triples: 9,
      flaggedItself: 0,
    },
  ];
  const shadow = started({ store, learned });
  shadow.offer(each('{"a":1}'));
  await shadow.idle();
  await shadow.stop();
  expect(shadow.counts('catalog').same).toBe(1);
  expect(noiseIn(store.batches)).toMatchObject({ triples: 1 });
});

test('no value of the three answers or the request leaves in a model', async () => {
  const canary = 'canary-5511223344';
  const { each } = await sides(
    (n) => `{"a":"${canary}${n}","session":"${canary}${n}"}`,
    () => `{"a":"${canary}","session":"${canary}"}`,
  );
  const store = memoryStore();
  const shadow = started({ store });
  for (let i = 0; i < 3; i += 1) shadow.offer(each(`{"a":"${canary}-","session":"${canary}-"}`));
  await shadow.idle();
  await shadow.stop();
  const rows = store.batches.flatMap(({ noise }) => noise?.rows ?? []);
  const text = rows.map((row) => `${JSON.stringify(row.reports)}${unpacked(row.content)}`).join();
  expect(text).toContain('/body/a');
  expect(text).not.toContain(canary);
});

test('of what is secret a model keeps no digest either', async () => {
  const { each } = await sides(
    (n) => `{"a":"x${n}","session":"x${n}"}`,
    () => '{"a":"y","session":"y"}',
  );
  const store = memoryStore();
  const shadow = started({ store });
  for (let i = 0; i < 3; i += 1) shadow.offer(each('{"a":"z","session":"z"}'));
  await shadow.idle();
  await shadow.stop();
  const [row] = store.batches.flatMap(({ noise }) => noise?.rows ?? []).slice(-1);
  const paths = unpack(row?.content ?? new Uint8Array())?.routes.flatMap((route) => route.paths);
  const kept = (template: string) => paths?.find((path) => path.template === template)?.values?.previous;
  expect(kept('/body/a')).not.toEqual([]);
  expect(kept('/body/session')).toEqual([]);
});

function unpacked(content: Uint8Array): string {
  return gunzipSync(content).toString();
}

const AT = { group: group({ shadowPolicy: EVERY }) };
const limited = (baseline: ShadowPolicy['baseline']) =>
  job('http://127.0.0.1:1', { group: group({ shadowPolicy: { ...EVERY, baseline } }) });
const free = () => false;

test('the first of a route are asked twice, of those after them a share', () => {
  let chance = 0.5;
  const baselines = createBaselines(() => chance);
  const each = limited({ first: 2, rate: 0.05, perSecondMax: 100 });
  const wants = () => baselines.wants(each, 0, free);
  expect([wants(), wants(), wants()]).toEqual([true, true, false]);
  chance = 0.04;
  expect(wants()).toBe(true);
});

test('second calls are started at most so often, and what was wanted beyond is counted', () => {
  const baselines = createBaselines(() => 0);
  const each = limited({ first: 100, rate: 1, perSecondMax: 2 });
  const wants = (now: number) => baselines.wants(each, now, free);
  expect([wants(0), wants(0), wants(0), wants(500), wants(500)]).toEqual([true, true, false, true, false]);
  expect(baselines.counts()).toMatchObject({ started: 3, shed: 2 });
});

test('at most 16 second calls run at once', () => {
  const baselines = createBaselines(() => 0);
  const wanted = Array.from({ length: 18 }, () => baselines.wants(job('http://127.0.0.1:1', AT), 0, free));
  expect(wanted.filter(Boolean)).toHaveLength(16);
  baselines.over(true);
  expect(baselines.wants(job('http://127.0.0.1:1', AT), 0, free)).toBe(true);
});

test.each([
  ['no room', job('http://127.0.0.1:1', AT), () => true],
  ['legacy as the copy', job('http://127.0.0.1:1', { ...AT, primary: 'service' }), free],
  [
    'a write',
    job('http://127.0.0.1:1', {
      ...AT,
      request: { method: 'POST', target: '/', fields: [], body: new Uint8Array() },
    }),
    free,
  ],
])('with %s legacy is not asked twice', (_what, each, busy) => {
  expect(createBaselines(() => 0).wants(each, 0, busy)).toBe(false);
});
