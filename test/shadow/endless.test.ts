import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import { createEvidenceKeeper, EVIDENCE_LIMITS, NO_NOISE } from '../../router/control/evidence.ts';
import { createKept } from '../../router/control/kept.ts';
import { COMPARED_AS_EVERYWHERE } from '../../router/core/snapshot.ts';
import { askedOf } from '../../router/shadow/asked.ts';
import { createJudge } from '../../router/shadow/judge.ts';
import { createRecorder, RECORDER_LIMITS } from '../../router/shadow/record.ts';
import { createRedactor } from '../../router/shadow/redact.ts';
import { createWitness } from '../../router/shadow/witness.ts';
import { COMPARISON_LIMITS, createComparisonStore } from '../../router/store/comparisons.ts';
import { createEvidenceStore } from '../../router/store/evidence.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { createRoom } from '../../router/store/room.ts';
import { manualClock } from '../helpers/clock.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { job, ok, SILENT } from './jobs.ts';

/** Ten million comparisons and every bound, both a hundredth. */
const SCALE = 100;
const COMPARISONS = 10_000_000 / SCALE;
const FLUSH_EVERY = 2_000;
const MIB = 1_048_576;
const MEMORY_BYTES_MAX = (64 * MIB) / SCALE;
const FILE_BYTES_MAX = (256 * MIB) / SCALE;
const scaled = (bound: number) => Math.max(4, Math.round(bound / SCALE));

const RECORDER = {
  ...RECORDER_LIMITS,
  countsMax: scaled(RECORDER_LIMITS.countsMax),
  causesMax: 20,
  scopesMax: scaled(RECORDER_LIMITS.scopesMax),
  pairsMax: scaled(RECORDER_LIMITS.pairsMax),
};
const STORE = { ...COMPARISON_LIMITS, causesMax: 20, countsMax: scaled(COMPARISON_LIMITS.countsMax) };
const EVIDENCE = {
  ...EVIDENCE_LIMITS,
  scopesMax: 50,
  requestsMax: scaled(EVIDENCE_LIMITS.requestsMax),
  memoryBytesMax: MEMORY_BYTES_MAX,
  writeGapMs: 0,
  writeBytesMax: EVIDENCE_LIMITS.writeBytesMax / SCALE,
};

/** Live bytes of the heap. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** Names that are one of a few at each level, and so of endless many paths; and one that is of a dictionary. */
function bodyOf(i: number, value: number): string {
  const path = [i % 31, Math.floor(i / 31) % 31, Math.floor(i / 961) % 31];
  return `{"a${path[0]}":{"b${path[1]}":{"c${path[2]}":${value}}},"all":{"k${i}":${value}}}`;
}

test('comparisons of endless distinct paths, names, builds and parts of traffic stay within memory and file', {
  timeout: 60_000,
}, () => {
  const file = join(temporaryFolder(), 'fig.db');
  const db = openDatabase(file, MIGRATIONS);
  onTestFinished(() => void db.close());
  const clock = manualClock();
  const key = Buffer.alloc(32, 7);
  const store = createComparisonStore(db, STORE);
  const group = () => COMPARED_AS_EVERYWHERE;
  const evidence = createEvidenceKeeper(
    { store: createEvidenceStore(db), noise: NO_NOISE, group, clock, log: SILENT },
    EVIDENCE,
  );
  const room = createRoom(db, FILE_BYTES_MAX);
  const recorder = createRecorder(
    { store: createKept({ store, evidence, room, log: SILENT }), clock, log: SILENT },
    RECORDER,
  );
  // Bounded inside and seen through the heap: templates and compiled rules of the judge, names and shapes of the witness.
  const { judge } = createJudge({ key, decodedBytesMax: 65_536 });
  const witness = createWitness(key, createRedactor(key).nameOf);

  const most: Record<string, number> = {};
  const atMost = (sizes: Readonly<Record<string, number>>) => {
    for (const [name, size] of Object.entries(sizes)) most[name] = Math.max(most[name] ?? 0, size);
  };
  let half = 0;
  for (let i = 0; i < COMPARISONS; i += 1) {
    const each = job('http://127.0.0.1:1', {
      unit: `unit${i}`,
      request: {
        method: 'GET',
        target: `/api/products/${i}?n${i % 5_000}=1`,
        fields: [],
        body: new Uint8Array(),
      },
      answer: ok(bodyOf(i, i)),
    });
    const { target, method } = each.request;
    const judged = judge(
      {
        meta: {
          group: 'catalog',
          route: { label: each.route.label, segments: each.route.segments },
          request: { ...askedOf(each), method, target, url: `http://shop.example${target}` },
          internalHosts: [],
          today: '2026-01-01',
          showValues: [],
          selfTest: null,
        },
        legacy: each.answer,
        service: {
          kind: 'answer',
          answer: ok(bodyOf(i, i + (i % 3))),
          oversize: false,
        },
      },
      [],
      1,
    );
    const build = `b${Math.floor(i / 9_000)}`;
    const where = {
      group: 'catalog',
      route: `GET /r${i % 90}`,
      shadowed: 'service',
      build,
      rules: '',
    } as const;
    recorder.taken('catalog');
    recorder.settled(where, judged, witness(each, each.answer), 'l1');
    clock.advance(1);
    if (i % FLUSH_EVERY === 0) {
      atMost(recorder.sizes());
      recorder.flush();
      const { scopes, bytes, gone } = evidence.sizes();
      atMost({ evidenceScopes: scopes, evidenceBytes: bytes, evidenceGone: gone });
      atMost({
        fileBytes: room.usedBytes(),
        file: statSync(file).size,
        storedCauses: store.causes('catalog').length,
      });
      atMost({ storedCounts: store.counts('catalog').length });
    }
    if (i === COMPARISONS / 2) half = heap();
  }
  const grown = heap() - half;

  const within: Readonly<Record<string, number>> = {
    groups: 1,
    counts: RECORDER.countsMax,
    causes: RECORDER.causesMax,
    scopes: 2 * RECORDER.scopesMax,
    pairs: RECORDER.pairsMax,
    selfTests: 0,
    evidenceScopes: EVIDENCE.scopesMax,
    evidenceBytes: EVIDENCE.memoryBytesMax,
    evidenceGone: 0,
    storedCauses: STORE.causesMax,
    storedCounts: STORE.countsMax,
    fileBytes: FILE_BYTES_MAX,
    file: FILE_BYTES_MAX,
  };
  for (const [name, size] of Object.entries(most)) expect(size, name).toBeLessThanOrEqual(within[name] ?? -1);
  // Nothing is lost in silence: every pair is counted, what went is said.
  expect(recorder.counts('catalog')).toMatchObject({ eligible: COMPARISONS, pending: 0, skipped: {} });
  expect(store.evicted('catalog').causes).toBeGreaterThan(0);
  expect(evidence.of('catalog')?.kept.evicted).toBeGreaterThan(0);
  expect(grown / MIB).toBeLessThan(4);
});
