import type { ComparisonStore } from '../core/ports.ts';
import type { SkipReason } from '../core/types.ts';
import type { Comparisons } from './api.ts';

/** What the comparisons of a group came to, for the service build and the rules seen last. */
export function compared(store: Pick<ComparisonStore, 'counts' | 'causes'>, group: string): Comparisons {
  const sums = { same: 0, ignored: 0, different: 0, skipped: 0 };
  const skipped = new Map<SkipReason, number>();
  for (const { outcome, reason, count, stale } of store.counts(group)) {
    if (stale) continue;
    sums[outcome] += count;
    if (reason !== null) skipped.set(reason, (skipped.get(reason) ?? 0) + count);
  }
  const { same, ignored, different } = sums;
  const causes = store.causes(group).filter((cause) => !cause.stale).length;
  return {
    eligible: same + ignored + different + sums.skipped,
    same,
    ignored,
    different,
    skipped: Object.fromEntries(skipped),
    causes,
  };
}
