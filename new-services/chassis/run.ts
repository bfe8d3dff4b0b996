import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { buildId } from './build.ts';
import { clockFromEnvironment } from './clock.ts';
import { createExposures } from './exposures.ts';
import { drain, HOST, listen } from './listen.ts';
import { wholeNumber } from './options.ts';
import { createService, type ServicePlan } from './service.ts';
import { readSwitches } from './switches.ts';

/** A writer waits this long for another process on the same file; longer would block every answer. */
const BUSY_MS = 250;
const FLUSH_MS = 200;

/**
 * Runs a service as this process: `--port N` (0: a free one), `--db FILE` (default: in memory). Prints the ready
 * line when it listens, leaves on SIGTERM within two seconds, exits 1 with a sentence on bad options.
 */
export async function runService(plan: ServicePlan, folder: string, defaultPort: number): Promise<void> {
  try {
    await start(plan, folder, defaultPort);
  } catch (error) {
    console.error(`${plan.name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}

async function start(plan: ServicePlan, folder: string, defaultPort: number): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(defaultPort) },
      db: { type: 'string', default: ':memory:' },
    },
  });
  const { SEEDED_BUGS = '', SEEDED_DECOYS = '', OAK_EXPOSURES } = process.env;
  const switches = readSwitches(SEEDED_BUGS, SEEDED_DECOYS);
  const exposures = createExposures(plan.name, (text) => {
    if (OAK_EXPOSURES !== undefined) appendFileSync(OAK_EXPOSURES, text);
  });
  const build = buildId([import.meta.dirname, folder], SEEDED_BUGS);
  const clock = clockFromEnvironment(process.env);
  const wanted = wholeNumber('--port', values.port, 65_535);
  const db = new Database(values.db, { timeout: BUSY_MS });
  db.pragma('journal_mode = WAL');
  let port = 0;
  let draining = false;
  const { app, kit } = createService(plan, {
    name: plan.name,
    build,
    db,
    clock,
    switches,
    exposures,
    newRid: () => randomBytes(8).toString('hex'),
    origin: () => `http://${HOST}:${port}`,
    monotonicMs: () => performance.now(),
    draining: () => draining,
  });
  const server = createServer(app);
  port = await listen(server, wanted, true);
  const timers = [setInterval(exposures.flush, FLUSH_MS)];
  const housekeeping = plan.housekeeping(kit);
  if (housekeeping !== null) timers.push(setInterval(housekeeping.run, housekeeping.everyMs));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      draining = true;
      for (const timer of timers) clearInterval(timer);
      await drain(server);
      exposures.flush();
      db.close();
      process.exit(0);
    });
  }
  console.log(JSON.stringify({ ready: true, name: plan.name, port, build }));
}
