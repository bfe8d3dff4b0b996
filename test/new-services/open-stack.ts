import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createClock, wallMs } from '../../legacy/clock.ts';
import { catalogPlan } from '../../new-services/catalog/plan.ts';
import { createExposures } from '../../new-services/chassis/exposures.ts';
import { createService, type ServicePlan } from '../../new-services/chassis/service.ts';
import { readSwitches } from '../../new-services/chassis/switches.ts';
import { createFeed, type Feed } from '../../new-services/relay/feed.ts';
import { createLegacyReader } from '../../new-services/relay/legacy-reader.ts';
import { installOutbox } from '../../new-services/relay/outbox.ts';
import { createServiceClient } from '../../new-services/relay/service-client.ts';
import { MIRRORS } from '../../new-services/relay/sources.ts';
import { REVIEWS_PLAN } from '../../new-services/reviews/plan.ts';
import { type OpenShop, openShop, SUMMER_MS } from '../legacy/open-shop.ts';

export interface OpenService {
  readonly port: number;
  readonly db: Database.Database;
  readonly feed: Feed;
  exposed(): Readonly<Record<string, number>>;
  housekeep(): void;
}

interface ServiceSettings {
  readonly bugs?: string;
  readonly decoys?: string;
  readonly monotonicMs?: () => number;
  readonly nowMs?: number;
}

export interface Stack {
  readonly legacy: OpenShop;
  /** Another service beside the same legacy, filled and caught up. */
  open(name: 'catalog' | 'reviews', settings?: ServiceSettings): Promise<OpenService>;
  close(): Promise<void>;
}

const ADMIN = 'admin@old-oak.example:oak-1';
const PLANS: Readonly<Record<'catalog' | 'reviews', ServicePlan>> = {
  catalog: catalogPlan(ADMIN),
  reviews: REVIEWS_PLAN,
};

/** Legacy over a real file with the outbox installed; services are opened beside it, each over its own database. */
export async function openStack(): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'oak-'));
  const file = join(folder, 'legacy.db');
  const epoch = wallMs();
  const legacy = await openShop({ file, clock: createClock(wallMs, SUMMER_MS, epoch) });
  const writer = new Database(file);
  installOutbox(writer);
  writer.close();
  const readOnly = new Database(file, { readonly: true });
  const closers: (() => Promise<void>)[] = [];

  async function open(name: 'catalog' | 'reviews', settings: ServiceSettings = {}): Promise<OpenService> {
    const db = new Database(':memory:');
    const exposures = createExposures(name, () => undefined);
    let port = 0;
    const plan = PLANS[name];
    const { app, kit } = createService(plan, {
      name,
      build: 'service-build',
      db,
      clock: createClock(wallMs, settings.nowMs ?? SUMMER_MS, epoch),
      switches: readSwitches(settings.bugs ?? '', settings.decoys ?? 'all'),
      exposures,
      newRid: () => randomBytes(8).toString('hex'),
      origin: () => `http://127.0.0.1:${port}`,
      monotonicMs: settings.monotonicMs ?? (() => performance.now()),
      draining: () => false,
    });
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    port = address.port;
    closers.push(async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      db.close();
    });
    const service = createServiceClient(`http://127.0.0.1:${port}`);
    const feed = createFeed({
      name,
      tables: MIRRORS[name],
      legacy: createLegacyReader(readOnly),
      service,
      rebuild: false,
    });
    await feed.step();
    return {
      port,
      db,
      feed,
      exposed: exposures.totals,
      housekeep: () => plan.housekeeping(kit)?.run(),
    };
  }

  return {
    legacy,
    open,
    close: async () => {
      for (const close of closers) await close();
      readOnly.close();
      await legacy.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
