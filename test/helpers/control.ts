import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createMemoryFlags, type MemoryFlags } from '../../flags/memory.ts';
import { type Actions, createActions } from '../../router/control/act.ts';
import { type Converge, createConverge } from '../../router/control/converge.ts';
import { createRouting, type Routing } from '../../router/control/routing.ts';
import { createTraffic, type Traffic } from '../../router/control/traffic.ts';
import { parsePattern } from '../../router/core/match.ts';
import type { Applied, FlagReader, FlagWriter, Ledger, Log } from '../../router/core/ports.ts';
import type { Command } from '../../router/core/rollout.ts';
import {
  AS_EVERYWHERE,
  COMPARED_AS_EVERYWHERE,
  type GroupPlan,
  PLAIN_SHADOW,
  type RoutingPlan,
} from '../../router/core/snapshot.ts';
import { createTally } from '../../router/core/tally.ts';
import type { Observation } from '../../router/core/types.ts';
import { openLedger } from '../../router/store/ledger.ts';
import { MIGRATIONS } from '../../router/store/migrations.ts';
import { openDatabase } from '../../router/store/open.ts';
import { type ManualClock, manualClock } from './clock.ts';
import { targetAt } from './current.ts';
import { temporaryFolder } from './folder.ts';

export const ANA = { kind: 'operator', id: 'ana' } as const;
export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface ControlPlane {
  readonly plan: RoutingPlan;
  readonly clock: ManualClock;
  readonly flags: MemoryFlags;
  /** The real ledger, whatever `wrapLedger` made of it for the others. */
  readonly ledger: Ledger;
  readonly routing: Routing;
  readonly traffic: Traffic;
  readonly converge: Converge;
  readonly actions: Actions;
  /** One request has ended in the data plane. */
  observe(observation: Observation): void;
  /** One move by a person who has not looked at the rev; throws unless there is a receipt. */
  moved(command: Command, group?: string): Promise<void>;
}

export interface ControlOptions {
  readonly groups?: readonly string[];
  readonly writer?: (real: FlagWriter) => FlagWriter | null;
  /** Other flags than those in memory. */
  readonly reader?: FlagReader;
  readonly wrapLedger?: (real: Ledger) => Ledger;
  /** What the data planes say of every snapshot. */
  readonly applied?: Applied;
  readonly retryMs?: number;
  readonly deadlineMs?: number;
}

/** The control plane of a configuration with a group per name, on a real ledger and flags in memory. */
export function controlPlane(options: ControlOptions = {}): ControlPlane {
  const { groups = ['orders'], retryMs = 60_000, deadlineMs = 200 } = options;
  const clock = manualClock();
  const plan: RoutingPlan = { legacy: targetAt('legacy', 'http://127.0.0.1:1'), groups: groups.map(planOf) };
  const db = openDatabase(':memory:', MIGRATIONS);
  onTestFinished(() => void db.close());
  const real = openLedger(db, join(temporaryFolder(), 'ledger.head'), {
    wall: clock.wall,
    nextId: randomUUID,
    onAnchorLag: () => undefined,
  });
  for (const group of groups) {
    real.append({
      group,
      expectedRev: 0,
      actor: { kind: 'engine', id: 'start' },
      happenings: [{ type: 'group.created', body: { groupId: group } }],
    });
  }
  const ledger = options.wrapLedger?.(real) ?? real;
  const flags = createMemoryFlags();
  const routing = createRouting({ plan, ledger });
  const traffic = createTraffic({ groups: () => groups, clock });
  const tally = createTally(clock);
  const writer = options.writer === undefined ? flags.writer : options.writer(flags.writer);
  const reader = options.reader ?? flags.reader;
  const converge = createConverge({
    ledger,
    reader,
    writer,
    groups: () => groups,
    clock,
    log: quiet,
    retryMs,
    deadlineMs,
  });
  onTestFinished(() => converge.stop());
  const actions = createActions({
    ledger,
    routing,
    traffic,
    converge,
    reader,
    planes: {
      applied: async () => options.applied ?? { running: 1, confirmed: 1 },
      collect: () => undefined,
      inFlight: () => 0,
    },
    clock,
    log: quiet,
  });
  return {
    plan,
    clock,
    flags,
    ledger: real,
    routing,
    traffic,
    converge,
    actions,
    observe(observation) {
      tally.observed(observation);
      traffic.add(tally.drain());
    },
    async moved(command, group = 'orders') {
      const result = await actions.move(group, command, ANA, null);
      if (result.kind !== 'receipt')
        throw new Error(`${command.kind} of ${group}: ${JSON.stringify(result)}`);
    },
  };
}

export const shadowOn: Command = { kind: 'shadow', sample: 100, reason: null };

export function shiftTo(share: number): Command {
  return { kind: 'shift', share, reason: null };
}

function planOf(name: string): GroupPlan {
  const route = (method: string) => ({
    label: `${method} /${name}/:id`,
    method,
    segments: parsePattern(`/${name}/:id`) ?? [],
    effects: false,
    writes: null,
    group: name,
  });
  return {
    name,
    service: targetAt(`${name}-service`, 'http://127.0.0.1:2'),
    unit: [{ header: 'x-user' }],
    routes: [route('GET'), route('POST')],
    shadowLimits: { perSecondMax: 50, inFlightMax: 8, bodyBytesMax: 65_536, timeoutMs: 2_000 },
    shadowPolicy: PLAIN_SHADOW,
    shadowService: null,
    forwarding: AS_EVERYWHERE,
    rules: [],
    comparing: COMPARED_AS_EVERYWHERE,
  };
}
