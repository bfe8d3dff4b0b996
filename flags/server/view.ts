import { createHash } from 'node:crypto';
import type { Definition, FlagTable } from '../table.ts';
import { clientFeature, clientSegment, ENVIRONMENTS, type Feature, PROJECT, type Tag } from './semantics.ts';
import type { Commit, Store } from './store.ts';

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
  readonly json: string;
  readonly segment: SegmentOut;
}

export interface View {
  /** All flags of an environment by name, in the order of their creation. TypeError when there is no such one. */
  entries(environment: string): ReadonlyMap<string, Entry>;
  /** All segments by id. */
  segments(): ReadonlyMap<number, SegmentEntry>;
  table(environment: string): FlagTable;
  /** The answer to a features request at the current revision. */
  body(query: ClientQuery): { readonly etag: string; readonly bytes: Buffer };
}

/** Everything clients read, kept in memory and refreshed flag by flag after each commit. */
export function createView(store: Store, epoch: string): View {
  const environments = new Map<string, Map<string, Entry>>();
  const segments = new Map<number, SegmentEntry>();
  const bodies = new Map<string, { readonly etag: string; readonly bytes: Buffer }>();
  for (const { id } of store.segments()) refreshSegment(id);

  function refreshSegment(id: number): void {
    const segment = store.segment(id);
    if (segment === null) {
      segments.delete(id);
      return;
    }
    const json = JSON.stringify(clientSegment(segment));
    if (segments.get(id)?.json !== json) segments.set(id, { json, segment: JSON.parse(json) });
  }

  function refresh(entries: Map<string, Entry>, environment: string, name: string): void {
    const feature = store.feature(name);
    if (feature === null || feature.archivedAt !== null) {
      entries.delete(name);
      return;
    }
    const json = JSON.stringify(clientFeature(placed(store, feature, environment)));
    const tags = store.tagsOf(name);
    // A change in another environment leaves the flag as it was: the same object, no needless swap.
    const known = entries.get(name);
    const definition = known?.json === json ? known.definition : JSON.parse(json);
    entries.set(name, { json, definition, tags });
  }

  function entries(environment: string): Map<string, Entry> {
    const known = environments.get(environment);
    if (known !== undefined) return known;
    if (!ENVIRONMENTS.some(({ name }) => name === environment)) {
      throw new TypeError(`the flag server has no environment ${environment}`);
    }
    const fresh = new Map<string, Entry>();
    for (const { name } of store.features()) refresh(fresh, environment, name);
    environments.set(environment, fresh);
    return fresh;
  }

  store.onCommit((commit: Commit) => {
    bodies.clear();
    for (const id of commit.segments) refreshSegment(id);
    for (const [environment, known] of environments) {
      for (const name of commit.features) refresh(known, environment, name);
    }
  });

  function featureText({ json, definition }: Entry, inlineSegments: boolean): string {
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
      const asked = queryOut(query);
      const key = JSON.stringify(asked);
      const cached = bodies.get(key);
      if (cached !== undefined) return cached;
      const queryHash = createHash('sha256').update(key).digest('hex').slice(0, 8);
      const revisionId = store.revision();
      const etag = `"${epoch}.${queryHash}:${revisionId}:v1"`;
      const features = [...entries(query.environment)]
        .filter(([name, { tags }]) => matches(query, name, tags))
        .map(([, entry]) => featureText(entry, query.inlineSegments));
      const all = `"segments":[${[...segments.values()].map(({ json }) => json).join(',')}],`;
      const text = `{"version":2,"features":[${features.join(',')}],"query":${key},${
        query.inlineSegments ? '' : all
      }"meta":${JSON.stringify({ revisionId, etag, queryHash })}}`;
      const body = { etag, bytes: Buffer.from(text) };
      const oldest = bodies.size >= BODIES_MAX ? bodies.keys().next().value : undefined;
      if (oldest !== undefined) bodies.delete(oldest);
      bodies.set(key, body);
      return body;
    },
  };
}

function placed(store: Store, feature: Feature, environment: string) {
  const { name } = feature;
  return {
    feature,
    enabled: store.enabled(name, environment),
    variants: store.variants(name, environment),
    strategies: store.strategies(name, environment),
    dependencies: store.dependencies(name),
  };
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

function matches({ projects, namePrefix, tags }: ClientQuery, name: string, own: readonly Tag[]): boolean {
  if (projects !== null && !projects.includes(PROJECT)) return false;
  if (namePrefix !== null && !name.startsWith(namePrefix)) return false;
  return (
    tags === null || tags.some(([type, value]) => own.some((tag) => tag.type === type && tag.value === value))
  );
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
