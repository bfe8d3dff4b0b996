/** One pair to what may be known about it: compared, clustered, redacted. Runs inside the comparer. */
import { createHash } from 'node:crypto';
import { compare, STEPS_MAX } from '../core/compare/compare.ts';
import type { Comparison } from '../core/compare/comparison.ts';
import { compileRules, dependsOnStatus, type RuleSet } from '../core/compare/rules.ts';
import { signatureOf } from '../core/compare/signature.ts';
import { createTemplates } from '../core/compare/templates.ts';
import type { Trail } from '../core/compare/trail.ts';
import type { CauseEntry } from '../core/ports.ts';
import type { CompareRule, SkipReason } from '../core/types.ts';
import { createInflate } from './decode.ts';
import { createLeaves } from './leaves.ts';
import type { Pair, PairMeta } from './pair.ts';
import { createRedactor, type Redactor } from './redact.ts';

/** All that leaves the comparer. */
export type Judged =
  | { readonly outcome: 'skipped'; readonly reason: SkipReason }
  | ({ readonly outcome: 'same' | 'ignored' } & Silenced)
  | ({
      readonly outcome: 'different';
      /** 16 hex digits of the signature. */
      readonly id: string;
      readonly entries: readonly CauseEntry[];
      /** Redacted JSON text. */
      readonly example: string;
    } & Silenced);

interface Silenced {
  /** Rule index to the number of differences it silenced. */
  readonly silencedBy: readonly (readonly [number, number])[];
  /** What they were, each kind and place once; absent where there were none. */
  readonly silenced?: readonly SilencedEntry[];
  /** Templates of places of legacy's answer that were not seen before; absent where there are none. */
  readonly leaves?: readonly string[];
}

export interface SilencedEntry extends CauseEntry {
  /** Index of the rule. */
  readonly rule: number;
}

export interface JudgeOptions {
  readonly key: Uint8Array;
  readonly decodedBytesMax: number;
}

const EXAMPLE_BYTES_MAX = 8192;
const SILENCED_MAX = 32;
const GROUPS_MAX = 256;
const RULE_SETS_MAX = 1024;

/** `rules` = the group's rules; the same array may be passed every time and is compiled once per route and day. */
export function createJudge({ key, decodedBytesMax }: JudgeOptions) {
  const redactor = createRedactor(key);
  const inflate = createInflate(decodedBytesMax);
  const templates = new Map<string, (trail: Trail) => string>();
  const compiled = new Map<string, RuleSet>();
  const leaves = createLeaves(inflate);

  function ruleSetOf(
    meta: PairMeta,
    status: number,
    rules: readonly CompareRule[],
    rulesId: number,
  ): RuleSet {
    const route = meta.route.label;
    const name = JSON.stringify([rulesId, route, meta.today, dependsOnStatus(rules) ? status : 0]);
    let set = compiled.get(name);
    if (set === undefined) {
      set = compileRules(rules, { route, status, today: meta.today });
      keep(compiled, name, set, RULE_SETS_MAX);
    }
    return set;
  }

  function templateOf(group: string): (trail: Trail) => string {
    let template = templates.get(group);
    if (template === undefined) {
      template = createTemplates(redactor.nameOf);
      keep(templates, group, template, GROUPS_MAX);
    }
    return template;
  }

  return {
    /** Never throws: a fault of the comparer itself is the skip `compare-failed`. */
    judge({ meta, legacy, service }: Pair, rules: readonly CompareRule[], rulesId: number): Judged {
      try {
        const set = ruleSetOf(meta, legacy.status, rules, rulesId);
        const { request, internalHosts } = meta;
        const context = { request, rules: set, inflate, internalHosts, stepsMax: STEPS_MAX };
        const comparison = compare(legacy, service, context);
        const template = templateOf(meta.group);
        const found = judged(comparison, meta, redactor, template);
        // Rules are asked for where something differs; what is the same need not be read twice.
        if (found.outcome === 'skipped' || found.outcome === 'same') return found;
        const fresh = leaves.learn(`${meta.group}\n${meta.route.label}`, legacy, template);
        return fresh.length === 0 ? found : { ...found, leaves: fresh };
      } catch {
        return { outcome: 'skipped', reason: 'compare-failed' };
      }
    },
  };
}

/** Oldest out when full. */
function keep<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  const [oldest] = map.keys();
  if (map.size >= max && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}

function judged(
  comparison: Comparison,
  meta: PairMeta,
  redactor: Redactor,
  template: (trail: Trail) => string,
): Judged {
  if (comparison.outcome === 'skipped') return comparison;
  const quiet = silencedOf(comparison, template);
  const signature = signatureOf(comparison.differences, ({ trail }) => template(trail));
  if (comparison.outcome !== 'different' || signature === null) {
    return { outcome: comparison.outcome === 'same' ? 'same' : 'ignored', ...quiet };
  }
  const id = createHash('sha256').update(signature.key).digest('hex').slice(0, 16);
  const example = exampleOf(comparison, meta, redactor);
  return { outcome: 'different', ...quiet, id, entries: signature.entries, example };
}

function silencedOf(
  { ignored, silencedBy }: Extract<Comparison, { outcome: 'different' | 'same' | 'ignored' }>,
  template: (trail: Trail) => string,
): Silenced {
  const entries = new Map<string, SilencedEntry>();
  for (const { trail, kind, severity, detail, rule, legacy, service } of ignored) {
    if (rule === null || entries.size >= SILENCED_MAX) continue;
    const codes = kind === 'status' ? `${legacy?.text} ${service?.text}` : null;
    const entry = { rule, template: template(trail), kind, severity, detail, codes };
    entries.set(`${rule} ${entry.template} ${kind} ${detail} ${codes}`, entry);
  }
  const hits = { silencedBy: [...silencedBy] };
  return entries.size === 0 ? hits : { ...hits, silenced: [...entries.values()] };
}

/** As many differences as fit, the exact count beside them. */
function exampleOf(
  { differences, count }: Extract<Comparison, { outcome: 'different' | 'same' | 'ignored' }>,
  { request, route }: PairMeta,
  redactor: Redactor,
): string {
  const shown: string[] = [];
  const head = JSON.stringify({
    request: redactor.request(request.method, request.target, route.segments),
    count,
  }).slice(0, -1);
  let bytes = Buffer.byteLength(head) + 20;
  for (const difference of differences) {
    const text = JSON.stringify(redactor.difference(difference));
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > EXAMPLE_BYTES_MAX) break;
    shown.push(text);
  }
  return `${head},"differences":[${shown.join(',')}]}`;
}
