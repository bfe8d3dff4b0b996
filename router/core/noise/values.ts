/**
 * Questions about the values of a path that differs anyway. Each is a yes or no of one answer, put to the service's and
 * to legacy's second answer alike, so that the paired test of `paired.ts` holds for it. Where a path has several places
 * in one answer, the answer says yes when any of them does: places of one answer are not independent.
 */
import { lnMean, lnPairedE } from './paired.ts';
import type { Reading } from './reading.ts';
import { bloomAdd, bloomHas, bloomMerge, distinctAdd, distinctCount, distinctMerge } from './sketch.ts';

/**
 * `null`, `missing`, `empty`, `make`, `length`: other than legacy's first value. `shift`: above the other answer's value, or
 * below it; of instants by more than the tolerance, since one side is always the slower one. `repeats`: one of the two values of the triple before. `request`: a value the request carried.
 * `pool`: never seen from legacy, times apart. `window`: an instant outside the call that made it. `renaming`: an id with two images.
 */
export const FEATURES = [
  'null',
  'missing',
  'empty',
  'make',
  'length',
  'shift',
  'repeats',
  'request',
  'pool',
  'window',
  'renaming',
] as const;
export type Feature = (typeof FEATURES)[number];

/** One place of an answer. */
export interface Place {
  readonly legacy: Reading;
  readonly baseline: Reading;
  readonly service: Reading;
}

/** ms since 1970, tolerance included. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What else is known about one triple; digests as those of the readings. */
export interface Surroundings {
  readonly asked: ReadonlySet<number>;
  readonly windows: { readonly baseline: Window; readonly service: Window } | null;
  /** Clocks and answers may be apart by this much. */
  readonly toleranceMs: number;
  /** Whether the answer breaks a one-to-one renaming at this path. */
  readonly broken: { readonly baseline: boolean; readonly service: boolean };
}

/** Everything kept of the values of one path. Plain data. */
export interface ValueContent {
  /** b, c and both of every feature, in the order of `FEATURES`. */
  readonly counts: readonly number[];
  /** Digests of both values of the last triple that differed here. */
  readonly previous: readonly number[];
  /** Bloom filter of legacy's values, 32 bits each. */
  readonly pool: readonly number[];
  readonly baseline: readonly number[];
  readonly service: readonly number[];
  /** The one make of legacy's values; '' when there was none yet, null when there were several. */
  readonly make: string | null;
}

export interface ValueTally {
  observe(places: readonly Place[], around: Surroundings): void;
  /** ln of the mean of the e-values of all features, itself an e-value, and the feature that weighs most. */
  evidence(): { readonly lnE: number; readonly feature: Feature; readonly lnFeatureE: number };
  /** About how many different values either answer had. */
  distinct(): { readonly baseline: number; readonly service: number };
  /** b, c and both of a feature. */
  counts(feature: Feature): readonly [number, number, number];
  /** The make of all of legacy's values when there is only one. */
  make(): string | null;
  merge(other: ValueContent): void;
  content(): ValueContent;
}

/** 4 KB. */
const POOL_WORDS = 1024;
const REGISTERS = 64;
/** Values of the triple before that are remembered, per answer. */
const PREVIOUS_MAX = 8;

export function createValueTally(): ValueTally {
  const counts: number[] = FEATURES.flatMap(() => [0, 0, 0]);
  const pool = new Uint32Array(POOL_WORDS);
  const registers = { baseline: new Uint8Array(REGISTERS), service: new Uint8Array(REGISTERS) };
  let previous: readonly number[] = [];
  let make: string | null = '';

  function count(feature: number, service: boolean, baseline: boolean): void {
    if (!service && !baseline) return;
    const at = 3 * feature + (service && baseline ? 2 : service ? 0 : 1);
    counts[at] = (counts[at] ?? 0) + 1;
  }

  function learn(places: readonly Place[]): void {
    const seen: number[] = [];
    for (const { legacy, baseline, service } of places) {
      make = make === '' || make === legacy.make ? legacy.make : null;
      if (baseline.digest !== null) bloomAdd(pool, baseline.digest);
      for (const [reading, sketch] of [
        [baseline, registers.baseline],
        [service, registers.service],
      ] as const) {
        if (reading.digest === null) continue;
        distinctAdd(sketch, reading.digest);
        if (seen.length < 2 * PREVIOUS_MAX) seen.push(reading.digest);
      }
    }
    previous = seen;
  }

  return {
    observe(places, around) {
      for (const { legacy } of places) if (legacy.digest !== null) bloomAdd(pool, legacy.digest);
      for (const [feature, name] of FEATURES.entries()) {
        const ask = QUESTIONS[name];
        let [service, baseline] = [false, false];
        for (const place of places) {
          const memory = { previous, pool };
          service ||= ask(place.service, place.legacy, around, 'service', memory);
          baseline ||= ask(place.baseline, place.legacy, around, 'baseline', memory);
        }
        count(feature, service, baseline);
      }
      const shift = shiftOf(places, around.toleranceMs);
      count(SHIFT, shift > 0, shift < 0);
      learn(places);
    },
    evidence() {
      const logs = FEATURES.map((name, feature) => {
        const [b = 0, c = 0] = counts.slice(3 * feature, 3 * feature + 2);
        return name === 'shift' ? lnMean([lnPairedE(b, c), lnPairedE(c, b)]) : lnPairedE(b, c);
      });
      const lnFeatureE = Math.max(...logs);
      const feature = FEATURES[logs.indexOf(lnFeatureE)] ?? 'make';
      return { lnE: lnMean(logs), feature, lnFeatureE };
    },
    distinct: () => ({
      baseline: distinctCount(registers.baseline),
      service: distinctCount(registers.service),
    }),
    counts(feature) {
      const at = 3 * FEATURES.indexOf(feature);
      return [counts[at] ?? 0, counts[at + 1] ?? 0, counts[at + 2] ?? 0];
    },
    make: () => (make === '' ? null : make),
    merge(other) {
      for (const [index, more] of other.counts.entries())
        if (index < counts.length) counts[index] = (counts[index] ?? 0) + more;
      bloomMerge(pool, other.pool);
      distinctMerge(registers.baseline, other.baseline);
      distinctMerge(registers.service, other.service);
      if (other.previous.length > 0) previous = other.previous;
      if (make === '') make = other.make;
      else if (other.make !== '' && other.make !== make) make = null;
    },
    content: () => ({
      counts: [...counts],
      previous,
      pool: [...pool],
      baseline: [...registers.baseline],
      service: [...registers.service],
      make,
    }),
  };
}

interface Memory {
  readonly previous: readonly number[];
  readonly pool: Uint32Array;
}

type Question = (
  own: Reading,
  legacy: Reading,
  around: Surroundings,
  side: 'baseline' | 'service',
  memory: Memory,
) => boolean;

const SHIFT = FEATURES.indexOf('shift');
const isOtherBlank =
  (blank: Reading['blank']): Question =>
  (own, legacy) =>
    (own.blank === blank) !== (legacy.blank === blank);

const QUESTIONS: Readonly<Record<Feature, Question>> = {
  make: (own, legacy) => own.make !== legacy.make,
  length: (own, legacy) => own.length !== legacy.length,
  null: isOtherBlank('null'),
  missing: isOtherBlank('missing'),
  empty: isOtherBlank('empty'),
  // Asked of both answers at once.
  shift: () => false,
  // Both answers are asked about the same values: about its own alone, a rare value and a frequent one are not alike.
  repeats: ({ digest }, _, __, ___, { previous }) => digest !== null && previous.includes(digest),
  request: ({ digest }, _, { asked }) => digest !== null && asked.has(digest),
  // A clock shows nobody the same time twice.
  pool: ({ digest, scale, atMs }, _, __, ___, { pool }) =>
    digest !== null && scale !== 'instant' && atMs === null && !bloomHas(pool, digest),
  window: ({ atMs }, _, { windows }, side) =>
    atMs !== null && windows !== null && (atMs < windows[side].fromMs || atMs > windows[side].toMs),
  renaming: (_, __, { broken }, side) => broken[side],
};

/** Places where the service's value is above legacy's second one, less those where it is below. */
function shiftOf(places: readonly Place[], toleranceMs: number): number {
  let votes = 0;
  for (const { service, baseline } of places) {
    if (service.scale === null || service.scale !== baseline.scale) continue;
    votes += Math.sign(apart(service, baseline, toleranceMs));
  }
  return votes;
}

/** How far the service's value is above the other; 0 where the clock alone may have made it so. */
function apart(service: Reading, baseline: Reading, toleranceMs: number): number {
  const amount = (service.amount ?? 0) - (baseline.amount ?? 0);
  if (service.scale === 'instant') return Math.abs(amount) <= toleranceMs ? 0 : amount;
  if (service.atMs === null || baseline.atMs === null) return amount;
  return Math.abs(service.atMs - baseline.atMs) <= toleranceMs ? 0 : amount;
}
