/** Counts different things in bounded memory. */
import { bloomAdd, bloomHas } from '../noise/sketch.ts';

export interface DistinctContent {
  readonly entries: readonly number[];
  /** Those counted after `entries` was full, and the filter that knows them; null while it is not. */
  readonly later: { readonly count: number; readonly filter: readonly number[] } | null;
}

export interface Distinct {
  /** `digest`: keyed, below 2^53, at least its low 48 bits evenly spread. Whether it was counted just now. */
  add(digest: number): boolean;
  /** Exact up to `entriesMax`; then rather too few, since a filter takes some new things for known ones. */
  readonly count: number;
  /** About what it takes in memory. */
  readonly bytes: number;
  content(): DistinctContent;
}

/** Of one number in a set, about. */
const ENTRY_BYTES = 37;
/** 256 KB. */
const FILTER_WORDS = 65_536;

export function createDistinct(entriesMax: number, content: DistinctContent | null = null): Distinct {
  const entries = new Set(content?.entries);
  let filter = content?.later == null ? null : Uint32Array.from(content.later.filter);
  let later = content?.later?.count ?? 0;

  return {
    add(digest) {
      if (entries.has(digest)) return false;
      if (entries.size < entriesMax) {
        entries.add(digest);
        return true;
      }
      filter ??= new Uint32Array(FILTER_WORDS);
      if (bloomHas(filter, digest)) return false;
      bloomAdd(filter, digest);
      later += 1;
      return true;
    },
    get count() {
      return entries.size + later;
    },
    get bytes() {
      return entries.size * ENTRY_BYTES + (filter?.byteLength ?? 0);
    },
    content: () => ({
      entries: [...entries],
      later: filter === null ? null : { count: later, filter: [...filter] },
    }),
  };
}
