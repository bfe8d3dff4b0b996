/** Counts every eligible request exactly once, clusters differences, and hands both to the store in batches. */
import type {
  CauseDelta,
  Clock,
  ComparisonBatch,
  ComparisonCount,
  ComparisonStore,
  EvidenceKey,
  Log,
} from '../core/ports.ts';
import type { SkipReason } from '../core/types.ts';
import type { Judged } from './judge.ts';

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
  /** A taken job whose comparison is known. */
  settled(key: EvidenceKey, judged: Judged): void;
  counts(group: string): ShadowCounts;
  /** Hands what was counted to the store; on failure it is kept for the next time. */
  flush(): void;
  /** Causes and counts that found no place in a batch, and flushes that failed. */
  dropped(): { readonly causes: number; readonly counts: number; readonly failedFlushes: number };
}

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

/** Causes of one batch; a store that is away for long must not make this grow. */
const CAUSES_MAX = 2000;
const COUNTS_MAX = 10_000;
const EXAMPLES_MAX = 3;
const GROUPS_MAX = 1000;

export function createRecorder(deps: {
  readonly store: Pick<ComparisonStore, 'flush'>;
  readonly clock: Clock;
  readonly log: Log;
}): ShadowRecorder {
  const tallies = new Map<string, Tally>();
  const counts = new Map<string, Counted>();
  /** The one counted last: mostly the next one is of its kind. */
  let newest: Counted | null = null;
  const causes = new Map<string, CauseDelta>();
  let droppedCauses = 0;
  let droppedCounts = 0;
  let failedFlushes = 0;
  let failing = false;

  function tallyOf(group: string): Tally {
    let tally = tallies.get(group);
    if (tally === undefined) {
      const [oldest] = tallies.keys();
      if (tallies.size >= GROUPS_MAX && oldest !== undefined) tallies.delete(oldest);
      tally = newTally();
      tallies.set(group, tally);
    }
    return tally;
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
    if (before === undefined && counts.size >= COUNTS_MAX) {
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

  function addCause(key: EvidenceKey, judged: Extract<Judged, { outcome: 'different' }>): void {
    const name = `${nameOf(key)}\n${judged.id}`;
    const before = causes.get(name);
    if (before === undefined && causes.size >= CAUSES_MAX) {
      droppedCauses += 1;
      return;
    }
    const at = deps.clock.wall();
    const examples = before?.examples ?? [];
    causes.set(name, {
      ...key,
      id: judged.id,
      severity: judged.entries[0]?.severity ?? 'high',
      entries: judged.entries,
      count: (before?.count ?? 0) + 1,
      firstAt: before?.firstAt ?? at,
      lastAt: at,
      examples: examples.length < EXAMPLES_MAX ? [...examples, judged.example] : examples,
    });
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
    settled(key, judged) {
      tallyOf(key.group).pending -= 1;
      add(key, judged.outcome, judged.outcome === 'skipped' ? judged.reason : null);
      if (judged.outcome === 'different') addCause(key, judged);
    },
    counts(group) {
      const { skipped, unsettled: _, ...rest } = tallies.get(group) ?? newTally();
      return { ...rest, skipped: Object.fromEntries(skipped) };
    },
    flush() {
      keepSkips();
      if (counts.size === 0) return;
      const batch: ComparisonBatch = {
        at: deps.clock.wall(),
        counts: [...counts.values()],
        causes: [...causes.values()],
      };
      try {
        deps.store.flush(batch);
        counts.clear();
        newest = null;
        causes.clear();
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
  };
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
function nameOf({ group, route, shadowed, build, rules }: EvidenceKey): string {
  return `${group}\n${route}\n${shadowed}\n${build}\n${rules}`;
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
