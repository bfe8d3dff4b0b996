import type { TestProject } from 'vitest/node';
import {
  type Database,
  type RealUnleash,
  startDatabase,
  startUnleash,
  type UnleashAccess,
} from '../helpers/real-unleash.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Shared by all files; each test has flags of names of its own. */
    unleash: UnleashAccess;
    /** Process of the shared server. */
    unleashPid: number;
    /** Empty, with the tokens of the recorded session: only the replay may touch it. */
    emptyUnleash: UnleashAccess;
  }
}

let database: Database | null = null;
let servers: readonly RealUnleash[] = [];

/** One start of PostgreSQL and two of Unleash for the whole folder. */
export async function setup(project: TestProject): Promise<void> {
  const started = await startDatabase();
  database = started;
  const [shared, empty] = await Promise.all([started.create('shared'), started.create('empty')]);
  const starting = [
    startUnleash({ database: shared }),
    startUnleash({
      database: empty,
      adminToken: '*:*.unleash-insecure-admin-api-token',
      clientTokens: { development: 'default:development.unleash-insecure-api-token' },
    }),
  ] as const;
  const settled = await Promise.allSettled(starting);
  servers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (servers.length < starting.length) await teardown();
  project.provide('unleash', (await starting[0]).access);
  project.provide('unleashPid', (await starting[0]).pid);
  project.provide('emptyUnleash', (await starting[1]).access);
}

export async function teardown(): Promise<void> {
  await Promise.all(servers.map((server) => server.close()));
  await database?.close();
}
