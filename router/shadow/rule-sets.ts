/** The rules of groups as evidence knows them: a digest of what is in force, and how often each rule silenced something. */
import { createHash } from 'node:crypto';
import { ruleSetText } from '../core/evidence/key.ts';
import type { ComparisonStore, RuleHitsDelta } from '../core/ports.ts';
import { ruleText } from '../core/rules/scope.ts';
import type { CompareRule } from '../core/types.ts';
import type { Judged } from './judge.ts';

export interface RuleSets {
  /** Of the rules in force on that day (ISO date): who owns them and why does not count, what they do does. 16 hex digits. */
  digest(rules: readonly CompareRule[], today: string): string;
  /** `judged` was judged by these rules. */
  count(group: string, rules: readonly CompareRule[], judged: Judged): void;
  /** The store with the hits in every batch; what it does not take is given to it again. */
  counting(store: Pick<ComparisonStore, 'flush'>): Pick<ComparisonStore, 'flush'>;
}

/** Rules whose hits wait for the store; a store that is away for long must not make this grow. */
const WAITING_MAX = 10_000;

export function createRuleSets(): RuleSets {
  const digests = new WeakMap<readonly CompareRule[], { readonly today: string; readonly digest: string }>();
  const texts = new WeakMap<CompareRule, string>();
  const hits = new Map<string, RuleHitsDelta>();

  function textOf(rule: CompareRule): string {
    let text = texts.get(rule);
    if (text === undefined) {
      text = ruleText(rule);
      texts.set(rule, text);
    }
    return text;
  }

  return {
    digest(rules, today) {
      const known = digests.get(rules);
      if (known?.today === today) return known.digest;
      const digest = createHash('sha256').update(ruleSetText(rules, today)).digest('hex').slice(0, 16);
      digests.set(rules, { today, digest });
      return digest;
    },
    count(group, rules, judged) {
      if (judged.outcome === 'skipped') return;
      for (const [index, count] of judged.silencedBy) {
        const rule = rules[index];
        if (rule === undefined) continue;
        const text = textOf(rule);
        const name = `${group}\n${text}`;
        const before = hits.get(name);
        if (before === undefined && hits.size >= WAITING_MAX) continue;
        hits.set(name, { group, rule: text, count: (before?.count ?? 0) + count });
      }
    },
    counting: (store) => ({
      flush(batch) {
        store.flush({ ...batch, hits: [...hits.values()] });
        hits.clear();
      },
    }),
  };
}
