import { FLAG_NAMES, type FlagName } from '../router/core/events.ts';
import type { FlagShare, FlagSight, FlagWriter, Log, WriteResult } from '../router/core/ports.ts';
import { type AdminEvent, type AdminFlag, createAdminClient, type NewFlag } from './admin/admin-client.ts';
import { type Fetch, FlagServerError } from './admin/admin-http.ts';
import { departures } from './admin/departures.ts';
import { plain } from './admin/words.ts';
import {
  canonicalParameters,
  canonicalStrategy,
  flagOf,
  isGroupName,
  isQuiet,
  STICKY_FIELD,
  seedOf,
  serveFlag,
  shadowFlag,
  shadowGroupId,
  shareOf,
  wholePercent,
} from './names.ts';

/** Titles of ours begin with this; what follows is the reference of the write. */
const TITLE_PREFIX = 'fig:';
/** Reference of a strategy that was made without one. */
const NEW = 'new';
/** Groups whose hash seeds are remembered, at most. */
export const GROUPS_MAX = 1000;

export interface WriterDeps {
  /** The flag server, embedded or real. */
  readonly url: string;
  /** Admin token. */
  readonly token: string;
  readonly environment: string;
  readonly project: string;
  readonly fetch: Fetch;
  readonly log: Log;
}

/**
 * Moves flags through Unleash's admin API. A share is only ever a PATCH of the rollout: a PUT that leaves something
 * out resets the hash seed and reassigns everybody. Every write is read back, and may be repeated when its answer was
 * lost. What a person shaped is `foreign` and stays as it is until `restore`. Rejects with FlagServerError when the
 * server cannot be used; then nothing is known about the write.
 */
export function createWriter(deps: WriterDeps): FlagWriter {
  const admin = createAdminClient(deps);
  const { log } = deps;
  const seeds = new Map<string, string>();

  async function ensure(flag: NewFlag, groupId: string, share: number, ref: string): Promise<WriteResult> {
    const found = await foundOrCreated(flag);
    const { name } = flag;
    if (found !== null) {
      if (shareOf(found, groupId) !== 'custom') return 'unchanged';
      if (!isUnfinished(found, groupId) || (await wasOn(name))) return foreign(name);
    }
    await complete(name, groupId, share, ref, found?.strategies ?? []);
    return outcomeOf(await admin.flag(name), groupId, share);
  }

  /** Null: it was made now. */
  async function foundOrCreated(flag: NewFlag): Promise<AdminFlag | null> {
    const found = await admin.flag(flag.name);
    if (found !== null || (await admin.createFlag(flag))) return found;
    // The name was taken: an archived flag, or somebody was faster.
    const faster = await admin.flag(flag.name);
    if (faster === null) throw archived(flag.name);
    return faster;
  }

  /** Whether the flag of now was ever on here: then whoever switched it off meant it. */
  async function wasOn(flag: string): Promise<boolean> {
    const events = await admin.events(flag);
    const made = events.findIndex(({ type }) => type === 'feature-created');
    return events
      .slice(0, made === -1 ? undefined : made)
      .some(
        ({ type, environment }) => type === 'feature-environment-enabled' && environment === deps.environment,
      );
  }

  /**
   * Strategy first, switch last: switching on a flag without an active strategy makes Unleash add one that is on for
   * everybody.
   */
  async function complete(
    flag: string,
    groupId: string,
    share: number,
    ref: string,
    strategies: AdminFlag['strategies'],
  ): Promise<void> {
    if (strategies.length === 0) await admin.addStrategy(flag, ourStrategy(share, groupId, ref));
    const written = await admin.flag(flag);
    if (written === null || canonicalStrategy(written, groupId) === null)
      throw new FlagServerError(`the strategy of ${flag} was not stored as sent`, null);
    await admin.switchOn(flag);
  }

  async function setShare(
    name: string,
    share: number,
    expect: number | null,
    ref: string,
  ): Promise<WriteResult> {
    wholePercent(share);
    const groupId = seeds.get(name) ?? null;
    const found = await admin.flag(name);
    const now = found === null ? 'missing' : shareOf(found, groupId);
    const strategy = found === null ? null : canonicalStrategy(found, groupId);
    if (typeof now !== 'number' || strategy === null) return foreign(name);
    if (now === share) return 'unchanged';
    if (expect !== null && now !== expect) return 'conflict';
    const held = await admin.patchStrategy(name, strategy.id, [
      { op: 'test', path: '/parameters/rollout', value: String(now) },
      { op: 'replace', path: '/parameters/rollout', value: String(share) },
      { op: 'replace', path: '/title', value: titleOf(ref) },
    ]);
    return held ? outcomeOf(await admin.flag(name), groupId, share, name) : 'conflict';
  }

  function outcomeOf(
    after: AdminFlag | null,
    groupId: string | null,
    share: number,
    name?: string,
  ): WriteResult {
    const now = after === null ? 'missing' : shareOf(after, groupId);
    if (now === share) return 'written';
    return typeof now === 'number' || name === undefined ? 'conflict' : foreign(name);
  }

  async function sightOf(name: string, groupId: string): Promise<FlagSight> {
    remember(name, groupId);
    const flag = await admin.flag(name);
    if (flag === null) {
      const gone = (await stateInLog(name)) === 'feature-archived';
      return { share: 'missing', ref: null, what: gone ? 'archived' : 'not there', archived: gone };
    }
    const title = flag.strategies.length === 1 ? (flag.strategies[0]?.title ?? '') : '';
    return {
      share: flag.enabled ? shareOf(flag, groupId) : 0,
      ref: title.startsWith(TITLE_PREFIX) ? title.slice(TITLE_PREFIX.length) : null,
      what: departures(flag, groupId),
      archived: false,
    };
  }

  /** The newest event that made or hid a flag: one that is archived is answered with 404. */
  async function stateInLog(flag: string): Promise<string | null> {
    const events = await admin.events(flag);
    return events.find(({ type }) => LIFE.includes(type))?.type ?? null;
  }

  async function restore(flag: NewFlag, groupId: string, share: number, ref: string): Promise<WriteResult> {
    const { name } = flag;
    const before = await revived(flag);
    if (shareOf(before, groupId) === share) return 'unchanged';
    if ((before.dependencies?.length ?? 0) > 0) await admin.removeDependencies(name);
    if (before.impressionData === true) await admin.stopImpressionData(name);
    const kept = before.strategies.find((one) => one.title?.startsWith(TITLE_PREFIX)) ?? before.strategies[0];
    const strategy = ourStrategy(share, groupId, ref);
    // Ours first: a flag whose last active strategy goes is switched off.
    if (kept === undefined) await admin.addStrategy(name, strategy);
    else await admin.putStrategy(name, kept.id, strategy);
    for (const { id } of before.strategies) if (id !== kept?.id) await admin.deleteStrategy(name, id);
    const shaped = await admin.flag(name);
    if (shaped === null || canonicalStrategy(shaped, groupId) === null)
      throw new FlagServerError(`${name} could not be put back into our shape`, null);
    if (!shaped.enabled) await admin.switchOn(name);
    return outcomeOf(await admin.flag(name), groupId, share, name);
  }

  /** The flag as it is, made or revived where it has to be. */
  async function revived(flag: NewFlag): Promise<AdminFlag> {
    const { name } = flag;
    const found = await admin.flag(name);
    if (found !== null) return found;
    if (!(await admin.createFlag(flag))) await admin.revive(name);
    const now = await admin.flag(name);
    if (now === null) throw new FlagServerError(`the flag ${name} could not be revived`, null);
    return now;
  }

  function foreign(flag: string): WriteResult {
    log.warn('flags.foreign', { flag });
    return 'foreign';
  }

  function remember(flag: string, groupId: string): void {
    if (!seeds.has(flag) && seeds.size >= 2 * GROUPS_MAX)
      throw new RangeError(`at most ${GROUPS_MAX} groups`);
    seeds.set(flag, groupId);
  }

  return {
    async ensure(group, groupId, shares, refs = { serve: NEW, shadow: NEW }) {
      requireGroup(group);
      wholePercent(shares.serve);
      wholePercent(shares.shadow);
      for (const flag of FLAG_NAMES) remember(flagOf(group, flag), seedOf(groupId, flag));
      await admin.ensureStickyField(STICKY_FIELD, 'Sticky key of the unit that a request belongs to');
      const results: WriteResult[] = [];
      // Both, whatever the first is: what somebody made of one flag is no reason not to have the other.
      for (const flag of FLAG_NAMES)
        results.push(await ensure(newFlag(flag, group), seedOf(groupId, flag), shares[flag], refs[flag]));
      return WORST_FIRST.find((result) => results.includes(result)) ?? 'unchanged';
    },
    setServeShare: (group, share, expect, ref) =>
      setShare(serveFlag(requireGroup(group)), share, expect, ref),
    setShadowShare: (group, share, expect, ref) =>
      setShare(shadowFlag(requireGroup(group)), share, expect, ref),
    async look(group, groupId) {
      requireGroup(group);
      const [serve, shadow] = await Promise.all([
        sightOf(serveFlag(group), groupId),
        sightOf(shadowFlag(group), shadowGroupId(groupId)),
      ]);
      return { serve, shadow };
    },
    async lastEdit(group, flag, seen) {
      const events = await admin.events(flagOf(requireGroup(group), flag));
      const here = events.filter(
        ({ environment }) => environment === null || environment === deps.environment,
      );
      const edit = here.find((event) => seen === null || madeIt(event, seen)) ?? here[0];
      return edit === undefined ? null : { by: plain(edit.createdBy), at: plain(edit.createdAt) };
    },
    async restore(group, flag, groupId, share, ref) {
      requireGroup(group);
      wholePercent(share);
      const seed = seedOf(groupId, flag);
      remember(flagOf(group, flag), seed);
      return restore(newFlag(flag, group), seed, share, ref);
    },
    async retire(group) {
      requireGroup(group);
      for (const flag of FLAG_NAMES) await admin.archive(flagOf(group, flag));
    },
  };
}

/** What a call for two flags says. */
const WORST_FIRST: readonly WriteResult[] = ['foreign', 'conflict', 'written'];
/** Events that make a flag visible or hide it. */
const LIFE: readonly string[] = ['feature-created', 'feature-revived', 'feature-archived', 'feature-deleted'];

function madeIt({ type, rollout }: AdminEvent, seen: FlagShare): boolean {
  return rollout === String(seen) || (seen === 0 && type === 'feature-environment-disabled');
}

function newFlag(flag: FlagName, group: string): NewFlag {
  const name = flagOf(group, flag);
  return flag === 'serve'
    ? { name, type: 'release', description: `Units of ${group} that the service answers` }
    : { name, type: 'operational', description: `Units of ${group} whose requests are shadowed` };
}

function titleOf(ref: string): string {
  return `${TITLE_PREFIX}${ref}`;
}

function ourStrategy(share: number, groupId: string, ref: string) {
  return {
    name: 'flexibleRollout',
    title: titleOf(ref),
    disabled: false,
    parameters: canonicalParameters(share, groupId),
    constraints: [],
    variants: [],
    segments: [],
  };
}

/** What an earlier `ensure` may have begun and not finished: off, and nothing in it that is not ours. */
function isUnfinished(flag: AdminFlag, groupId: string): boolean {
  if (flag.enabled || !isQuiet(flag)) return false;
  if (flag.strategies.length === 0) return true;
  return canonicalStrategy(flag, groupId)?.title?.startsWith(TITLE_PREFIX) === true;
}

function archived(flag: string): FlagServerError {
  return new FlagServerError(`the flag ${flag} is archived: revive it, or choose another group name`, 409);
}

function requireGroup(group: string): string {
  if (!isGroupName(group)) throw new RangeError(`not a group name: ${JSON.stringify(group.slice(0, 50))}`);
  return group;
}
