import type { ComparisonStore, RuleHits, StoredCount } from '../core/ports.ts';
import { type RuleEvidence, remaining } from '../core/rules/blast-radius.ts';
import { PAIRS_MIN } from '../core/rules/refusals.ts';
import type { CompareRule } from '../core/types.ts';

/**
 * What rules of a group are judged by: the pairs compared by the rules in force. As long as those are too few, everything
 * compared with the same build of the service counts, whatever the rules were then: evidence begins anew with every rule,
 * and the next one should not have to wait for that.
 */
export function ruleEvidence(
  store: Pick<ComparisonStore, 'counts' | 'causes'>,
  hits: Pick<RuleHits, 'leaves'>,
  group: string,
  inForce: readonly CompareRule[],
): RuleEvidence {
  const counts = store.counts(group).filter(({ route, outcome }) => route !== '' && outcome !== 'skipped');
  const build = counts.find(({ stale }) => !stale)?.build ?? '';
  const current = counts.filter(({ stale }) => !stale);
  const enough = current.reduce((sum, { count }) => sum + count, 0) >= PAIRS_MIN;
  const counted = enough ? current : counts.filter((row) => row.build === build);
  const causes = store
    .causes(group)
    .filter((cause) => (enough ? !cause.stale : cause.build === build))
    .map(({ id, route, entries, count }) => ({ id, route, entries, count, triage: 'new' as const }));
  const known = hits.leaves(group);
  return {
    causes: remaining(causes, inForce),
    compared: byRoute(counted),
    known: known.length === 0 ? null : known,
  };
}

function byRoute(counts: readonly StoredCount[]): ReadonlyMap<string, number> {
  const compared = new Map<string, number>();
  for (const { route, count } of counts) compared.set(route, (compared.get(route) ?? 0) + count);
  return compared;
}
