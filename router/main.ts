/** The composition root: the only file that knows every folder. */
import { hash, randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import pino from 'pino';
import { createReader, type RunningReader } from '../flags/reader.ts';
import { createFlagServer, type FlagServer } from '../flags/server/app.ts';
import { type FlagTokens, newTokens } from '../flags/server/auth.ts';
import { createWriter } from '../flags/writer.ts';
import { type Address, ConfigError, type Settings } from './config.ts';
import { createActions } from './control/act.ts';
import { createAdminApi } from './control/admin-api.ts';
import type { StatusData } from './control/api.ts';
import { compared } from './control/compared.ts';
import { createConverge } from './control/converge.ts';
import { explain } from './control/explain.ts';
import { createKills } from './control/kills.ts';
import { createRouting } from './control/routing.ts';
import { groupStatus } from './control/status.ts';
import { createTraffic } from './control/traffic.ts';
import type { Clock, FlagReader, FlagWriter, Ledger, Log } from './core/ports.ts';
import { buildSnapshot } from './core/snapshot.ts';
import { keptSecret, openDataFolder, randomSecret, writeAtomically } from './data-folder.ts';
import { type Kills, readKillFile, removeFromKillFile, watchKillFile } from './kill-file.ts';
import { MOUNT_DEFAULTS } from './mount/options.ts';
import { createMountServer } from './mount/server.ts';
import { createMount, type Mount } from './mount.ts';
import { createShadow } from './shadow/shadow.ts';
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
  /** Answers what is in flight, writes what is counted, lets go of every file and port. */
  stop(): Promise<void>;
}

const clock: Clock = { now: () => performance.now(), wall: () => Date.now() };
const FLAG_ENVIRONMENT = 'production';
const FLAG_RETRY_MS = 2_000;
const FLAG_DEADLINE_MS = 5_000;
const READY_WITHOUT_FLAGS_MS = 10_000;
/** A kill that stands in the file is carried out again while the ledger does not have it. */
const KILL_AGAIN_MS = 1_000;
/** Copies are shed while the event loop is later than this. */
const LOOP_LATE_MS = 20;
const LOOP_RESOLUTION_MS = 10;

/** Everything of a configuration in one process. Throws ConfigError, StoreError, LedgerError or the error of a port. */
export async function startUp(settings: Settings): Promise<Running> {
  const log = createLog();
  const closers: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return { ...(await assemble(settings, log, closers)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A transparent proxy: no groups, no flags, no data folder. */
export async function startProxy(settings: Settings): Promise<Running> {
  const log = createLog();
  const snapshot = buildSnapshot(1, settings.routing, { seq: 0, groups: new Map() }, new Map());
  const mount = createMount(
    {
      current: { get: () => snapshot },
      flags: { read: () => ({ serve: 'unknown', shadow: 'unknown', cause: 'no-data' }) },
      keyOf,
      shadow: { busy: () => 'flag-off', offer: () => 'flag-off' },
      recorder: { observed: () => undefined, eligible: () => undefined },
      clock,
      log,
      nextId: randomUUID,
    },
    mountOptions(settings),
  );
  mount.start();
  const server = createMountServer(mount);
  const traffic = await listen(server, settings.listen, log);
  return {
    traffic,
    admin: null,
    flags: null,
    stop: () => drain(server, mount),
  };
}

async function assemble(
  settings: Settings,
  log: Log,
  closers: (() => void | Promise<void>)[],
): Promise<Omit<Running, 'stop'>> {
  const { data, routing: plan } = settings;
  openDataFolder(data);
  const db = openDatabase(join(data, 'fig.db'), MIGRATIONS);
  closers.push(() => void db.close());
  const ledger = openLedger(db, join(data, 'ledger.head'), {
    wall: clock.wall,
    nextId: randomUUID,
    onAnchorLag: (error) => log.error('ledger-anchor-lags', { error: String(error) }),
  });
  const names = plan.groups.map((group) => group.name);
  refuseLostGroups(ledger, names);
  createGroups(ledger, names);

  const { reader, writer, flagServer, flagsUrl } = await startFlags(settings, log, closers);
  const routing = createRouting({ plan, ledger });
  const traffic = createTraffic({ groups: names, clock });
  const comparisons = createComparisonStore(db);
  const loop = watchLoop(closers);
  const digestKey = Buffer.from(keptSecret(data, 'digest.key', () => randomSecret('')));
  const shadow = createShadow({ clock, store: comparisons, log, key: digestKey, overloaded: loop.late });
  shadow.start();
  closers.push(() => shadow.stop());

  const options = mountOptions(settings);
  const mount = createMount(
    {
      current: routing,
      flags: reader,
      keyOf,
      shadow,
      recorder: { observed: traffic.observed, eligible: shadow.eligible },
      clock,
      log,
      nextId: randomUUID,
    },
    options,
  );
  mount.start();
  const converge = createConverge({
    ledger,
    reader,
    writer,
    groups: names,
    clock,
    log,
    retryMs: FLAG_RETRY_MS,
    deadlineMs: FLAG_DEADLINE_MS,
  });
  const inFlight = (group: string) => mount.counts().serviceInFlight.get(group) ?? 0;
  const actions = createActions({ ledger, routing, traffic, converge, reader, inFlight, clock, log });

  // Closed after the traffic: a rollback or a kill can still be asked for while it drains.
  const adminServer = createServer();
  closers.push(() => close(adminServer));
  // Before the first request: what was killed while nobody ran stays killed.
  const killFile = join(data, 'fig.kill');
  const keep = createKills({ groups: names, ledger, routing, actions, log });
  const obey = (kills: Kills) => kills !== null && keep(kills);
  const kills = watchKillFile(killFile, obey);
  const again = setInterval(() => obey(readKillFile(killFile)), KILL_AGAIN_MS);
  closers.push(() => clearInterval(again));
  closers.push(() => kills.stop());

  const server = createMountServer(mount);
  const trafficUrl = await listen(server, settings.listen, log);
  closers.push(() => drain(server, mount));
  converge.start();
  closers.push(() => converge.stop());

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
    shadow.flush();
    return {
      snapshot: routing.get().revision,
      traffic: trafficUrl,
      ungrouped: traffic.ungrouped,
      flags: { ...reader.status(), source, writable: writer !== null },
      ledger: { events: ledger.state().seq },
      groups: names.flatMap(statusOf),
    };
  };
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
        policy: { ...options, peerTrusted: false, defaultHost: new URL(plan.legacy.origin).host },
      }),
    causes(group) {
      shadow.flush();
      return names.includes(group)
        ? { group, comparisons: compared(comparisons, group), causes: comparisons.causes(group) }
        : null;
    },
    cause(group, id) {
      const rows = comparisons.cause(group, id);
      return rows.length === 0 ? null : { group, id, rows };
    },
    release: (group) => removeFromKillFile(killFile, group, names),
    notReady: () =>
      reader.status().data === 'none' && clock.now() - startedAt < READY_WITHOUT_FLAGS_MS
        ? 'no flag was read yet'
        : null,
  });
  adminServer.on('request', app);
  const adminUrl = await listen(adminServer, settings.admin, log);
  writeAtomically(
    join(data, 'admin.json'),
    `${JSON.stringify({ url: adminUrl, traffic: trafficUrl, pid: process.pid })}\n`,
  );
  log.info('started', {
    traffic: trafficUrl,
    admin: adminUrl,
    flags: flagsUrl,
    groups: names.length,
    revision: routing.get().revision,
  });
  return { traffic: trafficUrl, admin: adminUrl, flags: flagServer === null ? null : flagsUrl };
}

interface Flags {
  readonly reader: RunningReader & FlagReader;
  readonly writer: FlagWriter | null;
  readonly flagServer: FlagServer | null;
  readonly flagsUrl: string;
}

async function startFlags(
  settings: Settings,
  log: Log,
  closers: (() => void | Promise<void>)[],
): Promise<Flags> {
  const { data, flags } = settings;
  const backupDir = join(data, 'backup');
  const common = {
    environment: flags.kind === 'unleash' ? flags.environment : FLAG_ENVIRONMENT,
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
    closers.push(() => reader.stop());
    return { reader, writer, flagServer: null, flagsUrl: url };
  }
  const tokens = flagTokens(data);
  const flagServer = createFlagServer({ file: join(data, 'flags.db'), tokens, clock, log });
  const { host, port, named } = flags.address;
  const { url } = await flagServer.listen({ host, port }).catch((error: unknown) => {
    if (named || !isBusy(error)) throw error;
    log.warn('port-busy', { asked: port, instead: 'any' });
    return flagServer.listen({ host, port: 0 });
  });
  closers.push(() => flagServer.close());
  const reader = createReader({ ...common, source: { kind: 'local', server: flagServer } });
  reader.start();
  closers.push(() => reader.stop());
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

function mountOptions({ proxy }: Settings): typeof MOUNT_DEFAULTS {
  const { trustedProxies, connectMs, upstreamHeadMs, upstreamBodyIdleMs } = proxy;
  const { requestBodyBytesMax, shadowBytesMax } = proxy;
  const given = { trustedProxies, connectMs, upstreamHeadMs, upstreamBodyIdleMs };
  return { ...MOUNT_DEFAULTS, ...given, requestBodyBytesMax, shadowBytesMax };
}

/** The sticky key of a raw id: first 32 hex digits of SHA-256 over its UTF-8 form. */
function keyOf(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 32);
}

function watchLoop(closers: (() => void)[]): { late(): boolean } {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  let late = false;
  const timer = setInterval(() => {
    late = delay.percentile(99) / 1e6 - LOOP_RESOLUTION_MS > LOOP_LATE_MS;
    delay.reset();
  }, 1_000);
  closers.push(() => {
    clearInterval(timer);
    delay.disable();
  });
  return { late: () => late };
}

function createLog(): Log {
  const level = process.env['FIG_LOG_LEVEL'] ?? 'info';
  const levels = [...Object.keys(pino.levels.values), 'silent'];
  if (!levels.includes(level)) {
    throw new ConfigError('the environment', [
      { path: 'FIG_LOG_LEVEL', text: `"${level}" is no level`, hint: `one of ${levels.join(', ')}` },
    ]);
  }
  // Traffic does not end because nobody reads the log, or because its disk is full.
  const destination = pino.destination({ fd: 1, sync: true });
  destination.on('error', () => undefined);
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    debug: (event, fields) => logger.debug({ event, ...fields }),
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
  };
}

/** Binds the address; a busy port that nobody named is replaced by a free one, and said. Resolves with the URL. */
async function listen(server: Server, address: Address, log: Log): Promise<string> {
  const { host, port, named } = address;
  await bind(server, host, port).catch(async (error: unknown) => {
    if (named || !isBusy(error)) throw error;
    await bind(server, host, 0);
    log.warn('port-busy', { asked: port, instead: portOf(server) });
  });
  return `http://${host.includes(':') ? `[${host}]` : host}:${portOf(server)}`;
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

/** Stops accepting, answers what is in flight within the mount's limit, then closes what is left. */
async function drain(server: Server, mount: Mount): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await mount.stop();
  server.closeAllConnections();
  await closed;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
