/** Comparison rules while the program runs: shown, previewed, added, taken back. */
import type { Actor, Happening } from '../core/events.ts';
import type { Applied, Clock, ComparisonStore, Ledger, Log, RuleHits } from '../core/ports.ts';
import type { Marked } from '../core/rollout.ts';
import { blastRadius } from '../core/rules/blast-radius.ts';
import { checkRuleList, isRule } from '../core/rules/check.ts';
import { type Finding, findings, type Hits, type KnownRule } from '../core/rules/findings.ts';
import { type RefusalCode, refusals, unownedRefusal } from '../core/rules/refusals.ts';
import { isExpired, ruleText } from '../core/rules/scope.ts';
import { ADDED_MAX, type AddedRule, type Forced } from '../core/rules/stored.ts';
import { suggestedRule } from '../core/rules/suggest.ts';
import type { CompareRule, Group, Snapshot } from '../core/types.ts';
import { CONFIRM_MS } from './act.ts';
import type {
  AddedRulesData,
  AddRulesBody,
  CauseRule,
  Force,
  RemovedRuleData,
  RuleRefusal,
  RuleRow,
  RulesData,
} from './api.ts';
import type { Routing } from './routing.ts';
import { ruleEvidence } from './rule-evidence.ts';

export interface Fault {
  /** `rules[0].path` */
  readonly path: string;
  readonly text: string;
}

export type AddResult =
  | { readonly kind: 'done'; readonly data: AddedRulesData }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] }
  | { readonly kind: 'refused'; readonly refusals: readonly RuleRefusal[] }
  | { readonly kind: 'full' | 'not-recorded' | 'unknown-group' | 'unknown-cause' };

export type RemoveResult =
  | { readonly kind: 'done'; readonly data: RemovedRuleData }
  | { readonly kind: 'not-recorded' | 'unknown-group' | 'unknown-rule' | 'configured' };

export interface Rules {
  /** Null: there is no such group. */
  list(group: string): RulesData | null;
  /** Judged by what was compared so far; saved unless it is a preview or something speaks against it. */
  add(group: string, asked: AddRulesBody, actor: Actor): Promise<AddResult>;
  remove(group: string, name: string, actor: Actor, reason: string | null): Promise<RemoveResult>;
  findings(group: string): readonly Finding[];
  /** These rules are in force: whoever has no hits is counted from now on. */
  took(snapshot: Snapshot): void;
}

interface RulesDeps {
  readonly ledger: Pick<Ledger, 'state' | 'append'>;
  readonly routing: Pick<Routing, 'get' | 'refresh'>;
  readonly store: Pick<ComparisonStore, 'counts' | 'causes' | 'cause' | 'current'>;
  readonly hits: RuleHits;
  /** Faults that only a parser of selectors can see. */
  readonly selectorFaults: (rules: readonly unknown[]) => readonly Fault[];
  readonly planes: {
    /** Resolves once every running data plane has this snapshot or a later one, or the time is over. */
    applied(revision: number, withinMs: number): Promise<Applied>;
    /** Hands what was compared to the store, as far as that needs no waiting. */
    flush(): void;
  };
  readonly clock: Clock;
  readonly log: Log;
}

/** Findings are looked for again after so long, or so many times what the last look took: it walks all rules and causes. */
const FINDINGS_MS = 5_000;
const LOOKS_APART = 100;
const NO_HITS = { count: 0, lastAt: null } as const;

export function createRules(deps: RulesDeps): Rules {
  const { ledger, routing, store, hits, selectorFaults, planes, clock, log } = deps;

  function marksOf(group: string): ReadonlyMap<string, Marked> {
    return ledger.state().groups.get(group)?.marks ?? new Map();
  }
  const met = new Map<string, readonly CompareRule[]>();
  const found = new Map<
    string,
    { rules: readonly CompareRule[]; until: number; findings: readonly Finding[] }
  >();

  const addedTo = (group: string): readonly AddedRule[] => ledger.state().groups.get(group)?.rules ?? [];
  const today = () => new Date(clock.wall()).toISOString().slice(0, 10);

  function knownRules(group: Group): readonly KnownRule[] {
    const added = addedTo(group.name);
    const counted = hits.of(group.name);
    const silenced = hits.silenced(group.name);
    const configured = group.rules.length - added.length;
    return group.rules.map((rule, index) => {
      const one = added[index - configured];
      const source = one === undefined ? 'config' : 'added';
      const since = one === undefined ? clock.wall() : Date.parse(one.at);
      const known: Hits = counted.get(ruleText(rule)) ?? { ...NO_HITS, since };
      return {
        name: one?.id ?? `rules[${index}]`,
        rule,
        source,
        forced: one?.forced ?? null,
        silenced: silenced.get(ruleText(rule)) ?? [],
        // One that was taken back and added again has had no chance in between.
        hits: one === undefined ? known : { ...known, since: Math.max(since, known.since) },
      };
    });
  }

  function findingsOf(name: string): readonly Finding[] {
    const group = routing.get().groups.get(name);
    if (group === undefined) return [];
    const startedAt = clock.now();
    const known = found.get(name);
    if (known !== undefined && known.rules === group.rules && startedAt < known.until) return known.findings;
    const routes = group.routes.map(({ label }) => label);
    const evidence = ruleEvidence(store, hits, name, [], marksOf(name));
    const surroundings = { routes, now: clock.wall(), today: today(), evidence };
    const all = findings(knownRules(group), surroundings);
    const until = startedAt + Math.max(FINDINGS_MS, LOOKS_APART * (clock.now() - startedAt));
    found.set(name, { rules: group.rules, until, findings: all });
    return all;
  }

  function rowOf(known: KnownRule, added: readonly AddedRule[]): RuleRow {
    const { name, source, rule, forced, hits: counted } = known;
    const one = added.find(({ id }) => id === name);
    return {
      name,
      source,
      rule,
      added: one === undefined ? null : { by: one.by, at: one.at },
      forced,
      hits: counted.count,
      lastHitAt: counted.lastAt === null ? null : new Date(counted.lastAt).toISOString(),
      inForce: !isExpired(rule, today()),
    };
  }

  /** On disk and in force, or (null) neither. */
  async function record(
    group: string,
    actor: Actor,
    happenings: readonly Happening[],
  ): Promise<RemovedRuleData['inForce'] | null> {
    try {
      ledger.append({ group, expectedRev: null, actor, happenings });
    } catch (error) {
      log.error('ledger-append-failed', { group, error: String(error) });
      return null;
    }
    const { revision } = routing.refresh();
    found.delete(group);
    return { snapshot: revision, planes: await planes.applied(revision, CONFIRM_MS) };
  }

  return {
    list(name) {
      const group = routing.get().groups.get(name);
      if (group === undefined) return null;
      planes.flush();
      const added = addedTo(name);
      const rules = knownRules(group).map((known) => rowOf(known, added));
      return { group: name, rules, findings: findingsOf(name) };
    },

    async add(name, asked, actor) {
      const group = routing.get().groups.get(name);
      if (group === undefined) return { kind: 'unknown-group' };
      planes.flush();
      const drafts = 'rules' in asked ? asked.rules : draftsOf(store, group, asked.cause);
      if (drafts === null) return { kind: 'unknown-cause' };
      if ('kind' in drafts) return { kind: 'refused', refusals: [drafts.refusal] };
      const unowned = drafts.flatMap((draft, rule) => unownedRefusal(draft).map((one) => ({ ...one, rule })));
      if (unowned.length > 0) return { kind: 'refused', refusals: unowned };
      const routes = group.routes.map(({ label }) => label);
      const faults = [
        ...checkRuleList(drafts, { routes, today: today(), before: group.rules }),
        ...selectorFaults(drafts),
        ...endedFaults(drafts, today()),
        ...forceFaults(asked.force, drafts, actor),
      ];
      if (faults.length > 0) return { kind: 'invalid', faults };
      const rules = drafts.filter(isRule);
      const inForce = group.rules.filter((rule) => !isExpired(rule, today()));
      const evidence = ruleEvidence(store, hits, name, inForce, marksOf(name));
      const preview = blastRadius(rules, group.rules, today(), evidence);
      const against = rules.flatMap((rule, index) =>
        refusals(rule, evidence).map((refusal) => ({ ...refusal, rule: index })),
      );
      if (asked.preview) {
        const unsaved = rules.map((rule) => ({ name: null, rule }));
        const data = { group: name, saved: false, rules: unsaved, preview, refusals: against, inForce: null };
        return { kind: 'done', data };
      }
      if (against.length > 0 && asked.force === undefined) return { kind: 'refused', refusals: against };
      const before = ledger.state().groups.get(name);
      if (before === undefined || before.rules.length + rules.length > ADDED_MAX) return { kind: 'full' };
      const named = rules.map((rule, index) => ({ name: `r${before.rulesAdded + index + 1}`, rule }));
      const happenings = named.map(({ name: id, rule }, index): Happening => {
        const past = against.filter((refusal) => refusal.rule === index).map(({ code }) => code);
        const forced = forcedPast(past, asked.force, actor);
        return { type: 'rule.added', body: { id, rule, forced, reason: forced?.reason ?? rule.reason } };
      });
      const recorded = await record(name, actor, happenings);
      if (recorded === null) return { kind: 'not-recorded' };
      log.info('rules-added', { group: name, rules: named.map((one) => one.name), actor: actor.id });
      return {
        kind: 'done',
        data: { group: name, saved: true, rules: named, preview, refusals: against, inForce: recorded },
      };
    },

    async remove(name, rule, actor, reason) {
      const group = routing.get().groups.get(name);
      if (group === undefined) return { kind: 'unknown-group' };
      if (!addedTo(name).some(({ id }) => id === rule))
        return { kind: rule.startsWith('rules[') ? 'configured' : 'unknown-rule' };
      const recorded = await record(name, actor, [{ type: 'rule.removed', body: { id: rule, reason } }]);
      if (recorded === null) return { kind: 'not-recorded' };
      log.info('rule-removed', { group: name, rule, actor: actor.id });
      return { kind: 'done', data: { group: name, name: rule, inForce: recorded } };
    },

    findings: findingsOf,

    took(snapshot) {
      for (const [name, { rules }] of snapshot.groups) {
        if (met.get(name) === rules) continue;
        met.set(name, rules);
        try {
          hits.met(name, rules.map(ruleText), clock.wall());
        } catch (error) {
          // Only the age of hits suffers; the rules are in force.
          log.warn('rules-not-met', { group: name, error: String(error) });
        }
      }
      for (const name of met.keys()) if (!snapshot.groups.has(name)) met.delete(name);
    },
  };
}

type Draft = Readonly<Record<string, unknown>>;
interface NoRule {
  readonly kind: 'no-rule';
  readonly refusal: RuleRefusal;
}

/** One rule per difference of a cause, for the routes that show it; null when there is no such cause. */
function draftsOf(
  store: Pick<ComparisonStore, 'cause'>,
  group: Group,
  { id, action, ...paperwork }: CauseRule,
): readonly Draft[] | NoRule | null {
  const cause = store.cause(group.name, id);
  if (cause === null) return null;
  const routes = [...new Set(cause.places.map(({ route }) => route))].filter((route) =>
    group.routes.some(({ label }) => label === route),
  );
  const drafts: Draft[] = [];
  for (const [rule, entry] of cause.entries.entries()) {
    const suggested = action === undefined ? suggestedRule(entry) : { path: entry.template, action };
    if (suggested === null) {
      const text = `no narrow rule silences ${entry.template} ${entry.kind}; if it is meant, write one: fig rules add`;
      return { kind: 'no-rule', refusal: { code: 'STRUCTURAL', rule, text } };
    }
    const { ticket, ...rest } = paperwork;
    drafts.push({ ...suggested, ...rest, ...(ticket === undefined ? {} : { ticket }), routes });
  }
  return drafts;
}

/** One that has ended is no fault in a file that is read again, but nobody needs to add it. */
function endedFaults(drafts: readonly Draft[], today: string): Fault[] {
  return drafts.flatMap(({ expires }, index) =>
    typeof expires === 'string' && expires < today
      ? [{ path: `rules[${index}].expires`, text: 'is in the past' }]
      : [],
  );
}

function forceFaults(force: Force | undefined, drafts: readonly Draft[], actor: Actor): Fault[] {
  if (force === undefined) return [];
  const names = [actor.id, ...drafts.map(({ owner }) => String(owner))].map((name) => name.toLowerCase());
  return names.includes(force.second.toLowerCase())
    ? [{ path: 'force.second', text: 'must be somebody else than who asks and who owns the rule' }]
    : [];
}

function forcedPast(past: readonly RefusalCode[], force: Force | undefined, actor: Actor): Forced | null {
  if (force === undefined || past.length === 0) return null;
  return { past, reason: force.reason, by: actor.id, second: force.second };
}
