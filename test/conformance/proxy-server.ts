/**
 * The proxy under test as a process of its own: `node proxy-server.ts LEGACY_ORIGIN`. Prints its port on stdout
 * and ends when stdin does. Timeouts are short because the corpus waits only 4 s for them.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createMount } from '../../router/mount.ts';
import { realClock } from '../helpers/clock.ts';
import { currentOf, snapshotOf } from '../helpers/current.ts';
import { createMountServer } from '../helpers/mount-server.ts';

const [, , legacy = ''] = process.argv;
const silent = (): void => {};
const mount = createMount(
  {
    current: currentOf(snapshotOf(legacy)),
    flags: { read: () => ({ serve: 'unknown', shadow: 'unknown', cause: 'missing' }) },
    keyOf: (id) => createHash('sha256').update(id).digest('hex').slice(0, 32),
    shadow: { busy: () => null, offer: () => null },
    recorder: { observed: silent, eligible: silent },
    clock: realClock,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    nextId: randomUUID,
  },
  { upstreamHeadMs: 3_000, upstreamBodyIdleMs: 3_000, requestBodyBytesMax: 1_073_741_824 },
);
const server = createMountServer(mount);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : 0}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
