import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Database } from 'better-sqlite3';
import { type Clock, createClock, wallMs } from '../../legacy/clock.ts';
import { openShopFile } from '../../legacy/open.ts';
import { createShop } from '../../legacy/shop.ts';

export interface OpenShop {
  readonly port: number;
  readonly db: Database;
  close(): Promise<void>;
}

/** Noon of a summer day in London; the shop's time runs from here. */
export const SUMMER_MS = Date.parse('2026-07-14T11:00:00Z');

/** The monolith over a seeded database on a free loopback port. */
export async function openShop({
  file = ':memory:',
  sessionsMax = 1_000,
  clock = createClock(wallMs, SUMMER_MS, wallMs()),
}: {
  file?: string;
  sessionsMax?: number;
  clock?: Clock;
} = {}): Promise<OpenShop> {
  const db = openShopFile({ file, seed: 1969, seedNamed: false, reset: false });
  let port = 0;
  const app = createShop({
    db,
    clock,
    build: 'test-build',
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    origin: () => `http://127.0.0.1:${port}`,
    sessionsMax,
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = address.port;
  return {
    port,
    db,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      db.close();
    },
  };
}
