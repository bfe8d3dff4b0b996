/** The data planes of a configuration: in this process, or in processes of their own. */
import type { RunningReader } from '../flags/reader.ts';
import { bindOrAny, urlOf } from './bind.ts';
import { clock } from './clock.ts';
import type { Settings } from './config.ts';
import type { ComparisonStore, Log, NoiseStore } from './core/ports.ts';
import type { Snapshot } from './core/types.ts';
import { createDataPlane } from './data-plane.ts';
import { environmentOf } from './flag-source.ts';
import type { Life } from './life.ts';
import { createFleet, type FleetFlags } from './processes/fleet.ts';
import { createInProcess } from './processes/in-process.ts';
import { forgetWorkers, type Leftovers, writeWorkers } from './processes/leftovers.ts';
import type { PlaneCounts } from './processes/messages.ts';
import type { Planes } from './processes/planes.ts';
import { choosePort, isHeldBy } from './processes/port.ts';

export interface PlanesDeps {
  readonly settings: Settings;
  readonly snapshot: Snapshot;
  /** Null: `fig proxy`, which has neither flags nor a data folder. */
  readonly control: {
    readonly reader: RunningReader;
    readonly digestKey: Uint8Array;
    readonly comparisons: Pick<ComparisonStore, 'flush'>;
    /** What each data plane knew of noise when it ended last. */
    readonly noise: Pick<NoiseStore, 'rows'>;
    readonly killFile: string;
    readonly workersFile: string;
    readonly leftovers: Leftovers | null;
  } | null;
  onCounts(counts: PlaneCounts): void;
  readonly log: Log;
}

/** One data plane in this process, or as many processes as are configured. Nothing answers before `start`. */
export async function createPlanes({
  settings,
  snapshot,
  control,
  onCounts,
  log,
}: PlanesDeps): Promise<Planes> {
  const { listen: address, workers, proxy: options } = settings;
  const { host } = address;
  const leftovers = control?.leftovers ?? null;
  if (workers === 1) {
    const shadow =
      control === null
        ? null
        : {
            digestKey: control.digestKey,
            store: control.comparisons,
            plane: 1,
            learned: control.noise.rows(1),
          };
    const flags = control?.reader ?? { read: () => NO_FLAGS };
    const plane = createDataPlane({ snapshot, options, flags, shadow, clock, log });
    const reusePort = isHeldBy(leftovers, address);
    const start = () => bindOrAny(address, log, (port) => plane.start({ host, port, reusePort }));
    return createInProcess(plane, start, { counts: onCounts }, log);
  }
  const { port, shared } = await choosePort(address, leftovers, log);
  if (!shared) log.warn('port-cannot-be-shared', { workers, instead: 1 });
  return createFleet({
    workers: shared ? workers : 1,
    address: { host, port, reusePort: shared },
    snapshot,
    options,
    flags: control === null ? null : exportOf(control.reader),
    environment: environmentOf(settings),
    digestKey: control?.digestKey ?? null,
    learned: (plane) => control?.noise.rows(plane) ?? [],
    killFile: control?.killFile ?? null,
    sinks: { counts: onCounts, comparisons: (batch) => control?.comparisons.flush(batch) },
    onPids: (pids) => control === null || remember(control.workersFile, { host, port }, pids, leftovers, log),
    clock,
    log,
  });
}

/** Resolves with the URL once all of them answer; drained with `life`. */
export async function startPlanes(
  planes: Planes,
  { listen: { host }, proxy: { tls } }: Settings,
  life: Life,
  leadMs: () => number,
): Promise<string> {
  life.onClose(() => planes.drain(life.ending() ? leadMs() : 0));
  return urlOf(tls === null ? 'http' : 'https', host, await planes.start());
}

/** Whoever starts after a sudden end must find every process that still answers, also those from before. */
function remember(
  file: string,
  at: { readonly host: string; readonly port: number },
  pids: readonly number[],
  leftovers: Leftovers | null,
  log: Log,
): void {
  try {
    if (pids.length === 0) forgetWorkers(file);
    else writeWorkers(file, at, [...pids, ...(leftovers?.pids ?? [])]);
  } catch (error) {
    log.error('workers-not-remembered', { error: String(error) });
  }
}

/** What this process knows of the flags, for those that are told. */
function exportOf(reader: RunningReader): FleetFlags {
  return {
    export(whole) {
      const { data, stale, ageMs } = reader.status();
      const table = reader.table();
      return data === 'none' || table === null ? null : { table: whole ? table : null, data, stale, ageMs };
    },
    onChange: reader.onChange,
  };
}

const NO_FLAGS = { serve: 'unknown', shadow: 'unknown', cause: 'no-data' } as const;
