/** One pair to what may be known about it: compared, clustered, redacted. Runs inside the comparer. */
import { hash } from 'node:crypto';
import { compare, STEPS_MAX } from '../core/compare/compare.ts';
import type { Comparison, Difference } from '../core/compare/comparison.ts';
import { compileRules, dependsOnStatus, type RuleSet } from '../core/compare/rules.ts';
import { signatureOf } from '../core/compare/signature.ts';
import { createTemplates } from '../core/compare/templates.ts';
import type { Trail } from '../core/compare/trail.ts';
import type { FaultKind } from '../core/mutants.ts';
import { findingsOf } from '../core/noise/model.ts';
import type { CauseEntry, ShownRequest } from '../core/ports.ts';
import type { Captured, CompareRule, SkipReason } from '../core/types.ts';
import { createReaders } from './decode.ts';
import { areIdentical } from './identical.ts';
import { createLeaves } from './leaves.ts';
import type { NoiseBook } from './noise-book.ts';
import type { Pair, PairMeta } from './pair.ts';
import { createRedactor, isSecret, type Redactor, type Shows, showsBelow } from './redact.ts';
import { selfTest } from './self-test.ts';

/** All that leaves the comparer. */
export type Judged =
  | { readonly outcome: 'skipped'; readonly reason: SkipReason }
  | ({
      readonly outcome: 'same' | 'ignored';
      /** What became of faults put into the service's answer; only where a self-test was asked for. */
      readonly selfTests?: readonly SelfTest[];
    } & Silenced)
  | ({
      readonly outcome: 'different';
      /** 16 hex digits of the signature. */
      readonly id: string;
      readonly entries: readonly CauseEntry[];
      /** False: it had more entries than are kept. */
      readonly complete: boolean;
      /** Redacted JSON text; null: enough of this cause were given lately. */
      readonly example: string | null;
      readonly request: ShownRequest;
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

export interface SelfTest {
  readonly fault: FaultKind;
  /** Path template, redacted. */
  readonly template: string;
  readonly caught: boolean;
  /** Position of the rule that silences it; null: it was caught, or nothing saw it. */
  readonly hiddenBy: number | null;
}

export interface JudgeOptions {
  readonly key: Uint8Array;
  readonly decodedBytesMax: number;
  /** Told of every request that legacy was asked twice. */
  readonly noise?: Pick<NoiseBook, 'fold'>;
}

const SAME: Judged = { outcome: 'same', silencedBy: [] };
const EXAMPLE_BYTES_MAX = 8192;
const SILENCED_MAX = 32;
const FIRST_EXAMPLES = 8;
const THEN_EXAMPLE_EVERY = 32;
/** Causes whose examples are counted. */
const EXAMPLES_KNOWN_MAX = 2048;
const GROUPS_MAX = 256;
const RULE_SETS_MAX = 1024;

/** `rules` = the group's rules; the same array may be passed every time and is compiled once per route and day. */
export function createJudge({ key, decodedBytesMax, noise }: JudgeOptions) {
  const redactor = createRedactor(key);
  const readers = createReaders(decodedBytesMax);
  const templates = new Map<string, (trail: Trail) => string>();
  const compiled = new Map<string, RuleSet>();
  const leaves = createLeaves(readers.inflate);
  const shown = new Map<string, Shows>();
  const examples = new Map<string, number>();

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

  /** The first ones, and now and then another: the store may have lost those. */
  function wantsExample(cause: string): boolean {
    const given = examples.get(cause) ?? 0;
    keep(examples, cause, given + 1, EXAMPLES_KNOWN_MAX);
    return given < FIRST_EXAMPLES || given % THEN_EXAMPLE_EVERY === 0;
  }

  function showsOf(paths: readonly string[]): Shows {
    const name = JSON.stringify(paths);
    let shows = shown.get(name);
    if (shows === undefined) {
      shows = showsBelow(paths);
      keep(shown, name, shows, GROUPS_MAX);
    }
    return shows;
  }

  /** Rules are asked for where something differs; what is the same need not be read twice. */
  function withLeaves(
    result: Judged,
    { group, route }: PairMeta,
    legacy: Captured,
    template: (trail: Trail) => string,
  ): Judged {
    if (result.outcome === 'skipped' || result.outcome === 'same') return result;
    const fresh = leaves.learn(`${group}\n${route.label}`, legacy, template);
    return fresh.length === 0 ? result : { ...result, leaves: fresh };
  }

  return {
    /** Never throws: a fault of the comparer itself is the skip `compare-failed`. */
    judge({ meta, legacy, service, baseline }: Pair, rules: readonly CompareRule[], rulesId: number): Judged {
      try {
        // A second answer of legacy has to be weighed all the same.
        if (baseline === undefined && meta.selfTest === null && service.kind === 'answer') {
          if (!service.oversize && areIdentical(legacy, service.answer)) return SAME;
        }
        const set = ruleSetOf(meta, legacy.status, rules, rulesId);
        const { request, internalHosts } = meta;
        const context = { request, rules: set, ...readers, internalHosts, stepsMax: STEPS_MAX };
        const comparison = compare(legacy, service, context);
        const tools = {
          redactor,
          template: templateOf(meta.group),
          shows: showsOf(meta.showValues),
          wantsExample: (cause: string) => wantsExample(`${meta.group} ${cause}`),
        };
        if (baseline !== undefined && comparison.outcome !== 'skipped') {
          const itself = compare(legacy, baseline.reply, context);
          // Skipped: it cost too much, and says nothing.
          if (itself.outcome !== 'skipped')
            noise?.fold(meta, baseline, {
              service: findingsOf(withoutSecrets(comparison.differences), tools.template),
              baseline: findingsOf(withoutSecrets(itself.differences), tools.template),
            });
        }
        const result = withLeaves(judged(comparison, meta, tools), meta, legacy, tools.template);
        if (meta.selfTest === null || service.kind !== 'answer' || !isMatch(result)) return result;
        const selfTests = selfTest(
          { legacy, service: service.answer },
          context,
          tools.template,
          meta.selfTest,
        );
        return { ...result, selfTests };
      } catch {
        return { outcome: 'skipped', reason: 'compare-failed' };
      }
    },
  };
}

/** Of what is secret, noise learns that it differs, and nothing else. */
function withoutSecrets(differences: readonly Difference[]): readonly Difference[] {
  const blind = (sample: Difference['legacy']) => (sample === null ? null : { ...sample, text: null });
  return differences.map((difference) =>
    isSecret(difference.trail)
      ? { ...difference, legacy: blind(difference.legacy), service: blind(difference.service) }
      : difference,
  );
}

function isMatch(judged: Judged): judged is Extract<Judged, { outcome: 'same' | 'ignored' }> {
  return judged.outcome === 'same' || judged.outcome === 'ignored';
}

/** Oldest out when full. */
function keep<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  const [oldest] = map.keys();
  if (map.size >= max && oldest !== undefined && !map.has(key)) map.delete(oldest);
  map.set(key, value);
}

interface Tools {
  readonly redactor: Redactor;
  readonly template: (trail: Trail) => string;
  readonly shows: Shows;
  /** An example costs as much as the rest of the verdict, and few are kept. */
  readonly wantsExample: (cause: string) => boolean;
}

function judged(comparison: Comparison, meta: PairMeta, tools: Tools): Judged {
  if (comparison.outcome === 'skipped') return comparison;
  const quiet = silencedOf(comparison, tools.template);
  const signature = signatureOf(comparison.differences, ({ trail }) => tools.template(trail));
  if (comparison.outcome !== 'different' || signature === null) {
    return { outcome: comparison.outcome === 'same' ? 'same' : 'ignored', ...quiet };
  }
  const id = hash('sha256', signature.key, 'hex').slice(0, 16);
  const { request: asked, route } = meta;
  const request = tools.redactor.request(asked.method, asked.target, route.segments, asked);
  const example = tools.wantsExample(id) ? exampleOf(comparison, request, tools) : null;
  const { entries, complete } = signature;
  return { outcome: 'different', ...quiet, id, entries, complete, example, request };
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
  { method, target }: ShownRequest,
  { redactor, template, shows }: Tools,
): string {
  const shown: string[] = [];
  const head = JSON.stringify({ request: `${method} ${target}`, count }).slice(0, -1);
  let bytes = Buffer.byteLength(head) + 20;
  for (const difference of differences) {
    const text = JSON.stringify(redactor.difference(difference, template(difference.trail), shows));
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > EXAMPLE_BYTES_MAX) break;
    shown.push(text);
  }
  return `${head},"differences":[${shown.join(',')}]}`;
}
