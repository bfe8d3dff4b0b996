import { expect, onTestFinished, test } from 'vitest';
import {
  createEvidenceKeeper,
  EVIDENCE_LIMITS,
  type EvidenceDeps,
  type EvidenceLimits,
  NO_NOISE,
} from '../../router/control/evidence.ts';
import type { EvidenceScope } from '../../router/core/evidence/key.ts';
import type { ComparisonBatch, ComparisonCount, EvidenceDelta } from '../../router/core/ports.ts';
import { COMPARED_AS_EVERYWHERE } from '../../router/core/snapshot.ts';
import { createEvidenceStore } from '../../router/store/evidence.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { manualClock } from '../helpers/clock.ts';
import { quiet } from '../helpers/control.ts';

const DAY_MS = 86_400_000;
/** When the clock of these tests begins. */
const BEGIN = Date.UTC(2026, 0, 1);

const SCOPE: EvidenceScope = {
  group: 'catalog',
  route: 'GET /x',
  shadowed: 'service',
  stratum: '2xx application/json GET unit',
  build: 'b1',
  legacyBuild: 'l1',
  rules: 'r1',
};

const SIGNATURE = {
  id: '0123456789abcdef',
  entries: [{ template: '/body/a', kind: 'value' }],
  complete: true,
} as const;

function world(more: Partial<EvidenceDeps> = {}, limits: Partial<EvidenceLimits> = {}) {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  const clock = manualClock();
  const store = createEvidenceStore(db);
  const open = () =>
    createEvidenceKeeper(
      { store, noise: NO_NOISE, group: () => COMPARED_AS_EVERYWHERE, clock, log: quiet, ...more },
      { ...EVIDENCE_LIMITS, ...limits },
    );
  return { clock, open, db };
}

/** `n` requests that were never seen before, `k` of them different. */
function delta(n: number, k = 0, scope: Partial<EvidenceScope> = {}, at = 0, from = 0): EvidenceDelta {
  return {
    scope: { ...SCOPE, ...scope },
    same: n - k,
    ignored: 0,
    different: k,
    skipped: {},
    observed: [],
    pairs: Array.from({ length: n }, (_, i) => [(from + i + 1) * 7_919_317, 5, i < k ? 0 : -1]),
    signatures: [SIGNATURE],
    lost: 0,
    lastAt: BEGIN + at,
  };
}

function batch(evidence: readonly EvidenceDelta[], counts: readonly ComparisonCount[] = []): ComparisonBatch {
  return { at: BEGIN, counts, causes: [], forgotten: [], evidence, selfTests: [] };
}

function skips(reason: 'rate' | 'flag-off', count: number): ComparisonCount {
  return {
    group: 'catalog',
    route: '',
    shadowed: 'service',
    build: '',
    rules: '',
    outcome: 'skipped',
    reason,
    count,
  };
}

test('before anything was compared there is no standing, and an unknown group has no evidence', () => {
  const { open } = world({ group: (name) => (name === 'catalog' ? COMPARED_AS_EVERYWHERE : null) });
  const keeper = open();
  expect(keeper.of('catalog')).toMatchObject({ standings: [], stale: [] });
  expect(keeper.of('other')).toBeNull();
});

test('it says in words how many requests are missing and how long they take', () => {
  const keeper = world().open();
  keeper.add(batch([delta(50, 0, {}, 0)]));
  keeper.add(batch([delta(50, 0, {}, 3_600_000, 50)]));
  const [standing] = keeper.of('catalog')?.standings ?? [];
  expect(standing?.verdict).toBe('Inconclusive');
  expect(standing?.reasons[0]).toBe(
    'GET /x, 2xx application/json GET unit: 100 requests compared, none differs; 3578 more are needed for 0.1 %, about 36 h at the present rate.',
  );
  expect(standing?.waitMs).toBeCloseTo((3578 / 100) * 3_600_000);
  expect(standing?.strata[0]).toMatchObject({ n: 100, k: 0, needed: 3678, perHour: 100 });
});

test('enough of everything is a Pass once legacy was held against itself', () => {
  const clean = { ...NO_NOISE, selfTestClean: () => true };
  const keeper = world({ noise: clean }).open();
  keeper.add(batch([delta(4000)]));
  expect(keeper.of('catalog')?.standings[0]).toMatchObject({ verdict: 'Pass', reasons: [], requests: 4000 });
});

test('a request that comes again is compared again but counts once', () => {
  const keeper = world().open();
  keeper.add(batch([delta(10)]));
  keeper.add(batch([delta(10)]));
  expect(keeper.of('catalog')?.standings[0]).toMatchObject({ compared: 20, requests: 10 });
});

test('differences fail it, and noise that explains them does not', () => {
  const explained = { ...NO_NOISE, explained: () => (path: string) => path === '/body/a' };
  const [strict, learned] = [world().open(), world({ noise: explained }).open()];
  for (const keeper of [strict, learned]) keeper.add(batch([delta(1000, 20)]));
  expect(strict.of('catalog')?.standings[0]).toMatchObject({ verdict: 'Fail', strata: [{ n: 1000, k: 20 }] });
  expect(learned.of('catalog')?.standings[0]).toMatchObject({ strata: [{ n: 1000, k: 0 }] });
});

test.each<[string, Partial<EvidenceScope>]>([
  ['a new build of the service', { build: 'b2' }],
  ['a new build of legacy', { legacyBuild: 'l2' }],
  ['other rules', { rules: 'r2' }],
])('%s starts at zero, and what was known before is shown as stale', (_what, change) => {
  const keeper = world().open();
  keeper.add(batch([delta(500, 5, {}, 1)]));
  keeper.add(batch([delta(3, 0, change, 2)]));
  const known = keeper.of('catalog');
  expect(known?.standings).toMatchObject([{ ...change, compared: 3, different: 0 }]);
  expect(known?.stale).toMatchObject([{ build: 'b1', compared: 500, different: 5 }]);
});

test('stale evidence dies after 14 days', () => {
  const { clock, open } = world();
  const keeper = open();
  keeper.add(batch([delta(5)]));
  keeper.add(batch([delta(5, 0, { build: 'b2' }, 1)]));
  clock.advance(14 * DAY_MS + 1);
  keeper.add(batch([]));
  expect(keeper.of('catalog')?.stale).toEqual([]);
  expect(keeper.sizes()).toMatchObject({ scopes: 1, gone: 1 });
});

test('each direction has evidence of its own', () => {
  const keeper = world().open();
  keeper.add(batch([delta(5), delta(7, 0, { shadowed: 'legacy' })]));
  expect(keeper.of('catalog')?.standings.map(({ shadowed, compared }) => [shadowed, compared])).toEqual([
    ['service', 5],
    ['legacy', 7],
  ]);
});

test('skips before a copy count against coverage where no policy wanted them, from now on only', () => {
  const keeper = world().open();
  keeper.add(batch([], [skips('rate', 1000)]));
  keeper.add(batch([delta(10)], [skips('rate', 5), skips('flag-off', 90)]));
  const [standing] = keeper.of('catalog')?.standings ?? [];
  expect(standing).toMatchObject({ eligible: 15, compared: 10, skipped: { rate: 5, 'flag-off': 90 } });
  expect(standing?.reasons).toContain('10 of 15 eligible requests were compared; 95 % are needed.');
});

test('an unknown build is never a Pass, unless the group says that builds do not matter', () => {
  const noise = { ...NO_NOISE, selfTestClean: () => true };
  const [known, ignored] = [false, true].map((buildsIgnored) =>
    world({ noise, group: () => ({ ...COMPARED_AS_EVERYWHERE, buildsIgnored }) }).open(),
  );
  for (const keeper of [known, ignored]) keeper?.add(batch([delta(4000, 0, { build: '', legacyBuild: '' })]));
  expect(known?.of('catalog')?.standings[0]).toMatchObject({ verdict: 'Inconclusive' });
  expect(ignored?.of('catalog')?.standings[0]).toMatchObject({ verdict: 'Pass' });
});

test('differing pairs that found no place count as unexplained', () => {
  const keeper = world().open();
  keeper.add(batch([{ ...delta(100), different: 3, lost: 3 }]));
  expect(keeper.of('catalog')?.standings[0]?.strata[0]).toMatchObject({ n: 100, k: 3 });
});

test('a restart finds everything that was written', () => {
  const { open } = world({}, { requestsMax: 64 });
  const first = open();
  first.add(batch([delta(300, 7, {}, 5)]));
  first.write(true);
  const before = first.of('catalog');
  const second = open();
  expect(second.of('catalog')?.standings).toEqual(before?.standings);
  second.add(batch([delta(300, 7, {}, 6)]));
  expect(second.of('catalog')?.standings[0]?.requests).toBe(before?.standings[0]?.requests);
});

test('a flush writes a bounded part, the longest unwritten first, and a scope only every ten seconds', () => {
  const { clock, open } = world({}, { writeBytesMax: 1, writeGapMs: 0 });
  const writer = open();
  for (const route of ['a', 'b', 'c']) {
    writer.add(batch([delta(1, 0, { route })]));
    clock.advance(1);
  }
  const written = () => open().sizes().scopes;
  writer.write();
  expect(written()).toBe(1);
  writer.write();
  writer.write();
  expect(written()).toBe(3);
  writer.add(batch([delta(1, 0, { route: 'a' }, 0, 1)]));
  writer.write();
  const requests = () => open().of('catalog')?.standings[0]?.requests;
  expect(requests()).toBe(3);
  clock.advance(10_000);
  writer.write();
  expect(requests()).toBe(4);
});

test('a disk that refuses is tried again', () => {
  const { db, open } = world();
  const writer = open();
  writer.add(batch([delta(5)]));
  db.exec('ALTER TABLE evidence RENAME TO away');
  writer.write(true);
  db.exec('ALTER TABLE away RENAME TO evidence');
  writer.write(true);
  expect(open().sizes().scopes).toBe(1);
});

test('over the bound of a group the least-hit goes, and what differed in it stands against a Pass', () => {
  const noise = { ...NO_NOISE, selfTestClean: () => true };
  const { open } = world({ noise }, { scopesMax: 2 });
  const keeper = open();
  keeper.add(batch([delta(4000), delta(2, 1, { route: 'rare' }), delta(5000, 0, { route: 'often' })]));
  const known = keeper.of('catalog');
  expect(known?.kept).toMatchObject({ scopes: 2, evicted: 1 });
  expect(known?.standings[0]).toMatchObject({
    verdict: 'Inconclusive',
    reasons: ['Evidence in which 1 pairs differed had to make room; raise evidence.memoryBytesMax.'],
  });
});

test('over the memory bound scopes go until it holds', () => {
  const keeper = world({}, { memoryBytesMax: 200_000 }).open();
  for (let i = 0; i < 50; i += 1) keeper.add(batch([delta(100, 1, { route: `r${i}` }, i)]));
  const { bytes, scopes } = keeper.sizes();
  expect(bytes).toBeLessThanOrEqual(200_000);
  expect(scopes).toBeGreaterThan(5);
});

test('evidence that cannot be read is an Error and never a Pass', () => {
  const { db, open } = world();
  db.exec('DROP TABLE evidence');
  const keeper = open();
  keeper.add(batch([delta(4000)]));
  expect(keeper.of('catalog')?.standings[0]).toMatchObject({ verdict: 'Error' });
});
