import type { ComparisonStore, RuleHits, StoredCount } from '../core/ports.ts';
import type { Marked } from '../core/rollout.ts';
import { type RuleEvidence, remaining } from '../core/rules/blast-radius.ts';
import { PAIRS_MIN } from '../core/rules/refusals.ts';
import type { CompareRule } from '../core/types.ts';

/**
 * What rules of a group are judged by: the pairs compared by the rules in force. As long as those are too few, everything
 * compared with the same build of the service counts, whatever the rules were then: evidence begins anew with every rule,
 * and the next one should not have to wait for that.
 */
export function ruleEvidence(
  store: Pick<ComparisonStore, 'counts' | 'causes' | 'current'>,
  hits: Pick<RuleHits, 'leaves'>,
  group: string,
  inForce: readonly CompareRule[],
  marks: ReadonlyMap<string, Marked>,
): RuleEvidence {
  const counts = store.counts(group).filter(({ route, outcome }) => route !== '' && outcome !== 'skipped');
  const build = counts.find(({ stale }) => !stale)?.build ?? '';
  const current = counts.filter(({ stale }) => !stale);
  const enough = current.reduce((sum, { count }) => sum + count, 0) >= PAIRS_MIN;
  const counted = enough ? current : counts.filter((row) => row.build === build);
  const now = store.current(group);
  const causes = store
    .causes(group)
    .flatMap(({ id, entries, places }) =>
      places
        .filter((place) => place.build === build && (!enough || place.rules === now?.rules))
        .map(({ route, count }) => ({ id, route, entries, count, triage: marks.get(id)?.mark ?? 'new' })),
    );
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
