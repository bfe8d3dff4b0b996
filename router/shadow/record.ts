/** Counts every eligible request exactly once, clusters differences, and hands both to the store in batches. */
import type { EvidenceSignature } from '../core/evidence/evidence.ts';
import type { EvidenceScope } from '../core/evidence/key.ts';
import { distinctAdd } from '../core/noise/sketch.ts';
import type {
  CauseDelta,
  CausePlace,
  Clock,
  ComparisonBatch,
  ComparisonCount,
  ComparisonStore,
  EvidenceDelta,
  EvidenceKey,
  Log,
  SelfTestDelta,
} from '../core/ports.ts';
import { createFrequent, type Frequent } from '../core/space-saving.ts';
import type { SkipReason } from '../core/types.ts';
import type { Judged, SelfTest } from './judge.ts';
import type { Sighting } from './witness.ts';

/** Since the process started. `eligible = same + ignored + different + Σ skipped` holds at any time. */
export interface ShadowCounts {
  readonly eligible: number;
  readonly same: number;
  readonly ignored: number;
  readonly different: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Taken and not settled yet: not eligible until then. */
  readonly pending: number;
}

export interface ShadowRecorder {
  /** A request that was skipped before a copy existed. */
  skipped(group: string, reason: SkipReason): void;
  taken(group: string): void;
  /** A taken job whose comparison is known. `legacyBuild`: empty while none was seen. */
  settled(key: EvidenceKey, judged: Judged, sighting: Sighting, legacyBuild: string): void;
  /** What became of faults put into an answer; never part of a count. */
  selfTested(key: EvidenceKey, found: readonly SelfTest[]): void;
  counts(group: string): ShadowCounts;
  /** Hands what was counted to the store; on failure it is kept for the next time. */
  flush(): void;
  /** Causes and counts that found no place in a batch, and flushes that failed. */
  dropped(): { readonly causes: number; readonly counts: number; readonly failedFlushes: number };
  /** Entries of everything that grows between two flushes, by name. */
  sizes(): Readonly<Record<string, number>>;
}

/** How much of a batch is kept while the store does not take it. */
export interface RecorderLimits {
  readonly groupsMax: number;
  readonly countsMax: number;
  /** Per group; the least frequent cause makes room. */
  readonly causesMax: number;
  readonly placesMax: number;
  readonly examplesMax: number;
  /** Scopes of evidence; what finds no place joins one for all others. */
  readonly scopesMax: number;
  /** Of all scopes together. */
  readonly pairsMax: number;
  readonly selfTestsMax: number;
}

export const RECORDER_LIMITS: RecorderLimits = {
  groupsMax: 1000,
  countsMax: 10_000,
  causesMax: 200,
  placesMax: 32,
  examplesMax: 3,
  scopesMax: 2000,
  pairsMax: 50_000,
  selfTestsMax: 1000,
};

type Counted = ComparisonCount & { count: number };

interface Tally {
  eligible: number;
  same: number;
  ignored: number;
  different: number;
  pending: number;
  readonly skipped: Map<SkipReason, number>;
  /** Of these, skipped before there was a copy, and in no batch yet. */
  readonly unsettled: Map<SkipReason, number>;
}

interface Causes {
  readonly frequent: Frequent;
  readonly seen: Map<string, Cause>;
}

interface Cause extends Omit<CauseDelta, 'count' | 'error' | 'places' | 'shapes' | 'examples'> {
  lastAt: number;
  readonly places: Map<string, CausePlace>;
  readonly shapes: Uint8Array;
  readonly examples: string[];
  smallest: CauseDelta['smallest'];
}

interface Scoped {
  readonly scope: EvidenceScope;
  same: number;
  ignored: number;
  different: number;
  lost: number;
  lastAt: number;
  readonly skipped: Map<SkipReason, number>;
  readonly observed: Set<number>;
  readonly pairs: Map<string, readonly [number, number, number]>;
  readonly signatures: Map<string, EvidenceSignature & { readonly index: number }>;
}

type Different = Extract<Judged, { outcome: 'different' }>;

const SHAPE_REGISTERS = 64;
const OBSERVED_MAX = 1000;
/** Stratum of what found no place of its own. */
const OTHERS = 'others';

export function createRecorder(
  deps: {
    readonly store: Pick<ComparisonStore, 'flush'>;
    readonly clock: Clock;
    readonly log: Log;
  },
  limits: RecorderLimits = RECORDER_LIMITS,
): ShadowRecorder {
  const tallies = new Map<string, Tally>();
  const counts = new Map<string, Counted>();
  /** The one counted last: mostly the next one is of its kind. */
  let newest: Counted | null = null;
  const causes = new Map<string, Causes>();
  const scopes = new Map<string, Scoped>();
  const selfTests = new Map<string, SelfTestDelta>();
  let pairs = 0;
  let droppedCauses = 0;
  let droppedCounts = 0;
  let failedFlushes = 0;
  let failing = false;

  function tallyOf(group: string): Tally {
    return bounded(tallies, group, limits.groupsMax, newTally);
  }

  function add(key: EvidenceKey, outcome: ComparisonCount['outcome'], reason: SkipReason | null): void {
    const tally = tallyOf(key.group);
    tally.eligible += 1;
    if (outcome !== 'skipped') tally[outcome] += 1;
    else if (reason !== null) more(tally.skipped, reason, 1);
    keep(key, outcome, reason, 1);
  }

  function keep(
    key: EvidenceKey,
    outcome: ComparisonCount['outcome'],
    reason: SkipReason | null,
    count: number,
  ): void {
    if (newest !== null && isOf(newest, key, outcome, reason)) {
      newest.count += count;
      return;
    }
    const name = `${nameOf(key)}\n${outcome}\n${reason}`;
    const before = counts.get(name);
    if (before === undefined && counts.size >= limits.countsMax) {
      droppedCounts += count;
      return;
    }
    newest = { ...key, outcome, reason, count: (before?.count ?? 0) + count };
    // Last seen, last in the batch: the store takes the newest build from there.
    counts.delete(name);
    counts.set(name, newest);
  }

  /** Skips before a copy have no key to be looked up by; they are many, and join the batch only at its end. */
  function keepSkips(): void {
    for (const [group, { unsettled }] of tallies) {
      for (const [reason, count] of unsettled) keep({ ...NO_COPY, group }, 'skipped', reason, count);
      unsettled.clear();
    }
  }

  function addCause(key: EvidenceKey, judged: Different, shape: number): void {
    const { group } = key;
    const { frequent, seen } = bounded(causes, group, limits.groupsMax, () => ({
      frequent: createFrequent(limits.causesMax),
      seen: new Map(),
    }));
    const { evicted = null } = frequent.add(judged.id, { count: 1, error: 0 }) ?? {};
    if (evicted !== null) {
      seen.delete(evicted);
      droppedCauses += 1;
    }
    const at = deps.clock.wall();
    let cause = seen.get(judged.id);
    if (cause === undefined) {
      cause = newCause(group, judged, at);
      seen.set(judged.id, cause);
    }
    cause.lastAt = at;
    distinctAdd(cause.shapes, shape);
    addPlace(cause, key, at);
    if (judged.example !== null && cause.examples.length < limits.examplesMax)
      cause.examples.push(judged.example);
    if (cause.smallest === null || judged.request.bytes < cause.smallest.bytes)
      cause.smallest = judged.request;
  }

  function addPlace({ places }: Cause, { group: _, ...where }: EvidenceKey, lastAt: number): void {
    const name = placeName(where);
    const known = places.get(name);
    // The cause has them all in its own count.
    if (known === undefined && places.size >= limits.placesMax) return;
    places.set(name, { ...where, count: (known?.count ?? 0) + 1, lastAt });
  }

  function scopedOf(scope: EvidenceScope): Scoped {
    const name = scopeName(scope);
    const known = scopes.get(name);
    if (known !== undefined) return known;
    const crowded = scopes.size >= limits.scopesMax;
    const own = crowded ? { ...scope, route: '', stratum: OTHERS } : scope;
    // Of the rest there are as many as builds and rules: twice the bound is never reached in earnest.
    return bounded(scopes, crowded ? scopeName(own) : name, 2 * limits.scopesMax, () => newScoped(own));
  }

  function witness(scope: EvidenceScope, judged: Judged, { request, shape }: Sighting): void {
    const scoped = scopedOf(scope);
    scoped.lastAt = deps.clock.wall();
    if (judged.outcome === 'skipped') {
      more(scoped.skipped, judged.reason, 1);
      if (scoped.observed.size < OBSERVED_MAX) scoped.observed.add(shape);
      return;
    }
    scoped[judged.outcome] += 1;
    const id = judged.outcome === 'different' ? judged.id : '';
    const name = `${request} ${id}`;
    if (scoped.pairs.has(name)) return;
    const index = judged.outcome === 'different' ? signatureIndex(scoped, judged) : -1;
    if (pairs >= limits.pairsMax || index === null) {
      // One that is the same may go: that makes the evidence smaller. One that differs may not.
      if (judged.outcome === 'different') scoped.lost += 1;
      return;
    }
    pairs += 1;
    scoped.pairs.set(name, [request, shape, index]);
  }

  function signatureIndex({ signatures }: Scoped, { id, entries, complete }: Different): number | null {
    const known = signatures.get(id);
    if (known !== undefined) return known.index;
    if (signatures.size >= limits.causesMax) return null;
    const index = signatures.size;
    const reduced = entries.map(({ template, kind }) => ({ template, kind }));
    signatures.set(id, { id, entries: reduced, complete, index });
    return index;
  }

  function addSelfTests({ group, rules }: EvidenceKey, found: readonly SelfTest[]): void {
    for (const { fault, template, caught, hiddenBy } of found) {
      const name = `${group}\n${rules}\n${fault}\n${template}`;
      const known = selfTests.get(name);
      if (known === undefined && selfTests.size >= limits.selfTestsMax) continue;
      const hidden = hiddenBy === null ? [] : [hiddenBy];
      selfTests.set(name, {
        group,
        rules,
        fault,
        template,
        tried: (known?.tried ?? 0) + 1,
        caught: (known?.caught ?? 0) + (caught ? 1 : 0),
        hiddenBy: [...new Set([...(known?.hiddenBy ?? []), ...hidden])].slice(0, limits.examplesMax),
      });
    }
  }

  function batchOf(): ComparisonBatch {
    return {
      at: deps.clock.wall(),
      counts: [...counts.values()],
      causes: [...causes.values()].flatMap(deltasOf),
      forgotten: [...causes]
        .map(([group, { frequent }]) => ({ group, count: frequent.floor }))
        .filter(({ count }) => count > 0),
      evidence: [...scopes.values()].map(evidenceOf),
      selfTests: [...selfTests.values()],
    };
  }

  function clear(): void {
    counts.clear();
    newest = null;
    causes.clear();
    scopes.clear();
    selfTests.clear();
    pairs = 0;
  }

  return {
    skipped(group, reason) {
      const tally = tallyOf(group);
      tally.eligible += 1;
      more(tally.skipped, reason, 1);
      more(tally.unsettled, reason, 1);
    },
    taken(group) {
      tallyOf(group).pending += 1;
    },
    settled(key, judged, sighting, legacyBuild) {
      tallyOf(key.group).pending -= 1;
      add(key, judged.outcome, judged.outcome === 'skipped' ? judged.reason : null);
      witness({ ...key, stratum: sighting.stratum, legacyBuild }, judged, sighting);
      if (judged.outcome === 'different') addCause(key, judged, sighting.shape);
    },
    selfTested: addSelfTests,
    counts(group) {
      const { skipped, unsettled: _, ...rest } = tallies.get(group) ?? newTally();
      return { ...rest, skipped: Object.fromEntries(skipped) };
    },
    flush() {
      keepSkips();
      if (counts.size === 0 && selfTests.size === 0) return;
      try {
        deps.store.flush(batchOf());
        clear();
        failing = false;
      } catch (error) {
        failedFlushes += 1;
        // Said once, however long it lasts.
        if (failing) return;
        failing = true;
        deps.log.warn('shadow.flush-failed', {
          error: error instanceof Error ? error.message : String(error),
        });
      }
    },
    dropped: () => ({ causes: droppedCauses, counts: droppedCounts, failedFlushes }),
    sizes: () => ({
      groups: tallies.size,
      counts: counts.size,
      causes: [...causes.values()].reduce((sum, { seen }) => sum + seen.size, 0),
      scopes: scopes.size,
      pairs,
      selfTests: selfTests.size,
    }),
  };
}

function deltasOf({ frequent, seen }: Causes): readonly CauseDelta[] {
  return [...seen].map(([id, { places, shapes, ...cause }]) => ({
    ...cause,
    ...(frequent.get(id) ?? { count: 0, error: 0 }),
    places: [...places.values()],
    shapes: [...shapes],
  }));
}

function evidenceOf({ skipped, observed, pairs, signatures, ...rest }: Scoped): EvidenceDelta {
  return {
    ...rest,
    skipped: Object.fromEntries(skipped),
    observed: [...observed],
    pairs: [...pairs.values()],
    signatures: [...signatures.values()].map(({ index: _, ...signature }) => signature),
  };
}

function newCause(group: string, { id, entries, request }: Different, at: number): Cause {
  return {
    group,
    id,
    severity: entries[0]?.severity ?? 'high',
    entries,
    firstAt: at,
    lastAt: at,
    places: new Map(),
    shapes: new Uint8Array(SHAPE_REGISTERS),
    examples: [],
    smallest: request,
  };
}

function newScoped(scope: EvidenceScope): Scoped {
  return {
    scope,
    same: 0,
    ignored: 0,
    different: 0,
    lost: 0,
    lastAt: 0,
    skipped: new Map(),
    observed: new Set(),
    pairs: new Map(),
    signatures: new Map(),
  };
}

/** Makes what is missing; the oldest goes when there is no room. */
function bounded<T>(map: Map<string, T>, key: string, max: number, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const [oldest] = map.keys();
  if (map.size >= max && oldest !== undefined) map.delete(oldest);
  const made = make();
  map.set(key, made);
  return made;
}

function isOf(
  counted: Counted,
  key: EvidenceKey,
  outcome: ComparisonCount['outcome'],
  reason: SkipReason | null,
): boolean {
  return (
    counted.outcome === outcome &&
    counted.reason === reason &&
    counted.route === key.route &&
    counted.group === key.group &&
    counted.shadowed === key.shadowed &&
    counted.build === key.build &&
    counted.rules === key.rules
  );
}

/** No part may have a line end: names come from the configuration, a build from a header field. */
function nameOf({ group, ...where }: EvidenceKey): string {
  return `${group}\n${placeName(where)}`;
}

function scopeName({ stratum, legacyBuild, ...key }: EvidenceScope): string {
  return `${nameOf(key)}\n${stratum}\n${legacyBuild}`;
}

function placeName({ route, shadowed, build, rules }: Omit<EvidenceKey, 'group'>): string {
  return `${route}\n${shadowed}\n${build}\n${rules}`;
}

const NO_COPY = { route: '', shadowed: 'service', build: '', rules: '' } as const;

function more<K>(counts: Map<K, number>, key: K, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function newTally(): Tally {
  return {
    eligible: 0,
    same: 0,
    ignored: 0,
    different: 0,
    pending: 0,
    skipped: new Map(),
    unsettled: new Map(),
  };
}
