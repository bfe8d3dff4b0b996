import type { FlagExplained } from '../router/core/flags.ts';
import { murmur3 } from '../router/core/hash.ts';
import type { FlagReader, FlagShare, FlagStatus, FlagWriter, WriteResult } from '../router/core/ports.ts';
import type { Answer, FlagIntent } from '../router/core/types.ts';
import { serveFlag, shadowFlag, shadowGroupId, wholePercent } from './names.ts';

export interface MemoryFlags {
  readonly reader: FlagReader;
  readonly writer: FlagWriter;
  /** What the reader pretends to know about its source; `none` answers everything `unknown`. */
  setData(data: FlagStatus['data'], stale?: boolean): void;
  /** What a person in a flag UI does: the flag leaves our shape, or is deleted. */
  tamper(flag: string, as: 'custom' | 'missing'): void;
}

interface MemoryFlag {
  readonly groupId: string;
  readonly share: number | 'custom';
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

  function answer(flag: MemoryFlag | undefined, unit: string): Answer {
    if (flag === undefined) return 'unknown';
    // A shape that is not ours is nobody's here; a real one may be anybody's.
    if (flag.share === 'custom') return 'off';
    return (murmur3(`${flag.groupId}:${unit}`, 0) % 100) + 1 <= flag.share ? 'on' : 'off';
  }

  function shareOf(name: string): FlagShare {
    return data === 'none' ? 'missing' : (flags.get(name)?.share ?? 'missing');
  }

  function ensure(name: string, groupId: string, share: number): WriteResult {
    const found = flags.get(name);
    if (found !== undefined) {
      return found.share === 'custom' || found.groupId !== groupId ? 'foreign' : 'unchanged';
    }
    flags.set(name, { groupId, share });
    return 'written';
  }

  function setShare(name: string, share: number, expect: number | null): WriteResult {
    wholePercent(share);
    const found = flags.get(name);
    if (found === undefined || found.share === 'custom') return 'foreign';
    if (found.share === share) return 'unchanged';
    if (expect !== null && found.share !== expect) return 'conflict';
    flags.set(name, { ...found, share });
    swapped();
    return 'written';
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
        const why = flag.share === 'custom' ? 'not in our shape' : `rollout ${flag.share}`;
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
    async ensure(group, groupId, shares) {
      wholePercent(shares.serve);
      wholePercent(shares.shadow);
      const first = ensure(serveFlag(group), groupId, shares.serve);
      if (first === 'foreign') return first;
      const second = ensure(shadowFlag(group), shadowGroupId(groupId), shares.shadow);
      const result = second === 'unchanged' ? first : second;
      if (result === 'written') swapped();
      return result;
    },
    async setServeShare(group, share, expect) {
      return setShare(serveFlag(group), share, expect);
    },
    async setShadowShare(group, share, expect) {
      return setShare(shadowFlag(group), share, expect);
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
      if (as === 'missing' || found === undefined) flags.delete(flag);
      else flags.set(flag, { ...found, share: 'custom' });
      swapped();
    },
  };
}
