/**
 * Counters and histograms on one flat array of cells. Which cell is counted is worked out when the meter is made:
 * an observation costs a few look-ups and increments, and allocates nothing.
 */
import { ERRORS } from './errors.ts';
import { OUTCOMES, type Outcome, outcomeOf, sideOutcome } from './outcome.ts';
import type { ComparisonCount, CopyMeter, Recorder } from './ports.ts';
import type { Reason, Role, Side, SkipReason } from './types.ts';

export interface MeterGroup {
  readonly name: string;
  /** Route labels of the configuration. */
  readonly routes: readonly string[];
}

export type Labels = readonly (readonly [name: string, value: string])[];

export interface MeterSeries {
  readonly labels: Labels;
  /** First cell. A histogram has one per bound, one for all above, and the sum in whole microseconds. */
  readonly at: number;
}

/** Series that follow each other and differ in their last label only. */
interface Run {
  readonly labels: Labels;
  /** The last label; null: the run is one series without it. */
  readonly last: readonly [name: string, values: readonly string[]] | null;
  readonly at: number;
  /** Not worth a line while they are 0. */
  readonly sparse: boolean;
}

export interface MeterFamily {
  readonly name: string;
  readonly help: string;
  /** Upper bounds of a histogram in seconds, rising; null for a counter. */
  readonly bounds: readonly number[] | null;
  readonly runs: readonly Run[];
}

export interface Meter extends Recorder, CopyMeter {
  readonly families: readonly MeterFamily[];
  /** What a cell holds now. */
  value(at: number): number;
  /**
   * `index, delta, index, delta …` of the cells this meter has counted in since the last call; null when there are
   * none. For `add` of a meter with the same layout.
   */
  drain(): Float64Array | null;
  /**
   * Adds what another meter drained; it is not drained again here. RangeError, and nothing is added, when it does
   * not fit this layout.
   */
  add(changes: Float64Array): void;
}

/** The group of requests that belong to none; the name of no configured group begins with `_`. */
const NO_GROUP = '_none';
/** The route of requests that match none. */
const NO_ROUTE = 'unmatched';
/** Where groups and routes are counted that found no place below `seriesMax`. */
const OVERFLOW = '_overflow';
/** Series of one meter, status codes apart: of those only the ones that were seen become series. */
const SERIES_MAX = 20_000;

/** Seconds; the buckets of OpenTelemetry's `http.server.request.duration`. */
const DURATION_BOUNDS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
/** Seconds. */
const OVERHEAD_BOUNDS: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
];

const SERVED = ['legacy', 'service', 'none'] as const;
const SIDES = ['legacy', 'service'] as const satisfies readonly Side[];
const ROLES = ['primary', 'shadow'] as const satisfies readonly Role[];
const COMPARED = ['same', 'ignored', 'different', 'skipped'] as const satisfies readonly CompareOutcome[];
const COPY_RESULTS = ['sent', 'shed', 'skipped', 'failed'] as const;
const CODE_MIN = 100;
const CODES: readonly string[] = [...Array.from({ length: 500 }, (_, i) => String(CODE_MIN + i)), 'other'];
/** Only what the service did wrong is answered by legacy instead. */
const CAUSES = keysOf(ERRORS).filter((code) => code.startsWith('UPSTREAM_'));

type CompareOutcome = ComparisonCount['outcome'];
type CopyResult = (typeof COPY_RESULTS)[number];

const REASON_AT = {
  'no-route': 0,
  stage: 1,
  flag: 2,
  'flag-unknown': 3,
  killed: 4,
  tripped: 5,
} as const satisfies Record<Reason, number>;

/** Whether a request was not copied for want of room (`shed`) or because it is none to be compared (`skipped`). */
const SKIPS = {
  killed: 'skipped',
  'flag-off': 'skipped',
  'flag-unknown': 'skipped',
  'no-unit': 'skipped',
  'unsafe-method': 'skipped',
  'effectful-route': 'skipped',
  marked: 'skipped',
  upgrade: 'skipped',
  'dry-run-refused': 'skipped',
  rate: 'shed',
  'queue-full': 'shed',
  memory: 'shed',
  'in-flight': 'shed',
  stale: 'shed',
  overload: 'shed',
  'breaker-open': 'shed',
  draining: 'shed',
  'too-large': 'skipped',
  stream: 'skipped',
  conditional: 'skipped',
  'client-gone': 'skipped',
  fallback: 'skipped',
  'legacy-failed': 'skipped',
  'legacy-truncated': 'skipped',
  timeout: 'skipped',
  'connection-reused': 'skipped',
  'decoded-too-large': 'skipped',
  'compare-budget': 'skipped',
  'compare-failed': 'skipped',
} as const satisfies Record<SkipReason, CopyResult>;

const OUTCOME_AT = ranks(OUTCOMES);
const CAUSE_AT = ranks(CAUSES);
const SKIP_AT = ranks(keysOf(SKIPS));
const COMPARED_AT = ranks(COMPARED);
const COPY_RESULT_AT = ranks(COPY_RESULTS);
const BOUNDS_US = DURATION_BOUNDS.map((seconds) => microseconds(seconds * 1_000));
const OVERHEAD_BOUNDS_US = OVERHEAD_BOUNDS.map((seconds) => microseconds(seconds * 1_000));
/** Cells of a duration histogram. */
const DURATION_CELLS = DURATION_BOUNDS.length + 2;

/** First cells of one group; the rest follows in the order of the lists above. */
interface GroupCells {
  readonly routes: Map<string, number>;
  /** Of requests whose route has no cells of its own. */
  readonly otherRoute: number;
  readonly durations: number;
  readonly upstream: number;
  readonly upstreamDurations: number;
  readonly codes: number;
  readonly fallbacks: number;
  readonly decisions: number;
  readonly withoutUnit: number;
  readonly copies: number;
  readonly skips: number;
  readonly comparisons: number;
}

/**
 * A meter for these groups. Meters made from the same arguments have the same layout. What does not fit below
 * `seriesMax` is counted under `_overflow`, routes first, and in `fig_metrics_overflow_total`. RangeError for a name
 * that is taken twice or begins with `_`, and for a `seriesMax` without room for the first group.
 */
export function createMeter(groups: readonly MeterGroup[], seriesMax = SERIES_MAX): Meter {
  const layout = createLayout();
  const overflows = layout.block(FAMILIES.overflow, []);
  const overhead = layout.block(FAMILIES.overhead, []);
  const none = groupCells(layout, NO_GROUP, NO_ROUTE);
  const perGroup = layout.series();
  const folded = groupCells(layout, OVERFLOW, OVERFLOW, true);
  const byName = placed(layout, groups, perGroup, seriesMax);
  const cells = new Float64Array(layout.cells());
  const drained = new Float64Array(cells.length);

  function cellsOf(name: string): GroupCells {
    const group = byName.get(name);
    if (group !== undefined) return group;
    count(overflows);
    return folded;
  }

  function routeOf(group: GroupCells, route: string | null): number {
    if (route === null) return group.otherRoute;
    const at = group.routes.get(route);
    if (at !== undefined) return at;
    if (group !== folded) count(overflows);
    return group.otherRoute;
  }

  function count(at: number): void {
    cells[at] = (cells[at] ?? 0) + 1;
  }

  /** In small integers, which are passed around without allocating. */
  function time(at: number, bounds: readonly number[], us: number): void {
    let bucket = 0;
    while (bucket < bounds.length && us > (bounds[bucket] ?? 0)) bucket += 1;
    count(at + bucket);
    const sum = at + bounds.length + 1;
    cells[sum] = (cells[sum] ?? 0) + us;
  }

  function asked(group: GroupCells, side: Side, role: Role, outcome: Outcome): void {
    count(group.upstream + armAt(side, role) * OUTCOMES.length + rank(OUTCOME_AT, outcome));
  }

  function skipped(group: GroupCells, reason: SkipReason): void {
    count(group.skips + rank(SKIP_AT, reason));
    count(group.comparisons + rank(COMPARED_AT, 'skipped'));
  }

  return {
    families: layout.families(),
    value: (at) => cells[at] ?? 0,

    observed(observation) {
      const { assigned, served, outcome: code, status, upstreamMs, role } = observation;
      const group = observation.group === null ? none : cellsOf(observation.group);
      const fellBack = assigned === 'service' && served === 'legacy';
      if (upstreamMs !== null) {
        asked(group, assigned, role, sideOutcome(code, status));
        // After a fallback it holds both sides' time; the service is why the client waited.
        const at = group.upstreamDurations + armAt(assigned, role) * DURATION_CELLS;
        time(at, BOUNDS_US, microseconds(upstreamMs));
        if (fellBack) asked(group, 'legacy', role, outcomeOf('OK', status));
      }
      if (role === 'shadow') return;
      const side = servedAt(served);
      const outcome = outcomeOf(fellBack ? 'OK' : code, status);
      count(routeOf(group, observation.route) + side * OUTCOMES.length + rank(OUTCOME_AT, outcome));
      time(group.durations + side * DURATION_CELLS, BOUNDS_US, microseconds(observation.durationMs));
      count(group.codes + side * CODES.length + codeAt(status));
      const cause = fellBack && code !== 'OK' ? CAUSE_AT.get(code) : undefined;
      if (cause !== undefined) count(group.fallbacks + cause);
      if (upstreamMs !== null)
        time(overhead, OVERHEAD_BOUNDS_US, microseconds(observation.durationMs - upstreamMs));
      // What was refused at the door was never decided.
      if (upstreamMs !== null || outcome !== 'rejected')
        count(group.decisions + REASON_AT[observation.reason]);
      if (observation.unit === null && group !== none) count(group.withoutUnit);
    },

    eligible(name, reason) {
      if (reason === null) return;
      const group = cellsOf(name);
      skipped(group, reason);
      count(group.copies + rank(COPY_RESULT_AT, SKIPS[reason]));
    },

    replayed(name, side, outcome, answered, durationMs) {
      const group = cellsOf(name);
      asked(group, side, 'shadow', outcome);
      time(
        group.upstreamDurations + armAt(side, 'shadow') * DURATION_CELLS,
        BOUNDS_US,
        microseconds(durationMs),
      );
      count(group.copies + rank(COPY_RESULT_AT, answered ? 'sent' : 'failed'));
    },

    compared(name, outcome, reason) {
      const group = cellsOf(name);
      if (reason === null) count(group.comparisons + rank(COMPARED_AT, outcome));
      else skipped(group, reason);
    },

    drain() {
      let changed = 0;
      for (let at = 0; at < cells.length; at += 1) if (cells[at] !== drained[at]) changed += 1;
      if (changed === 0) return null;
      const changes = new Float64Array(2 * changed);
      let next = 0;
      for (let at = 0; at < cells.length; at += 1) {
        const value = cells[at] ?? 0;
        if (value === drained[at]) continue;
        changes[next] = at;
        changes[next + 1] = value - (drained[at] ?? 0);
        drained[at] = value;
        next += 2;
      }
      return changes;
    },

    add(changes) {
      if (!fits(changes, cells.length))
        throw new RangeError('these changes come from a meter of another layout');
      for (let i = 0; i < changes.length; i += 2) {
        const at = changes[i] ?? 0;
        const delta = changes[i + 1] ?? 0;
        cells[at] = (cells[at] ?? 0) + delta;
        drained[at] = (drained[at] ?? 0) + delta;
      }
    },
  };
}

/** The series of a family that are worth their lines, in the order of their cells. */
export function* seriesOf(family: MeterFamily, value: (at: number) => number): Generator<MeterSeries> {
  const cells = cellsPerSeries(family);
  for (const { labels, last, at: first, sparse } of family.runs) {
    const [name, values] = last ?? ['', ['']];
    for (const [i, text] of values.entries()) {
      const at = first + i * cells;
      if (sparse && isZero(at, cells, value)) continue;
      yield { labels: last === null ? labels : [...labels, [name, text]], at };
    }
  }
}

function isZero(at: number, cells: number, value: (at: number) => number): boolean {
  for (let i = 0; i < cells; i += 1) if (value(at + i) !== 0) return false;
  return true;
}

interface Blueprint {
  readonly name: string;
  readonly help: string;
  readonly bounds: readonly number[] | null;
}

const FAMILIES = {
  requests: counter('fig_requests_total', 'Requests as the client saw them end.'),
  durations: timing('fig_request_duration_seconds', 'From the request to the last byte the client got.'),
  upstream: counter(
    'fig_upstream_requests_total',
    'What each side did. After a fallback both sides count: the failed service and legacy.',
  ),
  upstreamDurations: timing(
    'fig_upstream_duration_seconds',
    'From handing the request to the side to its last byte. A fallback is timed once, as the service.',
  ),
  codes: counter('fig_responses_total', 'Status codes the client got.'),
  fallbacks: counter('fig_fallbacks_total', 'The service failed and legacy answered.'),
  overhead: {
    name: 'fig_overhead_seconds',
    help: 'Time of a request without the time of the sides it was handed to.',
    bounds: OVERHEAD_BOUNDS,
  },
  decisions: counter('fig_decisions_total', 'Why a request went where it went.'),
  withoutUnit: counter('fig_requests_without_unit_total', 'Requests that nothing identified.'),
  copies: counter(
    'fig_shadow_total',
    'Copies: sent and answered, sent without an answer, shed for want of room, or skipped.',
  ),
  skips: counter('fig_shadow_skipped_total', 'Eligible requests that were not compared, by reason.'),
  comparisons: counter('fig_comparisons_total', 'What the eligible requests came to.'),
  overflow: counter(
    'fig_metrics_overflow_total',
    'Counts that went to _overflow because of the series limit.',
  ),
} as const satisfies Record<string, Blueprint>;

interface Layout {
  /** Lays out one series for every combination of the labels' values, the last turning fastest; gives the first cell. */
  block(family: Blueprint, labels: readonly Dimension[], sparse?: boolean): number;
  families(): readonly MeterFamily[];
  cells(): number;
  /** Without the status codes. */
  series(): number;
}

type Dimension = readonly [name: string, values: readonly string[]];

function createLayout(): Layout {
  const families = new Map<Blueprint, Run[]>(Object.values(FAMILIES).map((family) => [family, []]));
  let cells = 0;
  let lines = 0;
  return {
    block(family, labels, sparse = false) {
      const first = cells;
      const last = labels.at(-1) ?? null;
      for (const combination of combinations(labels.slice(0, -1))) {
        families.get(family)?.push({ labels: combination, last, at: cells, sparse });
        const series = last?.[1].length ?? 1;
        cells += series * cellsPerSeries(family);
        // Buckets, the one for all above, sum and count.
        if (family !== FAMILIES.codes)
          lines += series * (family.bounds === null ? 1 : family.bounds.length + 3);
      }
      return first;
    },
    families: () => [...families].map(([family, runs]) => ({ ...family, runs })),
    cells: () => cells,
    series: () => lines,
  };
}

function cellsPerSeries({ bounds }: Pick<MeterFamily, 'bounds'>): number {
  return bounds === null ? 1 : bounds.length + 2;
}

function groupCells(layout: Layout, name: string, route: string, sparse = false): GroupCells {
  const group = ['group', [name]] as const;
  const arms = [group, ['side', SIDES], ['role', ROLES]] as const;
  const served = ['side', SERVED] as const;
  return {
    routes: new Map(),
    otherRoute: routeCells(layout, name, route, route === OVERFLOW),
    durations: layout.block(FAMILIES.durations, [group, served], sparse),
    upstream: layout.block(FAMILIES.upstream, [...arms, ['outcome', OUTCOMES]], sparse),
    upstreamDurations: layout.block(FAMILIES.upstreamDurations, arms, sparse),
    codes: layout.block(FAMILIES.codes, [group, served, ['code', CODES]], true),
    fallbacks: layout.block(FAMILIES.fallbacks, [group, ['cause', CAUSES]], sparse),
    decisions: layout.block(FAMILIES.decisions, [group, ['reason', keysOf(REASON_AT)]], sparse),
    withoutUnit: layout.block(FAMILIES.withoutUnit, [group], sparse),
    copies: layout.block(FAMILIES.copies, [group, ['result', COPY_RESULTS]], sparse),
    skips: layout.block(FAMILIES.skips, [group, ['reason', keysOf(SKIPS)]], sparse),
    comparisons: layout.block(FAMILIES.comparisons, [group, ['outcome', COMPARED]], sparse),
  };
}

function routeCells(layout: Layout, group: string, route: string, sparse: boolean): number {
  return layout.block(
    FAMILIES.requests,
    [
      ['group', [group]],
      ['route', [route]],
      ['side', SERVED],
      ['outcome', OUTCOMES],
    ],
    sparse,
  );
}

/** Groups in their order while there is room, then their routes in theirs. */
function placed(
  layout: Layout,
  groups: readonly MeterGroup[],
  perGroup: number,
  seriesMax: number,
): ReadonlyMap<string, GroupCells> {
  if (seriesMax < layout.series() + perGroup)
    throw new RangeError(`seriesMax must be at least ${layout.series() + perGroup}, is ${seriesMax}`);
  const byName = new Map<string, GroupCells>();
  const names = new Set<string>();
  for (const { name } of groups) {
    if (name.startsWith('_') || names.has(name)) throw new RangeError(`not a name for a group: ${name}`);
    names.add(name);
    if (layout.series() + perGroup <= seriesMax) byName.set(name, groupCells(layout, name, OVERFLOW));
  }
  const perRoute = SERVED.length * OUTCOMES.length;
  for (const { name, routes } of groups) {
    const group = byName.get(name);
    for (const route of new Set(routes)) {
      if (group === undefined || layout.series() + perRoute > seriesMax) continue;
      group.routes.set(route, routeCells(layout, name, route, false));
    }
  }
  return byName;
}

function combinations(labels: readonly Dimension[]): readonly Labels[] {
  return labels.reduce<readonly Labels[]>(
    (before, [name, values]) =>
      before.flatMap((left) => values.map((value): Labels => [...left, [name, value]])),
    [[]],
  );
}

function counter(name: string, help: string): Blueprint {
  return { name, help, bounds: null };
}

function timing(name: string, help: string): Blueprint {
  return { name, help, bounds: DURATION_BOUNDS };
}

function keysOf<K extends string>(record: Readonly<Record<K, unknown>>): readonly K[] {
  const isKey = (key: string): key is K => key in record;
  return Object.keys(record).filter(isKey);
}

function ranks<K extends string>(values: readonly K[]): ReadonlyMap<K, number> {
  return new Map(values.map((value, at) => [value, at]));
}

function rank<K extends string>(of: ReadonlyMap<K, number>, value: K): number {
  return of.get(value) ?? 0;
}

/** Whole ones: whoever adds them up, in whatever order, gets the same sum. */
function microseconds(ms: number): number {
  return ms > 0 ? Math.round(ms * 1_000) : 0;
}

function servedAt(side: Side | null): number {
  return side === null ? 2 : side === 'legacy' ? 0 : 1;
}

function armAt(side: Side, role: Role): number {
  return (side === 'legacy' ? 0 : ROLES.length) + (role === 'primary' ? 0 : 1);
}

function codeAt(status: number): number {
  const at = status - CODE_MIN;
  return at >= 0 && at < CODES.length - 1 && Number.isInteger(at) ? at : CODES.length - 1;
}

function fits(changes: Float64Array, cells: number): boolean {
  if (changes.length % 2 !== 0) return false;
  for (let i = 0; i < changes.length; i += 2) {
    const at = changes[i] ?? -1;
    if (!Number.isInteger(at) || at < 0 || at >= cells) return false;
  }
  return true;
}
