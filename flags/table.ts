import { EventEmitter } from 'node:events';
import { type ClientFeaturesResponse, type UnleashConfig, UnleashEvents } from 'unleash-client';
import { isRecord } from './json.ts';

export type Definition = ClientFeaturesResponse['features'][number];
export type Segment = NonNullable<ClientFeaturesResponse['segments']>[number];
/** Where the SDK looks flags up. */
export type Repository = NonNullable<UnleashConfig['repository']>;

/** All flags of one environment at one revision; immutable. */
export interface FlagTable {
  readonly features: readonly Definition[];
  readonly segments: readonly Segment[];
}

export interface SwappableTable extends Repository {
  /** What was swapped in last, as it was given. */
  readonly current: FlagTable;
  /** Replaces the whole table at once; the first one makes the SDK ready. Emits `changed` afterwards. */
  swap(table: FlagTable): void;
}

/** Whether a flag can be evaluated at all: the SDK takes what a server sends as it is. */
export function isDefinition(value: unknown): value is Definition {
  if (!isRecord(value)) return false;
  const { name, enabled, strategies } = value;
  return (
    typeof name === 'string' &&
    typeof enabled === 'boolean' &&
    Array.isArray(strategies) &&
    strategies.every(isStrategy)
  );
}

function isStrategy(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, parameters = null, constraints = null, segments = null } = value;
  return (
    typeof name === 'string' &&
    (parameters === null || isRecord(parameters)) &&
    (constraints === null || (Array.isArray(constraints) && constraints.every(isRecord))) &&
    (segments === null || Array.isArray(segments))
  );
}

/** The SDK's repository over one swappable flag table in memory: no HTTP, no timers, no files. */
export function createTable(): SwappableTable {
  return new MemoryRepository();
}

/** A class because the SDK wants an event emitter. */
class MemoryRepository extends EventEmitter implements SwappableTable {
  #features: ReadonlyMap<string, Definition> = new Map();
  #segments: ReadonlyMap<number, Segment> = new Map();
  #current: FlagTable = { features: [], segments: [] };
  #ready = false;

  get current(): FlagTable {
    return this.#current;
  }

  swap(table: FlagTable): void {
    this.#current = table;
    this.#features = new Map(table.features.map((feature) => [feature.name, feature]));
    this.#segments = new Map(table.segments.map((segment) => [segment.id, segment]));
    if (!this.#ready) {
      this.#ready = true;
      this.emit(UnleashEvents.Ready);
    }
    this.emit(UnleashEvents.Changed, this.getToggles());
  }

  getToggle(name: string): Definition | undefined {
    return this.#features.get(name);
  }

  getToggles(): Definition[] {
    return [...this.#features.values()];
  }

  getTogglesWithSegmentData(): ReturnType<Repository['getTogglesWithSegmentData']> {
    return this.getToggles().map(({ strategies, ...rest }) =>
      strategies === undefined
        ? rest
        : { ...rest, strategies: strategies.map((strategy) => this.#withSegments(strategy)) },
    );
  }

  getSegment(id: number): Segment | undefined {
    return this.#segments.get(id);
  }

  async start(): Promise<void> {}

  stop(): void {
    this.removeAllListeners();
  }

  #withSegments({ segments, ...rest }: NonNullable<Definition['strategies']>[number]) {
    return segments === undefined ? rest : { ...rest, segments: segments.map((id) => this.getSegment(id)) };
  }
}

/** The flag table in an answer of the client API (or of the same shape); null when it has another shape. */
export function tableOf(body: unknown): FlagTable | null {
  if (!isRecord(body)) return null;
  const { features, segments = [] } = body;
  if (!Array.isArray(features) || !features.every(isDefinition)) return null;
  if (!Array.isArray(segments) || !segments.every(isSegment)) return null;
  return { features, segments };
}

function isSegment(value: unknown): value is Segment {
  if (!isRecord(value)) return false;
  const { id, constraints } = value;
  return typeof id === 'number' && Array.isArray(constraints);
}
