/** Two answers compared outside of any server: what `fig compare` and a program of yours would ask. */
import { compare, STEPS_MAX } from './core/compare/compare.ts';
import type { Detail, Difference, Kind, Sample, Severity } from './core/compare/comparison.ts';
import { checkRules, compileRules, type RuleFault } from './core/compare/rules.ts';
import { pointerOf, templateOf } from './core/compare/trail.ts';
import type { Captured, CompareRule, SkipReason } from './core/types.ts';
import { createReaders } from './shadow/decode.ts';
import { selectorFaults } from './shadow/selectors.ts';

/** A difference with its values: they are the caller's own. */
export interface ShownDifference {
  readonly path: string;
  /** The path as a rule would name it. */
  readonly template: string;
  readonly kind: Kind;
  readonly severity: Severity;
  readonly detail: Detail | null;
  /** Text of a scalar, `array of 3`; null where that side has nothing. */
  readonly legacy: string | null;
  readonly service: string | null;
  /** Position of the rule that silences it, or null. */
  readonly rule: number | null;
}

export type AnswersCompared =
  | { readonly outcome: 'skipped'; readonly reason: SkipReason }
  | {
      readonly outcome: 'same' | 'ignored' | 'different';
      /** At most 100 of each; the counts are exact. */
      readonly differences: readonly ShownDifference[];
      readonly count: number;
      readonly ignored: readonly ShownDifference[];
      readonly ignoredCount: number;
    };

const DECODED_BYTES_MAX = 64 * 1024 * 1024;

/** Every fault of a list of rules; owner, reason and expiry are not asked for. */
export function faultsOfRules(rules: readonly unknown[]): readonly RuleFault[] {
  return [...checkRules(rules, null), ...selectorFaults(rules)];
}

/** `rules` must be free of faults (`faultsOfRules`); `url` is the base of `url` rules. Never throws otherwise. */
export function compareAnswers(
  legacy: Captured,
  service: Captured,
  rules: readonly CompareRule[],
  url: string,
): AnswersCompared {
  const compared = compare(
    legacy,
    { kind: 'answer', answer: service, oversize: false },
    {
      request: { method: 'GET', url },
      rules: compileRules(rules, { route: null, status: legacy.status, today: null }),
      ...createReaders(DECODED_BYTES_MAX),
      internalHosts: [],
      stepsMax: STEPS_MAX,
    },
  );
  if (compared.outcome === 'skipped') return compared;
  const { outcome, differences, count, ignored, ignoredCount } = compared;
  return { outcome, differences: differences.map(shown), count, ignored: ignored.map(shown), ignoredCount };
}

function shown({ trail, kind, severity, detail, legacy, service, rule }: Difference): ShownDifference {
  const path = pointerOf(trail);
  const values = { legacy: textOf(legacy), service: textOf(service) };
  return { path, template: templateOf(trail), kind, severity, detail, ...values, rule };
}

function textOf(sample: Sample | null): string | null {
  if (sample === null) return null;
  const { type, text, length } = sample;
  if (text === null) return type === 'bytes' ? `${length} bytes` : `${type} of ${length}`;
  return type === 'string' ? JSON.stringify(text) : text;
}
