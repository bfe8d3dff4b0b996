import type { Actor, Happening } from '../core/events.ts';
import type { Clock, FlagReader, FlagShare, FlagWriter, Ledger, Log, WriteResult } from '../core/ports.ts';
import type { GroupState } from '../core/rollout.ts';
import type { FlagReceipt } from './api.ts';

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

/** The flag carries the next whole percent; the ledger's ceiling carries the exact share. Live is all of it. */
export function flagShare(group: GroupState): number {
  return group.stage === 'live' || group.stage === 'sealed' || group.stage === 'retired'
    ? 100
    : Math.ceil(group.share);
}

export function createConverge(deps: ConvergeDeps): Converge {
  const { ledger, reader, writer } = deps;
  const troubles = new Map<string, string>();
  const ensured = new Set<string>();
  const running = new Map<string, Promise<void>>();
  let timer: NodeJS.Timeout | null = null;
  let unsubscribe: (() => void) | null = null;

  const append = (group: string, happening: Happening) => {
    try {
      ledger.append({ group, expectedRev: null, actor: ENGINE, happenings: [happening] });
    } catch (error) {
      // The flag is right, only the acknowledgement is missing: the next round reads back again.
      deps.log.error('ledger-append-failed', { group, error: String(error) });
    }
  };

  /** One writer per group at a time; each round writes the newest intent, so the last command wins. */
  const push = (group: string): Promise<void> => {
    const before = running.get(group) ?? Promise.resolve();
    const next = before
      .then(() => pushNow(group))
      .finally(() => {
        if (running.get(group) === next) running.delete(group);
      });
    running.set(group, next);
    return next;
  };

  const pushNow = async (name: string): Promise<void> => {
    const group = ledger.state().groups.get(name);
    if (group === undefined) return;
    if (writer === null) return readBack(group);
    try {
      if (!ensured.has(name)) {
        const result = await writer.ensure(name, group.groupId, {
          serve: flagShare(group),
          shadow: Math.ceil(group.shadowShare),
        });
        if (result === 'foreign')
          return void troubles.set(
            name,
            `a flag of ${name} was switched off, archived or reshaped by somebody; it is left alone`,
          );
        ensured.add(name);
        // It stood there already: somebody may have moved it while nobody ran.
        if (result === 'unchanged') notice(group);
      }
      const serve = await pushServe(writer, name);
      const shadow = await pushShadow(writer, name);
      const bad = [serve, shadow].find((result) => result === 'foreign' || result === 'conflict');
      if (bad === undefined) troubles.delete(name);
      else
        troubles.set(
          name,
          bad === 'foreign'
            ? `a flag of ${name} was switched off, archived or reshaped by somebody; it is left alone`
            : `a flag of ${name} is being changed by somebody else`,
        );
    } catch (error) {
      // Said once per state, retried for ever: the ceiling already holds without the flag.
      const text = `the flag server does not take writes (${error instanceof Error ? error.message : String(error)})`;
      if (troubles.get(name) !== text) deps.log.warn('flag-write-failed', { group: name, error: text });
      troubles.set(name, text);
    }
  };

  /** Without a writer a person sets the flags: what the ledger intends is acknowledged once the reader sees it. */
  const readBack = (group: GroupState): void => {
    const { name, pendingServe, pendingShadow } = group;
    const seen = reader.status().data === 'fresh' ? reader.intent(name) : null;
    const serve = flagShare(group);
    const shadow = Math.ceil(group.shadowShare);
    const waitsForServe = pendingServe !== null && seen?.serve !== serve;
    const waitsForShadow = pendingShadow !== null && seen?.shadow !== shadow;
    if (pendingServe !== null && !waitsForServe)
      append(name, { type: 'share.verified', body: { of: pendingServe.seq, readBack: serve } });
    if (pendingShadow !== null && !waitsForShadow)
      append(name, { type: 'shadow.verified', body: { of: pendingShadow.seq, readBack: shadow } });
    if (waitsForServe || waitsForShadow)
      troubles.set(
        name,
        `no admin token: set fig.${name}.serve to ${serve} % and fig.${name}.shadow to ${shadow} % yourself`,
      );
    else troubles.delete(name);
  };

  const pushServe = async (to: FlagWriter, name: string): Promise<WriteResult | null> => {
    const group = ledger.state().groups.get(name);
    const pending = group?.pendingServe;
    if (group === undefined || pending === undefined || pending === null) return null;
    const share = flagShare(group);
    const result = await to.setServeShare(name, share, null, `fig:${pending.seq}`);
    if (result === 'written' || result === 'unchanged')
      append(name, { type: 'share.verified', body: { of: pending.seq, readBack: share } });
    return result;
  };

  const pushShadow = async (to: FlagWriter, name: string): Promise<WriteResult | null> => {
    const group = ledger.state().groups.get(name);
    const pending = group?.pendingShadow;
    if (group === undefined || pending === undefined || pending === null) return null;
    const share = Math.ceil(pending.to);
    const result = await to.setShadowShare(name, share, null, `fig:${pending.seq}`);
    if (result === 'written' || result === 'unchanged')
      append(name, { type: 'shadow.verified', body: { of: pending.seq, readBack: share } });
    return result;
  };

  const noticeAll = () => {
    for (const name of deps.groups()) {
      const group = ledger.state().groups.get(name);
      if (group !== undefined && ensured.has(name) && !running.has(name)) notice(group);
    }
  };

  /** A flag that equals neither the acknowledged nor the pending value was moved by somebody else: recorded once. */
  const notice = (group: GroupState) => {
    if (reader.status().data !== 'fresh') return; // Old data proves nothing about today.
    const seen = reader.intent(group.name);
    noticeOne(group, 'serve', seen.serve, flagShare(group), group.pendingServe !== null);
    noticeOne(group, 'shadow', seen.shadow, Math.ceil(group.shadowShare), group.pendingShadow !== null);
  };

  const noticeOne = (
    group: GroupState,
    flag: 'serve' | 'shadow',
    seen: FlagShare,
    expected: number,
    pending: boolean,
  ) => {
    if (pending) return;
    const text = String(seen);
    if (seen === expected || group.foreign[flag] === text) return;
    append(group.name, { type: 'override.detected', body: { flag, expected, seen: text } });
    deps.log.warn('override-detected', { group: group.name, flag, expected, seen: text });
  };

  const round = async (): Promise<void> => {
    const waiting = deps.groups().filter((name) => {
      const group = ledger.state().groups.get(name);
      return (
        group !== undefined &&
        (!ensured.has(name) || group.pendingServe !== null || group.pendingShadow !== null)
      );
    });
    await Promise.all(waiting.map(push));
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
      timer = setInterval(() => void round(), deps.retryMs);
      void round();
    },
    async stop() {
      unsubscribe?.();
      if (timer !== null) clearInterval(timer);
      await Promise.all(running.values());
    },
    trouble: (name) => troubles.get(name) ?? null,
  };

  /** True as soon as nothing is pending and the reader says what the ledger says; false at the deadline. */
  function seenByReader(name: string, deadline: AbortSignal): Promise<boolean> {
    const agrees = () => {
      const group = ledger.state().groups.get(name);
      if (group === undefined || group.pendingServe !== null || group.pendingShadow !== null) return false;
      const seen = reader.intent(name);
      return seen.serve === flagShare(group) && seen.shadow === Math.ceil(group.shadowShare);
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
