import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { NoiseRow } from '../../router/core/ports.ts';
import { createNoiseStore, NOISE_MIGRATIONS } from '../../router/store/noise.ts';

function store() {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  for (const sql of NOISE_MIGRATIONS) db.exec(sql);
  return createNoiseStore(db);
}

const row = (group: string, build: string, triples = 1): NoiseRow => ({
  group,
  build,
  rules: 'r',
  content: Buffer.from([1, 2, 3]),
  reports: [],
  triples,
  flaggedItself: 0,
});

test('a model replaces the one before it, and comes back as it was', () => {
  const noise = store();
  noise.keep(1, 10, [row('g', 'b1', 5)]);
  noise.keep(1, 20, [row('g', 'b1', 9)]);
  expect(noise.rows(1)).toEqual([row('g', 'b1', 9)]);
  expect(noise.rows(2)).toEqual([]);
});

test('of a group the three builds seen last are kept, for every data plane', () => {
  const noise = store();
  for (const at of [1, 2, 3, 4]) noise.keep(1, at, [row('g', `b${at}`)]);
  noise.keep(2, 5, [row('g', 'b1')]);
  expect(noise.rows(1).map(({ build }) => build)).toEqual(['b2', 'b3', 'b4']);
  expect(noise.rows(2)).toHaveLength(1);
});

test('the newest build is read from all data planes that have it', () => {
  const noise = store();
  noise.keep(1, 10, [row('g', 'b1'), row('other', 'b9')]);
  noise.keep(1, 20, [row('g', 'b2', 7)]);
  noise.keep(2, 15, [row('g', 'b2', 8)]);
  const { at, rows } = noise.newest('g');
  expect(at).toBe(20);
  expect(rows.map(({ build, triples }) => [build, triples])).toEqual([
    ['b2', 7],
    ['b2', 8],
  ]);
  expect(noise.newest('nobody')).toEqual({ at: 0, rows: [] });
});
