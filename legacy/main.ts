/** The Old Oak shop as a process: `node legacy/main.ts --port 3000 --db FILE --seed 1969 [--reset]`. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { buildId } from './build.ts';
import { clockFromEnvironment } from './clock.ts';
import { openShopFile } from './open.ts';
import { readOptions } from './options.ts';
import { createShop } from './shop.ts';

const HOST = '127.0.0.1';
const SESSIONS_MAX = 20_000;
const DRAIN_MS = 1_500;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const clock = clockFromEnvironment(process.env);
  const db = openShopFile({ ...options, file: options.db });
  const build = buildId(import.meta.dirname);
  let port = 0;
  const app = createShop({
    db,
    clock,
    build,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    origin: () => `http://${HOST}:${port}`,
    sessionsMax: SESSIONS_MAX,
  });
  const server = createServer(app);
  port = await listen(server, options.port);
  console.log(JSON.stringify({ ready: true, name: 'legacy', port, build }));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      server.close(() => {
        db.close();
        process.exit(0);
      });
      // Whoever is still there after this loses its connection; the process must be gone within two seconds.
      setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
    });
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no port'));
      else resolve(address.port);
    });
  });
}

main().catch((error: unknown) => {
  console.error(`legacy: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
