import { FLAG_NAMES } from '../router/core/events.ts';
import type { FlagExplained } from '../router/core/flags.ts';
import { murmur3 } from '../router/core/hash.ts';
import type {
  FlagReader,
  FlagShare,
  FlagSight,
  FlagStatus,
  FlagWriter,
  WriteResult,
} from '../router/core/ports.ts';
import type { Answer, FlagIntent } from '../router/core/types.ts';
import { flagOf, seedOf, serveFlag, shadowFlag, shadowGroupId, wholePercent } from './names.ts';

/** What a person in a flag UI makes of a flag: another share, off, archived, deleted, or any shape but ours. */
export type Tampering = number | 'off' | 'custom' | 'archived' | 'missing';

export interface MemoryFlags {
  readonly reader: FlagReader;
  readonly writer: FlagWriter;
  /** What the reader pretends to know about its source; `none` answers everything `unknown`. */
  setData(data: FlagStatus['data'], stale?: boolean): void;
  /** A person edits a flag in place: its title stays. A share also brings it back into our shape. */
  tamper(flag: string, as: Tampering): void;
}

interface MemoryFlag {
  readonly groupId: string;
  readonly share: number;
  readonly ref: string;
  readonly state: 'ours' | 'off' | 'custom' | 'archived';
}

const WHY_UNKNOWN: Readonly<Record<FlagIntent['cause'], string>> = {
  'no-data': 'no flag was read yet',
  'no-unit': 'the request carries no unit',
  flag: 'there is no such flag',
  missing: 'there is no such flag',
};

/** Reader and writer over one map: the same answers and results as with Unleash, without a server. */
export function createMemoryFlags(): MemoryFlags {
  const flags = new Map<string, MemoryFlag>();
  const listeners = new Set<(revision: number) => void>();
  let revision = 0;
  let data: FlagStatus['data'] = 'fresh';
  let stale = false;

  function swapped(): void {
    revision += 1;
    for (const listener of listeners) listener(revision);
  }

  /** As readers see it. */
  function seen(flag: MemoryFlag | undefined): FlagShare {
    if (flag === undefined || flag.state === 'archived') return 'missing';
    if (flag.state === 'off') return 0;
    return flag.state === 'custom' ? 'custom' : flag.share;
  }

  function answer(flag: MemoryFlag | undefined, unit: string): Answer {
    const share = seen(flag);
    if (flag === undefined || share === 'missing') return 'unknown';
    // A shape that is not ours is nobody's here; a real one may be anybody's.
    if (share === 'custom') return 'off';
    return (murmur3(`${flag.groupId}:${unit}`, 0) % 100) + 1 <= share ? 'on' : 'off';
  }

  function shareOf(name: string): FlagShare {
    return data === 'none' ? 'missing' : seen(flags.get(name));
  }

  function put(name: string, flag: MemoryFlag): WriteResult {
    flags.set(name, flag);
    swapped();
    return 'written';
  }

  function ensure(name: string, groupId: string, share: number, ref: string): WriteResult {
    const found = flags.get(name);
    if (found === undefined) return put(name, { groupId, share, ref, state: 'ours' });
    return found.state !== 'ours' || found.groupId !== groupId ? 'foreign' : 'unchanged';
  }

  function setShare(name: string, share: number, expect: number | null, ref: string): WriteResult {
    wholePercent(share);
    const found = flags.get(name);
    if (found?.state !== 'ours') return 'foreign';
    if (found.share === share) return 'unchanged';
    if (expect !== null && found.share !== expect) return 'conflict';
    return put(name, { ...found, share, ref });
  }

  function sightOf(name: string, groupId: string): FlagSight {
    const flag = flags.get(name);
    const state = flag === undefined ? 'not there' : flag.state;
    const what = state === 'ours' && flag?.groupId !== groupId ? 'another hash seed' : state;
    return {
      share: what === 'another hash seed' ? 'custom' : seen(flag),
      ref: flag?.ref ?? null,
      what: what === 'ours' ? null : what,
      archived: state === 'archived',
    };
  }

  const reader: FlagReader = {
    read(group, { unit }): FlagIntent {
      if (data === 'none') return { serve: 'unknown', shadow: 'unknown', cause: 'no-data' };
      if (unit === null) return { serve: 'unknown', shadow: 'unknown', cause: 'no-unit' };
      const serve = answer(flags.get(serveFlag(group)), unit);
      const shadow = answer(flags.get(shadowFlag(group)), unit);
      return { serve, shadow, cause: serve === 'unknown' ? 'missing' : 'flag' };
    },
    intent: (group) => ({ serve: shareOf(serveFlag(group)), shadow: shareOf(shadowFlag(group)) }),
    explain(group, subject) {
      const { serve, shadow, cause } = reader.read(group, subject);
      const explained = (name: string, given: Answer): FlagExplained => {
        const flag = flags.get(name);
        if (flag === undefined || given === 'unknown') {
          return { name, answer: 'unknown', why: WHY_UNKNOWN[cause], strategies: [] };
        }
        const why = flag.state === 'ours' ? `rollout ${flag.share}` : 'not in our shape';
        return {
          name,
          answer: given,
          why: null,
          strategies: [{ number: 1, name: 'flexibleRollout', answer: given, why }],
        };
      };
      return { serve: explained(serveFlag(group), serve), shadow: explained(shadowFlag(group), shadow) };
    },
    status: () => ({
      data,
      stale,
      ageMs: data === 'fresh' ? 0 : null,
      transport: 'memory',
      revision,
      lastError: null,
    }),
    onChange(listener) {
      const subscription = (at: number) => listener(at);
      listeners.add(subscription);
      return () => {
        listeners.delete(subscription);
      };
    },
  };

  const writer: FlagWriter = {
    async ensure(group, groupId, shares, refs = { serve: 'new', shadow: 'new' }) {
      wholePercent(shares.serve);
      wholePercent(shares.shadow);
      const results = FLAG_NAMES.map((flag) =>
        ensure(flagOf(group, flag), seedOf(groupId, flag), shares[flag], refs[flag]),
      );
      if (results.includes('foreign')) return 'foreign';
      return results.includes('written') ? 'written' : 'unchanged';
    },
    async setServeShare(group, share, expect, ref) {
      return setShare(serveFlag(group), share, expect, ref);
    },
    async setShadowShare(group, share, expect, ref) {
      return setShare(shadowFlag(group), share, expect, ref);
    },
    async look(group, groupId) {
      return {
        serve: sightOf(serveFlag(group), groupId),
        shadow: sightOf(shadowFlag(group), shadowGroupId(groupId)),
      };
    },
    async lastEdit() {
      return null;
    },
    async restore(group, flag, groupId, share, ref) {
      wholePercent(share);
      const name = flagOf(group, flag);
      const seed = seedOf(groupId, flag);
      const { what, share: now } = sightOf(name, seed);
      if (what === null && now === share) return 'unchanged';
      return put(name, { groupId: seed, share, ref, state: 'ours' });
    },
    async retire(group) {
      for (const flag of FLAG_NAMES) {
        const found = flags.get(flagOf(group, flag));
        if (found !== undefined && found.state !== 'archived')
          put(flagOf(group, flag), { ...found, state: 'archived' });
      }
    },
  };

  return {
    reader,
    writer,
    setData(next, isStale = false) {
      data = next;
      stale = isStale;
    },
    tamper(flag, as) {
      const found = flags.get(flag);
      if (found === undefined || as === 'missing') flags.delete(flag);
      else if (typeof as === 'number') flags.set(flag, { ...found, share: wholePercent(as), state: 'ours' });
      else flags.set(flag, { ...found, state: as });
      swapped();
    },
  };
}
