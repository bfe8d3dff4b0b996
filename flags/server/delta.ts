import type { Changed, Journal } from './journal.ts';
import { PROJECT } from './semantics.ts';
import type { Store } from './store.ts';
import { type ClientQuery, includes, type View } from './view.ts';

/** A client that missed more flags than this gets the whole table. */
const CATCH_UP_FLAGS_MAX = 100;

/** Which flags; tags do not narrow changes, as in Unleash. */
export type DeltaScope = Pick<ClientQuery, 'environment' | 'projects' | 'namePrefix'>;

/** What an SDK applies to the flags it has: `{"events":[…]}` as text. */
export interface Deltas {
  /** `<epoch>.<revision>`: what the client has after the delta of now. */
  eventId(): string;
  /** The current definitions of what changed. */
  of(scope: DeltaScope, changed: Changed): string;
  /** The whole table. */
  hydration(scope: DeltaScope): string;
  /**
   * What changed since the client had `eventId`, no events when that is nothing in its scope; null when it needs the
   * whole table: the id is malformed, of another start of the server or too old, or too much has changed.
   */
  since(scope: DeltaScope, eventId: string): { readonly text: string; readonly isEmpty: boolean } | null;
}

export interface DeltasDeps {
  readonly store: Store;
  readonly view: View;
  readonly journal: Journal;
  readonly epoch: string;
}

/** Deltas from the view and the journal; both stand at the store's revision whenever a request is answered. */
export function createDeltas({ store, view, journal, epoch }: DeltasDeps): Deltas {
  function eventsOf(scope: DeltaScope, changed: Changed): string[] {
    const eventId = store.revision();
    const entries = view.entries(scope.environment);
    const segments = view.segments();
    // Segments first: a flag that uses a new one must not come before it.
    const events = changed.segments.map((segmentId) => {
      const known = segments.get(segmentId);
      return known === undefined
        ? JSON.stringify({ type: 'segment-removed', eventId, segmentId })
        : `{"type":"segment-updated","eventId":${eventId},"segment":${known.json}}`;
    });
    for (const featureName of changed.features) {
      if (!includes(scope, featureName)) continue;
      const entry = entries.get(featureName);
      events.push(
        entry === undefined
          ? JSON.stringify({ type: 'feature-removed', eventId, featureName, project: PROJECT })
          : `{"type":"feature-updated","eventId":${eventId},"feature":${entry.json}}`,
      );
    }
    return events;
  }

  /** The revision of an event id of this start; null for every other text. */
  function revisionOf(eventId: string): number | null {
    const [of, revision] = eventId.split('.');
    if (of !== epoch || revision === undefined || eventId !== `${of}.${revision}`) return null;
    return /^\d{1,15}$/.test(revision) && Number(revision) <= store.revision() ? Number(revision) : null;
  }

  return {
    eventId: () => `${epoch}.${store.revision()}`,
    of: (scope, changed) => wrapped(eventsOf(scope, changed)),
    hydration(scope) {
      const features: string[] = [];
      for (const [name, { json }] of view.entries(scope.environment)) {
        if (includes(scope, name)) features.push(json);
      }
      const segments = Array.from(view.segments().values(), ({ json }) => json);
      return wrapped([
        `{"type":"hydration","eventId":${store.revision()},"features":[${features}],"segments":[${segments}]}`,
      ]);
    },
    since(scope, eventId) {
      const revision = revisionOf(eventId);
      const changed = revision === null ? null : journal.since(revision);
      if (changed === null || changed.features.length > CATCH_UP_FLAGS_MAX) return null;
      const events = eventsOf(scope, changed);
      return { text: wrapped(events), isEmpty: events.length === 0 };
    },
  };
}

function wrapped(events: readonly string[]): string {
  return `{"events":[${events.join(',')}]}`;
}
