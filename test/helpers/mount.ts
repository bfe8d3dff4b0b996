import type http from 'node:http';
import { onTestFinished } from 'vitest';
import { createMount, type Mount, type MountOptions } from '../../router/mount.ts';
import { createMountServer } from './mount-server.ts';
import { type Around, createNeighbours, type Told } from './neighbours.ts';

/** A running server around a mount, and everything it told its neighbours. */
export interface MountedServer extends Told {
  readonly port: number;
  readonly mount: Mount;
  readonly server: http.Server;
  counts(): ReturnType<Mount['counts']>;
}

export interface MountedOptions extends Around {
  readonly options?: Partial<MountOptions>;
}

/** A mount behind a `node:http` server on a free port; closed with the test. */
export async function mounted(given: MountedOptions): Promise<MountedServer> {
  const { deps, told } = createNeighbours(given);
  const mount = createMount(deps, { stopMs: 100, ...given.options });
  mount.start();
  const server = createMountServer(mount);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await mount.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { ...told, port, mount, server, counts: () => mount.counts() };
}
