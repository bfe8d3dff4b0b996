import type { FlagShare, FlagWriter, Log, WriteResult } from '../router/core/ports.ts';
import {
  type AdminClient,
  type AdminFlag,
  createAdminClient,
  type Fetch,
  FlagServerError,
  type NewFlag,
} from './admin-client.ts';
import {
  canonicalParameters,
  canonicalStrategy,
  isGroupName,
  isQuiet,
  rolloutOf,
  STICKY_FIELD,
  serveFlag,
  shadowFlag,
  shadowGroupId,
  shareOf,
  wholePercent,
} from './names.ts';

/** Title of a strategy that nobody has changed since we made it. */
const NEW_TITLE = 'fig:new';
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
 * Moves flags through Unleash's admin API. Only ever a PATCH of the rollout: a PUT that leaves something out resets
 * the hash seed and reassigns everybody. Every write is read back. What a person shaped is `foreign` and stays as
 * it is. Rejects with FlagServerError when the server cannot be used; then nothing is known about the write.
 */
export function createWriter(deps: WriterDeps): FlagWriter {
  const admin = createAdminClient(deps);
  const { log } = deps;
  const seeds = new Map<string, string>();

  async function ensure(flag: NewFlag, groupId: string, share: number): Promise<WriteResult> {
    const found = await admin.flag(flag.name);
    if (found?.archived === true) throw archived(flag.name);
    if (found === null) {
      if (!(await admin.createFlag(flag))) throw archived(flag.name);
      await complete(admin, flag.name, groupId, share, []);
    } else {
      if (shareOf(found, groupId) !== 'custom') return 'unchanged';
      if (!isUnfinished(found, groupId, share)) return foreign(flag.name);
      await complete(admin, flag.name, groupId, share, found.strategies);
    }
    const after = await admin.flag(flag.name);
    return after !== null && shareOf(after, groupId) === share ? 'written' : 'conflict';
  }

  async function setShare(
    name: string,
    share: number,
    expect: number | null,
    ref: string,
  ): Promise<WriteResult> {
    wholePercent(share);
    const groupId = seeds.get(name) ?? null;
    const { flag, share: now } = await read(name, groupId);
    const strategy = flag === null ? null : canonicalStrategy(flag, groupId);
    if (typeof now !== 'number' || strategy === null) return foreign(name);
    if (now === share) return 'unchanged';
    if (expect !== null && now !== expect) return 'conflict';
    const held = await admin.patchStrategy(name, strategy.id, [
      { op: 'test', path: '/parameters/rollout', value: String(now) },
      { op: 'replace', path: '/parameters/rollout', value: String(share) },
      { op: 'replace', path: '/title', value: `fig:${ref}` },
    ]);
    if (!held) return 'conflict';
    const after = (await read(name, groupId)).share;
    if (after === share) return 'written';
    return typeof after === 'number' ? 'conflict' : foreign(name);
  }

  async function read(
    name: string,
    groupId: string | null,
  ): Promise<{ flag: AdminFlag | null; share: FlagShare }> {
    const flag = await admin.flag(name);
    return { flag, share: flag === null || flag.archived ? 'missing' : shareOf(flag, groupId) };
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
    async ensure(group, groupId, shares) {
      requireGroup(group);
      wholePercent(shares.serve);
      wholePercent(shares.shadow);
      const serve = serveFlag(group);
      const shadow = shadowFlag(group);
      const seed = shadowGroupId(groupId);
      remember(serve, groupId);
      remember(shadow, seed);
      await admin.ensureStickyField(STICKY_FIELD, 'Sticky key of the unit that a request belongs to');
      const description = `Units of ${group} that the service answers`;
      const first = await ensure({ name: serve, type: 'release', description }, groupId, shares.serve);
      if (first === 'foreign' || first === 'conflict') return first;
      const copies = `Units of ${group} whose requests are shadowed`;
      const second = await ensure(
        { name: shadow, type: 'operational', description: copies },
        seed,
        shares.shadow,
      );
      return second === 'unchanged' ? first : second;
    },
    setServeShare: (group, share, expect, ref) =>
      setShare(serveFlag(requireGroup(group)), share, expect, ref),
    setShadowShare: (group, share, expect, ref) =>
      setShare(shadowFlag(requireGroup(group)), share, expect, ref),
  };
}

/**
 * A flag that an earlier `ensure` began and did not finish: off, and nobody has touched it since. Anything else
 * that is off was switched off by somebody.
 */
function isUnfinished(flag: AdminFlag, groupId: string, share: number): boolean {
  if (flag.enabled || !isQuiet(flag)) return false;
  if (flag.strategies.length === 0) return true;
  const strategy = canonicalStrategy(flag, groupId);
  return strategy !== null && strategy.title === NEW_TITLE && rolloutOf(strategy) === share;
}

/**
 * Strategy first, switch last: switching on a flag without an active strategy makes Unleash add one that is on for
 * everybody.
 */
async function complete(
  admin: AdminClient,
  flag: string,
  groupId: string,
  share: number,
  strategies: AdminFlag['strategies'],
): Promise<void> {
  if (strategies.length === 0) {
    await admin.addStrategy(flag, {
      name: 'flexibleRollout',
      title: NEW_TITLE,
      disabled: false,
      parameters: canonicalParameters(share, groupId),
      constraints: [],
      variants: [],
      segments: [],
    });
    const written = await admin.flag(flag);
    const shaped = written === null ? null : canonicalStrategy(written, groupId);
    if (shaped === null) throw new FlagServerError(`the strategy of ${flag} was not stored as sent`, null);
  }
  await admin.switchOn(flag);
}

function archived(flag: string): FlagServerError {
  return new FlagServerError(`the flag ${flag} is archived: revive it, or choose another group name`, 409);
}

function requireGroup(group: string): string {
  if (!isGroupName(group)) throw new RangeError(`not a group name: ${JSON.stringify(group.slice(0, 50))}`);
  return group;
}
