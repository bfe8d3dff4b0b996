import { expect, onTestFinished, test } from 'vitest';
import type { Log } from '../../router/core/ports.ts';
import type { ShadowJob, WritePlan } from '../../router/core/types.ts';
import { createShadow, SHADOW_OPTIONS, type Shadow } from '../../router/shadow/shadow.ts';
import { createWrites } from '../../router/shadow/writes.ts';
import { group, job, ok, SILENT, shadowDeps } from './jobs.ts';
import { jsonAnswer, rawUpstream } from './upstream.ts';

const OWNED = { owner: 'team', reason: 'pure', ticket: null, expires: '2099-12-31' } as const;
const HONOURED = 'Fig-Dry-Run: honoured\r\n';

function started(log: Log = SILENT): Shadow {
  const shadow = createShadow(
    { ...shadowDeps(), log },
    { ...SHADOW_OPTIONS, comparer: { ...SHADOW_OPTIONS.comparer, budgetMs: 15_000 } },
  );
  shadow.start();
  onTestFinished(() => shadow.stop());
  return shadow;
}

function write(origin: string, mode: WritePlan['mode'], more: Partial<ShadowJob> = {}): ShadowJob {
  const plain = job(origin);
  return {
    ...plain,
    route: { ...plain.route, label: 'POST /quotes', method: 'POST', writes: { mode, ...OWNED } },
    request: {
      method: 'POST',
      target: '/quotes',
      fields: ['Host', 'shop.example', 'Idempotency-Key', 'abc', 'If-None-Match', '*'],
      body: Buffer.from('{"n":1}'),
    },
    answer: ok('{"a":1}'),
    ...more,
  };
}

async function offered(shadow: Shadow, ...jobs: readonly ShadowJob[]) {
  for (const each of jobs) {
    const refused = shadow.offer(each);
    shadow.eligible(each.group.name, refused);
    await shadow.idle();
  }
  return shadow.counts('catalog');
}

const service = (extra: (index: number) => string) =>
  rawUpstream((socket, index) => socket.write(jsonAnswer('{"a":1}', '200 OK', extra(index))));
const methodsOf = (heads: readonly string[]) => heads.map((head) => /(\w+) \/quotes /.exec(head)?.[1]);

test('a dry run is asked for first, then marked; once a service has said yes it is not asked again', async () => {
  const upstream = await service(() => HONOURED);
  const each = write(upstream.origin, 'dry-run');
  expect(await offered(started(), each, each)).toMatchObject({ eligible: 2, same: 2 });
  expect(methodsOf(upstream.heads)).toEqual(['OPTIONS', 'POST', 'POST']);
  const [probe = '', copy = ''] = upstream.heads;
  expect(probe).toContain('Fig-Dry-Run: 1');
  expect(copy).toMatch(/\r\nFig-Shadow: 1\r\n/);
  expect(copy).toMatch(/\r\nFig-Dry-Run: 1/);
});

test('a service that does not honour the probe never sees the write', async () => {
  const upstream = await service(() => '');
  const warned: unknown[] = [];
  const log = { ...SILENT, warn: (event: string, fields: unknown) => void warned.push([event, fields]) };
  const each = write(upstream.origin, 'dry-run');
  expect(await offered(started(log), each, each)).toMatchObject({ skipped: { 'dry-run-refused': 2 } });
  expect(methodsOf(upstream.heads)).toEqual(['OPTIONS']);
  expect(warned).toMatchObject([['shadow.dry-run-refused', { group: 'catalog', route: 'POST /quotes' }]]);
});

test('one answer that does not honour the dry run ends the mode of its route', async () => {
  const upstream = await service((index) => (index < 2 ? HONOURED : ''));
  const shadow = started();
  const each = write(upstream.origin, 'dry-run');
  const counts = await offered(shadow, each, each, each);
  expect(counts).toMatchObject({ same: 1, skipped: { 'dry-run-refused': 2 } });
  expect(methodsOf(upstream.heads)).toEqual(['OPTIONS', 'POST', 'POST']);
  expect(shadow.busy(each.group, each.route, 'POST')).toBe('dry-run-refused');
});

test('a service that cannot be asked is asked again with the next write', async () => {
  let up = false;
  const upstream = await rawUpstream((socket) => {
    if (up) socket.write(jsonAnswer('{"a":1}', '200 OK', HONOURED));
    else socket.resetAndDestroy();
  });
  const shadow = started();
  const each = write(upstream.origin, 'dry-run');
  expect(await offered(shadow, each)).toMatchObject({ skipped: { 'dry-run-refused': 1 } });
  up = true;
  expect(await offered(shadow, each)).toMatchObject({ same: 1 });
});

test('every build of a service is asked by itself', () => {
  const writes = createWrites(Buffer.alloc(32), SILENT);
  const each = write('http://127.0.0.1:1', 'dry-run');
  const yes = { kind: 'answer', answer: ok(''), oversize: false, dryRun: true } as const;
  expect(writes.probe(each, 'b1')).not.toBeNull();
  expect(writes.probed(each, 'b1', yes)).toBeNull();
  expect(writes.probe(each, 'b1')).toBeNull();
  expect(writes.probe(each, 'b2')).not.toBeNull();
});

test('the Idempotency-Key of a copy is a keyed digest and never that of the request', async () => {
  const upstream = await service(() => '');
  await offered(started(), write(upstream.origin, 'idempotent'), write(upstream.origin, 'shadow-database'));
  const keys = upstream.heads.map((head) => /Idempotency-Key: (.*)/.exec(head)?.[1]);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(keys[1]).toBe(keys[0]);
  expect(upstream.heads[0]?.match(/Idempotency-Key/g)).toHaveLength(1);
});

test('the condition of a write stays: it is no validator of a cache', async () => {
  const upstream = await service(() => '');
  await offered(started(), write(upstream.origin, 'idempotent'));
  expect(upstream.heads[0]).toContain('If-None-Match: *');
});

test('after its last day a route copies no writes', async () => {
  const upstream = await service(() => '');
  const plain = write(upstream.origin, 'idempotent');
  const past = { mode: 'idempotent', ...OWNED, expires: '2020-01-01' } as const;
  const each = { ...plain, route: { ...plain.route, writes: past } };
  expect(await offered(started(), each)).toMatchObject({ skipped: { 'unsafe-method': 1 } });
  expect(upstream.heads).toEqual([]);
});

test('a write is never asked of legacy twice', async () => {
  const upstream = await service(() => '');
  const policy = { ...group().shadowPolicy, baseline: { first: 9, rate: 1, perSecondMax: 9 } };
  const shadow = started();
  await offered(shadow, write(upstream.origin, 'idempotent', { group: group({ shadowPolicy: policy }) }));
  expect(shadow.health().baseline.started).toBe(0);
});
