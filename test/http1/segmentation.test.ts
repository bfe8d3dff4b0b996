import { expect, test } from 'vitest';
import { corpusSeeds, foundSeeds, type Seed } from './corpus.ts';
import { mutants } from './mutants.ts';
import { answerReader, type Reading, readRequests } from './reading.ts';

/** Up to here every byte is a place to cut; of longer inputs, so many at either end and around every limit. */
const EVERY_CUT_BYTES_MAX = 1_024;
const EDGE_CUTS = 200;
const LIMITS = [1_024, 8_192, 16_384, 65_536];

function readerOf({ side, method }: Seed): (slices: readonly Buffer[]) => Reading {
  return side === 'client' ? readRequests : answerReader(method, true);
}

function cutsOf(length: number): number[] {
  const all = Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
  if (length <= EVERY_CUT_BYTES_MAX) return all;
  return all.filter(
    (at) => at <= EDGE_CUTS || at >= length - EDGE_CUTS || LIMITS.some((limit) => Math.abs(at - limit) <= 40),
  );
}

function check(seed: Seed, cuts: readonly number[]): void {
  const read = readerOf(seed);
  const bytes = Buffer.from(seed.bytes, 'latin1');
  const whole = read([bytes]);
  for (const at of cuts) {
    expect(read([bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toEqual(whole);
  }
  const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  expect(read(single), 'byte by byte').toEqual(whole);
}

const seeds = [...corpusSeeds(), ...foundSeeds()];

test('the corpus has inputs of both sides', () => {
  const sides = seeds.map(({ side }) => side);
  expect(sides.filter((side) => side === 'client').length).toBeGreaterThan(200);
  expect(sides.filter((side) => side === 'upstream').length).toBeGreaterThan(40);
});

test.each(seeds)('$id from the $side reads the same however it is cut', (seed) => {
  check(seed, cutsOf(seed.bytes.length));
});

test('mutants read the same byte by byte and cut in the middle', () => {
  for (const mutant of mutants(20_260_101, 5_000, seeds, 512)) check(mutant, [mutant.bytes.length >> 1]);
});
