import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CauseEntry, ComparisonBatch, EvidenceKey } from '../../router/core/ports.ts';
import type { SkipReason } from '../../router/core/types.ts';
import type { Judged } from '../../router/shadow/judge.ts';
import { createRecorder, RECORDER_LIMITS, type RecorderLimits } from '../../router/shadow/record.ts';
import { manualClock } from '../helpers/clock.ts';
import { memoryStore, SILENT } from './jobs.ts';

const KEY: EvidenceKey = { group: 'catalog', route: 'GET /x', shadowed: 'service', build: 'b', rules: 'r' };
const SAME: Judged = { outcome: 'same', silencedBy: [] };

function different(id: string, bytes = 10): Judged {
  const entry: CauseEntry = {
    template: `/body/${id}`,
    kind: 'value',
    severity: 'medium',
    detail: null,
    codes: null,
  };
  const request = { method: 'GET', target: `/${bytes}`, fields: [], hasBody: false, bytes };
  return {
    outcome: 'different',
    silencedBy: [],
    id,
    entries: [entry],
    complete: true,
    example: '{}',
    request,
  };
}

function sighting(request: number, shape = 1, stratum = '2xx') {
  return { request, shape, stratum };
}

function recorder(limits: Partial<RecorderLimits> = {}) {
  const store = memoryStore();
  const made = createRecorder(
    { store, clock: manualClock(), log: SILENT },
    { ...RECORDER_LIMITS, ...limits },
  );
  return { store, ...made };
}

const OUTCOMES = fc.constantFrom<'same' | 'ignored' | 'different' | 'early' | SkipReason>(
  'same',
  'ignored',
  'different',
  'early',
  'stale',
  'timeout',
);

test('eligible is the sum of what became of each, in memory and in every scope, whatever comes', () => {
  const steps = fc.array(
    fc.record({
      what: OUTCOMES,
      id: fc.integer({ min: 0, max: 20 }),
      request: fc.integer({ min: 0, max: 5 }),
      stratum: fc.integer({ min: 0, max: 8 }).map(String),
      flush: fc.boolean(),
    }),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const { store, ...made } = recorder({ causesMax: 4, scopesMax: 3, pairsMax: 10 });
      for (const { what, id, request, stratum, flush } of all) {
        if (what === 'early') made.skipped('catalog', 'rate');
        else {
          made.taken('catalog');
          made.settled(KEY, judgedAs(what, id), sighting(request, 1, stratum), '');
        }
        if (flush) made.flush();
      }
      made.flush();
      const { eligible, same, ignored, different: differ, skipped, pending } = made.counts('catalog');
      const skips = Object.values(skipped).reduce((sum, n) => sum + n, 0);
      expect([eligible, pending]).toEqual([all.length, 0]);
      expect(eligible).toBe(same + ignored + differ + skips);
      const stored = store.batches.flatMap(({ counts }) => counts).reduce((sum, { count }) => sum + count, 0);
      expect(stored).toBe(eligible);
      const scopes = store.batches.flatMap(({ evidence }) => evidence);
      const inScopes = scopes.reduce((sum, scope) => sum + scope.same + scope.ignored + scope.different, 0);
      expect(inScopes).toBe(same + ignored + differ);
      for (const { evidence } of store.batches) expect(evidence.length).toBeLessThanOrEqual(4);
    }),
  );
});

function judgedAs(what: 'same' | 'ignored' | 'different' | SkipReason, id: number): Judged {
  if (what === 'different') return different(`c${id}`);
  if (what === 'same' || what === 'ignored') return { outcome: what, silencedBy: [] };
  return { outcome: 'skipped', reason: what };
}

test('no differing pair is lost to evidence: it is listed, repeats one that is, or counts as lost', () => {
  const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(pairs, (all) => {
      const { store, ...made } = recorder({ pairsMax: 6, causesMax: 3 });
      for (const [id, request] of all) {
        made.taken('catalog');
        made.settled(KEY, different(`c${id}`), sighting(request), '');
      }
      made.flush();
      const distinct = new Set(all.map(([id, request]) => `${id} ${request}`)).size;
      const [scope] = store.batches[0]?.evidence ?? [];
      const known = (scope?.pairs.length ?? 0) + (scope?.lost ?? 0);
      expect(known).toBeGreaterThanOrEqual(distinct);
    }),
  );
});

function only(batches: readonly ComparisonBatch[]): ComparisonBatch {
  const [batch, ...others] = batches;
  if (batch === undefined || others.length > 0) throw new Error(`${batches.length} batches`);
  return batch;
}

test('a cause has all its places, kinds of request and the smallest request', () => {
  const { store, ...made } = recorder();
  for (const [route, shape, bytes] of [
    ['GET /a', 2 ** 24, 30],
    ['GET /b', 2 ** 25 + 7, 10],
    ['GET /b', 2 ** 25 + 7, 20],
  ] as const) {
    made.taken('catalog');
    made.settled({ ...KEY, route }, different('c1', bytes), sighting(bytes, shape), '');
  }
  made.flush();
  const [cause] = only(store.batches).causes;
  expect(cause?.places.map(({ route, count }) => [route, count])).toEqual([
    ['GET /a', 1],
    ['GET /b', 2],
  ]);
  expect(cause?.shapes.filter((rank) => rank > 0)).toHaveLength(2);
  expect(cause).toMatchObject({ count: 3, error: 0, smallest: { bytes: 10 } });
});

test('over the bound of causes a batch says how often a cause that is not in it may have been seen', () => {
  const { store, ...made } = recorder({ causesMax: 2 });
  for (const id of ['a', 'a', 'b', 'c']) {
    made.taken('catalog');
    made.settled(KEY, different(id), sighting(1), '');
  }
  made.flush();
  const { causes, forgotten } = only(store.batches);
  expect(causes.map(({ id, count, error }) => [id, count, error])).toEqual([
    ['a', 2, 0],
    ['c', 2, 1],
  ]);
  expect(forgotten).toEqual([{ group: 'catalog', count: 1 }]);
  expect(made.dropped().causes).toBe(1);
});

test('what finds no scope of its own joins that of all others', () => {
  const { store, ...made } = recorder({ scopesMax: 1 });
  for (const stratum of ['a', 'b', 'c']) {
    made.taken('catalog');
    made.settled(KEY, SAME, sighting(1, 1, stratum), '');
  }
  made.flush();
  expect(only(store.batches).evidence.map(({ scope, same }) => [scope.route, scope.stratum, same])).toEqual([
    ['GET /x', 'a', 1],
    ['', 'others', 2],
  ]);
});

test('a request that comes again in one batch is listed once', () => {
  const { store, ...made } = recorder();
  for (let i = 0; i < 5; i += 1) {
    made.taken('catalog');
    made.settled(KEY, SAME, sighting(7), '');
  }
  made.flush();
  expect(only(store.batches).evidence).toMatchObject([{ same: 5, pairs: [[7, 1, -1]] }]);
});
