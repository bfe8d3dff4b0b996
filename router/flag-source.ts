/** Where flags are read and written: the embedded flag server, or somebody's Unleash. */
import { join } from 'node:path';
import { createFlagAdmin } from '../flags/admin/flag-admin.ts';
import type { Ownership } from '../flags/admin/flag-view.ts';
import { createReader, type RunningReader } from '../flags/reader.ts';
import { createReaderCatalog } from '../flags/reader-catalog.ts';
import { createFlagServer, type FlagServer } from '../flags/server/app.ts';
import { type FlagTokens, isToken, newTokens } from '../flags/server/auth.ts';
import { createWriter } from '../flags/writer.ts';
import { bindOrAny } from './bind.ts';
import { clock } from './clock.ts';
import type { Settings } from './config.ts';
import type { FlagAdmin, FlagCatalog, FlagReader, FlagWriter, Log } from './core/ports.ts';
import { keptSecret } from './data-folder.ts';
import type { Life } from './life.ts';

const FLAG_ENVIRONMENT = 'production';

export interface Flags {
  readonly reader: RunningReader & FlagReader;
  readonly writer: FlagWriter | null;
  /** What the data plane reads. */
  readonly catalog: FlagCatalog;
  /** Null: no admin token was configured. */
  readonly admin: FlagAdmin | null;
  readonly flagServer: FlagServer | null;
  readonly flagsUrl: string;
}

/** Opens what the configuration names; closed with `life`. */
export async function startFlags(
  settings: Settings,
  seedOf: Ownership['seedOf'],
  log: Log,
  life: Life,
): Promise<Flags> {
  const { data, flags } = settings;
  const ownership = { environment: environmentOf(settings), seedOf };
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
    const access =
      adminToken === null ? null : { url, token: adminToken, environment, project: 'default', fetch };
    const writer = access === null ? null : createWriter({ ...access, log });
    const admin = access === null ? null : createFlagAdmin({ ...access, seedOf });
    const catalog = createReaderCatalog(reader.table, ownership);
    reader.start();
    life.onClose(() => reader.stop());
    return { reader, writer, catalog, admin, flagServer: null, flagsUrl: url };
  }
  const tokens = flagTokens(data);
  const flagServer = createFlagServer({ file: join(data, 'flags.db'), tokens, clock, log });
  const { host } = flags.address;
  const { url } = await bindOrAny(flags.address, log, (port) => flagServer.listen({ host, port }));
  life.onClose(() => flagServer.close());
  const reader = createReader({ ...common, source: { kind: 'local', server: flagServer } });
  reader.start();
  life.onClose(() => reader.stop());
  const access = { url, token: tokens.admin, environment: FLAG_ENVIRONMENT, project: 'default', fetch };
  const writer = createWriter({ ...access, log });
  const admin = createFlagAdmin({ ...access, seedOf });
  const catalog = createReaderCatalog(reader.table, ownership);
  return { reader, writer, catalog, admin, flagServer, flagsUrl: url };
}

function flagTokens(data: string): FlagTokens {
  const made = newTokens(FLAG_ENVIRONMENT);
  return {
    admin: keptSecret(
      data,
      'flags.admin.token',
      () => made.admin,
      (text) => isToken('admin', text),
    ),
    client: keptSecret(
      data,
      'flags.client.token',
      () => made.client,
      (text) => isToken('client', text),
    ),
  };
}

/** Of the flags, for constraints that name it. */
export function environmentOf({ flags }: Settings): string {
  return flags.kind === 'unleash' ? flags.environment : FLAG_ENVIRONMENT;
}
