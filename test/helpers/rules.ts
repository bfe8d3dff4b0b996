import { onTestFinished } from 'vitest';
import { createRules, type Rules } from '../../router/control/rules.ts';
import type { ComparisonStore, RuleHits } from '../../router/core/ports.ts';
import { selectorFaults } from '../../router/shadow/selectors.ts';
import { createComparisonStore } from '../../router/store/comparisons.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { createRuleHits } from '../../router/store/rules.ts';
import { type ControlPlane, quiet } from './control.ts';

export interface RulesWorld {
  readonly rules: Rules;
  readonly hits: RuleHits;
  /** Takes hits as well. */
  readonly store: Pick<ComparisonStore, 'flush'>;
}

/** Comparison rules of a control plane, on a store of their own. */
export function rulesOf({ ledger, routing, clock }: ControlPlane): RulesWorld {
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  const store = createComparisonStore(db);
  const hits = createRuleHits(db);
  const planes = { applied: async () => ({ running: 1, confirmed: 1 }), flush: () => undefined };
  const rules = createRules({ ledger, routing, store, hits, selectorFaults, planes, clock, log: quiet });
  rules.took(routing.get());
  routing.onSwap(rules.took);
  return { rules, hits, store: hits.counting(store) };
}
