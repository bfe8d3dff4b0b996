/** The composition root: the only file that knows every folder. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { bindOrAny, listenOn, urlOf } from './bind.ts';
import { clock } from './clock.ts';
import { ConfigError, type Settings } from './config.ts';
import { CONFIRM_MS, createActions } from './control/act.ts';
import { createAdminApi, type ReloadResult } from './control/admin-api.ts';
import type { StatusData } from './control/api.ts';
import { createCauses } from './control/causes.ts';
import { compared } from './control/compared.ts';
import { createConverge } from './control/converge.ts';
import { createEvidenceKeeper, EVIDENCE_LIMITS } from './control/evidence.ts';
import { explain } from './control/explain.ts';
import { createFlags } from './control/flags.ts';
import { createKept } from './control/kept.ts';
import { createKills } from './control/kills.ts';
import { createMetrics } from './control/metrics.ts';
import { noiseVerdicts } from './control/noise.ts';
import { createRouting } from './control/routing.ts';
import { createRules } from './control/rules.ts';
import { selfTested } from './control/self-tested.ts';
import { effectiveShare, groupStatus } from './control/status.ts';
import { createTraffic } from './control/traffic.ts';
import { meteredFor } from './core/metering.ts';
import type { Ledger, Log } from './core/ports.ts';
import { findingText } from './core/rules/findings.ts';
import { buildSnapshot, type RoutingPlan } from './core/snapshot.ts';
import { keptSecret, openDataFolder, randomSecret, writeAtomically } from './data-folder.ts';
import { keyOf } from './data-plane.ts';
import { environmentOf, startFlags } from './flag-source.ts';
import { type Kills, readKillFile, removeFromKillFile, watchKillFile } from './kill-file.ts';
import { createLife, type Life } from './life.ts';
import { createLog } from './log.ts';
import { watchLoop } from './loop.ts';
import { createPlanes, startPlanes } from './planes.ts';
import { drainLeftovers, forgetWorkers, readLeftovers } from './processes/leftovers.ts';
import { createReload } from './reload.ts';
import { groupNoise } from './shadow/noise-report.ts';
import { selectorFaults } from './shadow/selectors.ts';
import { createComparisonStore } from './store/comparisons.ts';
import { createEvidenceStore } from './store/evidence.ts';
import { createFlagRequests } from './store/flag-requests.ts';
import { openLedger } from './store/ledger.ts';
import { MIGRATIONS } from './store/migrations.ts';
import { createNoiseStore } from './store/noise.ts';
import { openDatabase } from './store/open.ts';
import { createRoom } from './store/room.ts';
import { createRuleHits } from './store/rules.ts';

export interface Running {
  /** `http://127.0.0.1:8080` */
  readonly traffic: string;
  readonly admin: string | null;
  /** The embedded flag server, or null. */
  readonly flags: string | null;
  /** What somebody should know of what was started, in sentences. */
  readonly warnings: readonly string[];
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

const FLAG_RETRY_MS = 2_000;
const FLAG_DEADLINE_MS = 5_000;
const READY_WITHOUT_FLAGS_MS = 10_000;
/** How long an answer of the admin API may take at the end. */
const ADMIN_GRACE_MS = 1_000;
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
    return { traffic, admin: null, flags: null, warnings: [], reload, stop: life.stop };
  } catch (error) {
    await life.closeAll();
    throw error;
  }
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

  const seedOf = (group: string) => ledger.state().groups.get(group)?.groupId ?? null;
  const { reader, writer, catalog, admin, flagServer, flagsUrl } = await startFlags(
    settings,
    seedOf,
    log,
    life,
  );
  const routing = createRouting({ plan, ledger });
  const groups = () => [...routing.get().groups.keys()];
  const traffic = createTraffic({ groups, clock });
  let metered = meteredFor(routing.get(), null);
  const comparisons = createComparisonStore(db);
  const ruleHits = createRuleHits(db);
  const noise = createNoiseStore(db);
  const noiseOf = (name: string) => {
    const { at, rows } = noise.newest(name);
    return groupNoise(at, rows);
  };
  const verdicts = noiseVerdicts(noiseOf);
  const evidence = createEvidenceKeeper(
    {
      store: createEvidenceStore(db),
      noise: verdicts,
      group: (name) => routing.get().groups.get(name)?.comparing ?? null,
      clock,
      log,
    },
    { ...EVIDENCE_LIMITS, memoryBytesMax: settings.evidence.memoryBytesMax },
  );
  const results = createKept({
    store: comparisons,
    evidence,
    room: createRoom(db, settings.evidence.fileBytesMax),
    log,
  });
  // Registered before the data planes: closed after they have handed on their last batch.
  life.onClose(() => evidence.write(true));
  const digestKey = Buffer.from(keptSecret(data, 'digest.key', () => randomSecret('')));
  const workersFile = join(data, 'workers.json');
  const killFile = join(data, 'fig.kill');
  const leftovers = readLeftovers(workersFile);
  const planes = await createPlanes({
    settings,
    snapshot: routing.get(),
    control: {
      reader,
      digestKey,
      comparisons: ruleHits.counting({
        flush(batch) {
          if (batch.noise !== undefined) noise.keep(batch.noise.plane, batch.at, batch.noise.rows);
          results.flush(batch);
        },
      }),
      noise,
      killFile,
      workersFile,
      leftovers,
    },
    onCounts(counts) {
      traffic.add(counts.traffic);
      // Counts of groups and routes that are gone have no place any more.
      if (counts.meter?.layout === metered.layout) metered.meter.add(counts.meter.changes);
    },
    log,
  });
  const rules = createRules({
    ledger,
    routing,
    store: comparisons,
    hits: ruleHits,
    selectorFaults,
    planes,
    clock,
    log,
  });
  rules.took(routing.get());
  routing.onSwap((snapshot) => {
    planes.swap(snapshot);
    rules.took(snapshot);
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
      findings: rules.findings,
      noise: noiseOf,
      causes: comparisons.causes,
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
        folding: proxy,
      }),
    causes: createCauses({
      store: comparisons,
      ledger,
      groups,
      origins: (name) => ({
        legacy: routing.get().legacy.origin,
        service: routing.get().groups.get(name)?.service.origin ?? '',
      }),
      flush: planes.flush,
      noise: noiseOf,
      findings: rules.findings,
      log,
    }),
    evidence(group) {
      planes.flush();
      return evidence.of(group);
    },
    selfTest(name) {
      const group = routing.get().groups.get(name);
      if (group === undefined) return null;
      planes.flush();
      return selfTested(comparisons, group, verdicts);
    },
    flags: createFlags({
      source,
      server: source === 'embedded' ? source : flagsUrl,
      environment: environmentOf(settings),
      catalog,
      admin,
      requests: createFlagRequests(db),
      ledger,
      reader,
      effective(name) {
        const group = routing.get().groups.get(name);
        return group === undefined ? null : effectiveShare(group, reader.intent(name).serve);
      },
      log,
    }),
    rules,
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
  return {
    traffic: trafficUrl,
    admin: adminUrl,
    flags: flagServer === null ? null : flagsUrl,
    warnings: groups().flatMap((group) =>
      rules.findings(group).map((finding) => `${group}: ${findingText(finding)}`),
    ),
    reload,
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

/** Answers what is under way, for a moment. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), ADMIN_GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
