/** The composition root: the only file that knows every folder. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { createReader, type RunningReader } from '../flags/reader.ts';
import { createFlagServer, type FlagServer } from '../flags/server/app.ts';
import { type FlagTokens, newTokens } from '../flags/server/auth.ts';
import { createWriter } from '../flags/writer.ts';
import { bindOrAny, listenOn, urlOf } from './bind.ts';
import { ConfigError, type Settings } from './config.ts';
import { CONFIRM_MS, createActions } from './control/act.ts';
import { createAdminApi, type ReloadResult } from './control/admin-api.ts';
import type { StatusData } from './control/api.ts';
import { compared } from './control/compared.ts';
import { createConverge } from './control/converge.ts';
import { explain } from './control/explain.ts';
import { createKills } from './control/kills.ts';
import { createMetrics } from './control/metrics.ts';
import { createRouting } from './control/routing.ts';
import { groupStatus } from './control/status.ts';
import { createTraffic } from './control/traffic.ts';
import { meteredFor } from './core/metering.ts';
import type { Clock, ComparisonStore, FlagReader, FlagWriter, Ledger, Log } from './core/ports.ts';
import { buildSnapshot, type RoutingPlan } from './core/snapshot.ts';
import type { Snapshot } from './core/types.ts';
import { keptSecret, openDataFolder, randomSecret, writeAtomically } from './data-folder.ts';
import { createDataPlane, keyOf } from './data-plane.ts';
import { type Kills, readKillFile, removeFromKillFile, watchKillFile } from './kill-file.ts';
import { createLog } from './log.ts';
import { watchLoop } from './loop.ts';
import { createFleet, type FleetFlags } from './processes/fleet.ts';
import { createInProcess } from './processes/in-process.ts';
import {
  drainLeftovers,
  forgetWorkers,
  type Leftovers,
  readLeftovers,
  writeWorkers,
} from './processes/leftovers.ts';
import type { PlaneCounts } from './processes/messages.ts';
import type { Planes } from './processes/planes.ts';
import { choosePort, isHeldBy } from './processes/port.ts';
import { createReload } from './reload.ts';
import { createComparisonStore } from './store/comparisons.ts';
import { openLedger } from './store/ledger.ts';
import { MIGRATIONS } from './store/migrations.ts';
import { openDatabase } from './store/open.ts';

export interface Running {
  /** `http://127.0.0.1:8080` */
  readonly traffic: string;
  readonly admin: string | null;
  /** The embedded flag server, or null. */
  readonly flags: string | null;
  /** Reads the configuration again, or without one the TLS files: all of it is in force, or none. Never rejects. */
  reload(): Promise<ReloadResult>;
  /** Answers what is in flight, writes what is counted, lets go of every file, port and process. */
  stop(): Promise<void>;
}

interface Given {
  /** Reads the same configuration again. Rejects with ConfigError. */
  readonly load: () => Promise<Settings>;
  /** Of the program, as metrics say it. */
  readonly version: string;
}

const clock: Clock = { now: () => performance.now(), wall: () => Date.now() };
const FLAG_ENVIRONMENT = 'production';
const FLAG_RETRY_MS = 2_000;
const FLAG_DEADLINE_MS = 5_000;
const READY_WITHOUT_FLAGS_MS = 10_000;
/** A kill that stands in the file is carried out again while the ledger does not have it. */
const KILL_AGAIN_MS = 1_000;

/**
 * Everything of a configuration: control and traffic in this process, or traffic in `workers` of their own.
 * Throws ConfigError, StoreError, LedgerError or the error of a port.
 */
export async function startUp(settings: Settings, given: Partial<Given> = {}): Promise<Running> {
  const { load = async () => settings, version = 'unknown' } = given;
  const log = createLog();
  const life = createLife(log);
  try {
    return { ...(await assemble(settings, { load, version }, log, life)), stop: life.stop };
  } catch (error) {
    await life.closeAll();
    throw error;
  }
}

/** A transparent proxy: no groups, no flags, no data folder. A reload reads its TLS files again. */
export async function startProxy(
  settings: Settings,
  load: Given['load'] = async () => settings,
): Promise<Running> {
  const log = createLog();
  const life = createLife(log);
  try {
    const snapshot = buildSnapshot(1, settings.routing, { seq: 0, groups: new Map() }, new Map());
    const planes = await createPlanes({ settings, snapshot, control: null, onCounts: () => undefined, log });
    const traffic = await startPlanes(planes, settings, life, () => settings.proxy.drainLeadMs);
    const { reload } = createReload({
      settings,
      load,
      async apply(next) {
        planes.reconfigure({ ...settings.proxy, tls: next.proxy.tls });
        return { snapshot: snapshot.revision, planes: await planes.applied(snapshot.revision, CONFIRM_MS) };
      },
      clock,
      log,
    });
    log.info('started', { traffic, workers: settings.workers });
    return { traffic, admin: null, flags: null, reload, stop: life.stop };
  } catch (error) {
    await life.closeAll();
    throw error;
  }
}

/** What is open, in the order of opening, and the way to its end. */
interface Life {
  onClose(close: () => void | Promise<void>): void;
  /** The end was asked for. */
  ending(): boolean;
  /** Newest first. */
  closeAll(): Promise<void>;
  stop(): Promise<void>;
}

function createLife(log: Log): Life {
  const closers: (() => void | Promise<void>)[] = [];
  let ending = false;
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  return {
    onClose: (close) => void closers.push(close),
    ending: () => ending,
    closeAll,
    async stop() {
      ending = true;
      await closeAll();
      log.info('stopped');
    },
  };
}

async function assemble(
  settings: Settings,
  { load, version }: Given,
  log: Log,
  life: Life,
): Promise<Omit<Running, 'stop'>> {
  const { data, routing: plan } = settings;
  openDataFolder(data);
  const db = openDatabase(join(data, 'fig.db'), MIGRATIONS);
  life.onClose(() => void db.close());
  const ledger = openLedger(db, join(data, 'ledger.head'), {
    wall: clock.wall,
    nextId: randomUUID,
    onAnchorLag: (error) => log.error('ledger-anchor-lags', { error: String(error) }),
  });
  takeUpGroups(ledger, plan);

  const { reader, writer, flagServer, flagsUrl } = await startFlags(settings, log, life);
  const routing = createRouting({ plan, ledger });
  const groups = () => [...routing.get().groups.keys()];
  const traffic = createTraffic({ groups, clock });
  let metered = meteredFor(routing.get(), null);
  const comparisons = createComparisonStore(db);
  const digestKey = Buffer.from(keptSecret(data, 'digest.key', () => randomSecret('')));
  const workersFile = join(data, 'workers.json');
  const killFile = join(data, 'fig.kill');
  const leftovers = readLeftovers(workersFile);
  const planes = await createPlanes({
    settings,
    snapshot: routing.get(),
    control: { reader, digestKey, comparisons, killFile, workersFile, leftovers },
    onCounts(counts) {
      traffic.add(counts.traffic);
      // Counts of groups and routes that are gone have no place any more.
      if (counts.meter?.layout === metered.layout) metered.meter.add(counts.meter.changes);
    },
    log,
  });
  routing.onSwap((snapshot) => {
    planes.swap(snapshot);
    metered = meteredFor(snapshot, metered);
  });
  const loop = watchLoop(clock);
  loop.start();
  life.onClose(loop.stop);
  const converge = createConverge({
    ledger,
    reader,
    writer,
    groups,
    clock,
    log,
    retryMs: FLAG_RETRY_MS,
    deadlineMs: FLAG_DEADLINE_MS,
  });
  const actions = createActions({ ledger, routing, traffic, converge, reader, planes, clock, log });

  // Closed after the traffic: a rollback or a kill can still be asked for while it drains.
  const adminServer = createServer();
  life.onClose(() => close(adminServer));
  // Before the first request: what was killed while nobody ran stays killed.
  const keep = createKills({ groups, ledger, routing, actions, log });
  const obey = (kills: Kills) => kills !== null && keep(kills);
  const kills = watchKillFile(killFile, obey);
  const again = setInterval(() => obey(readKillFile(killFile)), KILL_AGAIN_MS);
  life.onClose(() => clearInterval(again));
  life.onClose(() => kills.stop());
  converge.start();
  life.onClose(() => converge.stop());

  let { proxy } = settings;
  const trafficUrl = await startPlanes(planes, settings, life, () => proxy.drainLeadMs);
  const { reload, last, inForce } = createReload({
    settings,
    load,
    async apply(next) {
      // What may still refuse comes before what changes anything.
      takeUpGroups(ledger, next.routing);
      planes.reconfigure(next.proxy);
      proxy = next.proxy;
      const { revision } = routing.replan(next.routing);
      converge.wake();
      return { snapshot: revision, planes: await planes.applied(revision, CONFIRM_MS) };
    },
    clock,
    log,
  });

  const startedAt = clock.now();
  const statusOf = (name: string) => {
    const group = routing.get().groups.get(name);
    const deps = {
      ledger,
      reader,
      traffic,
      comparisons: (g: string) => compared(comparisons, g),
      trouble: converge.trouble,
    };
    return group === undefined ? [] : [groupStatus(group, deps)];
  };
  const source = settings.flags.kind;
  const status = (): StatusData => {
    planes.collect();
    planes.flush();
    return {
      snapshot: routing.get().revision,
      traffic: trafficUrl,
      ungrouped: traffic.ungrouped,
      flags: { ...reader.status(), source, writable: writer !== null },
      ledger: { events: ledger.state().seq },
      workers: planes.workers(),
      reload: last(),
      groups: groups().flatMap(statusOf),
    };
  };
  const metrics = createMetrics({
    meter: {
      get families() {
        return metered.meter.families;
      },
      value: (at) => metered.meter.value(at),
    },
    current: routing,
    ledger,
    reader,
    traffic,
    clock,
    version,
    flagFailures() {
      const { errors: contact, backupFailures: backup } = reader.counts();
      return { contact, backup };
    },
    inFlight: () =>
      groups().map((group) => ({
        group,
        side: 'service',
        role: 'primary',
        requests: planes.inFlight(group),
      })),
    shadowQueue: planes.shadowQueue,
    loopLagMs: planes.loopLagMs,
    config: inForce,
  });
  const app = createAdminApi({
    token: keptSecret(data, 'admin.token', () => randomSecret('fig_a_')),
    actions,
    ledger,
    clock,
    log,
    status,
    explain: (request) =>
      explain(routing.get(), request, {
        flags: reader,
        keyOf,
        policy: {
          ...proxy,
          peerTrusted: false,
          defaultHost: new URL(routing.get().legacy.origin).host,
          strict: true,
        },
      }),
    causes(group) {
      planes.flush();
      return groups().includes(group)
        ? { group, comparisons: compared(comparisons, group), causes: comparisons.causes(group) }
        : null;
    },
    cause(group, id) {
      const rows = comparisons.cause(group, id);
      return rows.length === 0 ? null : { group, id, rows };
    },
    release: (group) => removeFromKillFile(killFile, group, groups()),
    reload,
    metrics() {
      planes.collect();
      return metrics.render();
    },
    lastTurnAt: loop.lastTurnAt,
    checks: () => [
      { name: 'config', problem: null },
      {
        name: 'snapshot',
        problem:
          reader.status().data === 'none' && clock.now() - startedAt < READY_WITHOUT_FLAGS_MS
            ? 'no flag was read yet'
            : null,
      },
      { name: 'listening', problem: planes.notReady() },
      { name: 'draining', problem: life.ending() ? 'the proxy is shutting down' : null },
    ],
  });
  adminServer.on('request', app);
  const { host } = settings.admin;
  const adminPort = await bindOrAny(settings.admin, log, (port) => listenOn(adminServer, { host, port }));
  const adminUrl = urlOf('http', host, adminPort);
  writeAtomically(
    join(data, 'admin.json'),
    `${JSON.stringify({ url: adminUrl, traffic: trafficUrl, pid: process.pid })}\n`,
  );
  // Replaced first, closed second: somebody answers all the time.
  if (leftovers !== null) log.info('leftovers-draining', { pids: drainLeftovers(leftovers) });
  if (settings.workers === 1) forgetWorkers(workersFile);
  log.info('started', {
    traffic: trafficUrl,
    admin: adminUrl,
    flags: flagsUrl,
    groups: groups().length,
    workers: settings.workers,
    revision: routing.get().revision,
  });
  return { traffic: trafficUrl, admin: adminUrl, flags: flagServer === null ? null : flagsUrl, reload };
}

interface PlanesDeps {
  readonly settings: Settings;
  readonly snapshot: Snapshot;
  /** Null: `fig proxy`, which has neither flags nor a data folder. */
  readonly control: {
    readonly reader: RunningReader;
    readonly digestKey: Uint8Array;
    readonly comparisons: Pick<ComparisonStore, 'flush'>;
    readonly killFile: string;
    readonly workersFile: string;
    readonly leftovers: Leftovers | null;
  } | null;
  onCounts(counts: PlaneCounts): void;
  readonly log: Log;
}

/** One data plane in this process, or as many processes as are configured. Nothing answers before `start`. */
async function createPlanes({ settings, snapshot, control, onCounts, log }: PlanesDeps): Promise<Planes> {
  const { listen: address, workers, proxy: options } = settings;
  const { host } = address;
  const leftovers = control?.leftovers ?? null;
  if (workers === 1) {
    const shadow = control === null ? null : { digestKey: control.digestKey, store: control.comparisons };
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
    killFile: control?.killFile ?? null,
    sinks: { counts: onCounts, comparisons: (batch) => control?.comparisons.flush(batch) },
    onPids: (pids) => control === null || remember(control.workersFile, { host, port }, pids, leftovers, log),
    clock,
    log,
  });
}

async function startPlanes(
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

function environmentOf({ flags }: Settings): string {
  return flags.kind === 'unleash' ? flags.environment : FLAG_ENVIRONMENT;
}

interface Flags {
  readonly reader: RunningReader & FlagReader;
  readonly writer: FlagWriter | null;
  readonly flagServer: FlagServer | null;
  readonly flagsUrl: string;
}

async function startFlags(settings: Settings, log: Log, life: Life): Promise<Flags> {
  const { data, flags } = settings;
  const backupDir = join(data, 'backup');
  const common = {
    environment: environmentOf(settings),
    backupDir,
    clock,
    log,
  };
  if (flags.kind === 'unleash') {
    const { url, clientToken, adminToken, environment, refreshMs } = flags;
    const reader = createReader({ ...common, source: { kind: 'poll', url, token: clientToken, refreshMs } });
    const writer =
      adminToken === null
        ? null
        : createWriter({ url, token: adminToken, environment, project: 'default', fetch, log });
    reader.start();
    life.onClose(() => reader.stop());
    return { reader, writer, flagServer: null, flagsUrl: url };
  }
  const tokens = flagTokens(data);
  const flagServer = createFlagServer({ file: join(data, 'flags.db'), tokens, clock, log });
  const { host } = flags.address;
  const { url } = await bindOrAny(flags.address, log, (port) => flagServer.listen({ host, port }));
  life.onClose(() => flagServer.close());
  const reader = createReader({ ...common, source: { kind: 'local', server: flagServer } });
  reader.start();
  life.onClose(() => reader.stop());
  const writer = createWriter({
    url,
    token: tokens.admin,
    environment: FLAG_ENVIRONMENT,
    project: 'default',
    fetch,
    log,
  });
  return { reader, writer, flagServer, flagsUrl: url };
}

function flagTokens(data: string): FlagTokens {
  const made = newTokens(FLAG_ENVIRONMENT);
  return {
    admin: keptSecret(data, 'flags.admin.token', () => made.admin),
    client: keptSecret(data, 'flags.client.token', () => made.client),
  };
}

/** Refuses a configuration that loses a group, and enters new ones into the ledger. */
function takeUpGroups(ledger: Ledger, plan: RoutingPlan): void {
  const names = namesOf(plan);
  refuseLostGroups(ledger, names);
  createGroups(ledger, names);
}

function namesOf({ groups }: RoutingPlan): readonly string[] {
  return groups.map(({ name }) => name);
}

/** A group with users on its service must not vanish from the configuration: nobody could take it back. */
function refuseLostGroups(ledger: Ledger, names: readonly string[]): void {
  const lost = [...ledger.state().groups.values()].filter(
    ({ name, stage }) => !names.includes(name) && stage !== 'legacy' && stage !== 'shadow',
  );
  if (lost.length === 0) return;
  throw new ConfigError(
    'the configuration',
    lost.map(({ name, stage }) => ({
      path: `groups.${name}`,
      text: `missing, but the ledger has it as ${stage}`,
      hint: 'put it back, or take it back to shadow first',
    })),
  );
}

function createGroups(ledger: Ledger, names: readonly string[]): void {
  for (const group of names) {
    if (ledger.state().groups.has(group)) continue;
    ledger.append({
      group,
      expectedRev: 0,
      actor: { kind: 'engine', id: 'start' },
      happenings: [{ type: 'group.created', body: { groupId: group } }],
    });
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
