/** Causes as people see and judge them: with what somebody said of each, how to ask it again, and how to silence it. */
import { suggestedRule } from '../core/compare/suggest.ts';
import { curlLine } from '../core/curl.ts';
import type { Actor, Mark } from '../core/events.ts';
import type { ComparisonStore, GroupNoise, Ledger, Log } from '../core/ports.ts';
import type { Marked } from '../core/rollout.ts';
import type { Finding } from '../core/rules/findings.ts';
import type { CauseData, CauseSummary, DiffsData, MarkData, PurgeData } from './api.ts';
import { compared } from './compared.ts';
import { type WeighedCause, weighed } from './noise.ts';

export type Refused = { readonly kind: 'refused'; readonly why: string; readonly next: string };

export interface Causes {
  /** Worst first; null for an unknown group. */
  list(group: string): DiffsData | null;
  /** With its examples, which is logged; null for an unknown cause. */
  show(group: string, id: string, actor: Actor): CauseData | null;
  /** Null for an unknown cause. */
  mark(group: string, id: string, mark: Mark, reason: string, actor: Actor): MarkData | Refused | null;
  /** Deletes causes, examples and self-tests of a group; null for an unknown group. */
  purge(group: string, reason: string | null, actor: Actor): PurgeData | null;
}

export interface CausesDeps {
  readonly store: ComparisonStore;
  readonly ledger: Pick<Ledger, 'state' | 'append'>;
  readonly groups: () => readonly string[];
  /** Where legacy and the service of a group answer. */
  readonly origins: (group: string) => { readonly legacy: string; readonly service: string };
  /** What was compared so far is in the store afterwards. */
  readonly flush: () => void;
  /** What legacy's own two answers say; null: nothing yet. */
  readonly noise: (group: string) => GroupNoise | null;
  readonly findings: (group: string) => readonly Finding[];
  readonly log: Log;
}

/** Marks kept per group. */
const MARKS_MAX = 1000;

export function createCauses(deps: CausesDeps): Causes {
  const { store, ledger } = deps;

  function marksOf(group: string): ReadonlyMap<string, Marked> {
    return ledger.state().groups.get(group)?.marks ?? new Map();
  }

  return {
    list(group) {
      if (!deps.groups().includes(group)) return null;
      deps.flush();
      const marks = marksOf(group);
      return {
        group,
        comparisons: compared(store, group),
        evicted: store.evicted(group),
        causes: weighed(store.causes(group), deps.noise(group)).map((cause) =>
          summaryOf(cause, marks.get(cause.id)),
        ),
        findings: deps.findings(group),
        noise: deps.noise(group),
      };
    },
    show(group, id, actor) {
      const cause = store.cause(group, id);
      if (cause === null) return null;
      deps.log.info('cause-read', { group, cause: id, actor: actor.id });
      const { smallest, examples } = cause;
      const [judged] = weighed([cause], deps.noise(group));
      if (judged === undefined) return null;
      const origins = deps.origins(group);
      return {
        ...summaryOf(judged, marksOf(group).get(id)),
        group,
        examples: examples.map((text) => JSON.parse(text)),
        curl:
          smallest === null
            ? null
            : { legacy: curlLine(smallest, origins.legacy), service: curlLine(smallest, origins.service) },
        rules: cause.entries.map(suggestedRule),
      };
    },
    mark(group, id, mark, reason, actor) {
      const marks = marksOf(group);
      if (store.cause(group, id) === null && !marks.has(id)) return null;
      if (marks.size >= MARKS_MAX && !marks.has(id) && mark !== 'new') {
        const why = `${group} has ${MARKS_MAX} marked causes; take some back first (--mark new)`;
        return { kind: 'refused', why, next: `fig diffs ${group}` };
      }
      const happenings = [{ type: 'cause.marked', body: { cause: id, mark, reason } }] as const;
      const appended = ledger.append({ group, expectedRev: null, actor, happenings });
      const at = appended.kind === 'appended' ? (appended.events[0]?.at ?? '') : '';
      return { group, cause: id, mark, reason, by: actor.id, at };
    },
    purge(group, reason, actor) {
      if (!deps.groups().includes(group)) return null;
      deps.flush();
      const causes = store.purge(group);
      const happenings = [{ type: 'comparisons.purged', body: { causes, reason } }] as const;
      ledger.append({ group, expectedRev: null, actor, happenings });
      return { group, causes };
    },
  };
}

function summaryOf(
  { examples: _, smallest: __, ...cause }: WeighedCause,
  marked: Marked | undefined,
): CauseSummary {
  return { ...cause, mark: marked?.mark ?? 'new', marked: marked ?? null };
}
