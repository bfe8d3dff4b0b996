import type { Actor, Happening } from '../core/events.ts';
import type { Appended, Applied, Clock, FlagReader, FlagStatus, Ledger, Log } from '../core/ports.ts';
import { type Command, type GroupState, plan } from '../core/rollout.ts';
import type { Stop } from '../core/types.ts';
import type { FlagReceipt, Position, Receipt } from './api.ts';
import type { Converge } from './converge.ts';
import type { Routing } from './routing.ts';
import type { Traffic } from './traffic.ts';

export type MoveResult =
  | { readonly kind: 'receipt'; readonly receipt: Receipt }
  | { readonly kind: 'refused'; readonly why: string; readonly next: string }
  | { readonly kind: 'conflict'; readonly rev: number; readonly last: GroupState['last'] }
  | { readonly kind: 'unknown-group' };

export interface Actions {
  /**
   * Carries out one command. `ifRev`: only if the group's rev is still that one. Resolves when the flag was
   * read back, or could not be within the flag deadline; the routing changed long before.
   */
  move(group: string, command: Command, actor: Actor, ifRev: number | null): Promise<MoveResult>;
}

interface ActDeps {
  readonly ledger: Ledger;
  readonly routing: Routing;
  readonly traffic: Traffic;
  readonly converge: Converge;
  readonly reader: Pick<FlagReader, 'status'>;
  readonly planes: {
    /** Resolves once every running data plane has this snapshot or a later one, or the time is over. */
    applied(revision: number, withinMs: number): Promise<Applied>;
    /** Brings `traffic` up to now, as far as that needs no waiting. */
    collect(): void;
    /** Requests running at the service of a group now. */
    inFlight(group: string): number;
  };
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a receipt waits for data planes in other processes. */
export const CONFIRM_MS = 1_000;

/**
 * The only place where a command becomes an action. Moves towards the service are recorded first and visible
 * after; a rollback or a kill is visible first and recorded at once after, so that a full disk cannot delay it.
 */
export function createActions(deps: ActDeps): Actions {
  const { ledger, routing, traffic, converge, clock } = deps;

  const record = (
    group: string,
    actor: Actor,
    ifRev: number | null,
    planned: Plan,
  ): Appended | { kind: 'failed' } => {
    try {
      return ledger.append({ group, actor, expectedRev: ifRev, happenings: planned });
    } catch (error) {
      deps.log.error('ledger-append-failed', { group, error: String(error) });
      return { kind: 'failed' };
    }
  };

  return {
    async move(group, command, actor, ifRev) {
      const before = ledger.state().groups.get(group);
      if (before === undefined) return { kind: 'unknown-group' };
      const planned = plan(before, command);
      if (planned.kind === 'refused') return planned;
      const doubt = raises(before, planned.events) ? doubtOf(deps.reader.status()) : null;
      if (doubt !== null) return { kind: 'refused', why: doubt, next: `fig status ${group}` };
      const acceptedAt = clock.now();
      const wall = clock.wall();
      const from = positionOf(routing, before);

      const stop = stopOf(command);
      if (stop !== null && planned.events.length > 0) routing.stop(group, stop);
      const recorded = record(group, actor, stop === null ? ifRev : null, planned.events);
      if (recorded.kind === 'conflict') return { kind: 'conflict', rev: recorded.rev, last: before.last };
      if (recorded.kind === 'failed' && stop === null) {
        return {
          kind: 'refused',
          why: 'the ledger could not be written; nothing was changed',
          next: `fig status ${group}`,
        };
      }
      const recordedMs = recorded.kind === 'failed' ? null : clock.now() - acceptedAt;
      // Until it is recorded the stop itself holds the traffic back; after that the ledger does. No other move
      // may lift it: that would bring back users whom somebody has sent away.
      const settled = command.kind === 'release' ? 'killed' : stop;
      const snapshot =
        recorded.kind === 'failed'
          ? routing.get()
          : routing.refresh(settled === null ? undefined : { group, stop: settled });
      const after = ledger.state().groups.get(group) ?? before;
      const inForce = deps.planes.applied(snapshot.revision, CONFIRM_MS).then((planes) => {
        const appliedMs = clock.now() - acceptedAt;
        deps.planes.collect();
        // Only now: what the data planes had counted before the move has arrived.
        if (after.share !== before.share || after.stage !== before.stage) traffic.restart(group);
        return { planes, appliedMs };
      });
      deps.log.info('move', {
        group,
        kind: command.kind,
        actor: actor.id,
        rev: after.rev,
        snapshot: snapshot.revision,
      });
      const [{ planes, appliedMs }, flag] = await Promise.all([
        inForce,
        flagReceipt(planned.events, recorded.kind, () => converge.settle(group, acceptedAt)),
      ]);
      if (planes.confirmed < planes.running)
        deps.log.warn('move-not-confirmed', { group, snapshot: snapshot.revision, ...planes });
      deps.planes.collect();
      const { unsafeByService, lastServiceAt } = traffic.of(group);
      const receipt: Receipt = {
        group,
        kind: command.kind,
        status: planned.events.length === 0 ? 'already-there' : 'moved',
        actor,
        reason: command.reason,
        acceptedAt: new Date(wall).toISOString(),
        from,
        to: positionOf(routing, ledger.state().groups.get(group) ?? after),
        snapshot: snapshot.revision,
        appliedMs,
        planes,
        recordedMs,
        service: {
          inFlight: deps.planes.inFlight(group),
          lastStartedMs:
            lastServiceAt === null || lastServiceAt < acceptedAt ? null : lastServiceAt - acceptedAt,
        },
        flag,
        unsafeByService,
      };
      return { kind: 'receipt', receipt };
    },
  };
}

type Plan = Extract<ReturnType<typeof plan>, { kind: 'events' }>['events'];

/** More users for the service than the ledger allows now; in live even those whose flag says nothing. */
function raises(before: GroupState, planned: Plan): boolean {
  return planned.some(
    (event) =>
      (event.type === 'share.intended' && event.body.to > before.share) ||
      (event.type === 'stage.changed' && event.body.to === 'live'),
  );
}

/** Old flags may name anybody: a raised ceiling over them would move users whom nobody asked to move. */
function doubtOf(flags: FlagStatus): string | null {
  if (flags.data === 'none') return 'no share may rise: no flag was ever read';
  if (flags.data === 'backup')
    return 'no share may rise: the flags are of an earlier run, the flag server has not answered';
  return flags.stale ? 'no share may rise: the flag server has not answered for a while' : null;
}

const FLAG_INTENTS: readonly Happening['type'][] = [
  'share.intended',
  'shadow.intended',
  'rollback.decided',
  'restore.intended',
];

/** A move that no flag follows from waits for none; one that is not recorded leaves the flags as they are. */
async function flagReceipt(
  planned: Plan,
  recorded: Appended['kind'] | 'failed',
  settle: () => Promise<FlagReceipt>,
): Promise<FlagReceipt> {
  if (!planned.some(({ type }) => FLAG_INTENTS.includes(type))) return { state: 'none' };
  if (recorded === 'failed')
    return { state: 'pending', why: 'the ledger could not record the move; the flag was left as it is' };
  return settle();
}

function stopOf(command: Command): Stop | null {
  if (command.kind === 'rollback') return 'tripped';
  return command.kind === 'kill' ? 'killed' : null;
}

function positionOf(routing: Routing, group: GroupState): Position {
  const stopped = routing.get().groups.get(group.name)?.stopped ?? null;
  return { stage: group.stage, share: group.share, shadow: group.shadowShare, stopped, rev: group.rev };
}
