/** The data plane: accepts connections, forwards requests, tells its neighbours what happened. */
import type { ChooseDeps } from '../core/choose.ts';
import type { Clock, Current, Log, Recorder, ShadowSink } from '../core/ports.ts';
import type { ProxyOptions } from './options.ts';

export interface ProxyDeps extends ChooseDeps {
  readonly current: Current;
  readonly shadow: ShadowSink;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes a request id: 1-128 visible characters. */
  nextId(): string;
}

export interface ProxyCounts {
  readonly connections: number;
  readonly inFlight: number;
  /** Requests at the service of a group, by group name. */
  readonly serviceInFlight: ReadonlyMap<string, number>;
  readonly tunnels: number;
  readonly retries: number;
  /** Memory of copies in the making, and copies given up because it was full. */
  readonly copyBytes: number;
  readonly copyRefusals: number;
}

export interface Proxy {
  /** Binds and resolves with the port. Rejects with the error of the system (`EADDRINUSE`, `ENOTSUP` …). */
  listen(address: {
    readonly host: string;
    readonly port: number;
    readonly reusePort: boolean;
  }): Promise<number>;
  /** New limits, timeouts, TLS material: for everything that begins from now on. Throws on bad TLS material. */
  reconfigure(options: ProxyOptions): void;
  counts(): ProxyCounts;
  /**
   * Not accepting any more; answers what is in flight, with `Connection: close`, within the limits of the options;
   * then cuts what is left. Resolves when no connection is open.
   */
  drain(): Promise<void>;
}

/** Does nothing until `listen`. Throws RangeError on a trusted proxy that is no CIDR block and on bad TLS material. */
export declare function createProxy(deps: ProxyDeps, options: ProxyOptions): Proxy;
