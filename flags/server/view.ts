import { createHash } from 'node:crypto';
import type { Definition, FlagTable } from '../table.ts';
import {
  clientFeature,
  clientSegment,
  ENVIRONMENTS,
  type Feature,
  type Placed,
  PROJECT,
  type Tag,
} from './semantics.ts';
import type { Commit, Reads, Store } from './store.ts';

/** Bodies kept, at most; one for each query that is in use. */
export const BODIES_MAX = 16;

/** Which flags a client asks for; the token bounds project and environment. */
export interface ClientQuery {
  readonly environment: string;
  /** Null: all projects of the token. */
  readonly projects: readonly string[] | null;
  readonly namePrefix: string | null;
  readonly tags: readonly (readonly [type: string, value: string])[] | null;
  /** For clients of an old specification: segments arrive as constraints. */
  readonly inlineSegments: boolean;
}

/** What clients see, as text that is written as it is. */
interface Entry {
  readonly json: string;
  readonly definition: Definition;
  readonly tags: readonly Tag[];
}

type SegmentOut = FlagTable['segments'][number];

/** A segment as text and as value. */
interface SegmentEntry {
  readonly name: string;
  readonly json: string;
  readonly segment: SegmentOut;
}

/** An answer to a features request: the text is made when somebody needs it. */
interface Body {
  readonly etag: string;
  bytes(): Buffer;
}

export interface View {
  /** All flags of an environment by name. TypeError when there is no such one. */
  entries(environment: string): ReadonlyMap<string, Entry>;
  /** All segments by id, in the order of their names. */
  segments(): ReadonlyMap<number, SegmentEntry>;
  table(environment: string): FlagTable;
  /** The answer to a features request at the current revision. */
  body(query: ClientQuery): Body;
  /** One flag as text; null when the query does not give it. */
  featureText(query: ClientQuery, name: string): string | null;
}

/** Everything clients read, kept in memory and refreshed flag by flag after each commit. */
export function createView(store: Store, epoch: string): View {
  const environments = new Map(ENVIRONMENTS.map(({ name }) => [String(name), new Map<string, Entry>()]));
  const segments = new Map<number, SegmentEntry>();
  const bodies = new Map<string, Buffer>();
  for (const { id } of store.segments()) refreshSegment(id);
  // At the start rather than when the first client comes: no request waits for it.
  for (const { name } of store.features()) refreshFeature(name);

  function refreshSegment(id: number): void {
    const segment = store.segment(id);
    if (segment === null) {
      segments.delete(id);
      return;
    }
    const json = JSON.stringify(clientSegment(segment));
    const known = segments.get(id);
    const out = known?.json === json ? known.segment : JSON.parse(json);
    segments.set(id, { name: segment.name, json, segment: out });
  }

  /** As the store lists them, without reading them all. */
  function sortSegments(): void {
    const sorted = [...segments].sort(([, a], [, b]) => (a.name < b.name ? -1 : 1));
    segments.clear();
    for (const [id, entry] of sorted) segments.set(id, entry);
  }

  function refreshFeature(name: string): void {
    const stored = store.feature(name);
    const feature = stored?.archivedAt === null ? stored : null;
    const tags = feature === null ? [] : store.tagsOf(name);
    for (const [environment, entries] of environments) {
      if (feature === null) {
        entries.delete(name);
        continue;
      }
      const json = JSON.stringify(clientFeature(placedIn(store, feature, environment)));
      // A change in another environment leaves the flag as it was: the same object, no needless swap.
      const known = entries.get(name);
      const definition = known?.json === json ? known.definition : JSON.parse(json);
      entries.set(name, { json, definition, tags });
    }
  }

  function entries(environment: string): ReadonlyMap<string, Entry> {
    const known = environments.get(environment);
    if (known === undefined) throw new TypeError(`the flag server has no environment ${environment}`);
    return known;
  }

  store.onCommit((commit: Commit) => {
    bodies.clear();
    for (const id of commit.segments) refreshSegment(id);
    if (commit.segments.length > 0) sortSegments();
    for (const name of commit.features) refreshFeature(name);
  });

  function textOf({ json, definition }: Entry, inlineSegments: boolean): string {
    return inlineSegments ? JSON.stringify(withInlineSegments(definition, segments)) : json;
  }

  return {
    entries,
    segments: () => segments,
    table: (environment) => ({
      features: [...entries(environment).values()].map(({ definition }) => definition),
      segments: [...segments.values()].map(({ segment }) => segment),
    }),
    body(query) {
      const key = JSON.stringify(queryOut(query));
      const queryHash = createHash('sha256').update(key).digest('hex').slice(0, 8);
      const revisionId = store.revision();
      const etag = `"${epoch}.${queryHash}:${revisionId}:v1"`;
      const meta = JSON.stringify({ revisionId, etag, queryHash });
      return { etag, bytes: () => cached(key, () => written(query, key, meta)) };
    },
    featureText(query, name) {
      const entry = entries(query.environment).get(name);
      if (entry === undefined || !includes(query, name) || !isTagged(query, entry.tags)) return null;
      return textOf(entry, query.inlineSegments);
    },
  };

  /** Those of the current revision only, the oldest query goes first. */
  function cached(key: string, make: () => Buffer): Buffer {
    const known = bodies.get(key);
    if (known !== undefined) return known;
    const fresh = make();
    const oldest = bodies.size >= BODIES_MAX ? bodies.keys().next().value : undefined;
    if (oldest !== undefined) bodies.delete(oldest);
    bodies.set(key, fresh);
    return fresh;
  }

  function written(query: ClientQuery, key: string, meta: string): Buffer {
    const features: string[] = [];
    for (const [name, entry] of entries(query.environment)) {
      if (!includes(query, name) || !isTagged(query, entry.tags)) continue;
      features.push(textOf(entry, query.inlineSegments));
    }
    const all = Array.from(segments.values(), ({ json }) => json);
    const listed = query.inlineSegments ? '' : `"segments":[${all}],`;
    return Buffer.from(`{"version":2,"features":[${features}],"query":${key},${listed}"meta":${meta}}`);
  }
}

/** What a flag is in an environment. */
export function placedIn(reads: Reads, feature: Feature, environment: string): Placed {
  const { name } = feature;
  return {
    feature,
    enabled: reads.enabled(name, environment),
    variants: reads.variants(name, environment),
    strategies: reads.strategies(name, environment),
    dependencies: reads.dependencies(name),
  };
}

/** Whether the project and the name are asked for. */
export function includes(
  { projects, namePrefix }: Pick<ClientQuery, 'projects' | 'namePrefix'>,
  name: string,
): boolean {
  if (projects !== null && !projects.includes(PROJECT) && !projects.includes('*')) return false;
  return namePrefix === null || name.startsWith(namePrefix);
}

/** One tag of several is enough, as in Unleash. */
function isTagged({ tags }: ClientQuery, own: readonly Tag[]): boolean {
  return (
    tags === null || tags.some(([type, value]) => own.some((tag) => tag.type === type && tag.value === value))
  );
}

/** The flag for clients that know no segments: their constraints come after the strategy's own. */
function withInlineSegments(definition: Definition, segments: ReadonlyMap<number, SegmentEntry>): object {
  const strategies = definition.strategies?.map(({ segments: ids, ...strategy }) =>
    ids === undefined
      ? strategy
      : {
          ...strategy,
          constraints: [
            ...(strategy.constraints ?? []),
            ...ids.flatMap((id) => segments.get(id)?.segment.constraints ?? []),
          ],
        },
  );
  return { ...definition, strategies };
}

/** The query as the answer repeats it; absent parts are left out. */
function queryOut({ environment, projects, namePrefix, tags, inlineSegments }: ClientQuery) {
  return {
    ...(tags === null ? {} : { tag: tags }),
    ...(projects === null ? {} : { project: projects }),
    ...(namePrefix === null ? {} : { namePrefix }),
    environment,
    inlineSegmentConstraints: inlineSegments,
  };
}
