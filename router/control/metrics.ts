/** What `GET /metrics` says: what was counted, and how things stand at the moment of asking. */
import { readdir } from 'node:fs/promises';
import type { Labels, Meter } from '../core/meter.ts';
import type { BaselineCounts, Clock, Current, FlagReader, Ledger } from '../core/ports.ts';
import type { GroupState } from '../core/rollout.ts';
import type { Group, Role, Side, Stage, Stop } from '../core/types.ts';
import { exposition, type Family, meterFamily, type Sample } from './exposition.ts';
import { effectiveShare } from './status.ts';
import { measuredShare, type Traffic } from './traffic.ts';

export interface InFlight {
  readonly group: string;
  readonly side: Side;
  readonly role: Role;
  readonly requests: number;
}

export interface MetricsDeps {
  readonly meter: Pick<Meter, 'families' | 'value'>;
  readonly current: Current;
  readonly ledger: Pick<Ledger, 'state'>;
  readonly reader: Pick<FlagReader, 'intent' | 'status'>;
  readonly traffic: Pick<Traffic, 'of'>;
  readonly clock: Clock;
  /** Of this program. */
  readonly version: string;
  /** Failed contacts with the flag server since start, by cause; the causes are a closed set. */
  flagFailures(): Readonly<Record<string, number>>;
  /** As far as it is known. */
  inFlight(): readonly InFlight[];
  /** Copies that wait, and bytes of all copies. */
  shadowQueue(): { readonly waiting: number; readonly bytes: number; readonly baseline: BaselineCounts };
  /** Whether the last reading of the configuration was taken over, and when one was, wall time in ms. */
  config(): { readonly ok: boolean; readonly since: number };
  /** How late the event loop is, 99th percentile of the last second, ms. */
  loopLagMs(): number;
}

export interface Metrics {
  /** Everything in the text format of Prometheus 0.0.4. */
  render(): Promise<string>;
}

const STAGES = {
  legacy: true,
  shadow: true,
  canary: true,
  live: true,
  sealed: true,
  retired: true,
} as const satisfies Record<Stage, true>;
const STOPS = { trip: 'tripped', kill: 'killed' } as const satisfies Record<string, Stop>;

/** Reads no database: what is not in memory is no metric. */
export function createMetrics(deps: MetricsDeps): Metrics {
  const { meter } = deps;
  return {
    async render() {
      const openFds = await countOpenFds();
      const families = [
        ...meter.families.map((family) => meterFamily(family, meter.value)),
        ...groupGauges(deps),
        ...controlGauges(deps),
        ...processGauges(deps, openFds),
      ];
      const lines = families.reduce((sum, { samples }) => sum + samples.length, 1);
      return exposition([...families, single('fig_metrics_series', 'Lines of this answer.', lines)]);
    },
  };
}

function groupGauges({ current, ledger, reader, traffic }: MetricsDeps): readonly Family[] {
  const groups = [...current.get().groups.values()];
  const recorded = ledger.state().groups;
  const perGroup = (name: string, help: string, read: (group: Group) => number | null): Family =>
    gauge(
      name,
      help,
      groups.flatMap((group) => sampleOf(name, [['group', group.name]], read(group))),
    );
  const asked = (share: keyof Pick<GroupState, 'share' | 'shadowShare'>) => (group: Group) =>
    (recorded.get(group.name)?.[share] ?? 0) / 100;
  const measured = new Map(groups.map(({ name }) => [name, measuredShare(traffic.of(name))]));
  return [
    gauge('fig_stage', '1 for the stage the group is in.', stages(groups)),
    gauge('fig_stopped', '1 while all of the group goes to legacy: by a trip, or by a kill.', stops(groups)),
    perGroup('fig_share_asked_ratio', 'Share of units the ledger holds.', asked('share')),
    perGroup(
      'fig_share_effective_ratio',
      'Share that follows from stage, stop, ceiling and flag.',
      (group) => effectiveShare(group, reader.intent(group.name).serve) / 100,
    ),
    perGroup(
      'fig_share_measured_ratio',
      'Share of units the service got since the last move.',
      ({ name }) => {
        const share = measured.get(name) ?? null;
        return share === null ? null : share.percent / 100;
      },
    ),
    perGroup(
      'fig_share_measured_units',
      'Distinct units behind the measured share.',
      ({ name }) => measured.get(name)?.units ?? 0,
    ),
    perGroup('fig_share_shadow_ratio', 'Share of units whose requests are copied.', asked('shadowShare')),
  ];
}

function stages(groups: readonly Group[]): readonly Sample[] {
  return groups.flatMap((group) =>
    Object.keys(STAGES).map((stage) => ({
      name: 'fig_stage',
      labels: [
        ['group', group.name],
        ['stage', stage],
      ] as const,
      value: group.stage === stage ? 1 : 0,
    })),
  );
}

function stops(groups: readonly Group[]): readonly Sample[] {
  return groups.flatMap((group) =>
    Object.entries(STOPS).map(([kind, stop]) => ({
      name: 'fig_stopped',
      labels: [
        ['group', group.name],
        ['kind', kind],
      ] as const,
      value: group.stopped === stop ? 1 : 0,
    })),
  );
}

function controlGauges(deps: MetricsDeps): readonly Family[] {
  const { ageMs } = deps.reader.status();
  const queue = deps.shadowQueue();
  const config = deps.config();
  return [
    gauge(
      'fig_inflight_requests',
      'Requests that a side is working on.',
      deps.inFlight().map(({ group, side, role, requests }) => ({
        name: 'fig_inflight_requests',
        labels: [
          ['group', group],
          ['side', side],
          ['role', role],
        ],
        value: requests,
      })),
    ),
    single('fig_shadow_queue_requests', 'Copies that wait to be sent.', queue.waiting),
    {
      name: 'fig_shadow_second_calls',
      help: 'Requests that legacy was asked a second time, by what became of them, of the processes that run.',
      type: 'gauge',
      samples: Object.entries(queue.baseline).map(([result, value]) => ({
        name: 'fig_shadow_second_calls',
        labels: [['result', result]],
        value,
      })),
    },
    single('fig_shadow_queue_bytes', 'Bytes of all copies, waiting and in flight.', queue.bytes),
    single(
      'fig_flags_last_sync_timestamp_seconds',
      'When the flag server last confirmed the flags; 0 when it never did.',
      ageMs === null ? 0 : (deps.clock.wall() - ageMs) / 1000,
    ),
    {
      name: 'fig_flags_sync_failures_total',
      help: 'Failed contacts with the flag server.',
      type: 'counter',
      samples: Object.entries(deps.flagFailures()).map(([cause, value]) => ({
        name: 'fig_flags_sync_failures_total',
        labels: [['cause', cause]],
        value,
      })),
    },
    single(
      'fig_config_last_reload_successful',
      'Whether the configuration that was read last is the one in force.',
      config.ok ? 1 : 0,
    ),
    single(
      'fig_config_last_reload_success_timestamp_seconds',
      'When the configuration in force was read.',
      config.since / 1000,
    ),
    single('fig_snapshot_revision', 'Revision of the routing state in force.', deps.current.get().revision),
  ];
}

function processGauges(deps: MetricsDeps, openFds: number | null): readonly Family[] {
  const { user, system } = process.cpuUsage();
  const build = [
    ['version', deps.version],
    ['node', process.versions.node],
  ] as const;
  return [
    gauge('fig_build_info', 'What runs here; always 1.', sampleOf('fig_build_info', build, 1)),
    {
      name: 'process_cpu_seconds_total',
      help: 'CPU time, user and system.',
      type: 'counter',
      samples: sampleOf('process_cpu_seconds_total', [], (user + system) / 1_000_000),
    },
    single('process_resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss()),
    single('process_open_fds', 'Open file descriptors.', openFds),
    single(
      'process_start_time_seconds',
      'When the process started, since 1970.',
      performance.timeOrigin / 1000,
    ),
    single(
      'nodejs_eventloop_lag_p99_seconds',
      'How late the event loop was, 99th percentile of the last second.',
      deps.loopLagMs() / 1000,
    ),
  ];
}

/** Null where the system has no such list. */
async function countOpenFds(): Promise<number | null> {
  try {
    // Less the one that reads the list.
    return (await readdir('/proc/self/fd')).length - 1;
  } catch {
    return null;
  }
}

function single(name: string, help: string, value: number | null): Family {
  return gauge(name, help, sampleOf(name, [], value));
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: 'gauge', samples };
}

/** What is not known has no sample. */
function sampleOf(name: string, labels: Labels, value: number | null): readonly Sample[] {
  return value === null ? [] : [{ name, labels, value }];
}
