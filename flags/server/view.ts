import { createHash } from 'node:crypto';
import type { Definition, FlagTable } from '../table.ts';
import { clientFeature, ENVIRONMENTS, PROJECT } from './semantics.ts';
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
}

export interface View {
  /** All flags of an environment by name, in the order of their creation. TypeError when there is no such one. */
  entries(environment: string): ReadonlyMap<string, Entry>;
  table(environment: string): FlagTable;
  /** The answer to a features request at the current revision. */
  body(query: ClientQuery): { readonly etag: string; readonly bytes: Buffer };
}

/** Everything clients read, kept in memory and refreshed flag by flag after each commit. */
export function createView(store: Store, epoch: string): View {
  const environments = new Map<string, Map<string, Entry>>();
  const bodies = new Map<string, { readonly etag: string; readonly bytes: Buffer }>();

  function refresh(entries: Map<string, Entry>, environment: string, name: string): void {
    const feature = store.feature(name);
    if (feature === null || feature.archivedAt !== null) {
      entries.delete(name);
      return;
    }
    const strategies = store.strategies(name, environment);
    const json = JSON.stringify(clientFeature(feature, store.enabled(name, environment), strategies));
    // A change in another environment leaves the flag as it was: the same object, no needless swap.
    if (entries.get(name)?.json === json) return;
    entries.set(name, { json, definition: JSON.parse(json) });
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

  store.onCommit(({ features }: Commit) => {
    bodies.clear();
    for (const [environment, known] of environments) {
      for (const name of features) refresh(known, environment, name);
    }
  });

  return {
    entries,
    table: (environment) => ({
      features: [...entries(environment).values()].map(({ definition }) => definition),
      segments: [],
    }),
    body(query) {
      const asked = queryOut(query);
      const key = JSON.stringify(asked);
      const cached = bodies.get(key);
      if (cached !== undefined) return cached;
      const queryHash = createHash('sha256').update(key).digest('hex').slice(0, 8);
      const revisionId = store.revision();
      const etag = `"${epoch}.${queryHash}:${revisionId}:v1"`;
      const features = [...entries(query.environment)].filter(([name]) => matches(query, name));
      const text = `{"version":2,"features":[${features.map(([, { json }]) => json).join(',')}],"query":${key},${
        query.inlineSegments ? '' : '"segments":[],'
      }"meta":${JSON.stringify({ revisionId, etag, queryHash })}}`;
      const body = { etag, bytes: Buffer.from(text) };
      const oldest = bodies.size >= BODIES_MAX ? bodies.keys().next().value : undefined;
      if (oldest !== undefined) bodies.delete(oldest);
      bodies.set(key, body);
      return body;
    },
  };
}

function matches({ projects, namePrefix, tags }: ClientQuery, name: string): boolean {
  // No flag carries a tag here, so a query for one finds nothing.
  if (tags !== null) return false;
  if (projects !== null && !projects.includes(PROJECT)) return false;
  return namePrefix === null || name.startsWith(namePrefix);
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
