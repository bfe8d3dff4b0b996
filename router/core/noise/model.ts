/**
 * The noise of one group: what legacy's two answers to one request tell about the service's. Everything it keeps is
 * bounded, plain data on request, and can be merged with what another process has seen.
 */
import type { Difference, Kind, Sample } from '../compare/comparison.ts';
import { pointerOf, type Trail } from '../compare/trail.ts';
import type { Interval } from '../interval.ts';
import type { PairedCounts } from './paired.ts';
import { judgePath, lookBefore, type NoisePolicy, type PathVerdict } from './path-verdict.ts';
import { MISSING, type Reading, readingOf } from './reading.ts';
import { brokenIds, createRenaming, type IdPlace, type Relation, type Renaming } from './renaming.ts';
import type { Digest } from './sketch.ts';
import { createValueTally, type Feature, type Place, type ValueContent, type ValueTally } from './values.ts';

/** A difference of two answers, after rules. */
export interface Finding {
  readonly template: string;
  /** The place itself, so that the values of all three answers at one place are found. */
  readonly path: string;
  readonly kind: Kind;
  /** Legacy's first answer; null where it has nothing. */
  readonly legacy: Sample | null;
  readonly other: Sample | null;
}

/** A call: wall times, ms since 1970. */
export interface Call {
  readonly startMs: number;
  readonly endMs: number;
}

/** One request, asked of legacy twice and of the service. The second and third call must start in random order. */
export interface Triple {
  /** Label of a configured route: the only names that are kept without a bound of their own. */
  readonly route: string;
  /** Legacy's first answer against the service's. */
  readonly service: readonly Finding[];
  /** Legacy's first answer against its second. */
  readonly baseline: readonly Finding[];
  /** Digests of the values the request carried. */
  readonly asked: ReadonlySet<number>;
  /** Null where the times are not known. */
  readonly calls: { readonly baseline: Call; readonly service: Call } | null;
}

export interface PathReport extends PairedCounts {
  readonly route: string;
  readonly template: string;
  readonly kind: Kind;
  readonly verdict: PathVerdict;
  /** ln of the e-value of b and c. */
  readonly lnE: number;
  /** δ at the last look. */
  readonly effect: Interval | null;
  /** The question about values that flags the path. */
  readonly feature: Feature | null;
  /** About how many different values there were, where they are counted. */
  readonly distinct: { readonly baseline: number; readonly service: number } | null;
}

export interface KindContent {
  readonly kind: Kind;
  /** Triples of the route that were not counted here. */
  readonly missed: number;
  readonly both: number;
  readonly b: number;
  readonly c: number;
  /** As counted at the last look. */
  readonly look: PairedCounts | null;
}

export interface PathContent {
  readonly template: string;
  readonly kinds: readonly KindContent[];
  readonly values: ValueContent | null;
}

export interface RouteContent {
  readonly route: string;
  readonly n: number;
  /** Triples up to the last eviction: what a path that is not tracked may have had is not known for these. */
  readonly blind: number;
  readonly paths: readonly PathContent[];
  readonly relations: readonly Relation[];
}

/** Everything a model knows, as JSON values. */
export interface NoiseContent {
  readonly routes: readonly RouteContent[];
  readonly evicted: number;
}

export interface NoiseModel {
  fold(triple: Triple): void;
  /** Every tracked path of the group. */
  reports(): readonly PathReport[];
  /** A path that is not tracked has never differed; null for a route without triples. */
  verdictOf(route: string, template: string, kind: Kind): PathVerdict | null;
  /** Templates whose values are made anew in every answer, by the name of the ids they share. */
  ids(route: string): ReadonlyMap<string, string>;
  /** As if everything the other model has folded had been folded here; looks then fall where batches end. */
  merge(content: NoiseContent): void;
  content(): NoiseContent;
  /** (route, template, kind) that are counted. */
  readonly tracked: number;
  /** Those dropped because there were more than `pathsMax`, the least hit first. */
  readonly evicted: number;
}

export interface NoiseOptions {
  readonly policy: NoisePolicy;
  readonly digest: Digest;
  /** Clocks of the sides may be apart by this much, ms. */
  readonly toleranceMs: number;
}

interface Counts {
  missed: number;
  both: number;
  b: number;
  c: number;
  look: PairedCounts | null;
}

interface Path {
  readonly kinds: Map<Kind, Counts>;
  values: ValueTally | null;
  hits: number;
}

interface Route {
  readonly paths: Map<string, Path>;
  readonly renaming: Renaming;
  n: number;
  blind: number;
}

/** What one triple shows at one template. */
interface Touch {
  readonly service: Set<Kind>;
  readonly baseline: Set<Kind>;
  readonly places: Map<
    string,
    Pick<Finding, 'legacy'> & { baseline?: Sample | null; service?: Sample | null }
  >;
}

/** Kinds that have a value on at least one side. */
const OF_VALUES: ReadonlySet<Kind> = new Set<Kind>(['value', 'type', 'missing', 'extra']);
/** Makes of values that name something. */
const ID_MAKE = /^string (?:uuid-.|ulid|hex|base64url|integer)$|^number integer$/;
/** Triples in which an id must have differed, every time, before it is taken for one. */
const ID_TRIPLES_MIN = 30;
/** Share of the paths that stay when there are too many: dropping some at once makes the search for them cheap. */
const KEPT = 7 / 8;

export function createNoiseModel({ policy, digest, toleranceMs }: NoiseOptions): NoiseModel {
  const routes = new Map<string, Route>();
  let tracked = 0;
  let evicted = 0;

  function routeOf(name: string): Route {
    let route = routes.get(name);
    if (route === undefined) {
      route = { paths: new Map(), renaming: createRenaming(), n: 0, blind: 0 };
      routes.set(name, route);
    }
    return route;
  }

  /** Makes room for new paths; what is dropped begins again when it comes back. */
  function makeRoom(wanted: number): void {
    if (tracked + wanted <= policy.pathsMax) return;
    const target = Math.max(0, Math.min(policy.pathsMax - wanted, Math.floor(policy.pathsMax * KEPT)));
    const all = [...routes.values()].flatMap((route) =>
      [...route.paths].map(([template, path]) => ({ route, template, path })),
    );
    all.sort((a, b) => a.path.hits - b.path.hits);
    for (const { route, template, path } of all) {
      if (tracked <= target) break;
      route.paths.delete(template);
      route.blind = route.n;
      tracked -= path.kinds.size;
      evicted += path.kinds.size;
    }
  }

  /** Null when even an empty model has no room. The paths it is full of go before this one can come back. */
  function countsOf(route: Route, path: Path, kind: Kind): Counts | null {
    const known = path.kinds.get(kind);
    if (known !== undefined) return known;
    if (tracked >= policy.pathsMax) {
      evicted += 1;
      return null;
    }
    const counts = { missed: route.blind, both: 0, b: 0, c: 0, look: null };
    path.kinds.set(kind, counts);
    tracked += 1;
    return counts;
  }

  function count(route: Route, path: Path, { service, baseline }: Touch): void {
    for (const kind of new Set([...service, ...baseline])) {
      const counts = countsOf(route, path, kind);
      if (counts === null) continue;
      counts.look = lookOf(counts, route.n);
      counts[service.has(kind) ? (baseline.has(kind) ? 'both' : 'b') : 'c'] += 1;
      path.hits += 1;
    }
  }

  function observe(touched: ReadonlyMap<string, Touch>, route: Route, triple: Triple): void {
    const read = new Map<string, readonly Place[]>();
    for (const [template, { places }] of touched)
      if (hasValues(route.paths.get(template))) read.set(template, placesOf(places, digest));
    const ids = new Set([...read.keys()].filter((template) => isId(route.paths.get(template), route.n)));
    const broken = {
      service: brokenIds(idPlaces(read, ids, 'service'), route.renaming.groupOf),
      baseline: brokenIds(idPlaces(read, ids, 'baseline'), route.renaming.groupOf),
    };
    const windows = windowsOf(triple.calls, toleranceMs);
    for (const [template, places] of read) {
      route.paths.get(template)?.values?.observe(places, {
        asked: triple.asked,
        windows,
        toleranceMs,
        broken: { service: broken.service.has(template), baseline: broken.baseline.has(template) },
      });
    }
    if (ids.size > 1) route.renaming.learn(digestsOf(read, ids));
  }

  return {
    fold(triple) {
      const route = routeOf(triple.route);
      const touched = touchedBy(triple);
      makeRoom(newKinds(touched, route));
      observe(touched, route, triple);
      for (const [template, touch] of touched) {
        let path = route.paths.get(template);
        if (path === undefined) {
          path = { kinds: new Map(), values: null, hits: 0 };
          route.paths.set(template, path);
        }
        count(route, path, touch);
        if (path.kinds.size === 0) route.paths.delete(template);
        // From the next triple on: this one was chosen because legacy's answers differ in it, the service's need not.
        else if (path.values === null && drifts(touch)) path.values = createValueTally();
      }
      route.n += 1;
    },
    reports: () =>
      [...routes].flatMap(([name, route]) =>
        [...route.paths].flatMap(([template, path]) =>
          [...path.kinds].map(([kind, counts]) => ({
            route: name,
            template,
            kind,
            ...judged(counts, route, path, policy),
            distinct: path.values?.distinct() ?? null,
          })),
        ),
      ),
    verdictOf(name, template, kind) {
      const route = routes.get(name);
      if (route === undefined) return null;
      const path = route.paths.get(template) ?? null;
      const counts = path?.kinds.get(kind) ?? { missed: route.blind, both: 0, b: 0, c: 0, look: null };
      return judged(counts, route, path, policy).verdict;
    },
    ids(name) {
      const route = routes.get(name);
      if (route === undefined) return new Map();
      const ids = [...route.paths].filter(([, path]) => isId(path, route.n));
      return new Map(ids.map(([template]) => [template, route.renaming.groupOf(template)]));
    },
    merge(content) {
      for (const other of content.routes) mergeRoute(routeOf(other.route), other);
      evicted += content.evicted;
      tracked = [...routes.values()].reduce((sum, route) => sum + kindsIn(route), 0);
      makeRoom(0);
    },
    content: () => ({ routes: [...routes].map(([name, route]) => contentOf(name, route)), evicted }),
    get tracked() {
      return tracked;
    },
    get evicted() {
      return evicted;
    },
  };
}

/**
 * The A/A self-test: legacy's second answer in the service's place. A model of such triples flags nothing; one that
 * does treats the two answers unequally.
 */
export function withLegacyAsService(triple: Triple): Triple {
  const { calls, baseline } = triple;
  return {
    ...triple,
    service: baseline,
    calls: calls === null ? null : { ...calls, service: calls.baseline },
  };
}

/** What a model takes of a comparison. `template` as everywhere in the group. */
export function findingsOf(
  differences: readonly Difference[],
  template: (trail: Trail) => string,
): readonly Finding[] {
  return differences.map(({ trail, kind, legacy, service }) => ({
    template: template(trail),
    path: pointerOf(trail),
    kind,
    legacy,
    other: service,
  }));
}

function touchedBy({ service, baseline }: Triple): ReadonlyMap<string, Touch> {
  const touched = new Map<string, Touch>();
  for (const [side, findings] of [
    ['service', service],
    ['baseline', baseline],
  ] as const) {
    for (const { template, path, kind, legacy, other } of findings) {
      let touch = touched.get(template);
      if (touch === undefined) {
        touch = { service: new Set(), baseline: new Set(), places: new Map() };
        touched.set(template, touch);
      }
      touch[side].add(kind);
      if (!OF_VALUES.has(kind)) continue;
      // What only the other answer has stands at that answer's own index.
      const key = kind === 'extra' ? `+${path}` : path;
      const place = touch.places.get(key);
      if (place === undefined) touch.places.set(key, { legacy, [side]: other });
      else place[side] = other;
    }
  }
  return touched;
}

function newKinds(touched: ReadonlyMap<string, Touch>, route: Route): number {
  let wanted = 0;
  for (const [template, { service, baseline }] of touched) {
    const known = route.paths.get(template)?.kinds;
    for (const kind of service) if (known?.has(kind) !== true) wanted += 1;
    for (const kind of baseline) if (known?.has(kind) !== true && !service.has(kind)) wanted += 1;
  }
  return wanted;
}

/** Where an answer shows no difference it has what legacy's first one has. */
function placesOf(places: Touch['places'], digest: Digest): readonly Place[] {
  const read = (sample: Sample | null): Reading => (sample === null ? MISSING : readingOf(sample, digest));
  return [...places.values()].map((place) => {
    const legacy = read(place.legacy);
    return {
      legacy,
      baseline: place.baseline === undefined ? legacy : read(place.baseline),
      service: place.service === undefined ? legacy : read(place.service),
    };
  });
}

function drifts({ baseline }: Touch): boolean {
  for (const kind of baseline) if (OF_VALUES.has(kind)) return true;
  return false;
}

function hasValues(path: Path | undefined): boolean {
  return path !== undefined && path.values !== null;
}

/** Differed between legacy's answers in every triple, always a value of one make, and one that names something. */
function isId(path: Path | undefined, n: number): boolean {
  const counts = path?.kinds.get('value');
  if (path === undefined || counts === undefined || path.values === null) return false;
  const drifted = counts.both + counts.c;
  if (drifted < ID_TRIPLES_MIN || drifted < n - counts.missed) return false;
  const [, changed, both] = path.values.counts('make');
  return changed + both === 0 && ID_MAKE.test(path.values.make() ?? '');
}

function idPlaces(
  read: ReadonlyMap<string, readonly Place[]>,
  ids: ReadonlySet<string>,
  side: 'service' | 'baseline',
): readonly IdPlace[] {
  return [...ids].flatMap((template) =>
    (read.get(template) ?? []).flatMap((place) => {
      const [from, to] = [place.legacy.digest, place[side].digest];
      return from === null || to === null ? [] : [{ template, from, to }];
    }),
  );
}

function digestsOf(
  read: ReadonlyMap<string, readonly Place[]>,
  ids: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<number>> {
  return new Map(
    [...ids].map((template) => [
      template,
      new Set((read.get(template) ?? []).flatMap(({ legacy }) => legacy.digest ?? [])),
    ]),
  );
}

function windowsOf(calls: Triple['calls'], toleranceMs: number) {
  if (calls === null) return null;
  const window = ({ startMs, endMs }: Call) => ({ fromMs: startMs - toleranceMs, toMs: endMs + toleranceMs });
  return { baseline: window(calls.baseline), service: window(calls.service) };
}

/** A path that was not touched since has the counts it had then, so looks can be taken late. */
function lookOf(counts: Counts, routeTriples: number): PairedCounts | null {
  const due = lookBefore(routeTriples - counts.missed);
  if (due === null || due <= (counts.look?.n ?? 0)) return counts.look;
  return { n: due, both: counts.both, b: counts.b, c: counts.c };
}

function judged(counts: Counts, route: Route, path: Path | null, policy: NoisePolicy) {
  const { missed, both, b, c } = counts;
  const paired = { n: route.n - missed, both, b, c };
  const values = path?.values?.evidence() ?? null;
  return { ...paired, ...judgePath(paired, lookOf(counts, route.n), values, policy) };
}

function kindsIn(route: Route): number {
  let kinds = 0;
  for (const path of route.paths.values()) kinds += path.kinds.size;
  return kinds;
}

function contentOf(name: string, { n, blind, paths, renaming }: Route): RouteContent {
  return {
    route: name,
    n,
    blind,
    paths: [...paths].map(([template, { kinds, values }]) => ({
      template,
      kinds: [...kinds].map(([kind, counts]) => ({ kind, ...counts })),
      values: values?.content() ?? null,
    })),
    relations: renaming.content(),
  };
}

function mergeRoute(route: Route, other: RouteContent): void {
  const others = new Map(other.paths.map((path) => [path.template, path]));
  // What the other did not track it has not seen, but for what it may have dropped.
  for (const [template, path] of route.paths) {
    const kinds = new Set(others.get(template)?.kinds.map(({ kind }) => kind));
    for (const [kind, counts] of path.kinds) if (!kinds.has(kind)) counts.missed += other.blind;
  }
  for (const { template, kinds, values } of other.paths) {
    let path = route.paths.get(template);
    if (path === undefined) {
      path = { kinds: new Map(), values: null, hits: 0 };
      route.paths.set(template, path);
    }
    for (const { kind, ...more } of kinds) mergeKind(path, kind, more, route, other.n);
    if (values !== null) {
      path.values ??= createValueTally();
      path.values.merge(values);
    }
  }
  route.renaming.merge(other.relations);
  route.n += other.n;
  route.blind += other.blind;
}

function mergeKind(path: Path, kind: Kind, more: Readonly<Counts>, route: Route, otherTriples: number): void {
  const mine = path.kinds.get(kind);
  path.hits += more.both + more.b + more.c;
  if (route.n === 0 && mine === undefined) {
    path.kinds.set(kind, { ...more });
    return;
  }
  const before = mine ?? { missed: route.blind, both: 0, b: 0, c: 0, look: null };
  const sum = {
    missed: before.missed + more.missed,
    both: before.both + more.both,
    b: before.b + more.b,
    c: before.c + more.c,
  };
  const larger = (before.look?.n ?? 0) >= (more.look?.n ?? 0) ? before.look : more.look;
  const n = route.n + otherTriples - sum.missed;
  const { both, b, c } = sum;
  const due = (lookBefore(n) ?? 0) > (lookBefore(larger?.n ?? 0) ?? 0);
  path.kinds.set(kind, { ...sum, look: due ? { n, both, b, c } : larger });
}
