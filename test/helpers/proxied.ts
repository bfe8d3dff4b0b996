import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { PROXY_DEFAULTS, type ProxyOptions } from '../../router/proxy/options.ts';
import { createProxy, type Proxy as DataPlane } from '../../router/proxy/proxy.ts';
import { type Around, createNeighbours, type Told } from './neighbours.ts';

/** A listening data plane and everything it told its neighbours. */
export interface ProxiedServer extends Told {
  readonly port: number;
  readonly proxy: DataPlane;
  counts(): ReturnType<DataPlane['counts']>;
  /** New options for what begins from now on. */
  reconfigure(options: Partial<ProxyOptions>): void;
}

export interface ProxiedOptions extends Around {
  readonly options?: Partial<ProxyOptions>;
}

/** A proxy on a free port of this machine; drained with the test, and what is still open is cut. */
export async function proxied(given: ProxiedOptions): Promise<ProxiedServer> {
  const { deps, told } = createNeighbours(given);
  let options: ProxyOptions = { ...PROXY_DEFAULTS, ...given.options };
  const proxy = createProxy(deps, options);
  const port = await proxy.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  const reconfigure = (more: Partial<ProxyOptions>): void => {
    const next = { ...options, ...more };
    proxy.reconfigure(next);
    options = next;
  };
  onTestFinished(async () => {
    reconfigure({ drainTunnelMs: 0, drainDeadlineMs: 0 });
    // Most clients have left, which nobody has read yet: draining would wait for its next look at them.
    for (let turn = 0; turn < 100 && proxy.counts().connections > 0; turn += 1) await setImmediate();
    await proxy.drain();
  });
  return { ...told, port, proxy, counts: () => proxy.counts(), reconfigure };
}
