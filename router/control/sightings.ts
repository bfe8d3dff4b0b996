import type { FlagName } from '../core/events.ts';
import type { FlagShare, Log } from '../core/ports.ts';
import type { GroupState } from '../core/rollout.ts';
import { ownShares, wantedShare } from './shares.ts';

/** A share that readers saw a flag take. */
export interface Sighting {
  readonly seen: FlagShare;
  /** Nothing of ours asked for it. */
  readonly theirs: boolean;
  /** The share the ledger wanted then. */
  readonly expected: number;
}

/** What readers saw of the flags of all groups, until somebody looks into it. */
export interface Sightings {
  /**
   * One flag as readers see it now. True: this is worth a look. What it showed before is not told again; what it
   * still may show of our own last write is no news.
   */
  saw(group: GroupState, flag: FlagName, seen: FlagShare): boolean;
  /** How many wait: asked before a look, so that `take` knows what came during it. */
  waiting(group: string, flag: FlagName): number;
  /**
   * What a look at the flag server leaves to be told, oldest first: all that waited before it, and of the rest what
   * led to the share that it saw. That one itself is not told: the look saw it, and says it better. `looked` null:
   * there was no look; everything is told.
   */
  take(
    group: string,
    flag: FlagName,
    looked: { readonly waited: number; readonly share: FlagShare } | null,
  ): readonly Sighting[];
  /** Our write is acknowledged: readers that lag behind may show for a while what the flag was before. */
  acknowledged(group: GroupState, flag: FlagName): void;
  /** We rebuild the flag: a shape that is not finished is ours until readers show the result. */
  rebuilding(group: string, flag: FlagName): void;
  /** Somebody else's shape was read: nothing that readers show is explained by a write of ours any more. */
  foreign(group: string, flag: FlagName): void;
}

/** Sightings kept per flag; a person makes fewer edits in the time of one look. */
const SIGHTINGS_MAX = 32;
/** What readers see of a flag that is being built. */
const UNFINISHED: readonly FlagShare[] = ['missing', 'custom', 0];

export function createSightings(log: Log): Sightings {
  const flags = new Map<string, Watched>();

  function watched(group: string, flag: FlagName): Watched {
    const key = `${group}.${flag}`;
    const known = flags.get(key);
    if (known !== undefined) return known;
    const made: Watched = { last: null, queue: [], before: new Set(), unfinished: new Set() };
    flags.set(key, made);
    return made;
  }

  return {
    saw(group, flag, seen) {
      const of = watched(group.name, flag);
      const wanted = wantedShare(group, flag);
      if (of.last === seen || isNotThereYet(group, flag, seen, of.last)) {
        if (seen === wanted) settle(of);
        return false;
      }
      const { unfinished, before } = of;
      of.last = seen;
      if (seen === wanted) settle(of);
      else if (unfinished.has(seen)) return false;
      const theirs = seen !== wanted && !before.has(seen) && !ownShares(group, flag).has(seen);
      of.queue.push({ seen, theirs, expected: wanted });
      if (of.queue.length > SIGHTINGS_MAX) {
        of.queue.shift();
        log.warn('flag-sightings-dropped', { group: group.name, flag });
      }
      return theirs || group.foreign[flag] !== null;
    },
    waiting: (group, flag) => watched(group, flag).queue.length,
    take(group, flag, looked) {
      const { queue } = watched(group, flag);
      if (looked === null) return queue.splice(0);
      const { waited, share } = looked;
      const isIt = ({ seen }: Sighting, at: number) => at >= waited - 1 && seen === share;
      const it = queue.findIndex(isIt);
      if (it === -1) return queue.splice(0, waited);
      return queue.splice(0, it + 1).slice(0, -1);
    },
    acknowledged(group, flag) {
      const of = watched(group.name, flag);
      of.before = new Set([...of.before, ...ownShares(group, flag)]);
    },
    rebuilding(group, flag) {
      const of = watched(group, flag);
      of.unfinished = new Set<FlagShare>([...UNFINISHED, ...(of.last === null ? [] : [of.last])]);
    },
    foreign(group, flag) {
      settle(watched(group, flag));
    },
  };
}

interface Watched {
  last: FlagShare | null;
  readonly queue: Sighting[];
  /** Shares of ours that readers may still show, until they show what the ledger wants. */
  before: ReadonlySet<FlagShare>;
  /** What readers may show while we build the flag, until they show the result. */
  unfinished: ReadonlySet<FlagShare>;
}

/** Readers are where we are. */
function settle(of: Watched): void {
  of.before = new Set();
  of.unfinished = new Set();
}

/** A flag that nobody has made is not one that somebody removed. */
function isNotThereYet(group: GroupState, flag: FlagName, seen: FlagShare, last: FlagShare | null): boolean {
  return seen === 'missing' && last === null && !group.written[flag].ever;
}
