import { type Actor, FLAG_NAMES, type FlagName, type Happening } from '../core/events.ts';
import type {
  Clock,
  FlagReader,
  FlagShare,
  FlagSight,
  FlagSights,
  FlagWriter,
  Ledger,
  Log,
} from '../core/ports.ts';
import { type GroupState, type Intent, pendingOf } from '../core/rollout.ts';
import type { FlagReceipt } from './api.ts';
import { createGate } from './gate.ts';
import { wantedShare } from './shares.ts';
import { createSightings, type Sighting } from './sightings.ts';

/** Brings the flags to what the ledger intends, and notices when somebody else moved them. */
export interface Converge {
  /** Writes what is pending and waits until the reader sees it, at most the flag deadline. Never throws. */
  settle(group: string, acceptedAt: number): Promise<FlagReceipt>;
  /** Looks at every group now, not only at the next round: there may be new ones. */
  wake(): void;
  /** Every few seconds until `stop`: retries what is pending, for ever. */
  start(): void;
  stop(): Promise<void>;
  /** Why the flags of a group are not what the ledger intends; null when they are. */
  trouble(group: string): string | null;
}

interface ConvergeDeps {
  readonly ledger: Ledger;
  readonly reader: FlagReader;
  /** Null: no admin token was configured; flags are read but never written. */
  readonly writer: FlagWriter | null;
  groups(): readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly retryMs: number;
  /** How long a receipt waits for the flag. */
  readonly deadlineMs: number;
}

const ENGINE: Actor = { kind: 'engine', id: 'converge' };

/** Groups whose flags are read or written at once. */
const AT_ONCE_MAX = 8;
/** Settled groups that are looked at per round: what readers cannot see is found in the end. */
const PATROL_MAX = 8;
/** Looks at one flag before it is left to the next round. */
const TRIES_MAX = 2;

export function createConverge(deps: ConvergeDeps): Converge {
  const { ledger, reader, writer } = deps;
  const troubles = new Map<string, string>();
  const ensured = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const queued = new Map<string, Promise<void>>();
  const sightings = createSightings(deps.log);
  const gate = createGate(AT_ONCE_MAX);
  /** Counted up whenever the flag server as a whole could not be used. */
  const outages = { count: 0, text: '' };
  let patrolled = 0;
  let rounds: Promise<void> | null = null;
  let roundAgain = false;
  let timer: NodeJS.Timeout | null = null;
  let unsubscribe: (() => void) | null = null;

  const stateOf = (name: string) => ledger.state().groups.get(name);

  const append = (group: string, happening: Happening): boolean => {
    try {
      ledger.append({ group, expectedRev: null, actor: ENGINE, happenings: [happening] });
      return true;
    } catch (error) {
      // The flag is as it is, only the entry is missing: the next look makes it.
      deps.log.error('ledger-append-failed', { group, error: String(error) });
      return false;
    }
  };

  /**
   * One writer per group at a time; each look acts on the newest intent, so the last command wins. Whoever waits in
   * the queue does for all who ask meanwhile.
   */
  const push = (name: string): Promise<void> => {
    const waiting = queued.get(name);
    if (waiting !== undefined) return waiting;
    const before = running.get(name) ?? Promise.resolve();
    const { count } = outages;
    const next = before
      .then(() =>
        gate.run(async () => {
          queued.delete(name);
          // The server went away while this one waited: asking again at once would be a storm.
          if (outages.count !== count) await failed(name, outages.text);
          else await pushNow(name);
        }),
      )
      .finally(() => {
        if (running.get(name) === next) running.delete(name);
        if (notice(name)) void push(name);
      });
    queued.set(name, next);
    running.set(name, next);
    return next;
  };

  /** Said once per state, retried for ever: the ceiling already holds without the flag. */
  const failed = async (name: string, text: string): Promise<void> => {
    if (troubles.get(name) !== text) deps.log.warn('flag-write-failed', { group: name, error: text });
    troubles.set(name, text);
    await recordSightings(name);
  };

  const pushNow = async (name: string): Promise<void> => {
    const group = stateOf(name);
    if (group === undefined) return;
    if (writer === null) {
      await recordSightings(name);
      return readBack(name);
    }
    try {
      await carry(writer, name, await look(writer, group));
    } catch (error) {
      const text = `the flag server does not take writes (${error instanceof Error ? error.message : String(error)})`;
      if (isOutage(error)) {
        outages.count += 1;
        outages.text = text;
      }
      await failed(name, text);
    }
  };

  const carry = async (to: FlagWriter, name: string, first: FlagSights): Promise<void> => {
    let sights = first;
    const group = stateOf(name);
    if (group === undefined) return;
    if (!ensured.has(name) && FLAG_NAMES.every((flag) => isOursToMake(group, flag, sights[flag]))) {
      const unmade = FLAG_NAMES.filter((flag) => mayBeUnmade(sights[flag]));
      if (unmade.length > 0) {
        await make(to, group, unmade);
        sights = await look(to, group);
      }
      ensured.add(name);
    }
    const said: (string | null)[] = [];
    for (const flag of FLAG_NAMES) said.push(await settleFlag(to, name, flag, sights[flag]));
    const trouble = said.find((text) => text !== null) ?? null;
    if (trouble === null) troubles.delete(name);
    else troubles.set(name, trouble);
  };

  /** Makes what is missing; what exists it leaves as it is. */
  const make = async (to: FlagWriter, group: GroupState, unmade: readonly FlagName[]): Promise<void> => {
    for (const flag of unmade) sightings.rebuilding(group.name, flag);
    await to.ensure(
      group.name,
      group.groupId,
      { serve: wantedShare(group, 'serve'), shadow: wantedShare(group, 'shadow') },
      { serve: refOf(group.pendingServe), shadow: refOf(group.pendingShadow) },
    );
  };

  /** Brings one flag to the ledger, or finds why not: null, or what stands in the way. */
  const settleFlag = async (
    to: FlagWriter,
    name: string,
    flag: FlagName,
    first: FlagSight,
  ): Promise<string | null> => {
    let sight = first;
    for (let tries = 1; ; tries += 1) {
      const group = stateOf(name);
      if (group === undefined) return null;
      const pending = pendingOf(group, flag);
      const verdict = judge(group, flag, sight);
      if (verdict === 'foreign') {
        await record(to, group, flag, sight);
        if (stateOf(name)?.restoring[flag] === true) return restore(to, name, flag);
      }
      if (verdict === 'settled') {
        settled(group, flag, pending);
        return null;
      }
      // What was recorded is enough where nothing waits for the flag.
      if (pending === null) return null;
      if (verdict === 'foreign') {
        const what = sight.what ?? `set to ${sight.share} %`;
        return `the ${flag} flag of ${name} was changed by somebody (${what}); it is left alone until: fig flags restore ${name}`;
      }
      if (group.foreign[flag] !== null) cleared(name, flag, sight.share);
      const share = wantedShare(group, flag);
      const expect = typeof sight.share === 'number' ? sight.share : null;
      const result = await set(to, flag)(name, share, expect, String(pending.seq));
      if (result === 'written' || result === 'unchanged') {
        acknowledge(name, flag, pending, share);
        return null;
      }
      if (tries === TRIES_MAX) return `the ${flag} flag of ${name} is being changed by somebody else`;
      sight = (await look(to, group))[flag];
    }
  };

  const settled = (group: GroupState, flag: FlagName, pending: Intent | null) => {
    const share = wantedShare(group, flag);
    if (pending !== null) acknowledge(group.name, flag, pending, share);
    else if (group.foreign[flag] !== null) cleared(group.name, flag, share);
  };

  const cleared = (name: string, flag: FlagName, seen: FlagShare) => {
    if (typeof seen === 'number') append(name, { type: 'override.cleared', body: { flag, readBack: seen } });
  };

  /** The intent may have been replaced meanwhile; then the acknowledgement says nothing, and the next look writes. */
  const acknowledge = (name: string, flag: FlagName, pending: Intent, share: number) => {
    const group = stateOf(name);
    if (group !== undefined) sightings.acknowledged(group, flag);
    const type = flag === 'serve' ? 'share.verified' : 'shadow.verified';
    append(name, { type, body: { of: pending.seq, readBack: share } });
    if (notice(name)) void push(name);
  };

  const restore = async (to: FlagWriter, name: string, flag: FlagName): Promise<string | null> => {
    // Of now: while the edit was recorded the ledger may have moved on.
    const group = stateOf(name);
    const pending = group === undefined ? null : pendingOf(group, flag);
    if (group === undefined || pending === null) return null;
    const share = wantedShare(group, flag);
    sightings.rebuilding(group.name, flag);
    const result = await to.restore(group.name, flag, group.groupId, share, String(pending.seq));
    if (result !== 'written' && result !== 'unchanged')
      return `the ${flag} flag of ${group.name} was changed by somebody while it was put back; it is tried again`;
    acknowledge(group.name, flag, pending, share);
    return null;
  };

  const record = async (
    to: FlagWriter,
    group: GroupState,
    flag: FlagName,
    sight: FlagSight,
  ): Promise<void> => {
    sightings.foreign(group.name, flag);
    const seen = String(sight.share);
    const known = group.foreign[flag];
    // What only readers saw has no words: the same share is the same edit.
    const same = known?.seen === seen && (known.what === null || known.what === sight.what);
    if (!same)
      detected(group.name, {
        flag,
        expected: wantedShare(group, flag),
        seen,
        what: sight.what,
        ...(await editOf(to, group.name, flag, null)),
      });
  };

  const editOf = async (to: FlagWriter, name: string, flag: FlagName, seen: FlagShare | null) => {
    try {
      return (await to.lastEdit(name, flag, seen)) ?? NOBODY;
    } catch (error) {
      // Who did it is worth knowing, that it was done is worth more.
      deps.log.warn('flag-edit-unknown', { group: name, flag, error: String(error) });
      return NOBODY;
    }
  };

  const detected = (name: string, body: Extract<Happening, { type: 'override.detected' }>['body']) => {
    if (append(name, { type: 'override.detected', body }))
      deps.log.warn('override-detected', { group: name, ...body });
  };

  /** Reads both flags, and tells what readers saw on the way to what they are now. */
  const look = async (to: FlagWriter, { name, groupId }: GroupState): Promise<FlagSights> => {
    const waited = { serve: sightings.waiting(name, 'serve'), shadow: sightings.waiting(name, 'shadow') };
    const sights = await to.look(name, groupId);
    const told = FLAG_NAMES.map((flag) => {
      const seen = sightings.take(name, flag, { waited: waited[flag], share: sights[flag].share });
      return { flag, seen };
    });
    for (const { flag, seen } of told) for (const one of seen) await recordSighting(name, flag, one, to);
    return sights;
  };

  /** What readers saw, without the flag server to ask. */
  const recordSightings = async (name: string): Promise<void> => {
    for (const flag of FLAG_NAMES)
      for (const one of sightings.take(name, flag, null)) await recordSighting(name, flag, one, null);
  };

  const recordSighting = async (
    name: string,
    flag: FlagName,
    { seen, theirs, expected }: Sighting,
    to: FlagWriter | null,
  ) => {
    const known = stateOf(name)?.foreign[flag] ?? null;
    if (theirs && known?.seen !== String(seen)) {
      const edit = to === null ? NOBODY : await editOf(to, name, flag, seen);
      detected(name, { flag, expected, seen: String(seen), what: null, ...edit });
    }
    if (!theirs && known !== null) cleared(name, flag, seen);
  };

  /** Without a writer a person sets the flags: what the ledger intends is acknowledged once the reader sees it. */
  const readBack = (name: string): void => {
    if (reader.status().data === 'fresh') {
      const seen = reader.intent(name);
      for (const flag of FLAG_NAMES) {
        const group = stateOf(name);
        const pending = group === undefined ? null : pendingOf(group, flag);
        if (group !== undefined && pending !== null && seen[flag] === wantedShare(group, flag))
          acknowledge(name, flag, pending, wantedShare(group, flag));
      }
    }
    const group = stateOf(name);
    if (group === undefined || !isPending(group)) troubles.delete(name);
    else
      troubles.set(
        name,
        `no admin token: set fig.${name}.serve to ${wantedShare(group, 'serve')} % and fig.${name}.shadow to ${wantedShare(group, 'shadow')} % yourself`,
      );
  };

  const noticeAll = () => {
    for (const name of deps.groups()) {
      const group = stateOf(name);
      const awaited = writer === null && group !== undefined && isPending(group);
      if (notice(name) || awaited) void push(name);
    }
  };

  /** Readers see an edit first. True: it should be looked into. */
  const notice = (name: string): boolean => {
    const group = stateOf(name);
    // Old data proves nothing about today.
    if (group === undefined || reader.status().data !== 'fresh') return false;
    const seen = reader.intent(name);
    return FLAG_NAMES.map((flag) => sightings.saw(group, flag, seen[flag])).includes(true);
  };

  const round = (): Promise<void> => {
    roundAgain = true;
    rounds ??= roundsWhileAsked().finally(() => {
      rounds = null;
    });
    return rounds;
  };

  const roundsWhileAsked = async (): Promise<void> => {
    while (roundAgain) {
      roundAgain = false;
      const names = deps.groups();
      await Promise.all([...new Set([...names.filter(isWaiting), ...patrol(names)])].map(push));
    }
  };

  const isWaiting = (name: string): boolean => {
    const group = stateOf(name);
    if (group === undefined) return false;
    if (!ensured.has(name) && writer !== null) return true;
    // A flag that somebody shaped waits for a person; the patrol sees it should they put it back.
    return FLAG_NAMES.some(
      (flag) => pendingOf(group, flag) !== null && (group.foreign[flag] === null || group.restoring[flag]),
    );
  };

  const patrol = (names: readonly string[]): readonly string[] => {
    const count = Math.min(PATROL_MAX, names.length);
    const chosen = Array.from({ length: count }, (_, i) => names[(patrolled + i) % names.length] ?? '');
    patrolled = names.length === 0 ? 0 : (patrolled + count) % names.length;
    return chosen;
  };

  return {
    async settle(name, acceptedAt) {
      const deadline = AbortSignal.timeout(deps.deadlineMs);
      const pushed = push(name).then(() => seenByReader(name, deadline));
      const late = new Promise<false>((resolve) =>
        deadline.addEventListener('abort', () => resolve(false), { once: true }),
      );
      const seen = await Promise.race([pushed, late]);
      if (seen) return { state: 'verified', verifiedMs: deps.clock.now() - acceptedAt };
      return {
        state: 'pending',
        why: troubles.get(name) ?? 'the flag was not read back in time; it is retried',
      };
    },
    wake: () => void round(),
    start() {
      unsubscribe = reader.onChange(noticeAll);
      // What is there now, so that the first change is known for one.
      noticeAll();
      timer = setInterval(() => void round(), deps.retryMs);
      void round();
    },
    async stop() {
      unsubscribe?.();
      if (timer !== null) clearInterval(timer);
      // Until nothing is under way: what readers saw meanwhile is worth a look of its own.
      while (running.size > 0 || rounds !== null) await Promise.all([...running.values(), rounds]);
    },
    trouble: (name) => troubles.get(name) ?? null,
  };

  /** True as soon as nothing is pending and the reader says what the ledger says; false at the deadline. */
  function seenByReader(name: string, deadline: AbortSignal): Promise<boolean> {
    const agrees = () => {
      const group = ledger.state().groups.get(name);
      if (group === undefined || isPending(group)) return false;
      const seen = reader.intent(name);
      // A flag that a person shaped, and that no move waits for, is no reason to wait.
      return FLAG_NAMES.every(
        (flag) => group.foreign[flag] !== null || seen[flag] === wantedShare(group, flag),
      );
    };
    if (agrees()) return Promise.resolve(true);
    if (troubles.has(name)) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (seen: boolean) => {
        off();
        deadline.removeEventListener('abort', onAbort);
        resolve(seen);
      };
      const onAbort = () => finish(false);
      const off = reader.onChange(() => agrees() && finish(true));
      deadline.addEventListener('abort', onAbort, { once: true });
    });
  }
}

const NOBODY = { by: null, at: null };

/** `settled`: it carries what the ledger wants. `stale`: it still carries a write of ours. `foreign`: neither. */
function judge(group: GroupState, flag: FlagName, sight: FlagSight): 'settled' | 'stale' | 'foreign' {
  if (sight.what !== null || typeof sight.share !== 'number') return 'foreign';
  if (sight.share === wantedShare(group, flag)) return 'settled';
  const pending = pendingOf(group, flag);
  if (pending === null) return 'foreign';
  const { readBack, replaced } = group.written[flag];
  // The title names the write that was there last: with another share than that write's, somebody edited it in place.
  const written = [...replaced, pending].find(({ seq }) => String(seq) === sight.ref);
  return sight.share === (written === undefined ? readBack : Math.ceil(written.to)) ? 'stale' : 'foreign';
}

/** A flag that is archived, or was seen to be removed, is a person's will; one that never was is made. */
function isOursToMake(group: GroupState, flag: FlagName, sight: FlagSight): boolean {
  return !sight.archived && !(sight.share === 'missing' && group.foreign[flag] !== null);
}

/** Not there, or off: a start that was cut off leaves that, and so does a person; the writer can tell. */
function mayBeUnmade({ what, share }: FlagSight): boolean {
  return what !== null && (share === 'missing' || share === 0);
}

function isPending(group: GroupState): boolean {
  return FLAG_NAMES.some((flag) => pendingOf(group, flag) !== null);
}

function refOf(pending: Intent | null): string {
  return pending === null ? 'new' : String(pending.seq);
}

function set(to: FlagWriter, flag: FlagName): FlagWriter['setServeShare'] {
  return flag === 'serve' ? to.setServeShare : to.setShadowShare;
}

/** The server as a whole, not this one flag: no answer, or an answer that says so. */
function isOutage(error: unknown): boolean {
  const status = error instanceof Error && 'status' in error ? error.status : null;
  return typeof status !== 'number' || status < 400 || status >= 500 || [401, 403, 429].includes(status);
}
