/**
 * Our mount with a fixed snapshot and nothing around it: `node bench/mount.ts ORIGIN`. Stands in while there is no
 * `cli/fig.js`; the only file of the bench that imports anything of ours. Prints `{"ready":true,"port":N}`.
 */
import { buildTable } from '../router/core/match.ts';
import { createMountServer } from '../router/mount/server.ts';
import { createMount } from '../router/mount.ts';

const [, , origin = ''] = process.argv;
const legacy = { name: 'legacy', origin, rewriteLocation: [], buildHeader: null };
const snapshot = { revision: 1, legacy, groups: new Map(), table: buildTable([]) };
const silent = (): void => {};
let ids = 0;
const mount = createMount({
  current: { get: () => snapshot },
  flags: { read: () => ({ serve: 'unknown', shadow: 'unknown', cause: 'missing' }) },
  keyOf: (id) => id,
  shadow: { offer: () => null },
  recorder: { observed: silent, eligible: silent },
  clock: { now: () => performance.now(), wall: () => Date.now() },
  log: { debug: silent, info: silent, warn: silent, error: silent },
  nextId: () => `bench-${++ids}`,
});
const server = createMountServer(mount, { requestsPerConnectionMax: 0 });
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
