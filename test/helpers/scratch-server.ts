import { createHash, randomUUID } from 'node:crypto';
import { PROXY_DEFAULTS } from '../../router/proxy/options.ts';
import { createProxy } from '../../router/proxy/proxy.ts';
import { realClock } from './clock.ts';
import { currentOf, snapshotOf } from './current.ts';

const [, , legacy = '', port = '0'] = process.argv;
const silent = (): void => {};
const proxy = createProxy(
  {
    current: currentOf(snapshotOf(legacy)),
    flags: { read: () => ({ serve: 'unknown', shadow: 'unknown', cause: 'missing' }) },
    keyOf: (id) => createHash('sha256').update(id).digest('hex').slice(0, 32),
    shadow: { busy: () => null, offer: () => null },
    recorder: { observed: silent, eligible: silent },
    clock: realClock,
    log: { debug: silent, info: silent, warn: silent, error: (e, f) => console.error(e, f) },
    nextId: randomUUID,
  },
  { ...PROXY_DEFAULTS, upstreamHeadMs: 3_000, upstreamBodyIdleMs: 3_000, requestBodyBytesMax: 1_073_741_824 },
);
console.log(await proxy.listen({ host: '127.0.0.1', port: Number(port), reusePort: false }));
process.on('SIGINT', () => process.exit(0));
