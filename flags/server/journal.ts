/** What changed lately, so that a client that was away for a moment gets only that. */
export interface Journal {
  touch(changed: Changed, revision: number): void;
  /** Everything touched after `revision`; null when that is longer ago than is remembered. */
  since(revision: number): Changed | null;
}

export interface Changed {
  /** Names of flags. */
  readonly features: readonly string[];
  /** Ids of segments. */
  readonly segments: readonly number[];
}

interface Touched {
  readonly kind: 'feature' | 'segment';
  readonly key: string | number;
  readonly revision: number;
}

/** Remembers the last change of `max` things; begins with nothing known before `revision`. */
export function createJournal(max: number, revision: number): Journal {
  const touched = new Map<string, Touched>();
  let knownFrom = revision;

  function note(kind: Touched['kind'], key: string | number, at: number): void {
    const id = `${kind} ${key}`;
    // Taken out first: the map's order is then the order of the last changes.
    touched.delete(id);
    touched.set(id, { kind, key, revision: at });
    if (touched.size <= max) return;
    const oldest = touched.entries().next().value;
    if (oldest === undefined) return;
    touched.delete(oldest[0]);
    knownFrom = oldest[1].revision;
  }

  return {
    touch({ features, segments }, at) {
      for (const name of features) note('feature', name, at);
      for (const id of segments) note('segment', id, at);
    },
    since(at) {
      if (at < knownFrom) return null;
      const later = [...touched.values()].filter((one) => one.revision > at);
      return {
        features: later.flatMap(({ kind, key }) => (kind === 'feature' ? [String(key)] : [])),
        segments: later.flatMap(({ kind, key }) => (kind === 'segment' ? [Number(key)] : [])),
      };
    },
  };
}
