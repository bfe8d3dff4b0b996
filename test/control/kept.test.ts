import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createEvidenceKeeper, EVIDENCE_LIMITS, NO_NOISE } from '../../router/control/evidence.ts';
import { createKept } from '../../router/control/kept.ts';
import type { CauseDelta, ComparisonBatch, EvidenceDelta, Log } from '../../router/core/ports.ts';
import { COMPARED_AS_EVERYWHERE } from '../../router/core/snapshot.ts';
import { createComparisonStore } from '../../router/store/comparisons.ts';
import { createEvidenceStore } from '../../router/store/evidence.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { createRoom } from '../../router/store/room.ts';
import { manualClock } from '../helpers/clock.ts';
import { quiet } from '../helpers/control.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const WHERE = { route: 'GET /x', shadowed: 'service', build: 'b', rules: 'r' } as const;

function open(fileBytesMax: number, log: Log = quiet) {
  const file = join(temporaryFolder(), 'fig.db');
  const db = openDatabase(file, MIGRATIONS);
  onTestFinished(() => void db.close());
  const clock = manualClock();
  const store = createComparisonStore(db);
  const group = () => COMPARED_AS_EVERYWHERE;
  const evidence = createEvidenceKeeper(
    { store: createEvidenceStore(db), noise: NO_NOISE, group, clock, log },
    { ...EVIDENCE_LIMITS, writeEveryMs: 0, writeGapMs: 0, writeBytesMax: 200_000 },
  );
  const room = createRoom(db, fileBytesMax);
  return { kept: createKept({ store, evidence, room, log }), store, evidence, file, db };
}

/** A cause with three examples of 8 KB, and a scope with a thousand requests, all new. */
function batch(i: number): ComparisonBatch {
  const cause: CauseDelta = {
    group: 'catalog',
    id: `c${i}`,
    severity: 'high',
    entries: [],
    count: i + 1,
    error: 0,
    firstAt: 0,
    lastAt: 0,
    places: [{ ...WHERE, count: 1, lastAt: 0 }],
    shapes: Array(64).fill(0),
    examples: [1, 2, 3].map((n) => JSON.stringify(String(n).repeat(8_000))),
    smallest: null,
  };
  const delta: EvidenceDelta = {
    scope: { group: 'catalog', ...WHERE, route: `GET /${i}`, stratum: '2xx', legacyBuild: '' },
    same: 1_000,
    ignored: 0,
    different: 0,
    skipped: {},
    observed: [],
    pairs: Array.from({ length: 1_000 }, (_, n) => [i * 1_000 + n, 1, -1]),
    signatures: [],
    lost: 0,
    lastAt: 0,
  };
  const counts = [{ group: 'catalog', ...WHERE, outcome: 'same', reason: null, count: 1_000 }] as const;
  return { at: 0, counts, causes: [cause], forgotten: [], evidence: [delta], selfTests: [] };
}

test('a full file makes room before it takes more: the least used goes, counted, and it is said once', () => {
  const said: string[] = [];
  const bytesMax = 2_000_000;
  const { kept, store, evidence, file } = open(bytesMax, {
    ...quiet,
    warn: (event) => void said.push(event),
  });
  let most = 0;
  for (let i = 0; i < 150; i += 1) {
    kept.flush(batch(i));
    most = Math.max(most, statSync(file).size);
  }
  expect(most).toBeLessThanOrEqual(bytesMax);
  expect(most).toBeGreaterThan(bytesMax / 2);
  expect(store.causes('catalog').length).toBeGreaterThan(10);
  expect(store.evicted('catalog').causes).toBeGreaterThan(0);
  expect(evidence.of('catalog')?.kept.evicted).toBeGreaterThan(0);
  expect(new Set(said)).toEqual(new Set(['file-full']));
});

test('what the file does not take is not counted as evidence either', () => {
  const { kept, evidence, db } = open(100_000_000);
  db.exec('DROP TABLE comparison_counts');
  expect(() => kept.flush(batch(1))).toThrow('comparison_counts');
  expect(evidence.sizes().scopes).toBe(0);
});
