import type { ComparisonStore, NoiseVerdicts } from '../core/ports.ts';
import type { Group } from '../core/types.ts';
import type { SelfTestData } from './api.ts';

/** What self-tests came to under the rules that were seen last, per kind of fault, and where faults escape. */
export function selfTested(
  store: Pick<ComparisonStore, 'selfTests' | 'current'>,
  { name, rules }: Pick<Group, 'name' | 'rules'>,
  noise: Pick<NoiseVerdicts, 'selfTestClean'>,
): SelfTestData {
  const current = store.current(name)?.rules ?? '';
  const rows = store.selfTests(name, current);
  const faults = new Map<string, { tried: number; caught: number }>();
  for (const { fault, tried, caught } of rows) {
    const sum = faults.get(fault) ?? { tried: 0, caught: 0 };
    faults.set(fault, { tried: sum.tried + tried, caught: sum.caught + caught });
  }
  const ruleText = (position: number) => {
    const rule = rules[position];
    return rule === undefined ? 'a rule that is gone' : `${rule.path} ${rule.action}`;
  };
  return {
    group: name,
    rules: current,
    tried: rows.reduce((sum, { tried }) => sum + tried, 0),
    caught: rows.reduce((sum, { caught }) => sum + caught, 0),
    faults: [...faults].map(([fault, counts]) => ({ fault, ...counts })),
    escaped: rows
      .filter(({ tried, caught }) => caught < tried)
      .sort((a, b) => b.tried - b.caught - (a.tried - a.caught))
      .map(({ fault, template, tried, caught, hiddenBy }) => ({
        fault,
        path: template,
        tried,
        caught,
        hiddenBy: hiddenBy.map(ruleText),
      })),
    legacyAgainstItself: noise.selfTestClean(name),
  };
}
