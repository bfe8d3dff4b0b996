/** Evidence of every group: added up as comparisons come in, kept on disk, judged when somebody asks. */
import { createEvidence, type Evidence } from '../core/evidence/evidence.ts';
import { GATE_POLICY, type Gate, judgeGate, type StratumEvidence } from '../core/evidence/gate.ts';
import { type EvidenceScope, scopeText, standingOf } from '../core/evidence/key.ts';
import { anytimeLower, anytimeUpper, clopperPearsonUpper, trialsNeeded } from '../core/noise/bounds.ts';
import type {
  Clock,
  ComparisonBatch,
  EvictedEvidence,
  EvidenceDelta,
  EvidenceStore,
  EvidenceTotals,
  Log,
  NoiseVerdicts,
} from '../core/ports.ts';
import type { GroupComparing, Side, SkipReason } from '../core/types.ts';
import type { EvidenceData, EvidenceStanding, EvidenceStratum, StaleEvidence } from './api.ts';

export interface EvidenceLimits {
  /** Scopes kept per group; over it the stale and then the least-hit make room. */
  readonly scopesMax: number;
  /** Requests that one scope tells apart exactly; then by a filter. */
  readonly requestsMax: number;
  /** Of all groups together, about. */
  readonly memoryBytesMax: number;
  /** Memory of the scopes that one flush writes; about a quarter of it goes to disk. */
  readonly writeBytesMax: number;
  /** A scope that was written is left alone for so long. */
  readonly writeEveryMs: number;
  /** Between two writes of any: each waits for the disk. */
  readonly writeGapMs: number;
}

export const EVIDENCE_LIMITS: EvidenceLimits = {
  scopesMax: 1000,
  requestsMax: 16_384,
  memoryBytesMax: 64 * 1024 * 1024,
  writeBytesMax: 4 * 1024 * 1024,
  writeEveryMs: 10_000,
  writeGapMs: 5_000,
};

export interface EvidenceDeps {
  readonly store: EvidenceStore;
  readonly noise: NoiseVerdicts;
  /** Null: there is no such group. */
  readonly group: (name: string) => GroupComparing | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EvidenceKeeper {
  /** Never throws. */
  add(batch: ComparisonBatch): void;
  /** Writes what changed longest ago; `everything` at the end. A disk that refuses is tried again. */
  write(everything?: boolean): void;
  /** The file is full: half of the scopes go, the least-hit first. */
  shrink(): void;
  /** Null for an unknown group. */
  of(group: string): EvidenceData | null;
  sizes(): { readonly scopes: number; readonly bytes: number; readonly gone: number };
}

export const NO_NOISE: NoiseVerdicts = {
  explained: () => () => false,
  regressions: () => [],
  selfTestClean: () => null,
};

interface Kept {
  readonly scope: EvidenceScope;
  totals: EvidenceTotals;
  readonly evidence: Evidence;
  bytes: number;
  /** Monotonic; null: the file has it. */
  changedAt: number | null;
  writtenAt: number;
}

type Current = Pick<EvidenceScope, 'build' | 'legacyBuild' | 'rules'>;

/** A person or the configuration left these out: they say nothing about how much could be compared. */
const POLICY: ReadonlySet<string> = new Set<SkipReason | 'dry-run-refused'>([
  'killed',
  'flag-off',
  'flag-unknown',
  'no-unit',
  'unsafe-method',
  'effectful-route',
  'marked',
  'upgrade',
  'dry-run-refused',
]);
const STRATA_SHOWN_MAX = 100;
const GONE_MAX = 10_000;
/** A rate over less time says nothing. */
const RATE_MS_MIN = 10_000;
const HOUR_MS = 3_600_000;
const SIDES: readonly Side[] = ['service', 'legacy'];

/** Reads what is kept. Evidence that cannot be read is said, and no verdict is given. */
export function createEvidenceKeeper(
  deps: EvidenceDeps,
  limits: EvidenceLimits = EVIDENCE_LIMITS,
): EvidenceKeeper {
  const { clock, log } = deps;
  const kept = new Map<string, Kept>();
  /** What was seen last, by group and direction. */
  const current = new Map<string, Current & { readonly lastAt: number }>();
  const evicted = new Map<string, EvictedEvidence>();
  const gone = new Map<string, EvidenceScope>();
  let bytes = 0;
  let readable = true;
  let failing = false;
  let writtenAt = Number.NEGATIVE_INFINITY;

  function load(): void {
    try {
      const stored = deps.store.load();
      for (const { scope, totals, content } of stored.kept) {
        const evidence = createEvidence(content, limits.requestsMax);
        keep({ scope, totals, evidence, bytes: 0, changedAt: null, writtenAt: Number.NEGATIVE_INFINITY });
        saw(scope, totals.lastAt);
      }
      for (const each of stored.evicted) evicted.set(each.group, each);
    } catch (error) {
      readable = false;
      log.error('evidence-unreadable', { error: messageOf(error) });
    }
  }

  function keep(entry: Kept): Kept {
    kept.set(scopeText(entry.scope), entry);
    measure(entry);
    return entry;
  }

  function measure(entry: Kept): void {
    const now = entry.evidence.bytes;
    bytes += now - entry.bytes;
    entry.bytes = now;
  }

  function saw({ group, shadowed, build, legacyBuild, rules }: EvidenceScope, lastAt: number): void {
    const name = directionName(group, shadowed);
    if ((current.get(name)?.lastAt ?? 0) <= lastAt) current.set(name, { build, legacyBuild, rules, lastAt });
  }

  function entryOf(scope: EvidenceScope, at: number): Kept {
    const known = kept.get(scopeText(scope));
    if (known !== undefined) return known;
    const totals = { same: 0, ignored: 0, different: 0, skipped: {}, lost: 0, firstAt: at, lastAt: at };
    const evidence = createEvidence(null, limits.requestsMax);
    gone.delete(scopeText(scope));
    return keep({ scope, totals, evidence, bytes: 0, changedAt: null, writtenAt: Number.NEGATIVE_INFINITY });
  }

  function take(delta: EvidenceDelta): void {
    const entry = entryOf(delta.scope, delta.lastAt);
    const { totals, evidence } = entry;
    entry.totals = {
      same: totals.same + delta.same,
      ignored: totals.ignored + delta.ignored,
      different: totals.different + delta.different,
      skipped: added(totals.skipped, delta.skipped),
      lost: totals.lost + delta.lost,
      firstAt: totals.firstAt,
      lastAt: delta.lastAt,
    };
    for (const shape of delta.observed) evidence.observed(shape);
    for (const [request, shape, index] of delta.pairs)
      evidence.compared(request, shape, delta.signatures[index] ?? null);
    changed(entry);
    saw(delta.scope, delta.lastAt);
  }

  function changed(entry: Kept): void {
    entry.changedAt ??= clock.now();
    measure(entry);
  }

  /** Skips before there was a copy have no scope of their own: they belong to what is compared at the time. */
  function takeEarlySkips({ at, counts }: ComparisonBatch): void {
    for (const { group, route, reason, count } of counts) {
      if (route !== '' || reason === null) continue;
      for (const shadowed of SIDES) {
        const now = current.get(directionName(group, shadowed));
        if (now === undefined) continue;
        const { build, legacyBuild, rules } = now;
        const entry = entryOf({ group, route: '', shadowed, stratum: '', build, legacyBuild, rules }, at);
        entry.totals = { ...entry.totals, skipped: added(entry.totals.skipped, { [reason]: count }) };
        changed(entry);
      }
    }
  }

  function standing({ scope, totals }: Kept): 'current' | 'stale' | 'dead' {
    const now = current.get(directionName(scope.group, scope.shadowed));
    return now === undefined ? 'stale' : standingOf(scope, now, totals.lastAt, clock.wall());
  }

  function makeRoom(): void {
    for (const entry of kept.values()) if (standing(entry) === 'dead') forget(entry);
    const groups = new Map<string, Kept[]>();
    for (const entry of kept.values()) {
      const own = groups.get(entry.scope.group) ?? [];
      own.push(entry);
      groups.set(entry.scope.group, own);
    }
    for (const own of groups.values()) {
      const over = own.length - limits.scopesMax;
      if (over > 0) for (const entry of leastFirst(own).slice(0, over)) evict(entry);
    }
    if (bytes <= limits.memoryBytesMax) return;
    for (const entry of leastFirst([...kept.values()])) {
      if (bytes <= limits.memoryBytesMax) return;
      evict(entry);
    }
  }

  /** Stale ones, then those with the fewest comparisons. */
  function leastFirst(entries: readonly Kept[]): readonly Kept[] {
    const ranked = entries.map((entry) => ({
      entry,
      live: standing(entry) === 'current',
      hits: hitsOf(entry),
    }));
    return ranked
      .sort((a, b) => Number(a.live) - Number(b.live) || a.hits - b.hits)
      .map(({ entry }) => entry);
  }

  function evict(entry: Kept): void {
    const { group } = entry.scope;
    const { scopes = 0, of = '', different = 0 } = evicted.get(group) ?? {};
    const own = currentName(entry.scope);
    evicted.set(group, {
      group,
      scopes: scopes + 1,
      of: own,
      different: entry.totals.different + (of === own ? different : 0),
    });
    forget(entry);
  }

  function forget(entry: Kept): void {
    const name = scopeText(entry.scope);
    kept.delete(name);
    bytes -= entry.bytes;
    if (gone.size < GONE_MAX) gone.set(name, entry.scope);
  }

  function pending(everything: boolean): readonly Kept[] {
    const now = clock.now();
    const waiting = [...kept.values()]
      .filter(
        ({ changedAt, writtenAt }) =>
          changedAt !== null && (everything || now - writtenAt >= limits.writeEveryMs),
      )
      .sort((a, b) => (a.changedAt ?? 0) - (b.changedAt ?? 0));
    if (everything) return waiting;
    let size = 0;
    return waiting.filter((entry, index) => {
      size += entry.bytes;
      return index === 0 || size <= limits.writeBytesMax;
    });
  }

  function persist(waiting: readonly Kept[]): void {
    try {
      const changes = waiting.map(({ scope, totals, evidence }) => ({
        scope,
        totals,
        content: evidence.content(),
      }));
      deps.store.write(changes, [...gone.values()], [...evicted.values()]);
      gone.clear();
      for (const entry of waiting) {
        entry.changedAt = null;
        entry.writtenAt = clock.now();
      }
      failing = false;
    } catch (error) {
      if (!failing) log.warn('evidence-not-written', { error: messageOf(error) });
      failing = true;
    }
  }

  function standingsOf(group: string, comparing: GroupComparing): readonly EvidenceStanding[] {
    return SIDES.flatMap((shadowed) => {
      const now = current.get(directionName(group, shadowed));
      if (now === undefined) return [];
      const own = [...kept.values()].filter(
        (entry) =>
          entry.scope.group === group && entry.scope.shadowed === shadowed && standing(entry) === 'current',
      );
      return own.length === 0 ? [] : [standingOfKey(group, shadowed, now, own, comparing)];
    });
  }

  function standingOfKey(
    group: string,
    shadowed: Side,
    { build, legacyBuild, rules }: Current,
    own: readonly Kept[],
    comparing: GroupComparing,
  ): EvidenceStanding {
    const { budget, buildsIgnored } = comparing;
    const strata = own
      .filter(({ scope }) => scope.stratum !== '')
      .map((entry) => stratumRow(entry, budget))
      .sort((a, b) => b.requests - a.requests);
    const totals = own.map((entry) => entry.totals);
    const sum = (of: (each: EvidenceTotals) => number) => totals.reduce((all, each) => all + of(each), 0);
    const skipped = totals.reduce<EvidenceTotals['skipped']>((all, each) => added(all, each.skipped), {});
    const compared = sum(({ same, ignored, different }) => same + ignored + different);
    const eligible = compared + withoutPolicy(skipped);
    const shapes = own.map(({ evidence }) => evidence.shapes());
    const observed = shapes.reduce((all, each) => all + each.observed, 0);
    const seen = shapes.reduce((all, each) => all + each.compared, 0);
    const gate = judgeGate(
      {
        strata: strata.map(
          ({ route, stratum, ...counts }): StratumEvidence => ({
            ...counts,
            stratum: route === '' ? stratum : `${route}, ${stratum}`,
          }),
        ),
        eligible,
        compared,
        compareFailed: skipped['compare-failed'] ?? 0,
        shapes: { observed, compared: seen },
        regressions: deps.noise.regressions(group),
        buildsKnown: buildsIgnored || (build !== '' && legacyBuild !== ''),
        selfTestClean: deps.noise.selfTestClean(group),
        readable,
      },
      { ...GATE_POLICY, budget },
    );
    const { verdict, reasons, waitMs } = doubted(gate, evictedOf(group, build, legacyBuild, rules));
    return {
      shadowed,
      build,
      legacyBuild,
      rules,
      budget,
      verdict,
      reasons,
      waitMs,
      eligible,
      compared,
      different: sum(({ different }) => different),
      skipped,
      requests: strata.reduce((all, { n }) => all + n, 0),
      shapes: { observed, compared: seen },
      strata: strata.slice(0, STRATA_SHOWN_MAX),
      strataCount: strata.length,
    };
  }

  function evictedOf(group: string, build: string, legacyBuild: string, rules: string): number {
    const known = evicted.get(group);
    return known?.of === currentName({ build, legacyBuild, rules }) ? known.different : 0;
  }

  function stratumRow({ scope, totals, evidence }: Kept, budget: number): EvidenceStratum {
    const { route, stratum } = scope;
    const { same, ignored, different, skipped, lost, firstAt, lastAt } = totals;
    const compared = same + ignored + different;
    const k = evidence.unexplained(deps.noise.explained(scope.group, route)) + lost;
    const n = Math.max(evidence.n, k);
    const { alpha } = GATE_POLICY;
    const life = lastAt - firstAt;
    return {
      route,
      stratum,
      requests: compared + withoutPolicy(skipped),
      compared,
      different,
      skipped,
      n,
      k,
      shapes: evidence.shapes(),
      fixedUpper: clopperPearsonUpper(k, n, alpha),
      lower: anytimeLower(k, n, alpha),
      upper: anytimeUpper(k, n, alpha),
      needed: trialsNeeded(k, budget, alpha, 'anytime'),
      perHour: life < RATE_MS_MIN ? null : (evidence.n / life) * HOUR_MS,
    };
  }

  function staleOf(group: string): readonly StaleEvidence[] {
    const rows = new Map<string, StaleEvidence>();
    for (const entry of kept.values()) {
      if (entry.scope.group !== group || standing(entry) !== 'stale') continue;
      const { shadowed, build, legacyBuild, rules } = entry.scope;
      const name = `${shadowed} ${currentName(entry.scope)}`;
      const before = rows.get(name);
      rows.set(name, {
        shadowed,
        build,
        legacyBuild,
        rules,
        compared: (before?.compared ?? 0) + hitsOf(entry),
        different: (before?.different ?? 0) + entry.totals.different,
        lastAt: Math.max(before?.lastAt ?? 0, entry.totals.lastAt),
      });
    }
    return [...rows.values()].sort((a, b) => b.lastAt - a.lastAt);
  }

  load();
  return {
    add(batch) {
      for (const delta of batch.evidence) take(delta);
      takeEarlySkips(batch);
      makeRoom();
    },
    write(everything = false) {
      const now = clock.now();
      if (!everything && now - writtenAt < limits.writeGapMs) return;
      const waiting = pending(everything);
      if (waiting.length > 0 || gone.size > 0) writtenAt = now;
      if (waiting.length > 0 || gone.size > 0) persist(waiting);
    },
    shrink() {
      for (const entry of leastFirst([...kept.values()]).slice(0, Math.ceil(kept.size / 2))) evict(entry);
      persist([]);
    },
    of(group) {
      const comparing = deps.group(group);
      if (comparing === null) return null;
      const own = [...kept.values()].filter(({ scope }) => scope.group === group);
      return {
        group,
        standings: standingsOf(group, comparing),
        stale: staleOf(group),
        kept: {
          scopes: own.length,
          scopesMax: limits.scopesMax,
          bytes,
          bytesMax: limits.memoryBytesMax,
          evicted: evicted.get(group)?.scopes ?? 0,
        },
      };
    },
    sizes: () => ({ scopes: kept.size, bytes, gone: gone.size }),
  };
}

/** A Pass must not come from having forgotten what differed. */
function doubted(gate: Gate, different: number): Pick<Gate, 'verdict' | 'reasons' | 'waitMs'> {
  if (different === 0) return gate;
  const reason = `Evidence in which ${different} pairs differed had to make room; raise evidence.memoryBytesMax.`;
  const verdict = gate.verdict === 'Pass' ? 'Inconclusive' : gate.verdict;
  return { verdict, reasons: [...gate.reasons, reason], waitMs: gate.waitMs };
}

function withoutPolicy(skipped: EvidenceTotals['skipped']): number {
  return Object.entries(skipped).reduce((sum, [reason, count]) => sum + (POLICY.has(reason) ? 0 : count), 0);
}

function hitsOf({ totals: { same, ignored, different } }: Kept): number {
  return same + ignored + different;
}

function added(a: EvidenceTotals['skipped'], b: EvidenceTotals['skipped']): EvidenceTotals['skipped'] {
  const sum = new Map(Object.entries(a));
  for (const [reason, count] of Object.entries(b)) sum.set(reason, (sum.get(reason) ?? 0) + count);
  return Object.fromEntries(sum);
}

function directionName(group: string, shadowed: Side): string {
  return `${group}\n${shadowed}`;
}

function currentName({ build, legacyBuild, rules }: Current): string {
  return JSON.stringify([build, legacyBuild, rules]);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
