/** The rules of groups as evidence knows them: a digest of what is in force, and how often each rule silenced something. */
import { createHash } from 'node:crypto';
import { ruleSetText } from '../core/evidence/key.ts';
import type { CauseEntry, ComparisonStore, Leaf, RuleHitsDelta, SilencedDelta } from '../core/ports.ts';
import { ruleText } from '../core/rules/scope.ts';
import type { CompareRule } from '../core/types.ts';
import type { Judged } from './judge.ts';

export interface RuleSets {
  /** Of the rules in force on that day (ISO date): who owns them and why does not count, what they do does. 16 hex digits. */
  digest(rules: readonly CompareRule[], today: string): string;
  /** `judged` was judged by these rules. */
  count(at: CountedAt, rules: readonly CompareRule[], judged: Judged): void;
  /** The store with the hits in every batch; what it does not take is given to it again. */
  counting(store: Pick<ComparisonStore, 'flush'>): Pick<ComparisonStore, 'flush'>;
}

export interface CountedAt {
  readonly group: string;
  readonly route: string;
}

interface Waiting {
  readonly group: string;
  readonly rule: string;
  count: number;
  readonly places: Map<string, SilencedDelta>;
}

/** Rules, and places of all of them, whose hits wait for the store; a store that is away for long must not make this grow. */
const WAITING_MAX = 10_000;

export function createRuleSets(): RuleSets {
  const digests = new WeakMap<readonly CompareRule[], { readonly today: string; readonly digest: string }>();
  const texts = new WeakMap<CompareRule, string>();
  const hits = new Map<string, Waiting>();
  const leaves: Leaf[] = [];
  let places = 0;

  function textOf(rule: CompareRule): string {
    let text = texts.get(rule);
    if (text === undefined) {
      text = ruleText(rule);
      texts.set(rule, text);
    }
    return text;
  }

  function waitingFor(group: string, rule: CompareRule | undefined): Waiting | null {
    if (rule === undefined) return null;
    const text = textOf(rule);
    const name = `${group}\n${text}`;
    let waiting = hits.get(name) ?? null;
    if (waiting === null && hits.size < WAITING_MAX) {
      waiting = { group, rule: text, count: 0, places: new Map() };
      hits.set(name, waiting);
    }
    return waiting;
  }

  function addPlace(waiting: Waiting, route: string, entry: CauseEntry): void {
    const name = `${route}\n${entry.template}\n${entry.kind}\n${entry.detail}\n${entry.codes}`;
    const before = waiting.places.get(name);
    if (before === undefined && places >= WAITING_MAX) return;
    if (before === undefined) places += 1;
    waiting.places.set(name, { route, entry, count: (before?.count ?? 0) + 1 });
  }

  return {
    digest(rules, today) {
      const known = digests.get(rules);
      if (known?.today === today) return known.digest;
      const digest = createHash('sha256').update(ruleSetText(rules, today)).digest('hex').slice(0, 16);
      digests.set(rules, { today, digest });
      return digest;
    },
    count({ group, route }, rules, judged) {
      if (judged.outcome === 'skipped') return;
      for (const [index, count] of judged.silencedBy) {
        const waiting = waitingFor(group, rules[index]);
        if (waiting !== null) waiting.count += count;
      }
      for (const { rule: index, ...entry } of judged.silenced ?? []) {
        const waiting = waitingFor(group, rules[index]);
        if (waiting !== null) addPlace(waiting, route, entry);
      }
      for (const template of judged.leaves ?? [])
        if (leaves.length < WAITING_MAX) leaves.push({ group, route, template });
    },
    counting: (store) => ({
      flush(batch) {
        const deltas = [...hits.values()].map(
          (waiting): RuleHitsDelta => ({ ...waiting, places: [...waiting.places.values()] }),
        );
        store.flush({ ...batch, hits: deltas, leaves: [...leaves] });
        hits.clear();
        leaves.length = 0;
        places = 0;
      },
    }),
  };
}
