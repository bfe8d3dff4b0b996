import type { FlagName } from '../core/events.ts';
import type { FlagShare, Log } from '../core/ports.ts';
import type { GroupState } from '../core/rollout.ts';
import { ownShares, wantedShare } from './shares.ts';

/** A share that readers saw a flag take. */
export interface Sighting {
  readonly seen: FlagShare;
  /** Nothing of ours asked for it. */
  readonly theirs: boolean;
}

/** What readers saw of the flags of all groups, until somebody looks into it. */
export interface Sightings {
  /**
   * One flag as readers see it now. True: this is worth a look. What it showed before is not told again; what it
   * still may show of our own last write is no news.
   */
  saw(group: GroupState, flag: FlagName, seen: FlagShare): boolean;
  /** Everything since the last time, oldest first. */
  take(group: string, flag: FlagName): readonly Sighting[];
  /** Our write is acknowledged: readers that lag behind may show for a while what the flag was before. */
  acknowledged(group: GroupState, flag: FlagName): void;
  /** We rebuild the flag: whatever readers show until they show the result is ours. */
  rebuilding(group: string, flag: FlagName): void;
  /** Somebody else's shape was read: nothing that readers show is explained by a write of ours any more. */
  foreign(group: string, flag: FlagName): void;
}

/** Sightings kept per flag; a person makes fewer edits in the time of one look. */
const SIGHTINGS_MAX = 32;

export function createSightings(log: Log): Sightings {
  const flags = new Map<string, Watched>();

  function watched(group: string, flag: FlagName): Watched {
    const key = `${group}.${flag}`;
    const known = flags.get(key);
    if (known !== undefined) return known;
    const made: Watched = { last: null, queue: [], lag: null };
    flags.set(key, made);
    return made;
  }

  return {
    saw(group, flag, seen) {
      const of = watched(group.name, flag);
      const wanted = wantedShare(group, flag);
      if (seen === wanted) of.lag = null;
      else if (of.lag === 'anything' || of.lag?.has(seen) === true) return false;
      if (of.last === seen || isNotThereYet(group, flag, seen, of.last)) return false;
      of.last = seen;
      const theirs = seen !== wanted && !ownShares(group, flag).has(seen);
      of.queue.push({ seen, theirs });
      if (of.queue.length > SIGHTINGS_MAX) {
        of.queue.shift();
        log.warn('flag-sightings-dropped', { group: group.name, flag });
      }
      return theirs || group.foreign[flag] !== null;
    },
    take(group, flag) {
      return watched(group, flag).queue.splice(0);
    },
    acknowledged(group, flag) {
      const of = watched(group.name, flag);
      if (of.lag === 'anything') return;
      of.lag = new Set([...(of.lag ?? []), ...ownShares(group, flag)]);
    },
    rebuilding(group, flag) {
      watched(group, flag).lag = 'anything';
    },
    foreign(group, flag) {
      watched(group, flag).lag = null;
    },
  };
}

interface Watched {
  last: FlagShare | null;
  readonly queue: Sighting[];
  /** What readers may still show of the time before our last write; null: they have shown its result. */
  lag: Set<FlagShare> | 'anything' | null;
}

/** A flag that nobody has made is not one that somebody removed. */
function isNotThereYet(group: GroupState, flag: FlagName, seen: FlagShare, last: FlagShare | null): boolean {
  return seen === 'missing' && last === null && !group.written[flag].ever;
}
