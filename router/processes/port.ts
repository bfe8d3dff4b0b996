import { createServer } from 'node:net';
import { bindOrAny, codeOf, listenOn } from '../bind.ts';
import type { Address } from '../config.ts';
import type { Log } from '../core/ports.ts';
import type { Leftovers } from './leftovers.ts';

type Bind = (at: {
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
}) => Promise<number>;

/**
 * The port that several processes will share. It must be free, or held by workers of ours from before:
 * with SO_REUSEPORT a stranger's port could be shared without anybody noticing. `shared` false: the system has no
 * such sharing. Rejects with the error of the system.
 */
export async function choosePort(
  address: Address,
  leftovers: Leftovers | null,
  log: Log,
  bind: Bind = bindOnce,
): Promise<{ readonly port: number; readonly shared: boolean }> {
  const { host } = address;
  // Not even for a moment beside those that answer there: whoever connects in it would be cut.
  if (isHeldBy(leftovers, address)) return { port: address.port, shared: true };
  const port = await bindOrAny(address, log, (asked) => bind({ host, port: asked, reusePort: false }));
  try {
    return { port: await bind({ host, port, reusePort: true }), shared: true };
  } catch (error) {
    if (codeOf(error) !== 'ENOTSUP') throw error;
    return { port, shared: false };
  }
}

/** Workers of ours from before answer at this address. */
export function isHeldBy(leftovers: Leftovers | null, { host, port }: Address): boolean {
  return leftovers !== null && leftovers.host === host && leftovers.port === port;
}

async function bindOnce(at: Parameters<Bind>[0]): Promise<number> {
  const server = createServer();
  const port = await listenOn(server, at);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
