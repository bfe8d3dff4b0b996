/**
 * Carries legacy's changes to the services.
 *   node new-services/relay/main.ts [run] --legacy-db FILE --catalog URL --reviews URL [--port 4010] [--rebuild]
 *   node new-services/relay/main.ts install|remove --legacy-db FILE
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { buildId } from '../chassis/build.ts';
import { drain, listen } from '../chassis/listen.ts';
import { originOf, wholeNumber } from '../chassis/options.ts';
import { createFeed } from './feed.ts';
import { createLegacyReader } from './legacy-reader.ts';
import { installOutbox, removeOutbox } from './outbox.ts';
import { createRelay } from './relay.ts';
import { createServiceClient } from './service-client.ts';
import { MIRRORS } from './sources.ts';

const USAGE =
  'usage: relay [run|install|remove] --legacy-db FILE [--catalog URL --reviews URL] [--port N] [--rebuild]';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'legacy-db': { type: 'string' },
      catalog: { type: 'string' },
      reviews: { type: 'string' },
      port: { type: 'string', default: '4010' },
      rebuild: { type: 'boolean', default: false },
    },
  });
  const [command = 'run', ...more] = positionals;
  const file = values['legacy-db'];
  if (more.length > 0 || !['run', 'install', 'remove'].includes(command)) throw new Error(USAGE);
  if (file === undefined || !existsSync(file))
    throw new Error(`--legacy-db must name legacy's file, is ${file ?? 'missing'}`);
  if (command === 'remove') return withFile(file, removeOutbox);
  if (command === 'install') return withFile(file, installOutbox);
  const targets = {
    catalog: originOf('--catalog', values.catalog),
    reviews: originOf('--reviews', values.reviews),
  };
  await run(file, targets, wholeNumber('--port', values.port, 65_535), values.rebuild);
}

/** Opens legacy's file for writing, only as long as it takes to change what hangs on it. */
function withFile(file: string, change: (db: Database.Database) => void): void {
  const db = new Database(file);
  try {
    change(db);
  } finally {
    db.close();
  }
}

async function run(
  file: string,
  targets: Readonly<Record<keyof typeof MIRRORS, string>>,
  wanted: number,
  rebuild: boolean,
): Promise<void> {
  withFile(file, installOutbox);
  const db = new Database(file, { readonly: true });
  const legacy = createLegacyReader(db);
  const feeds = (['catalog', 'reviews'] as const).map((name) =>
    createFeed({ name, tables: MIRRORS[name], legacy, service: createServiceClient(targets[name]), rebuild }),
  );
  const relay = createRelay({
    feeds,
    // An aborted wait is simply over.
    pause: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
    log: (line) => console.error(`relay: ${line}`),
  });
  const build = buildId([import.meta.dirname], '');
  const server = createServer((req, res) => {
    res.writeHead(req.url === '/healthz' ? 200 : 404, { 'Content-Type': 'application/json; charset=utf-8' });
    res.end(
      req.url === '/healthz' ? JSON.stringify({ name: 'relay', build, services: relay.status() }) : '{}',
    );
  });
  const port = await listen(server, wanted, false);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      await Promise.all([relay.stop(), drain(server)]);
      db.close();
      process.exit(0);
    });
  }
  await relay.start();
  console.log(JSON.stringify({ ready: true, name: 'relay', port, build }));
}

main().catch((error: unknown) => {
  console.error(`relay: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
